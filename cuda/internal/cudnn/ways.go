//go:build gpu && cgo && linux

package cudnn

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// Ways are the ways that cuDNN proposes for a convolution, the most promising first. Plans of them may outlive it.
type Ways struct {
	handle       *Handle
	p            *problem
	maxWorkspace int64
	graph        *shared
	operations   unsafe.Pointer // the graph
	modes        []int32        // of heuristics that were not asked yet
	proposed     *shared        // owns the configurations that the last of them proposed
	configs      []unsafe.Pointer
	distinct     bool // leave out what was proposed before
	seen         map[string]bool
	reasons      []string // why ways will not do
}

// Ways lists the ways to compute a convolution, of which PlanConvolution takes the first: those of the heuristics, the fallbacks, then
// those of the other heuristics, each once. These come last because PlanConvolution does not ask them: ahead of the fallbacks they would be
// first where the precision allows none of the heuristics' engines.
func (h *Handle) Ways(c *kernel.Convolution, maxWorkspace int64) (*Ways, error) {
	w, err := h.ways(c, maxWorkspace, modeA, modeFallback, modeB)
	if err == nil {
		w.distinct = true
	}
	return w, err
}

func (h *Handle) ways(c *kernel.Convolution, maxWorkspace int64, modes ...int32) (*Ways, error) {
	p, err := h.pose(c)
	if err != nil {
		return nil, err
	}
	graph := &shared{builder: builder{lib: h.lib}, users: 1}
	operations := h.build(&graph.builder, p)
	if graph.err != nil {
		defer graph.release()
		return nil, h.explain(graph.err)
	}
	return h.waysOf(p, graph, operations, maxWorkspace, modes...), nil
}

// waysOf are the ways to compute a graph of operations, which it takes over.
func (h *Handle) waysOf(p *problem, graph *shared, operations unsafe.Pointer, maxWorkspace int64, modes ...int32) *Ways {
	return &Ways{handle: h, p: p, maxWorkspace: maxWorkspace, graph: graph, operations: operations, modes: modes, seen: map[string]bool{}}
}

// Next makes a plan of the next way that will do. The error wraps ErrUnsupported if there is none left, and says why others will not
// do.
func (w *Ways) Next() (*Plan, error) {
	for {
		for len(w.configs) > 0 {
			config := w.configs[0]
			w.configs = w.configs[1:]
			if w.distinct && w.knows(config) {
				continue
			}
			plan, why, err := w.handle.plan(w.p, config, w.maxWorkspace, w.graph, w.proposed)
			switch {
			case plan != nil:
				return plan, nil
			case err == nil:
				w.reasons = append(w.reasons, why)
			default:
				if err := w.failed(err); err != nil {
					return nil, err
				}
				w.configs = nil
			}
		}
		if len(w.modes) == 0 {
			return nil, fmt.Errorf("%w; cuDNN %s: %s", ErrUnsupported, w.handle.lib.Version(), summary(w.reasons))
		}
		if err := w.ask(); err != nil {
			if err := w.failed(err); err != nil {
				return nil, err
			}
		}
	}
}

// failed notes what cuDNN refuses, and returns other errors.
func (w *Ways) failed(err error) error {
	if s := (*statusError)(nil); errors.As(err, &s) && s.refused() {
		w.reasons = append(w.reasons, err.Error())
		return nil
	}
	return w.handle.explain(err)
}

// ask asks the next heuristics.
func (w *Ways) ask() error {
	h := w.handle
	mode := w.modes[0]
	w.modes = w.modes[1:]
	if w.proposed != nil {
		w.proposed.release()
	}
	w.proposed = &shared{builder: builder{lib: h.lib}, users: 1}
	b := &w.proposed.builder
	attributes := []attribute{descriptors(heurGraph, w.operations), enum(heurMode, typeHeurMode, mode)}
	if h.device != nil {
		attributes = append(attributes, descriptors(heurDevice, h.device))
	}
	heuristics := b.make(kindHeuristics, attributes...)
	configs := make([]unsafe.Pointer, get[unsafe.Pointer](b, heuristics, heurResults, typeDescriptor, nil))
	for i := range configs {
		configs[i] = b.start(kindEngineConfig)
	}
	w.configs = configs[:get(b, heuristics, heurResults, typeDescriptor, configs)]
	return b.err
}

// knows says whether a configuration was proposed before. One that does not tell its knobs was not.
func (w *Ways) knows(config unsafe.Pointer) bool {
	c, err := w.handle.choice(config)
	if err != nil {
		return false
	}
	key := c.String()
	known := w.seen[key]
	w.seen[key] = true
	return known
}

// Close frees what the ways need. Their plans keep what is theirs.
func (w *Ways) Close() {
	w.graph.release()
	if w.proposed != nil {
		w.proposed.release()
	}
}

// Choice names a way to compute a convolution, for Take. It is of use for the same problem, device and version of cuDNN only.
type Choice struct {
	Engine int64  `json:"engine"` // its global index
	Knobs  []Knob `json:"knobs,omitempty"`
}

// Knob is how one of an engine's knobs is set; the numbers are cuDNN's.
type Knob struct {
	Type  int32 `json:"type"`
	Value int64 `json:"value"`
}

// Choice names the way of the plan.
func (plan *Plan) Choice() (Choice, error) { return plan.handle.choice(plan.config) }

// mostKnobs is more than there are types of knobs.
const mostKnobs = 64

// choice reads what identifies a configuration.
func (h *Handle) choice(config unsafe.Pointer) (Choice, error) {
	b := builder{lib: h.lib}
	defer b.destroy()
	engine := b.start(kindEngine)
	get(&b, config, configEngine, typeDescriptor, []unsafe.Pointer{engine})
	var index [1]int64
	get(&b, engine, engineIndex, typeInt64, index[:])
	c := Choice{Engine: index[0]}
	knobs := make([]unsafe.Pointer, mostKnobs) // asked with none, cuDNN says that there are none
	for i := range knobs {
		knobs[i] = b.start(kindKnobChoice)
	}
	knobs = knobs[:min(len(knobs), get(&b, config, configKnobs, typeDescriptor, knobs))]
	for _, k := range knobs {
		var kind [1]int32
		var value [1]int64
		get(&b, k, knobType, typeKnob, kind[:])
		get(&b, k, knobValue, typeInt64, value[:])
		c.Knobs = append(c.Knobs, Knob{kind[0], value[0]})
	}
	return c, b.err
}

// Take plans a convolution in the way that was chosen for it before. The error wraps ErrUnsupported if it will not do any more.
func (h *Handle) Take(c *kernel.Convolution, maxWorkspace int64, choice Choice) (*Plan, error) {
	p, err := h.pose(c)
	if err != nil {
		return nil, err
	}
	s := &shared{builder: builder{lib: h.lib}, users: 1}
	defer s.release()
	b := &s.builder
	engine := []attribute{descriptors(engineGraph, h.build(b, p)), ints(engineIndex, choice.Engine)}
	if h.device != nil {
		engine = append(engine, descriptors(engineDevice, h.device))
	}
	config := []attribute{descriptors(configEngine, b.make(kindEngine, engine...))}
	if len(choice.Knobs) > 0 {
		var knobs []unsafe.Pointer
		for _, k := range choice.Knobs {
			knobs = append(knobs, b.make(kindKnobChoice, enum(knobType, typeKnob, k.Type), ints(knobValue, k.Value)))
		}
		config = append(config, descriptors(configKnobs, knobs...))
	}
	made := b.make(kindEngineConfig, config...)
	if b.err != nil {
		return nil, h.explain(b.err)
	}
	plan, why, err := h.plan(p, made, maxWorkspace, s)
	switch {
	case err != nil:
		return nil, h.explain(err)
	case plan == nil:
		return nil, fmt.Errorf("%w; cuDNN %s: %s", ErrUnsupported, h.lib.Version(), why)
	}
	plan.Measured = true
	return plan, nil
}

// Problem is all that a choice depends on besides the device and the version of cuDNN, in a form that is the same in every process.
func (h *Handle) Problem(c *kernel.Convolution, maxWorkspace int64) (string, error) {
	p, err := h.pose(c)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s workspace %d", p, maxWorkspace), nil
}

// Bytes are what x, w, y, bias, sums, residual and mask of Run take.
func (plan *Plan) Bytes() []int64 {
	p := plan.p
	n := []int64{p.x.bytes(), p.w.bytes(), p.y.bytes(), 0, 0, 0, 0}
	if p.bias != nil {
		n[3] = p.bias.bytes()
	}
	for _, o := range p.sums {
		n[4] += o.bytes()
	}
	if p.residual != nil {
		n[5] = p.residual.bytes()
	}
	if p.mask != nil {
		n[6] = p.mask.bytes()
	}
	return n
}

// String names the choice, for logs.
func (c Choice) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "engine %d", c.Engine)
	for _, k := range c.Knobs {
		fmt.Fprintf(&b, " %d=%d", k.Type, k.Value)
	}
	return b.String()
}

// bytes is what an operand spans.
func (o operand) bytes() int64 {
	n := int64(1)
	for i, d := range o.dims {
		n += (d - 1) * o.strides[i]
	}
	return n * map[int32]int64{dataFloat: 4, dataDouble: 8, dataBFloat16: 2}[o.dtype]
}
