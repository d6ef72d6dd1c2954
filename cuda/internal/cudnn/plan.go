//go:build gpu && cgo && linux

package cudnn

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// Plan is a convolution with the engine chosen for it. One goroutine at a time may use it.
type Plan struct {
	Workspace int64  // bytes that Run needs
	Engine    string // for logs: its number, and notes about its arithmetic
	Measured  bool   // for logs: the engine was chosen by Take
	handle    *Handle
	own       builder        // owns the plan
	needs     []*shared      // what the plan may refer to: its graph and configuration
	config    unsafe.Pointer // of the engine
	plan      unsafe.Pointer
	p         *problem
	pack      builder // of the pointers of the last run
	packed    unsafe.Pointer
	last      [6]uintptr
}

// PlanConvolution chooses an engine for a convolution, with at most maxWorkspace bytes of working memory: the first that cuDNN's
// heuristics propose, then of its fallbacks, whose arithmetic the precision allows and which repeats bit for bit. Memory is taken
// to be aligned to 64 bytes but for the offsets of c's pointers. The error wraps ErrUnsupported if there is no engine, and says
// why.
func (h *Handle) PlanConvolution(c *kernel.Convolution, maxWorkspace int64) (*Plan, error) {
	w, err := h.ways(c, maxWorkspace, modeA, modeFallback)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	return w.Next()
}

// pose puts a convolution in cuDNN's terms, with what the handle allows.
func (h *Handle) pose(c *kernel.Convolution) (*problem, error) {
	p, err := pose(c)
	if err == nil && h.OpenOrder {
		p.excluded = slices.DeleteFunc(slices.Clone(p.excluded), func(note int32) bool { return note == noteNondeterministic })
	}
	return p, err
}

// explain wraps ErrUnsupported around what cuDNN refuses.
func (h *Handle) explain(err error) error {
	var s *statusError
	if errors.As(err, &s) && s.refused() {
		return fmt.Errorf("%w; cuDNN %s: %w", ErrUnsupported, h.lib.Version(), err)
	}
	return fmt.Errorf("cuda: cuDNN %s: %w", h.lib.Version(), err)
}

// summary lists reasons once each, up to a bound.
func summary(reasons []string) string {
	const most = 6
	var once []string
	times := map[string]int{}
	for _, r := range reasons {
		if times[r]++; times[r] == 1 {
			once = append(once, r)
		}
	}
	if len(once) == 0 {
		return "it proposes no engine"
	}
	for i, r := range once {
		if times[r] > 1 {
			once[i] = fmt.Sprintf("%s (%d times)", r, times[r])
		}
	}
	if len(once) > most {
		once = append(once[:most], fmt.Sprintf("%d more", len(once)-most))
	}
	return strings.Join(once, "; ")
}

// build makes the graph of operations of a problem.
func (h *Handle) build(b *builder, p *problem) unsafe.Pointer {
	x, w := h.tensor(b, p.x), h.tensor(b, p.w)
	conv := b.make(kindConvolution,
		enum(convCompute, typeDataType, p.compute), enum(convMode, typeConvolutionMode, crossCorrelation), ints(convSpatial, 2),
		ints(convPre, p.pre...), ints(convPost, p.post...), ints(convStrides, p.strides...), ints(convDilations, p.dilations...))
	scale := func(name int, v float64) attribute {
		if p.compute == dataDouble {
			return values(name, typeDouble, v)
		}
		return values(name, typeFloat, float32(v))
	}
	switch p.pass {
	case kernel.BackwardInput:
		return h.operations(b, b.make(kindBackwardData, descriptors(dataConv, conv), descriptors(dataDX, x), descriptors(dataW, w),
			descriptors(dataDY, h.tensor(b, p.y)), scale(dataAlpha, 1), scale(dataBeta, 0)))
	case kernel.BackwardFilter:
		return h.operations(b, b.make(kindBackwardFilter, descriptors(filterConv, conv), descriptors(filterX, x), descriptors(filterDW, w),
			descriptors(filterDY, h.tensor(b, p.y)), scale(filterAlpha, 1), scale(filterBeta, 0)))
	}
	// Each operation writes a virtual tensor, the last one y. cuDNN 9 has more engines for statistics of what a pointwise operation makes than
	// of what a convolution does, so that without a bias there is one that copies.
	operands := []operand{p.y}
	if p.relu && p.bias != nil {
		operands = append(operands, p.virtual(uidBiased))
	}
	if p.relu || p.bias != nil || p.sums != nil {
		operands = append(operands, p.virtual(uidConvolved))
	}
	to := make([]unsafe.Pointer, len(operands)) // the last first
	for i, o := range operands {
		to[i] = h.tensor(b, o)
	}
	next := func() unsafe.Pointer {
		t := to[len(to)-1]
		to = to[:len(to)-1]
		return t
	}
	at := next()
	ops := []unsafe.Pointer{b.make(kindForward, descriptors(forwardConv, conv), descriptors(forwardX, x), descriptors(forwardW, w),
		descriptors(forwardY, at), scale(forwardAlpha, 1), scale(forwardBeta, 0))}
	if p.bias != nil {
		add := b.make(kindPointwise, enum(pointwiseMode, typePointwiseMode, pointwiseAdd), enum(pointwiseMath, typeDataType, p.compute))
		from := at
		at = next()
		ops = append(ops, b.make(kindPointwiseOp, descriptors(pointwiseOp, add), descriptors(pointwiseX, from),
			descriptors(pointwiseB, h.tensor(b, *p.bias)), descriptors(pointwiseY, at)))
	}
	if p.sums != nil && p.bias == nil {
		same := b.make(kindPointwise, enum(pointwiseMode, typePointwiseMode, pointwiseCopy), enum(pointwiseMath, typeDataType, p.compute))
		from := at
		at = next()
		ops = append(ops, b.make(kindPointwiseOp, descriptors(pointwiseOp, same), descriptors(pointwiseX, from), descriptors(pointwiseY, at)))
	}
	if p.relu {
		relu := b.make(kindPointwise, enum(pointwiseMode, typePointwiseMode, pointwiseReLU), enum(pointwiseMath, typeDataType, p.compute),
			enum(pointwiseNaN, typeNaN, propagateNaN))
		from := at
		at = next()
		ops = append(ops, b.make(kindPointwiseOp, descriptors(pointwiseOp, relu), descriptors(pointwiseX, from), descriptors(pointwiseY, at)))
	}
	if p.sums != nil {
		ops = append(ops, b.make(kindStatistics, enum(statisticsMode, typeStatisticsMode, sumsAndSquares), enum(statisticsMath, typeDataType, p.compute),
			descriptors(statisticsX, at), descriptors(statisticsSum, h.tensor(b, p.sums[0])), descriptors(statisticsSquares, h.tensor(b, p.sums[1]))))
	}
	return h.operations(b, ops...)
}

// virtual is a tensor like y that exists only within the graph.
func (p *problem) virtual(uid int64) operand {
	v := p.y
	v.uid, v.dtype = uid, p.compute
	return v
}

func (h *Handle) tensor(b *builder, o operand) unsafe.Pointer {
	return b.make(kindTensor, ints(tensorUID, o.uid), enum(tensorType, typeDataType, o.dtype), ints(tensorDims, o.dims...),
		ints(tensorStrides, o.strides...), ints(tensorAlignment, o.alignment), values(tensorVirtual, typeBoolean, o.uid == uidConvolved || o.uid == uidBiased))
}

func (h *Handle) operations(b *builder, ops ...unsafe.Pointer) unsafe.Pointer {
	attributes := []attribute{descriptors(graphOps, ops...)}
	if h.handle != nil {
		attributes = append(attributes, handle(graphHandle, h.handle))
	}
	return b.make(kindGraph, attributes...)
}

// plan makes a plan of an engine's configuration, which the descriptors of needs hold. It returns none, and why, if the plan is not
// wanted or not to be had.
func (h *Handle) plan(p *problem, config unsafe.Pointer, maxWorkspace int64, needs ...*shared) (plan *Plan, why string, err error) {
	own := builder{lib: h.lib}
	defer func() {
		if plan == nil {
			own.destroy()
		}
	}()
	name, notes := h.engine(&own, config)
	if own.err != nil {
		return nil, "", own.err
	}
	if n := p.excludes(notes); n != "" {
		return nil, name + ": not wanted: " + n, nil
	}
	attributes := []attribute{descriptors(planConfig, config)}
	if h.device != nil {
		attributes = append(attributes, descriptors(planDevice, h.device))
	} else {
		attributes = append(attributes, handle(planHandle, h.handle))
	}
	made := own.make(kindPlan, attributes...)
	var workspace [1]int64
	get(&own, made, planWorkspace, typeInt64, workspace[:])
	switch {
	case own.err != nil:
		return nil, name + ": " + own.err.Error(), nil
	case workspace[0] > maxWorkspace:
		return nil, fmt.Sprintf("%s: wants %d bytes of working memory, may take %d", name, workspace[0], maxWorkspace), nil
	}
	plan = &Plan{handle: h, p: p, own: own, config: config, plan: made, Workspace: workspace[0], Engine: name, pack: builder{lib: h.lib}}
	for _, s := range needs {
		plan.needs = append(plan.needs, s.hold())
	}
	return plan, "", nil
}

// engine names the engine of a configuration and lists the notes about its arithmetic.
func (h *Handle) engine(b *builder, config unsafe.Pointer) (name string, notes []int32) {
	engine := b.start(kindEngine)
	get(b, config, configEngine, typeDescriptor, []unsafe.Pointer{engine})
	var index [1]int64
	get(b, engine, engineIndex, typeInt64, index[:])
	notes = make([]int32, 32)
	notes = notes[:min(len(notes), get(b, engine, engineNotes, typeNumericalNote, notes))]
	name = fmt.Sprintf("engine %d", index[0])
	if len(notes) > 0 {
		name += " (" + strings.Join(named(notes), ", ") + ")"
	}
	return name, notes
}
