package enginetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// Every plan of the suite, fully fused and with all the reuse of memory that the operations allow, is sound, and its
// results are those of the plan without any fusion, bit by bit: passes change nothing.
func TestPlansAreSoundAndFusionsExact(t *testing.T) {
	for _, c := range enginetest.Cases() {
		t.Run(c.Name, func(t *testing.T) { c.RequireExact(t, enginetest.Checker{Probe: true}) })
	}
}

// chain is a net whose intermediate values reuse memory, and that updates a variable in place.
func chain(t *testing.T) *enginetest.B {
	b := enginetest.NewB(t, tensor.Float32)
	x, w := b.Input("x", 4, 6), b.Input("w", 4, 6)
	h := b.Apply(&op.MatMul{TransB: true}, x, w)
	y := b.Apply(&op.Softmax{}, b.Apply(&op.MatMul{}, h, h))
	b.Want("y", numtest.Reduction, b.Apply(&op.Add{}, y, h))
	b.Want("old w", numtest.Elementwise, b.Apply(&op.Scale{Factor: 2}, w))
	b.Update(w, b.Apply(&op.Descend{}, w, x, b.Scalar("lr", 0.5)))
	return b
}

// spoiler changes a plan before the checker builds it.
type spoiler struct {
	enginetest.Checker
	spoil func(*graph.Plan)
}

func (s spoiler) Build(p *graph.Plan) (graph.Program, error) {
	s.spoil(p)
	return s.Checker.Build(p)
}

func TestCheckerFindsFaults(t *testing.T) {
	arena := func(p *graph.Plan) (all []*graph.Value) {
		for _, v := range p.Values {
			if v.Where == graph.Arena && v.Alias == nil {
				all = append(all, v)
			}
		}
		return all
	}
	require.NoError(t, run(t, func(*graph.Plan) {}))
	for name, spoil := range map[string]func(*graph.Plan){
		"two values in one place": func(p *graph.Plan) {
			require.Greater(t, len(arena(p)), 1)
			for _, v := range arena(p) {
				v.Offset = 0
			}
		},
		"not aligned":      func(p *graph.Plan) { arena(p)[0].Offset = 4 },
		"beyond the arena": func(p *graph.Plan) { p.ArenaBytes -= 64 },
		"wrong order": func(p *graph.Plan) {
			last := len(p.Steps) - 1
			p.Steps[0], p.Steps[last] = p.Steps[last], p.Steps[0]
		},
		"update before the old value is read": func(p *graph.Plan) {
			for i, s := range p.Steps {
				if s.Instr.Kind() == "Descend" {
					require.Equal(t, p.Assigns[0].Target, s.Out[0].Alias, "in place")
					steps := append([]*graph.Step{s}, p.Steps[:i]...)
					p.Steps = append(steps, p.Steps[i+1:]...)
				}
			}
		},
		"a step left out": func(p *graph.Plan) { p.Steps = p.Steps[1:] },
	} {
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, run(t, spoil), enginetest.ErrUnsound) })
	}
}

func run(t *testing.T, spoil func(*graph.Plan)) error {
	b := chain(t)
	m, err := graph.Compile(b.G, b.Options(spoiler{spoil: spoil})...)
	if err != nil {
		return err
	}
	defer m.Close()
	return m.RunAll()
}
