package graph

import (
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

func TestErrorTexts(t *testing.T) {
	cause := &StepError{Step: 3, Op: "Add", Node: "y", Err: ErrClosed}
	require.EqualError(t, cause, `graph: step 3, Add of "y": graph: the machine is closed`)
	require.ErrorIs(t, cause, ErrClosed)
	ce := &CompileError{Stage: "build", Node: "y", Reason: "no", Err: cause, Remedy: "do this"}
	require.EqualError(t, ce, `graph: build of "y": no: graph: step 3, Add of "y": graph: the machine is closed; do this`)
	require.ErrorIs(t, ce, ErrClosed)
	require.EqualError(t, &FeedError{Node: "x", Wanted: "a", Got: "b", Remedy: "c"}, `graph: input "x" wants a, got b; c`)
}
