package op

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func ones(n int) Array {
	a := Array{tensor.Shape{n}, make([]float64, n)}
	setAll(a.Data.([]float64), 1)
	return a
}

// mask is Dropout of ones: 0 where dropped, 1/(1−Rate) where kept.
func mask(t *testing.T, o *Dropout, n, step int) []float64 {
	return reference(t, o, ones(n), integer(step)).Data.([]float64)
}

// The first masks are frozen: a change of them breaks the resumption of runs and the agreement of engines. They were
// worked out by a second implementation, in Python.
func TestDropoutMaskIsFrozen(t *testing.T) {
	drawn := func(o *Dropout, step int) string {
		s := ""
		for _, v := range mask(t, o, 16, step) {
			s += map[bool]string{true: "1", false: "0"}[v != 0]
		}
		return s
	}
	require.Equal(t, "0111101000001010", drawn(&Dropout{Rate: 0.5}, 0))
	require.Equal(t, "0011010110010100", drawn(&Dropout{Rate: 0.5, Seed: 0x0123456789abcdef, Stream: 7}, 3))
	require.Equal(t, "1111010111010100", drawn(&Dropout{Rate: 0.25, Seed: 0x0123456789abcdef, Stream: 7}, 3))

	// With everything zero, the first block is that of the known-answer test of Philox4x32-10 in Random123:
	// 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
	require.Equal(t, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}, (&Dropout{}).Words(0, 0))
	// Every field has its place.
	all := &Dropout{Seed: 0x0000000200000001, Stream: 5}
	require.NotEqual(t, all.Words(6, 1<<32), all.Words(6, 1))
	require.NotEqual(t, all.Words(6, 0), all.Words(5, 0))
}

func TestDropoutMaskDependsOnSeedStepAndStream(t *testing.T) {
	base := Dropout{Rate: 0.5, Seed: 1, Stream: 1}
	want := mask(t, &base, 1000, 1)
	require.Equal(t, want, mask(t, &Dropout{Rate: 0.5, Seed: 1, Stream: 1}, 1000, 1))
	require.Equal(t, want[:7], mask(t, &base, 7, 1), "an element's mask does not depend on the size")
	high := base
	high.Seed |= 1 << 40
	seed, stream := base, base
	seed.Seed, stream.Stream = 2, 2
	for name, other := range map[string][]float64{
		"seed": mask(t, &seed, 1000, 1), "high half of the seed": mask(t, &high, 1000, 1),
		"stream": mask(t, &stream, 1000, 1), "step": mask(t, &base, 1000, 2),
	} {
		same := 0
		for i := range other {
			if other[i] == want[i] {
				same++
			}
		}
		require.InDelta(t, 500, same, 80, "%s: masks should agree by chance only", name) // 5 standard deviations
	}
}

func TestDropoutRate(t *testing.T) {
	const n = 40000
	for _, rate := range []float64{0.1, 0.25, 0.5, 0.9} {
		y := mask(t, &Dropout{Rate: rate, Seed: 3}, n, 0)
		count := 0
		for _, v := range y {
			if v != 0 {
				require.Equal(t, 1/(1-rate), v)
				count++
			}
		}
		require.InDelta(t, n*(1-rate), count, 5*math.Sqrt(n*rate*(1-rate)), "rate %v", rate)
	}
	require.Equal(t, ones(9).Data, any(mask(t, &Dropout{}, 9, 4)), "rate 0 keeps everything")
	almost := &Dropout{Rate: math.Nextafter(1, 0)}
	require.Equal(t, uint32(1<<24), almost.Threshold(), "no word reaches it: everything is dropped, nothing overflows")
	require.Equal(t, make([]float64, 9), mask(t, almost, 9, 0))
	require.Equal(t, uint32(1), (&Dropout{Rate: 1e-12}).Threshold())
	half := (&Dropout{Rate: 0.5}).Threshold()
	require.True(t, kept(1<<31, half), "a uniform number equal to Rate keeps")
	require.False(t, kept(1<<31-1, half))

	for _, rate := range []float64{1, 1.5, -0.1, math.NaN(), math.Inf(1)} {
		_, err := (&Dropout{Rate: rate}).Infer([]tensor.Shape{{4}, {}})
		require.ErrorContains(t, err, "want Rate of at least 0 and below 1, got", "rate %v", rate)
	}
}

// float32 and float64 draw the same mask, for rates that neither can hold, too.
func TestDropoutAgreesBetweenTypes(t *testing.T) {
	o := &Dropout{Rate: 0.1, Seed: 5}
	a := reference(t, o, ones(5000), integer(1)).Data.([]float64)
	b := reference(t, o, as(t, tensor.Float32, ones(5000)), integer(1)).Data.([]float32)
	for i := range a {
		require.Equal(t, a[i] == 0, b[i] == 0)
	}
}

func TestDropoutDropsNaN(t *testing.T) {
	o := &Dropout{Rate: 0.5, Seed: 1}
	m := mask(t, o, 16, 0)
	x := ones(16)
	setAll(x.Data.([]float64), math.NaN())
	for i, v := range reference(t, o, x, integer(0)).Data.([]float64) {
		require.Equal(t, m[i] != 0, math.IsNaN(v))
	}
}

// The backward pass has the mask of the forward pass of the same step, on Gorgonia's machine.
func TestDropoutGradientHasTheSameMask(t *testing.T) {
	g := gorgonia.NewGraph()
	x, step := feed(g, "x", ones(101)), feed(g, "step", integer(12))
	y, err := Apply(&Dropout{Rate: 0.3, Seed: 4, Stream: 9}, x, step)
	require.NoError(t, err)
	cost, err := Apply(&Sum{}, y)
	require.NoError(t, err)
	grads, err := gorgonia.Grad(cost, x)
	require.NoError(t, err)
	got := stock(t, g, y, grads[0])
	require.Equal(t, got[0].Data, got[1].Data)
	require.Equal(t, mask(t, &Dropout{Rate: 0.3, Seed: 4, Stream: 9}, 101, 12), got[1].Data)
}
