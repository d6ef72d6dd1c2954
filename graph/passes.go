package graph

import (
	"slices"

	"gorgonia.org/tensor"
)

// pass rewrites the steps of a program. Passes are small, and each leaves a correct program behind.
type pass struct {
	name string
	run  func(p *program, e Engine)
}

// passes is the ordered list of rewrites.
var passes = []pass{
	{"dead", dropUnread},                   // what gradients have edges to and do not read
	{"fold", foldConstants},                // what depends on constants only is computed now
	{"rectify", rectify},                   // x·(x ≥ 0) is ReLU; before a factor of 1 hides the gradient
	{"algebra", simplify},                  // identities; broadcasting in place of repetition
	{"conv", recogniseConv},                // patches times filters are convolutions
	{"softmax", fuseSoftmax},               // cross-entropy of logits instead of probabilities
	{"affine", absorbAffine},               // batch norms take over the scale and shift behind them
	{"layout", channelsLast},               // images in the kernels' layout
	{"padding", absorbPadding},             // borders of zeros are the convolution's padding
	{"cse", shareCommon},                   // equal steps are one
	{"attention", fuseAttention},           // products and softmax of an attention, while reshapes are steps
	{"view", viewReshapes},                 // reshapes are other names for the same memory
	{"pool", maskPooled},                   // a ReLU's mask behind a max pooling instead of in front of it
	{"l2", fuseL2Grad},                     // gradient + penalty's gradient in one sweep
	{"norm", foldNorms},                    // batch norm in inference goes into fixed weights
	{"bias", fuseBias},                     // convolution or matmul + bias + residual + ReLU
	{"batch-stats", fuseBatchStats},        // mean and variance in one sweep
	{"conv-stats", fuseConvStats},          // while a convolution writes what they are of
	{"batch-norm-grad", fuseBatchNormGrad}, // both channel sums in one sweep, the ReLU's mask applied on the way
	{"layer-norm-grad", fuseLayerNormGrad}, // the gradients of input, scale and shift in one sweep
	{"pool-bias", fusePoolBias},            // the sums of the gradient behind a max pooling, if they are not a batch norm's
	{"relu-bias", fuseReLUBias},            // the sums of the gradient that a ReLU masks, if they are not a batch norm's
	{"pool-relu-grad", joinPoolGrads},      // the gradient of a max pooling, and the mask and the sums behind it, in one step, where the engine asks for it
	{"conv-relu-grad", joinReLUGrads},      // the gradient between two convolutions and its mask in one step, where the engine asks for it
	{"batch-norm", fuseBatchNorm},          // batch norm + residual + ReLU
	{"batch-norm-mask", maskAgain},         // the ReLU's mask of x instead of y
	{"batch-norm-join", joinNorms},         // statistics and batch norm in one step, sums and gradient in one, where the engine asks for it
	{"batch-norm-bound", boundReLUs},       // the bound of the ReLU behind a batch norm, and its mask in the backward pass
	{"momentum", fuseMomentum},             // decay, velocity and parameter in one sweep
	{"adam", fuseAdam},                     // both moments and the parameter in one sweep
	{"update", fuseUpdates},                // L2 penalties and their gradients in the sweep of the update
	{"penalties", fusePenalties},           // the penalties that are left, and their sum, in one step
	{"scores", fuseScores},                 // loss, its mean and gradient, and top-K counts in one sweep
	{"loops", fuseLoops},                   // elementwise steps of one shape, at last: the passes above look for some of them
	{"epilogues", fuseAfter},               // loops behind products and convolutions, while the results are in the cache
	{"materialise", materialise},           // outputs and updates that need memory of their own get it
}

// only returns the passes with the given names.
func only(names ...string) []pass {
	return slices.DeleteFunc(slices.Clone(passes), func(p pass) bool { return !slices.Contains(names, p.name) })
}

// rewriter collects the changes of one pass.
type rewriter struct {
	p      *program
	uses   map[*Value][]*Step
	viewed map[*Value]bool // what views are of
	kept   map[*Value]bool // outputs, new values of updates, what views are of: never fused away
	dead   map[*Step]bool  // steps to drop
	repl   map[*Step]*Step // step to put in the place of another
	before map[*Step]*Step // step to put in front of another
}

func newRewriter(p *program) *rewriter {
	r := &rewriter{p: p, uses: make(map[*Value][]*Step, len(p.values)), viewed: map[*Value]bool{}, kept: map[*Value]bool{},
		dead: map[*Step]bool{}, repl: map[*Step]*Step{}, before: map[*Step]*Step{}}
	for _, s := range p.steps {
		for _, v := range s.In {
			r.uses[v] = append(r.uses[v], s)
		}
		p.work += len(s.In)
	}
	for _, v := range p.outputs {
		r.kept[v] = true
	}
	for _, a := range p.assigns {
		r.kept[a.New] = true
	}
	read := func(v *Value) {
		for ; v.Alias != nil; v = v.Alias {
			r.viewed[v.Alias] = true
			r.kept[v.Alias] = true // a view reads it
		}
	}
	for v := range r.uses {
		read(v)
	}
	for _, v := range p.outputs {
		read(v)
	}
	for _, a := range p.assigns {
		read(a.New)
	}
	return r
}

// only returns the single step that reads v, if v is read once and nobody else wants it.
func (r *rewriter) only(v *Value) *Step {
	if u := r.uses[v]; len(u) == 1 && !r.kept[v] && !r.dead[u[0]] && r.repl[u[0]] == nil {
		return u[0]
	}
	return nil
}

// sole returns the single step that reads v, also if v is asked for; nil if there are more, or none, or if a view of v has
// readers of its own. For steps that are fused into one which still makes v.
func (r *rewriter) sole(v *Value) *Step {
	if u := r.uses[v]; len(u) == 1 && !r.viewed[v] {
		return u[0]
	}
	return nil
}

// replace puts s in the place of last, the latest of the parts in the graph's order, and drops the parts.
func (r *rewriter) replace(s *Step, last *Step, parts ...*Step) {
	s.rank = last.rank
	for _, part := range parts {
		r.dead[part] = true
	}
	r.dead[last] = false
	r.repl[last] = s
}

// finish applies the changes.
func (r *rewriter) finish() {
	if len(r.dead) == 0 && len(r.repl) == 0 {
		return
	}
	steps := make([]*Step, 0, len(r.p.steps))
	r.p.producer = make(map[*Value]*Step, len(r.p.steps))
	add := func(s *Step) {
		steps = append(steps, s)
		for _, o := range s.Out {
			r.p.producer[o] = s
		}
	}
	for _, s := range r.p.steps {
		if b := r.before[s]; b != nil {
			add(b)
		}
		if n := r.repl[s]; n != nil {
			add(n)
		} else if !r.dead[s] {
			add(s)
		}
	}
	r.p.steps = steps
}

// axisOf resolves an axis that may count from the end.
func axisOf(axis int, s tensor.Shape) int {
	if axis < 0 {
		return axis + len(s)
	}
	return axis
}
