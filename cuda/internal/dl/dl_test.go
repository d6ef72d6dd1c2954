//go:build gpu && cgo && linux

package dl

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestOpenFindsFunctionsAndTheirFile(t *testing.T) {
	l, err := Open("libm.so.6", false)
	require.NoError(t, err)
	cos := l.Symbol("cos")
	require.NotNil(t, cos)
	require.Regexp(t, `^/.*libm`, l.File(cos))

	var sin, none unsafe.Pointer
	require.NoError(t, l.Symbols(map[string]*unsafe.Pointer{"sin": &sin}))
	require.NotNil(t, sin)
	require.EqualError(t, l.Symbols(map[string]*unsafe.Pointer{"cuSin": &none}), "libm.so.6 has no function cuSin: it is of another version, or another library")
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	_, err := Open("/nowhere/libnone.so", true)
	require.ErrorContains(t, err, "/nowhere/libnone.so")
}
