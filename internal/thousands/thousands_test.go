package thousands

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFormat(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 325956: "325,956", 153700000: "153,700,000",
		-7: "-7", -999: "-999", -1000: "-1,000", -123456: "-123,456", math.MinInt64: "-9,223,372,036,854,775,808"} {
		require.Equal(t, want, Format(n))
	}
	require.Equal(t, "34,006,948", Format(34006948), "an int")
}
