package bench

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// Verification is what a case's results were compared with before it was timed, and how well they agree.
type Verification struct {
	Batch    int     // images of the batch; that of the case, unless that is too small to be told from rounding
	Distinct int     // how many different ones, each equally often
	Checks   []Check // all passed

	Reference string // what it was compared with; "" is the reference in float64
}

// Check is one comparison with the reference.
type Check struct {
	Name    string  `json:"name"`         // "loss", "gradients", "scores", …
	At      string  `json:"at,omitempty"` // where it is worst, such as the name of a weight
	Error   float64 `json:"error"`        // as a share of what the reference says
	Allowed float64 `json:"allowed"`
}

// The checks that tell most of a training step and of an inference.
const (
	checkGradients = "gradients"
	checkScores    = "scores"
)

// passed is false of what is no number.
func (c Check) passed() bool { return c.Error <= c.Allowed }

// worse keeps the larger error; what is no number is the largest.
func (c *Check) worse(e float64, at string) {
	if !(e <= c.Error) && c.Error == c.Error {
		c.Error, c.At = e, at
	}
}

// String is a line such as "loss to 4e-08, gradients to 3e-06 of the reference in float64; a batch of 32, 8 images 4 times".
func (v *Verification) String() string {
	var all []string
	for _, c := range v.Checks {
		all = append(all, fmt.Sprintf("%s to %.0e", c.Name, c.Error))
	}
	s := fmt.Sprintf("%s of %s; a batch of %d", strings.Join(all, ", "), cmp.Or(v.Reference, "the reference in float64"), v.Batch)
	if v.Distinct < v.Batch {
		s += fmt.Sprintf(", dealt from %d images", v.Distinct)
	}
	return s
}

// MismatchError is a case whose results are not those of the reference. It is not timed.
type MismatchError struct {
	Case   Case
	Batch  int    // that was verified: see Verification
	Engine string // that computed it
	Wrong  []Check
}

// Error says what differs and by how much.
func (e *MismatchError) Error() string {
	var all []string
	for _, c := range e.Wrong {
		at := ""
		if c.At != "" {
			at = " at " + c.At
		}
		all = append(all, fmt.Sprintf("%s off by %.2g%s (allowed: %.0e)", c.Name, c.Error, at, c.Allowed))
	}
	hint := "STHENO_CPU=generic computes without assembly, and the tests of package cpu look at every kernel alone"
	if !e.Case.onCPU() {
		hint = "they were compared with the CPU engine's; the engine's own tests look at every kernel alone"
	}
	return fmt.Sprintf("bench: %v: wrong results, so it was not timed: on %s a batch of %d has %s; %s", e.Case, e.Engine, e.Batch, strings.Join(all, ", "), hint)
}

// allowance is how far results may be from the reference's.
type allowance struct {
	loss      float64
	gradients float64 // of all weights together
	gradient  float64 // of one weight
	least     float64 // share of the usual size that a gradient is at least held against: those that cancel out are all rounding
	averages  float64
	scores    float64
}

// allowances are those of the precisions. The weights of begin leave few numbers at the edges of ReLUs, where rounding makes derivatives jump,
// but not none, so gradients are allowed more than scores. Fp32 needs, over seeds, networks and instruction sets: for losses 4e-7, for all
// gradients 1e-5, for that of one weight 5e-4, for averages 2e-5, for scores 5e-6; bf16: 9e-4, 0.04, 0.5, 0.05, 0.03. Tf32, which has three bits
// more than bf16, is allowed in between.
var allowances = map[string]allowance{
	train.FP32: {loss: 1e-5, gradients: 1e-3, gradient: 1e-2, least: 0.01, averages: 1e-3, scores: 2e-4},
	"tf32":     {loss: 1e-3, gradients: 0.05, gradient: 0.3, least: 0.1, averages: 0.05, scores: 0.05},
	"bf16":     {loss: 5e-3, gradients: 0.2, gradient: 1, least: 0.1, averages: 0.2, scores: 0.15},
}

// verify runs the case on e and compares.
func (t *truth) verify(e graph.Engine, d dealing) (v *Verification, err error) {
	c := d.Case
	c.Batch = d.size
	s, err := newSubject(e, c, dealFor(e, c, d.distinct), t.begin)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return t.verifySubject(e, s, d)
}

// begin gives m the weights with which results are verified.
func (t *truth) begin(m *nn.Model) error { return beginWith(m, t.stats) }

// verifySubject runs s, a subject on e with batches of d.size that was made with t.begin and did not run yet, and compares.
func (t *truth) verifySubject(e graph.Engine, s subject, d dealing) (*Verification, error) {
	allowed, ok := allowances[d.Precision]
	if !ok {
		return nil, fmt.Errorf("bench: %v: it is not known how far precision %q may be from the reference", d.Case, d.Precision)
	}
	c := d.Case
	c.Batch = d.size
	v := &Verification{Batch: d.size, Distinct: d.distinct, Reference: t.by}
	var err error
	switch s := s.(type) {
	case *trainer:
		v.Checks, err = t.verifyTraining(s, c, allowed)
	case *predictor:
		v.Checks, err = t.verifyInference(s, c, allowed)
	}
	if err != nil {
		return nil, err
	}
	wrong := slices.DeleteFunc(slices.Clone(v.Checks), Check.passed)
	if len(wrong) > 0 {
		return nil, &MismatchError{Case: d.Case, Batch: d.size, Engine: describe(e), Wrong: wrong}
	}
	return v, nil
}

// halved is the learning rate of the steps that are verified. The first velocity is the gradient times −halved: exactly, for a power of two.
const halved = 0.5

// verifyTraining compares loss and gradients of a step, how the weights were updated, and the running averages.
func (t *truth) verifyTraining(s *trainer, c Case, allowed allowance) (checks []Check, err error) {
	r, err := s.step(halved)
	if err != nil {
		return nil, err
	}
	if err := s.Sync(); err != nil {
		return nil, err
	}
	loss := Check{Name: "loss", Allowed: allowed.loss}
	loss.worse(math.Abs(r.Loss-t.loss)/math.Abs(t.loss), "")

	size, count := 0.0, 0
	for _, g := range t.grads {
		_, n := distance(g, func(int) float64 { return 0 })
		size += n * n
		count += len(g)
	}
	size = math.Sqrt(size)
	together, off := Check{Name: checkGradients, Allowed: allowed.gradients}, 0.0
	alone := Check{Name: "each weight's gradient", Allowed: allowed.gradient}
	updates := Check{Name: "updates", Allowed: 2e-7} // a sum, rounded once or twice
	for _, w := range s.model.Weights() {
		want, ok := t.grads[w.Name]
		if !ok {
			continue
		}
		values, velocity := w.Value.Data().([]float32), s.slots["momentum/"+w.Name].Data().([]float32)
		d, n := distance(want, func(i int) float64 { return float64(velocity[i]) / -halved })
		off += d * d
		// A gradient that cancels out, such as that of a bias before a batch norm, is held against the others.
		usual := size * math.Sqrt(float64(len(want))/float64(count))
		alone.worse(d/max(n, allowed.least*usual), w.Name)
		for i, before := range t.before[w.Name] {
			v := float64(velocity[i])
			updates.worse(math.Abs(float64(values[i])-(before+v))/max(math.Abs(before)+math.Abs(v), math.SmallestNonzeroFloat32), w.Name)
		}
	}
	together.worse(math.Sqrt(off)/size, "")
	averages, err := t.verifyAverages(s.model, c, allowed)
	return append([]Check{loss, together, alone, updates}, averages...), err
}

// verifyAverages compares how far the running averages of a network have moved, if it has any.
func (t *truth) verifyAverages(m *nn.Model, c Case, allowed allowance) ([]Check, error) {
	if len(t.moved) == 0 {
		return nil, nil
	}
	// The factor of an average depends on the size of the batch: a graph of the network tells it.
	net, err := m.Build(gorgonia.NewGraph(), nn.BuildConfig{Batch: c.Batch, Dtype: tensor.Float32, Training: true, ShapesOnly: true})
	if err != nil {
		return nil, err
	}
	moves := Check{Name: "running averages", Allowed: allowed.averages}
	for _, a := range averagesOf(net) {
		was, now := t.moved[a.weight.Name], a.weight.Value.Data().([]float32)
		move := make([]float64, len(was.batch))
		for i, v := range was.batch {
			move[i] = (1 - a.momentum) * a.factor * v
		}
		d, n := distance(move, func(i int) float64 { return float64(now[i]) - a.momentum*was.before[i] })
		// An average that hardly moves, as a variance that is small beside it, is held against what rounding it to float32 may make of it.
		_, size := distance(was.before, func(int) float64 { return 0 })
		moves.worse(d/max(n, size/(1<<22)/allowed.averages), a.weight.Name)
	}
	return []Check{moves}, nil
}

// distance is ‖got − want‖ and ‖want‖.
func distance(want []float64, got func(i int) float64) (off, size float64) {
	for i, w := range want {
		d := got(i) - w
		off += d * d
		size += w * w
	}
	return math.Sqrt(off), math.Sqrt(size)
}

// verifyInference compares the scores of every place in the batch.
func (t *truth) verifyInference(p *predictor, c Case, allowed allowance) (checks []Check, err error) {
	if err := p.Run(); err != nil {
		return nil, err
	}
	scores := Check{Name: checkScores, Allowed: allowed.scores}
	got := make([]float64, c.Classes)
	for i, k := range p.batch.dealt {
		// A softmax tells its scores but for a number that is the same for all.
		want := centred(t.scores[k*c.Classes : (k+1)*c.Classes])
		for j, v := range p.probabilities[i*c.Classes : (i+1)*c.Classes] {
			got[j] = math.Log(float64(v))
		}
		found := centred(got)
		d, n := distance(want, func(j int) float64 { return found[j] })
		scores.worse(d/n, fmt.Sprintf("image %d of the batch", i))
	}
	return []Check{scores}, nil
}

// centred is scores without their mean.
func centred(scores []float64) []float64 {
	mean := 0.0
	for _, v := range scores {
		mean += v / float64(len(scores))
	}
	out := make([]float64, len(scores))
	for i, v := range scores {
		out[i] = v - mean
	}
	return out
}
