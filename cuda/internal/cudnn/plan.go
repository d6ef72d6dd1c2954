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
	own       *shared        // owns the plan
	needs     []*shared      // what the plan may refer to: its graph and configuration
	config    unsafe.Pointer // of the engine
	plan      unsafe.Pointer
	p         *problem
	pack      builder // of the pointers of the last run
	packed    unsafe.Pointer
	last      [8]uintptr
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
		p.repeats = false
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
		at := x
		if p.mask != nil {
			at = h.tensor(b, p.virtual(uidConvolved))
		}
		ops := []unsafe.Pointer{b.make(kindBackwardData, descriptors(dataConv, conv), descriptors(dataDX, at), descriptors(dataW, w),
			descriptors(dataDY, h.tensor(b, p.y)), scale(dataAlpha, 1), scale(dataBeta, 0))}
		if p.mask != nil {
			ops = append(ops, h.masking(b, p, at, x)...)
		}
		return h.operations(b, ops...)
	case kernel.BackwardFilter:
		return h.operations(b, b.make(kindBackwardFilter, descriptors(filterConv, conv), descriptors(filterX, x), descriptors(filterDW, w),
			descriptors(filterDY, h.tensor(b, p.y)), scale(filterAlpha, 1), scale(filterBeta, 0)))
	}
	// Each operation writes a virtual tensor, the last one y. cuDNN 9 has more engines for statistics of what a pointwise operation makes than
	// of what a convolution does, so that without a bias there is one that copies.
	type then struct {
		mode  int32
		with  *operand // nil: there is one operand only
		made  int64    // uid of the result, if it is virtual
		extra []attribute
	}
	var tail []then
	if p.bias != nil {
		tail = append(tail, then{mode: pointwiseAdd, with: p.bias, made: uidBiased})
	}
	if p.residual != nil {
		tail = append(tail, then{mode: pointwiseAdd, with: p.residual, made: uidAdded})
	}
	if p.sums != nil && p.bias == nil {
		tail = append(tail, then{mode: pointwiseCopy})
	}
	if p.relu {
		tail = append(tail, then{mode: pointwiseReLU, extra: []attribute{enum(pointwiseNaN, typeNaN, propagateNaN)}})
	}
	result := func(virtual int64, left int) unsafe.Pointer {
		if left == 0 {
			return h.tensor(b, p.y)
		}
		return h.tensor(b, p.virtual(virtual))
	}
	at := result(uidConvolved, len(tail))
	ops := []unsafe.Pointer{b.make(kindForward, descriptors(forwardConv, conv), descriptors(forwardX, x), descriptors(forwardW, w),
		descriptors(forwardY, at), scale(forwardAlpha, 1), scale(forwardBeta, 0))}
	for i, s := range tail {
		does := b.make(kindPointwise, append([]attribute{enum(pointwiseMode, typePointwiseMode, s.mode), enum(pointwiseMath, typeDataType, p.compute)}, s.extra...)...)
		attributes := []attribute{descriptors(pointwiseOp, does), descriptors(pointwiseX, at)}
		if s.with != nil {
			attributes = append(attributes, descriptors(pointwiseB, h.tensor(b, *s.with)))
		}
		at = result(s.made, len(tail)-1-i)
		ops = append(ops, b.make(kindPointwiseOp, append(attributes, descriptors(pointwiseY, at))...))
	}
	if p.sums != nil {
		ops = append(ops, b.make(kindStatistics, enum(statisticsMode, typeStatisticsMode, sumsAndSquares), enum(statisticsMath, typeDataType, p.compute),
			descriptors(statisticsX, at), descriptors(statisticsSum, h.tensor(b, p.sums[0])), descriptors(statisticsSquares, h.tensor(b, p.sums[1]))))
	}
	return h.operations(b, ops...)
}

func (h *Handle) tensor(b *builder, o operand) unsafe.Pointer {
	attributes := []attribute{ints(tensorUID, o.uid), enum(tensorType, typeDataType, o.dtype), ints(tensorDims, o.dims...), ints(tensorStrides, o.strides...),
		ints(tensorAlignment, o.alignment), values(tensorVirtual, typeBoolean, slices.Contains([]int64{uidConvolved, uidBiased, uidAdded, uidAbove}, o.uid))}
	if o.uid == uidZero {
		attributes = append(attributes, values(tensorByValue, typeBoolean, true))
	}
	return b.make(kindTensor, attributes...)
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
	key := ""
	if p.sums != nil || p.residual != nil || p.mask != nil { // cuDNN compiles these, for half a second and more, and forgets them with the plan
		if c, err := h.choice(config); err == nil {
			key = compiledKey(p, c, maxWorkspace)
		}
		if made := h.compiled[key]; made != nil {
			return made.again(), "", nil
		}
	}
	own := &shared{builder: builder{lib: h.lib}, users: 1}
	defer func() {
		if plan == nil {
			own.release()
		}
	}()
	name, notes := h.engine(&own.builder, config)
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
	get(&own.builder, made, planWorkspace, typeInt64, workspace[:])
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
	if key != "" {
		h.compiled[key] = plan.again()
	}
	return plan, "", nil
}

// compiledKey is what a compiled plan is kept under.
func compiledKey(p *problem, c Choice, maxWorkspace int64) string {
	return fmt.Sprintf("%s %s workspace %d", p, c, maxWorkspace)
}

// Forget lets go of what was compiled for a convolution in other ways than the one that was chosen: it takes memory of the host and of the
// device. Plans that are in use stay as they are.
func (h *Handle) Forget(c *kernel.Convolution, maxWorkspace int64, but Choice) error {
	p, err := h.pose(c)
	if err != nil {
		return err
	}
	keep := compiledKey(p, but, maxWorkspace)
	for key, plan := range h.compiled {
		if key != keep && strings.HasPrefix(key, p.String()+" engine ") && strings.HasSuffix(key, fmt.Sprintf(" workspace %d", maxWorkspace)) {
			_ = plan.Close() // it has no error
			delete(h.compiled, key)
		}
	}
	return nil
}

// again is another plan of what is made.
func (plan *Plan) again() *Plan {
	p := &Plan{handle: plan.handle, p: plan.p, own: plan.own.hold(), config: plan.config, plan: plan.plan, Workspace: plan.Workspace, Engine: plan.Engine,
		pack: builder{lib: plan.handle.lib}}
	for _, s := range plan.needs {
		p.needs = append(p.needs, s.hold())
	}
	return p
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
