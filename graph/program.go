package graph

import (
	"unsafe"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// program is a plan in the making: what passes work on.
type program struct {
	steps    []*Step
	values   []*Value
	producer map[*Value]*Step // step that computes a value; absent for inputs and constants
	outputs  []*Value
	kept     []*Value // soft values that were computed and are left bound to their nodes
	assigns  []Assign
	host     []string // operations that run through their own Do, for the log
	work     int      // elementary work done so far, by which tests see how the compiler's time grows

	slices       map[unsafe.Pointer]*movingSlice // slices that the graph's owner may move between runs
	updatesSince int                             // steps of a higher rank that no output needs are updates; 0 where that is not known
	scarce       bool                            // memory counts for more than time: see Gatherer

	run     *Value      // number of the run, if anything asks for it
	counter *gorgonia.I // what it is fed from
}

// movingSlice is a slice of the graph, which gorgonia.UnsafeLet changes, and the operation that follows it.
type movingSlice struct {
	source slicer
	instr  *ir.Slice
	node   string
	size   int // of the axis
}

// mode is what a stock operation's meaning depends on besides the graph.
type mode struct {
	evaluating bool   // dropout and batch norm do what they do after training
	seed       uint64 // of dropout and of random sources
}

// update adds an assignment, unless its new value could not be made.
func (p *program) update(target, value *Value) {
	if value != nil {
		target.Variable = true
		p.assigns = append(p.assigns, Assign{Target: target, New: value})
	}
}

func (p *program) newValue(name string, s tensor.Shape, dt tensor.Dtype, n *gorgonia.Node) *Value {
	v := &Value{ID: len(p.values), Name: name, Shape: s, Dtype: dt, Node: n}
	p.values = append(p.values, v)
	return v
}

func (p *program) addStep(s *Step) {
	p.steps = append(p.steps, s)
	for _, o := range s.Out {
		p.producer[o] = s
	}
}

// through follows reshapes, where they are still steps, back to what they are of.
func (p *program) through(v *Value) *Value {
	for {
		s := p.producer[v]
		if s == nil {
			return v
		}
		if _, ok := s.Instr.(*op.Reshape); !ok {
			return v
		}
		v = s.In[0]
	}
}
