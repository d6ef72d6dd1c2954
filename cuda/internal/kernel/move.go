package kernel

import (
	"math"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// allTypes are the element types that graphs have.
var allTypes = []tensor.Dtype{tensor.Float32, tensor.Float64, tensor.Int, tensor.Int32, tensor.Int64, tensor.Uint8, tensor.Bool}

func init() {
	register(map[string]Prepare{
		"Copy":      whole,
		"Reshape":   whole,
		"Slice":     prepareSlice,
		"SliceGrad": prepareSliceGrad,
		"Concat":    prepareConcat,
		"At":        prepareAt,
		"Gather":    prepareGather,
		"DiagFlat":  prepareDiagFlat,
		"Cast":      prepareCast,
	}, allTypes...)
	registerFloats(map[string]Prepare{"GatherGrad": prepareGatherGrad})
	rows := func(s *graph.Step, _ int) bool { return s.Instr.(*ir.Slice).Step == 1 }
	registerNarrow(map[string]narrowing{
		"Copy":    {in: operands(0), out: operands(0)},
		"Reshape": {in: operands(0), out: operands(0)},
		"Slice":   {in: rows, out: rows, images: true},
		"Concat":  {in: every, out: operands(0), images: true},
	})
}

// moved is the element type that stands for dt where elements only change their places: one of its size.
func moved(dt tensor.Dtype) tensor.Dtype {
	switch dt.Size() {
	case 4:
		return tensor.Int32
	case 8:
		return tensor.Int64
	}
	return tensor.Uint8
}

// around returns the numbers of elements before, along and behind an axis.
func around(s tensor.Shape, axis int) (outer, n, inner int) {
	return op.Len(s[:axis]), s[axis], op.Len(s[axis+1:])
}

// whole copies an operand as it is, or to the type in which the result lies in memory.
func whole(b *Builder, s *graph.Step) ([]Command, error) {
	x, y := s.In[0], s.Out[0]
	switch {
	case x.Narrow && !y.Narrow:
		return []Command{b.each("bf16.cu", "from_bfloat16", y.Dtype, y.Len(), Out(0), In(0))}, nil
	case y.Narrow && !x.Narrow:
		return []Command{b.each("bf16.cu", "to_bfloat16", y.Dtype, y.Len(), Out(0), In(0))}, nil
	}
	return []Command{&Move{To: Out(0), From: In(0), Bytes: int64(y.StoredBytes())}}, nil
}

// carried launches a kernel of rows.cu over n packs of elements that only change their places, from x to the result of a step, and
// perhaps the type in which they lie in memory.
func (b *Builder) carried(s *graph.Step, name string, x *graph.Value, pack, n int, args ...any) *Launch {
	y, dt := s.Out[0], moved(s.Out[0].Dtype)
	if x.Narrow || y.Narrow {
		dt = y.Dtype
	}
	grid, block := b.Each(n)
	d := storage{}.as("SX", x).as("SY", y).pack(pack)
	return &Launch{Source: File("rows.cu", dt, d...), Name: name, Grid: grid, Block: block, Args: append(args, int64(n))}
}

// moves is each for elements that only change their places.
func (b *Builder) moves(name string, dt tensor.Dtype, n int, args ...any) *Launch {
	return b.each("move.cu", name, moved(dt), n, args...)
}

// The range of a slice may move between runs, so where it starts is asked for before each.
func start(o *ir.Slice, n, count int) Late {
	return func() (int64, error) { return int64(o.Start), o.CheckMoved(n, count) }
}

func prepareSlice(b *Builder, s *graph.Step) ([]Command, error) {
	o := s.Instr.(*ir.Slice)
	outer, n, inner := around(s.In[0].Shape, o.Axis)
	count := s.Out[0].Len() / (outer * inner)
	if o.Step == 1 {
		run := count * inner
		pack := packOf(gcd(gcd(run, n*inner), o.Start*inner), s.In[0], s.Out[0])
		return []Command{b.carried(s, "slice_rows", s.In[0], pack, s.Out[0].Len()/pack,
			Out(0), In(0), start(o, n, count), int64(inner), structOf(divideBy(run/pack)), int64(n*inner))}, nil
	}
	return []Command{b.moves("slice", s.Out[0].Dtype, s.Out[0].Len(),
		Out(0), In(0), start(o, n, count), int64(o.Step), int64(n), structOf(divideBy(count)), structOf(divideBy(inner)))}, nil
}

func prepareSliceGrad(b *Builder, s *graph.Step) ([]Command, error) {
	o := s.Instr.(*ir.SliceGrad).Slice
	outer, n, inner := around(s.Out[0].Shape, o.Axis)
	count := s.In[0].Len() / (outer * inner)
	return []Command{b.moves("slice_grad", s.Out[0].Dtype, s.Out[0].Len(),
		Out(0), In(0), start(o, n, count), structOf(divideBy(min(o.Step, n))), int64(count), structOf(divideBy(n)), structOf(divideBy(inner)))}, nil
}

// Each input has a launch of its own, so that there may be any number.
func prepareConcat(b *Builder, s *graph.Step) ([]Command, error) {
	y := s.Out[0]
	rows, _, _ := around(y.Shape, s.Instr.(*ir.Concat).Axis)
	wide := y.Len() / rows
	var all []Command
	first := 0
	for i, v := range s.In {
		run := v.Len() / rows
		to := Out(0).At(int64(first * elementBytes(y)))
		if rows == 1 && v.Narrow == y.Narrow {
			all = append(all, &Move{To: to, From: In(i), Bytes: int64(v.StoredBytes())})
		} else if run > 0 {
			pack := packOf(gcd(gcd(run, wide), first), v, y)
			all = append(all, b.carried(s, "place", v, pack, v.Len()/pack, to, In(i), structOf(divideBy(run/pack)), int64(wide)))
		}
		first += run
	}
	return all, nil
}

// gcd is the largest number that divides both, of which one is not 0.
func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func prepareAt(_ *Builder, s *graph.Step) ([]Command, error) {
	size := int64(s.Out[0].Dtype.Size())
	at := int64(s.Instr.(*ir.At).Index(s.In[0].Shape))
	return []Command{&Move{To: Out(0), From: In(0).At(at * size), Bytes: size}}, nil
}

// indicesBelow checks operand 1 of a gather or its gradient.
func indicesBelow(kind string, n int) *Check {
	return &Check{In: 1, Fn: func(a op.Array) error { return ir.CheckIndices(kind, a.Data.([]int), n) }}
}

func prepareGather(b *Builder, s *graph.Step) ([]Command, error) {
	o := s.Instr.(*ir.Gather)
	_, n, inner := around(s.In[0].Shape, o.Axis)
	return []Command{indicesBelow(o.Kind(), n), b.moves("gather", s.Out[0].Dtype, s.Out[0].Len(),
		Out(0), In(0), In(1), int64(n), structOf(divideBy(s.In[1].Len())), structOf(divideBy(inner)))}, nil
}

// orderThreads is ORDER_THREADS of gather_grad.cu.
const orderThreads = 1024

func prepareGatherGrad(b *Builder, s *graph.Step) ([]Command, error) {
	o := s.Instr.(*ir.GatherGrad)
	_, n, inner := around(s.Out[0].Shape, o.Axis)
	count := s.In[1].Len()
	if count > math.MaxInt32 { // places in the order have 32 bits
		return nil, nil
	}
	first, order := b.Scratch(4*int64(n+1)), b.Scratch(4*int64(count))
	sum := b.each("gather_grad.cu", "gather_grad", s.Out[0].Dtype, s.Out[0].Len(),
		Out(0), In(0), first, order, int64(count), structOf(divideBy(n)), structOf(divideBy(inner)))
	sort := &Launch{Source: sum.Source, Name: "order_indices", Grid: Dim3{X: 1}, Block: Dim3{X: orderThreads},
		Args: []any{first, order, In(1), int64(n), int64(count)}}
	return []Command{indicesBelow(o.Kind(), n), sort, sum}, nil
}

func prepareDiagFlat(b *Builder, s *graph.Step) ([]Command, error) {
	dt, n := s.Out[0].Dtype, s.In[0].Len()
	return []Command{&Fill{To: Out(0), Bytes: int64(s.Out[0].Bytes())}, b.moves("diagonal", dt, n, Out(0), In(0))}, nil
}

func prepareCast(b *Builder, s *graph.Step) ([]Command, error) {
	from, to, n := s.In[0].Dtype, s.Out[0].Dtype, s.Out[0].Len()
	if from == to {
		return whole(b, s)
	}
	defines := []string{"FROM " + CType(from)}
	if to == tensor.Bool {
		defines = append(defines, "BOOL")
	}
	grid, block := b.Each(n)
	return []Command{&Launch{Source: File("cast.cu", to, defines...), Name: "cast", Grid: grid, Block: block, Args: []any{Out(0), In(0), int64(n)}}}, nil
}
