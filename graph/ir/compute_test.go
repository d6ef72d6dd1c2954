package ir_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// randomShape has up to 4 axes of 1 to 5 elements.
func randomShape(r *rand.Rand) tensor.Shape {
	s := make(tensor.Shape, 1+r.IntN(4))
	for i := range s {
		s[i] = 1 + r.IntN(5)
	}
	return s
}

// Operations that move elements, against their meaning in coordinates.
func TestMoves(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for seed := range uint64(200) {
		s := randomShape(r)
		x, axis := normal(seed, s...), r.IntN(len(s))
		n := s[axis]

		times := 1 + r.IntN(3)
		y := compute(t, &ir.Repeat{Axis: axis, Times: times}, x)
		require.Equal(t, made(y.Shape, func(c []int) float64 { return at(x, with(c, axis, c[axis]/times)) }), f64(y), "repeat %v", s)

		o := &ir.Slice{Axis: axis, Start: r.IntN(n), Step: 1 + r.IntN(3)}
		o.End = o.Start + 1 + r.IntN(n-o.Start+1)
		count := max((min(o.End, n)-o.Start)/o.Step, 1)
		y = compute(t, o, x)
		full := with(s, axis, count) // the shape without dropping the axis
		require.Equal(t, made(full, func(c []int) float64 { return at(x, with(c, axis, o.Start+c[axis]*o.Step)) }), f64(y), "%v of %v", o, s)

		g := compute(t, &ir.SliceGrad{Slice: o, InputShape: s}, y)
		require.Equal(t, made(s, func(c []int) float64 {
			if i := c[axis] - o.Start; i < 0 || i%o.Step != 0 || i/o.Step >= count {
				return 0
			}
			return at(x, c)
		}), f64(g), "gradient of %v of %v", o, s)

		more := normal(seed+1000, with(s, axis, 1+r.IntN(3))...)
		y = compute(t, &ir.Concat{Axis: axis}, x, more, x)
		require.Equal(t, made(y.Shape, func(c []int) float64 {
			switch k := c[axis]; {
			case k < n:
				return at(x, c)
			case k < n+more.Shape[axis]:
				return at(more, with(c, axis, k-n))
			default:
				return at(x, with(c, axis, k-n-more.Shape[axis]))
			}
		}), f64(y), "concat %v", s)

		indices := make([]int, 1+r.IntN(6))
		for i := range indices {
			indices[i] = r.IntN(n)
		}
		y = compute(t, &ir.Gather{Axis: axis}, x, vector(indices...))
		require.Equal(t, made(y.Shape, func(c []int) float64 { return at(x, with(c, axis, indices[c[axis]])) }), f64(y), "gather %v", s)

		g = compute(t, &ir.GatherGrad{Axis: axis, InputShape: s}, y, vector(indices...))
		require.Equal(t, made(s, func(c []int) float64 {
			sum := 0.0
			for i, k := range indices {
				if k == c[axis] {
					sum += at(y, with(c, axis, i))
				}
			}
			return sum
		}), f64(g), "gradient of gather %v", s)

		place := make([]int, len(s))
		for i, d := range s {
			place[i] = r.IntN(d)
		}
		require.Equal(t, []float64{at(x, place)}, f64(compute(t, &ir.At{Coordinates: place}, x)))

		y = compute(t, &ir.DiagFlat{}, x)
		require.Equal(t, made(y.Shape, func(c []int) float64 {
			if c[0] != c[1] {
				return 0
			}
			return f64(x)[c[0]]
		}), f64(y))
	}
}

// Vectors and scalars get the axes that are repeated along.
func TestRepeatExtends(t *testing.T) {
	require.Equal(t, []float64{7, 7, 7}, f64(compute(t, &ir.Repeat{Axis: 1, Times: 3}, op.Array{Data: []float64{7}})))
	require.Equal(t, []float64{1, 1, 2, 2}, f64(compute(t, &ir.Repeat{Axis: 1, Times: 2}, vector(1., 2))))
	require.Equal(t, []float64{1, 2, 1, 2}, f64(compute(t, &ir.Repeat{Axis: 0, Times: 2}, op.Array{Shape: tensor.Shape{1, 2}, Data: []float64{1, 2}})))
}

// The same maps move integers and booleans.
func TestMovesOfOtherTypes(t *testing.T) {
	x := op.Array{Shape: tensor.Shape{2, 3}, Data: []int{1, 2, 3, 4, 5, 6}}
	b := op.Array{Shape: tensor.Shape{2, 3}, Data: []bool{true, false, false, true, true, false}}
	require.Equal(t, []int{1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6}, compute(t, &ir.Repeat{Axis: 1, Times: 2}, x).Data)
	require.Equal(t, []bool{false, false, true, false}, compute(t, &ir.Slice{Axis: 1, Start: 1, End: 3, Step: 1}, b).Data)
	require.Equal(t, []int{1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}, compute(t, &ir.Concat{Axis: 1}, x, x).Data)
	require.Equal(t, []bool{true, true, false, true, false, false}, compute(t, &ir.Gather{}, b, vector(1, 0)).Data)
	require.Equal(t, []int{6}, compute(t, &ir.At{Coordinates: []int{1, 2}}, x).Data)
	require.Equal(t, []int{1, 0, 0, 2}, compute(t, &ir.DiagFlat{}, vector(1, 2)).Data)
	require.ErrorContains(t, (&ir.Concat{}).Compute([]op.Array{vector(0, 0)}, []op.Array{vector(1.), vector(1)}), "one element type")
	require.ErrorContains(t, (&ir.Reduce{}).Compute([]op.Array{vector(0)}, []op.Array{vector(1)}), "not supported")
}

func TestCast(t *testing.T) {
	for _, data := range []any{[]float64{1.9, -1.9, 3, 0}, []float32{1.9, -1.9, 3, 0}, []int{1, -1, 3, 0}} {
		in := op.Array{Shape: tensor.Shape{4}, Data: data}
		ints := vector(9, 9, 9, 9)
		require.NoError(t, (&ir.Cast{To: tensor.Int}).Compute([]op.Array{ints}, []op.Array{in}))
		require.Equal(t, []int{1, -1, 3, 0}, ints.Data)
		for _, out := range []op.Array{vector(9., 9, 9, 9), vector[float32](9, 9, 9, 9)} {
			require.NoError(t, (&ir.Cast{To: out.Dtype()}).Compute([]op.Array{out}, []op.Array{in}))
			numtest.AssertClose(t, data, out.Data, numtest.Tolerance{Rel: 1e-7}, "cast")
		}
	}
}

// A slice that was moved between runs is read where it is; its End is not looked at.
func TestSliceMoves(t *testing.T) {
	s := &ir.Slice{Start: 0, End: 2, Step: 1}
	x := vector(1., 2, 3, 4, 5)
	y, dx := make([]float64, 2), make([]float64, 5)
	g := &ir.SliceGrad{Slice: s, InputShape: x.Shape}
	run := func() error {
		if err := s.Compute([]op.Array{{Shape: tensor.Shape{2}, Data: y}}, []op.Array{x}); err != nil {
			return err
		}
		return g.Compute([]op.Array{{Shape: x.Shape, Data: dx}}, []op.Array{vector(y...)})
	}
	require.NoError(t, run())
	require.Equal(t, []float64{1, 2}, y)
	s.Start, s.End = 3, 5
	require.NoError(t, run())
	require.Equal(t, []float64{4, 5}, y)
	require.Equal(t, []float64{0, 0, 0, 4, 5}, dx)
	s.Start, s.End = 4, 6
	require.ErrorContains(t, run(), "moved out of its axis of 5 elements")
}

func TestIndicesAreChecked(t *testing.T) {
	for _, bad := range []int{-1, 3} {
		out := []op.Array{vector(0., 0)}
		require.ErrorContains(t, (&ir.Gather{}).Compute(out, []op.Array{vector(1., 2, 3), vector(0, bad)}), "index 1 is")
		out = []op.Array{vector(0., 0, 0)}
		require.ErrorContains(t, (&ir.GatherGrad{InputShape: tensor.Shape{3}}).Compute(out, []op.Array{vector(1., 2), vector(bad, 0)}), "index 0 is")
	}
}

func TestReduce(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for seed := range uint64(300) {
		s := randomShape(r)
		x := normal(seed, s...)
		if seed%5 == 0 {
			f64(x)[r.IntN(op.Len(s))] = math.NaN()
		}
		var axes []int
		for axis := range s {
			if r.IntN(2) == 0 {
				axes = append(axes, axis)
			}
		}
		for _, fn := range []ir.ReduceFn{ir.ReduceSum, ir.ReduceMax, ir.ReduceMean} {
			o := &ir.Reduce{Fn: fn, Axes: axes}
			y := compute(t, o, x)
			var want []float64
			each(y.Shape, func(kept []int) {
				var of []float64
				each(s, func(c []int) {
					var here []int
					for axis, k := range c {
						if len(axes) > 0 && !slices.Contains(axes, axis) {
							here = append(here, k)
						}
					}
					if slices.Equal(here, kept) {
						of = append(of, at(x, c))
					}
				})
				want = append(want, reduced(fn, of))
			})
			numtest.AssertClose(t, want, f64(y), numtest.Tol(tensor.Float64, numtest.Reduction), o.String())
			numtest.AssertClose(t, f64(y), compute(t, o, narrow(x)).Data, numtest.Tol(tensor.Float32, numtest.Reduction), o.String())
		}
	}
}

func reduced(fn ir.ReduceFn, x []float64) float64 {
	total := x[0]
	for _, v := range x[1:] {
		if fn == ir.ReduceMax {
			if !math.IsNaN(total) && !(v <= total) {
				total = v
			}
		} else {
			total += v
		}
	}
	if fn == ir.ReduceMean {
		total /= float64(len(x))
	}
	return total
}

// A long sum of float32 is as good as the type: a float32 accumulator would lose every one of the ones.
func TestReduceAddsWide(t *testing.T) {
	x := filled[float32](1001, 1)
	x[0] = 1 << 24
	require.Equal(t, []float32{1<<24 + 1000}, compute(t, &ir.Reduce{}, vector(x...)).Data)
}

func TestBatchMatMul(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for seed := range uint64(60) {
		o := &ir.BatchMatMul{TransA: seed&1 != 0, TransB: seed&2 != 0}
		batch, m, n, k := 1+r.IntN(3), 1+r.IntN(4), 1+r.IntN(4), 1+r.IntN(4)
		a, b := normal(seed, batch, 2, m, k), normal(seed+100, batch, 2, k, n)
		if o.TransA {
			a = normal(seed, batch, 2, k, m)
		}
		if o.TransB {
			b = normal(seed+100, batch, 2, n, k)
		}
		turned := func(c []int, row, col int, trans bool) []int {
			if trans {
				row, col = col, row
			}
			return []int{c[0], c[1], row, col}
		}
		y := compute(t, o, a, b)
		numtest.AssertClose(t, made(y.Shape, func(c []int) float64 {
			sum := 0.0
			for i := range k {
				sum += at(a, turned(c, c[2], i, o.TransA)) * at(b, turned(c, i, c[3], o.TransB))
			}
			return sum
		}), f64(y), numtest.Tol(tensor.Float64, numtest.Reduction), o.String())
	}
}

func TestIm2ColAndUpsample(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	pair := func(low, n int) [2]int { return [2]int{low + r.IntN(n), low + r.IntN(n)} }
	for seed := range uint64(100) {
		x := normal(seed, 1+r.IntN(2), 1+r.IntN(3), 5+r.IntN(4), 5+r.IntN(4))
		o := &ir.Im2Col{Kernel: pair(1, 3), Pad: pair(0, 3), Stride: pair(1, 3), Dilation: pair(1, 2)}
		y := compute(t, o, x)
		size := o.Kernel[0] * o.Kernel[1]
		require.Equal(t, made(y.Shape, func(c []int) float64 {
			p := [2]int{c[3] % size / o.Kernel[1], c[3] % o.Kernel[1]}
			var pixel [2]int
			for i := range pixel {
				pixel[i] = c[1+i]*o.Stride[i] + p[i]*o.Dilation[i] - o.Pad[i]
				if pixel[i] < 0 || pixel[i] >= x.Shape[2+i] {
					return 0
				}
			}
			return at(x, []int{c[0], c[3] / size, pixel[0], pixel[1]})
		}), f64(y), "%v of %v", o, x.Shape)

		scale := 1 + r.IntN(3)
		y = compute(t, &ir.Upsample{Scale: scale}, x)
		require.Equal(t, made(y.Shape, func(c []int) float64 { return at(x, []int{c[0], c[1], c[2] / scale, c[3] / scale}) }), f64(y))
	}
}

// A group has mean 0 and variance 1 whatever its offset; one without variance is 0.
func TestGroupNorm(t *testing.T) {
	x := normal(1, 3, 6, 5)
	for i := range f64(x) {
		f64(x)[i] = 1000 + 2*f64(x)[i]
	}
	y := f64(compute(t, &ir.GroupNorm{Groups: 2}, x))
	for g := 0; g < len(y); g += 15 {
		var sum, squares float64
		for _, v := range y[g : g+15] {
			sum += v
			squares += v * v
		}
		require.InDelta(t, 0, sum, 1e-9)
		require.InDelta(t, 15, squares, 1e-9)
	}
	require.Equal(t, []float64{0, 0}, f64(compute(t, &ir.GroupNorm{Groups: 1, Epsilon: 1e-5}, op.Array{Shape: tensor.Shape{1, 2}, Data: []float64{3, 3}})))
}
