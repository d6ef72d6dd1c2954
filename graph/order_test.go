package graph

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// chainOf is a program of n additions, each of its predecessor's result to itself, for the update of a variable.
func chainOf(n int) *program {
	p := &program{producer: map[*Value]*Step{}}
	v := p.newValue("variable", tensor.Shape{2}, tensor.Float32, nil)
	v.Input, v.Variable = true, true
	last := v
	for i := range n {
		next := p.newValue("sum", tensor.Shape{2}, tensor.Float32, nil)
		p.addStep(&Step{Instr: &op.Add{}, In: []*Value{last, last}, Out: []*Value{next}, rank: i})
		last = next
	}
	p.assigns = []Assign{{Target: v, New: last}}
	return p
}

func TestOrderReportsCycles(t *testing.T) {
	p := chainOf(3)
	require.NoError(t, order(p, Null{}))
	p = chainOf(3)
	p.steps[0].In[0] = p.steps[2].Out[0]
	var ce *CompileError
	require.ErrorAs(t, order(p, Null{}), &ce)
	require.Equal(t, "order", ce.Stage)
	require.ErrorContains(t, ce, "cycle")
}

// Updates may hang on chains as long as they like.
func TestOrderOfLongChains(t *testing.T) {
	p := chainOf(100_000)
	require.NoError(t, order(p, Null{}))
	for i, s := range p.steps[1:] {
		require.True(t, s.In[0] == p.steps[i].Out[0])
	}

	p = chainOf(2000)
	require.NoError(t, order(p, Null{}))
	require.Equal(t, 2*align, planMemory(p, Null{}), "the sums take two places in turns")
	require.Equal(t, p.assigns[0].Target, p.assigns[0].New.Alias, "the last one is the variable's")
}

// On random graphs, whose ranks say little about their order, the decisions about updates in place are those of a walk over
// all that depends on each update.
func TestUpdatesInPlaceEqualTheWalk(t *testing.T) {
	inPlace := 0
	for seed := range uint64(500) {
		got, want := randomUpdates(seed), randomUpdates(seed)
		require.NoError(t, order(got, Null{}))
		updateByWalking(want)
		for i, a := range want.assigns {
			require.Equal(t, a.New.Alias == nil, got.assigns[i].New.Alias == nil, "seed %d, update %d", seed, i)
			if a.New.Alias != nil {
				inPlace++
			}
		}
		at := map[*Value]int{}
		for i, s := range got.steps {
			at[s.Out[0]] = i
		}
		for i, s := range got.steps {
			for _, v := range s.In {
				require.LessOrEqual(t, at[v], i)
				for _, a := range got.assigns {
					if v == a.Target && a.New.Alias != nil {
						require.LessOrEqual(t, i, at[a.New], "seed %d: the old value is read before it is overwritten", seed)
					}
				}
			}
		}
	}
	require.Greater(t, inPlace, 500)
}

// randomUpdates is a program of sums of sums and variables, some of which are updated.
func randomUpdates(seed uint64) *program {
	rng := rand.New(rand.NewPCG(seed, 3))
	p := &program{producer: map[*Value]*Step{}}
	for range 1 + rng.IntN(6) {
		v := p.newValue("variable", tensor.Shape{2}, tensor.Float32, nil)
		v.Input, v.Variable = true, true
	}
	variables := len(p.values)
	n := 2 + rng.IntN(30)
	for range n {
		in := []*Value{p.values[rng.IntN(len(p.values))], p.values[max(0, len(p.values)-1-rng.IntN(6))]}
		out := p.newValue("sum", tensor.Shape{2}, tensor.Float32, nil)
		p.addStep(&Step{Instr: &op.Add{}, In: in, Out: []*Value{out}, rank: rng.IntN(n)})
	}
	taken := map[*Value]bool{}
	for i := range variables {
		v := p.values[variables+rng.IntN(n)]
		if !taken[v] {
			taken[v] = true
			p.assigns = append(p.assigns, Assign{Target: p.values[i], New: v})
		}
	}
	return p
}

// updateByWalking decides in quadratic time.
func updateByWalking(p *program) {
	after := map[*Step][]*Step{}
	readers := map[*Value][]*Step{}
	for _, s := range p.steps {
		for _, v := range s.In {
			readers[v] = append(readers[v], s)
			if w := p.producer[v]; w != nil {
				after[w] = append(after[w], s)
			}
		}
	}
	for _, a := range p.assigns {
		w := p.producer[a.New]
		reached, stack := map[*Step]bool{}, []*Step{w}
		for len(stack) > 0 {
			s := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if !reached[s] {
				reached[s] = true
				stack = append(stack, after[s]...)
			}
		}
		sound := true
		for _, r := range readers[a.Target] {
			sound = sound && (r == w || !reached[r])
		}
		if !sound {
			continue
		}
		a.New.Alias = a.Target
		for _, r := range readers[a.Target] {
			if r != w {
				after[r] = append(after[r], w)
			}
		}
	}
}

func TestErrorTexts(t *testing.T) {
	cause := &StepError{Step: 3, Op: "Add", Node: "y", Err: ErrClosed}
	require.EqualError(t, cause, `graph: step 3, Add of "y": graph: the machine is closed`)
	require.ErrorIs(t, cause, ErrClosed)
	ce := &CompileError{Stage: "build", Node: "y", Reason: "no", Err: cause, Remedy: "do this"}
	require.EqualError(t, ce, `graph: build of "y": no: graph: step 3, Add of "y": graph: the machine is closed; do this`)
	require.ErrorIs(t, ce, ErrClosed)
	require.EqualError(t, &FeedError{Node: "x", Wanted: "a", Got: "b", Remedy: "c"}, `graph: input "x" wants a, got b; c`)
}
