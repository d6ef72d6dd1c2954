package bench

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

func TestPNG(t *testing.T) {
	f, err := os.Open(os.Getenv("REPORT"))
	require.NoError(t, err)
	r, err := ReadJSON(f)
	require.NoError(t, err)
	p, err := r.roofline()
	require.NoError(t, err)
	c := vgimg.PngCanvas{Canvas: vgimg.New(24*vg.Centimeter, 15*vg.Centimeter)}
	p.Draw(draw.New(c))
	o, _ := os.Create("/tmp/r.png")
	c.WriteTo(o)
	o.Close()
}
