package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// assignOf returns the update of a variable in a plan.
func assignOf(t *testing.T, p *graph.Plan, target *gorgonia.Node) graph.Assign {
	for _, a := range p.Assigns {
		if a.Target.Node == target {
			return a
		}
	}
	t.Fatalf("no update of %q", target.Name())
	return graph.Assign{}
}

// updateCases are graphs around updates: whether each is made in place, and the names of those that must be copied.
func updateCases() []struct {
	name   string
	build  func(b *enginetest.B)
	copied []string
} {
	scale := func(b *enginetest.B, x *gorgonia.Node) *gorgonia.Node { return b.Apply(&op.Scale{Factor: 2}, x) }
	type builder = func(b *enginetest.B)
	return []struct {
		name   string
		build  builder
		copied []string
	}{
		{"reader of the old value", func(b *enginetest.B) {
			w := b.Input("w", 4)
			b.Update(w, scale(b, w))
			b.Want("old", 0, b.Apply(&op.ReLU{}, w))
		}, nil},
		{"reader of the old value after the producer", func(b *enginetest.B) {
			w := b.Input("w", 2, 2)
			next := scale(b, w)
			b.Update(w, next)
			b.Want("both", 0, b.Apply(&op.MatMul{}, next, w))
		}, []string{"w"}},
		{"reader of the old value in the loop of the producer", func(b *enginetest.B) {
			w := b.Input("w", 4)
			next := scale(b, w)
			b.Update(w, next)
			b.Want("both", 0, b.Apply(&op.Mul{}, next, w))
		}, nil},
		{"reader of the old value far after the producer", func(b *enginetest.B) {
			w := b.Input("w", 2, 2)
			next := scale(b, w)
			b.Update(w, next)
			b.Want("both", 0, b.Apply(&op.MatMul{}, scale(b, b.Apply(&op.ReLU{}, next)), w))
		}, []string{"w"}},
		{"old value wanted", func(b *enginetest.B) {
			w := b.Input("w", 4)
			b.Update(w, scale(b, w))
			b.Want("old", 0, w)
		}, nil},
		{"new value wanted", func(b *enginetest.B) {
			w := b.Input("w", 4)
			b.Update(w, b.Want("new", 0, scale(b, w)))
		}, []string{"w"}},
		{"new value of a scalar", func(b *enginetest.B) {
			s := b.Scalar("s", 0.5)
			b.Update(s, b.Apply(&op.Scale{Factor: 0.9}, s))
			b.Want("y", 0, b.Apply(&op.Descend{}, b.Input("x", 3), b.Input("g", 3), s))
		}, nil},
		{"one value for two variables", func(b *enginetest.B) {
			p, q := b.Input("p", 4), b.Input("q", 4)
			next := b.Apply(&op.Mul{}, p, q)
			b.Update(p, next)
			b.Update(q, next)
		}, []string{"q"}},
		{"exchange", func(b *enginetest.B) {
			p, q := b.Input("p", 4), b.Input("q", 4)
			b.Update(p, q)
			b.Update(q, p)
		}, []string{"q"}},
		{"ring of three", func(b *enginetest.B) {
			p, q, r := b.Input("p", 4), b.Input("q", 4), b.Input("r", 4)
			b.Update(p, scale(b, q))
			b.Update(q, scale(b, r))
			b.Update(r, scale(b, p))
		}, []string{"r"}},
		{"itself", func(b *enginetest.B) {
			p := b.Input("p", 4)
			b.Update(p, p)
		}, nil},
		{"another input", func(b *enginetest.B) { b.Update(b.Input("p", 4), b.Input("x", 4)) }, nil},
		{"one velocity for two weights", func(b *enginetest.B) {
			w, u, v := b.Input("w", 4), b.Input("u", 4), b.Input("v", 4)
			next := b.Apply(&op.Momentum{Momentum: 0.9}, v, b.Input("g", 4), b.Scalar("lr", 0.1))
			b.Update(v, next)
			b.Update(w, b.Apply(&op.Add{}, w, next))
			b.Update(u, b.Apply(&op.Add{}, u, next))
		}, nil},
		{"a square may not be taken over its own factor twice", func(b *enginetest.B) {
			w := b.Input("w", 4)
			b.Update(w, b.Apply(&op.Mul{}, w, w))
		}, nil},
		{"a product is not computed over its operand", func(b *enginetest.B) {
			w := b.Input("w", 4, 4)
			b.Update(w, b.Apply(&op.MatMul{}, w, w))
		}, []string{"w"}},
		{"over a view of itself", func(b *enginetest.B) {
			w := b.Input("w", 2, 3)
			flat := b.Apply(&op.Reshape{From: tensor.Shape{2, 3}, To: tensor.Shape{3, 2}}, w)
			b.Update(w, b.Apply(&op.MatMul{}, b.Input("x", 2, 2), w))
			b.Want("old", 0, scale(b, flat))
		}, []string{"w"}},
		{"gradient and weight in one sum", func(b *enginetest.B) {
			w := b.Input("w", 4)
			g := scale(b, w)
			b.Want("g", 0, g)
			b.Update(w, b.Apply(&op.Descend{}, w, g, b.Scalar("lr", 0.1)))
		}, nil},
	}
}

// Updates take effect together, after everything has read the old values; in place where that makes no difference.
func TestUpdates(t *testing.T) {
	for _, c := range updateCases() {
		t.Run(c.name, func(t *testing.T) {
			test := enginetest.Case{Name: c.name, Build: c.build, Runs: 3}
			test.RequireExact(t, enginetest.Checker{})
			test.RequireClose(t, openCPU(t), tensor.Float32, tensor.Float64)

			b := enginetest.NewB(t, tensor.Float32)
			c.build(b)
			copied := map[string]bool{}
			for _, name := range c.copied {
				copied[name] = true
			}
			p := b.Plan()
			for _, a := range p.Assigns {
				require.Equal(t, copied[a.Target.Name], a.New.Root() != a.Target, "copy of %q in\n%s", a.Target.Name, p)
			}
		})
	}
}

// Scalars that are updated live in the caller's *gorgonia.F32 and the like.
func TestUpdatedScalars(t *testing.T) {
	for name, box := range map[string]gorgonia.Value{"f32": gorgonia.NewF32(8), "f64": gorgonia.NewF64(8)} {
		t.Run(name, func(t *testing.T) {
			g := gorgonia.NewGraph()
			s := gorgonia.NewScalar(g, box.Dtype(), gorgonia.WithName("s"), gorgonia.WithValue(box))
			half, err := op.Apply(&op.Scale{Factor: 0.5}, s)
			require.NoError(t, err)
			m := compile(t, g, graph.WithOutputs(s), graph.WithUpdates(op.Update{Target: s, New: half}))
			value(t, m, s)
			require.EqualValues(t, 4, box.Data())
			old := value(t, m, s)
			require.EqualValues(t, 2, box.Data())
			require.EqualValues(t, 4, old, "an output that is an updated input is its value before the update")
			require.Same(t, box, s.Value(), "the caller's box stays bound")
		})
	}
}

func TestUpdatedTensorsMustBeDense(t *testing.T) {
	g := gorgonia.NewGraph()
	whole := tensor.New(tensor.WithShape(3, 3), tensor.Of(tensor.Float32))
	w := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(3, 2), gorgonia.WithName("w"))
	y, err := op.Apply(&op.Scale{Factor: 2}, w)
	require.NoError(t, err)
	m := compile(t, g, graph.WithUpdates(op.Update{Target: w, New: y}))
	view, err := whole.Slice(nil, gorgonia.S(0, 2))
	require.NoError(t, err)
	letAnyway(w, view)
	var fe *graph.FeedError
	require.ErrorAs(t, m.RunAll(), &fe)
	require.Equal(t, "w", fe.Node)
	require.ErrorContains(t, fe, "clone it")
}

// A second machine of an engine on the same variables goes on where the first one stopped.
func TestMachinesShareVariables(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float32)
	w := b.Filled("w", []float32{1, 2}, 2)
	b.Update(w, b.Apply(&op.Scale{Factor: 2}, w))
	read := b.Apply(&op.ReLU{}, w)
	e := openCPU(t)
	trainer := b.Compile(e)
	defer trainer.Close()
	reader := compile(t, b.G, graph.WithEngine(e), graph.WithOutputs(read))
	require.Equal(t, []float32{1, 2}, value(t, reader, read))
	require.NoError(t, trainer.RunAll())
	require.Equal(t, []float32{2, 4}, value(t, reader, read))
	require.NoError(t, trainer.Sync())
	require.Equal(t, []float32{2, 4}, w.Value().Data())
	require.NoError(t, gorgonia.Let(w, vector(10, 20))) // as loading a checkpoint does
	require.NoError(t, trainer.RunAll())
	require.Equal(t, []float32{20, 40}, value(t, reader, read))
}

func TestTargetThatIsWantedKeepsItsOldValue(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float32)
	w := b.Filled("w", []float32{1, 2}, 2)
	b.Update(w, b.Apply(&op.Scale{Factor: 2}, w))
	b.Want("w", 0, w)
	m := b.Compile(openCPU(t))
	defer m.Close()
	require.True(t, assignOf(t, m.Plan(), w).New.Root() == assignOf(t, m.Plan(), w).Target)
	require.Equal(t, []float32{1, 2}, value(t, m, w))
	require.NoError(t, m.Sync())
	require.Equal(t, []float32{2, 4}, w.Value().Data())
	require.Equal(t, []float32{2, 4}, value(t, m, w))
}

// A value that a step reads twice, in two roles, is not overwritten by its result.
func TestOperandReadTwiceIsNotOverwritten(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float32)
	h := b.Apply(&op.Scale{Factor: 2}, b.Scalar("x", 1))
	next := b.Apply(&op.Descend{}, h, b.Scalar("g", 3), h) // h is weight and learning rate
	b.Want("y", 0, b.Apply(&op.Scale{Factor: 1}, next))
	p := b.Plan()
	require.Equal(t, "Descend", p.Steps[1].Instr.Kind())
	require.Nil(t, p.Steps[1].Out[0].Alias, "%s", p)
}

// An input in the memory of something that the run writes would be read too late: it is refused, and once it has memory of
// its own, the machine goes on.
func TestInputsHaveMemoryOfTheirOwn(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float32)
	w, x := b.Filled("w", []float32{1, 2}, 2), b.Filled("x", []float32{5, 6}, 2)
	b.Update(w, b.Apply(&op.Scale{Factor: 2}, w))
	y := b.Want("y", 0, b.Apply(&op.Scale{Factor: 3}, x))
	m := b.Compile(openCPU(t))
	defer m.Close()
	require.NoError(t, m.RunAll())
	whole := vector(1, 2, 3)
	tail, err := whole.Slice(gorgonia.S(1, 3))
	require.NoError(t, err)
	head, err := whole.Slice(gorgonia.S(0, 2))
	require.NoError(t, err)
	for name, bind := range map[string]func(){
		"the variable's tensor": func() { letAnyway(x, w.Value()) },
		"the output's value":    func() { letAnyway(x, y.Value()) },
		"overlapping slices":    func() { letAnyway(w, head); letAnyway(x, tail) },
	} {
		bind()
		for range 2 {
			var fe *graph.FeedError
			require.ErrorAs(t, m.RunAll(), &fe, name)
			require.ErrorContains(t, fe, "memory of its own")
		}
		letAnyway(w, vector(1, 2))
		letAnyway(x, vector(5, 6))
		require.NoError(t, m.RunAll(), name)
		require.NoError(t, m.Sync())
		require.Equal(t, []float32{15, 18}, y.Value().Data())
		require.Equal(t, []float32{2, 4}, w.Value().Data())
	}
}
