package train

import (
	"cmp"
	"math"
	"regexp"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/nn"
)

// Muon moves matrices by their momentum made orthogonal: its singular values are brought near 1 by Newton–Schulz iterations (Jordan et
// al. 2024; Liu et al., "Muon is Scalable for LLM Training", 2025). Keras: optimizers.Muon, whose choice this is: only weights of two
// axes are moved so, those of dense layers; all others, kernels of convolutions among them, go to [AdamW], as do embeddings and weights
// whose names match Exclude. Keras advises to exclude the output layer.
//
// Zero values mean Momentum 0.95, five iterations, RMSRate 0.2, WeightDecay 0.004 (decoupled, below 0 for none; Keras: weight_decay and
// adam_weight_decay), and Adam's 0.9, 0.999 and 1e-7.
type Muon struct {
	Momentum              float64
	Plain                 bool // without Nesterov's look-ahead, which Keras has by default
	Steps                 int  // Keras: ns_steps
	RMSRate               float64
	WeightDecay           float64
	Beta1, Beta2, Epsilon float64        // of the weights that go to AdamW
	Exclude               *regexp.Regexp // names of weights that go to AdamW as well; nil for none
}

// Name is "muon".
func (o Muon) Name() string { return "muon" }

func (o Muon) adam() AdamW {
	return AdamW{Beta1: o.Beta1, Beta2: o.Beta2, Epsilon: o.Epsilon, WeightDecay: o.WeightDecay}
}

var embedding = regexp.MustCompile("(?i)embedding")

// byAdam says whether a weight goes to AdamW.
func (o Muon) byAdam(w *nn.Weight) bool {
	return len(w.Shape) != 2 || embedding.MatchString(w.Name) || o.Exclude != nil && o.Exclude.MatchString(w.Name)
}

// Slots is the momentum, or AdamW's.
func (o Muon) Slots(w *nn.Weight) []Slot {
	if o.byAdam(w) {
		return o.adam().Slots(w)
	}
	return []Slot{{Name: "muon_momentum"}}
}

func (o Muon) withoutDecay() Optimizer { o.WeightDecay = -1; return o }

// Updates implements Optimizer.
func (o Muon) Updates(p *Parameter) ([]op.Update, error) {
	if o.byAdam(p.Weight) {
		return o.adam().Updates(p)
	}
	p, err := p.decay(cmp.Or(o.WeightDecay, adamWDecay))
	if err != nil {
		return nil, err
	}
	u := &updating{p: p}
	momentum := op.Number(cmp.Or(o.Momentum, 0.95))
	m := u.set(0, u.slot(0).Mul(momentum).Add(u.gradient()))
	if !o.Plain {
		m = u.gradient().Add(m.Mul(momentum))
	}
	rms := cmp.Or(o.RMSRate, 0.2) * math.Sqrt(float64(max(p.Weight.Shape[0], p.Weight.Shape[1])))
	step := orthogonal(m, cmp.Or(o.Steps, 5)).Mul(u.lr().Mul(op.Number(rms)))
	return u.finish(u.value().Sub(step))
}

// orthogonal brings the singular values of a matrix near 1, roughly: x ← a·x + (b·S + c·S²)·x with S = x·xᵀ, which keeps the singular
// vectors and makes a quintic of each value. The smaller of the two products of x with itself is taken; of a tall x, S = xᵀ·x comes from
// the right.
func orthogonal(x op.Expr, steps int) op.Expr {
	a, b, c := op.Number(3.4445), op.Number(-4.7750), op.Number(2.0315)
	tall := len(x.Shape()) == 2 && x.Shape()[0] > x.Shape()[1]
	x = x.Div(norm(x).Add(op.Number(kerasEpsilon)))
	for range steps {
		s := x.Apply(&op.MatMul{TransA: tall, TransB: !tall}, x)
		both := s.Mul(b).Add(s.Mul(c).Apply(&op.MatMul{}, s))
		moved := both
		if tall {
			moved = x.Apply(&op.MatMul{}, both)
		} else {
			moved = both.Apply(&op.MatMul{}, x)
		}
		x = x.Mul(a).Add(moved)
	}
	return x
}
