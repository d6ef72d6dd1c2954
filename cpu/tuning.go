package cpu

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/internal/shape"
)

// Convolution is a convolution of a plan, or one of its gradients, on so many threads, that there are several ways to compute. Equal ones
// are computed the same way.
type Convolution struct {
	conv    kernel.Conv
	threads int
}

// String is the convolution in words, e.g. "3×3 64→128 at 32×32, batch 16".
func (c Convolution) String() string {
	g := c.conv.Geometry
	s := fmt.Sprintf("%d×%d %d→%d at %d×%d", g.H.Kernel, g.W.Kernel, g.C, g.F, g.H.In, g.W.In)
	if g.H.Stride > 1 || g.W.Stride > 1 {
		s += fmt.Sprintf(", stride %d×%d", g.H.Stride, g.W.Stride)
	}
	if g.H.Dilation > 1 || g.W.Dilation > 1 {
		s += fmt.Sprintf(", dilation %d×%d", g.H.Dilation, g.W.Dilation)
	}
	if g.Groups > 1 {
		s += fmt.Sprintf(", %d groups", g.Groups)
	}
	if g.Format == shape.NCHW {
		s += ", channels first"
	}
	if c.conv.Double {
		s += ", float64"
	}
	return fmt.Sprintf("%s, batch %d", s, g.N)
}

// Pass says what is computed: "forward", "forward, packed" with filters that stay the same from run to run, or the gradient with respect to
// the images, "input", or to the "filter".
func (c Convolution) Pass() string {
	if c.conv.Frozen {
		return c.conv.Pass.String() + ", packed"
	}
	return c.conv.Pass.String()
}

// Ways are the names of the ways to compute it.
func (c Convolution) Ways() []string { return namesOf(c.conv.Ways()) }

// Model is the way that the engine chooses by its estimates.
func (c Convolution) Model() string { return kernel.Best(c.conv.Ways()).Name }

func namesOf(ways []kernel.Way) []string {
	names := make([]string, len(ways))
	for i, w := range ways {
		names[i] = w.Name
	}
	return names
}

// WayTime is what one way to compute a convolution takes.
type WayTime struct {
	Way     string  `json:"way"`
	Seconds float64 `json:"seconds"`
}

// Measurement is what all ways to compute a convolution take, as [Engine.Measure] found.
type Measurement struct {
	Convolution
	Times []WayTime // in the order of Ways
}

// tunedMargin is what another way than the model's must gain to be chosen. Less is within what measurements differ by.
const tunedMargin = 0.05

// Best is the fastest way, or the model's if that is as fast within what measurements differ by.
func (m Measurement) Best() string {
	model := m.Model()
	best := WayTime{model, m.Seconds(model) * (1 - tunedMargin)}
	for _, t := range m.Times {
		if t.Seconds < best.Seconds {
			best = t
		}
	}
	return best.Way
}

// Seconds is what a way takes, 0 if it was not measured.
func (m Measurement) Seconds(way string) float64 {
	for _, t := range m.Times {
		if t.Way == way {
			return t.Seconds
		}
	}
	return 0
}

// Gain is the time that the best way saves, in seconds.
func (m Measurement) Gain() float64 { return m.Seconds(m.Model()) - m.Seconds(m.Best()) }

// Tuning is a table of measured choices among the ways to compute convolutions. They were measured by the kernels of one instruction
// set, each with a number of threads, and are for engines that have both. An engine given the same table computes the same bits every
// time; ways round differently, so with another table, or with another number of threads, bits may differ.
type Tuning struct {
	cpu, level string
	choices    map[Convolution]choice // by key
}

// key is the convolution without its level, which is the same for a whole table.
func (c Convolution) key() Convolution {
	c.conv.Level = 0
	return c
}

// choice is the way that is taken, and what it was compared with.
type choice struct {
	way   string
	times []WayTime
}

// NewTuning is an empty table for the instruction set in use. cpu is the processor's name, for information.
func NewTuning(cpu string) *Tuning {
	return &Tuning{clip(cpu), kernel.Level().String(), map[Convolution]choice{}}
}

// Add puts a measurement into the table, in the place of an older one of the same convolution. Engines that were made with the table
// before do not see it.
func (t *Tuning) Add(m Measurement) {
	t.choices[m.key()] = choice{m.Best(), slices.Clone(m.Times)}
}

// Len is the number of convolutions.
func (t *Tuning) Len() int { return len(t.choices) }

// CPU is the name of the processor that was measured, "" if it is not known.
func (t *Tuning) CPU() string { return t.cpu }

// Level is the instruction set that was measured.
func (t *Tuning) Level() string { return t.level }

// way is the choice for a convolution, "" if there is none, or if foreign ways were compared, others than there are: such as by another
// version.
func (t *Tuning) way(c Convolution, ways []kernel.Way) (way string, foreign bool) {
	found, ok := t.choices[c.key()]
	if !ok {
		return "", false
	}
	if !slices.EqualFunc(found.times, ways, func(t WayTime, w kernel.Way) bool { return t.Way == w.Name }) {
		return "", true
	}
	return found.way, false
}

// For says in words what the table was measured for: "threads 1, 2; batch 8, 64; precision fp32".
func (t *Tuning) For() string {
	if len(t.choices) == 0 {
		return "no convolution"
	}
	threads, batches, precision := map[int]bool{}, map[int]bool{}, map[string]bool{}
	for c := range t.choices {
		threads[c.threads], batches[c.conv.Geometry.N], precision[precisions[c.conv.Rounds]] = true, true, true
	}
	return fmt.Sprintf("threads %s; batch %s; precision %s", listed(threads), listed(batches), listed(precision))
}

// listed lists the first of a set: a table may have been measured for hundreds of batch sizes.
func listed[K cmp.Ordered](set map[K]bool) string {
	const most = 8
	words := []string{}
	for _, k := range slices.Sorted(maps.Keys(set)) {
		if len(words) == most {
			words = append(words, "…")
			break
		}
		words = append(words, fmt.Sprint(k))
	}
	return strings.Join(words, ", ")
}

// choose answers for the kernels which way to compute a convolution, and remembers what the table had to say.
func (e *Engine) choose(conv kernel.Conv, ways []kernel.Way) string {
	c := Convolution{conv, e.Threads()}
	name, foreign := e.tuning.way(c, ways)
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case foreign:
		e.foreign[c] = true
	case name != "":
		e.chosen[c] = true
		if name != kernel.Best(ways).Name {
			e.taken[c] = name
		}
	}
	return name
}

// Choices is for how many different convolutions of the programs built so far the engine's [Tuning] has a choice, the engine's own or
// another.
func (e *Engine) Choices() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.chosen)
}

// Foreign is for how many different convolutions of the programs built so far the engine's [Tuning] is of no use because it was measured
// with other ways to compute them than there are, such as by another version.
func (e *Engine) Foreign() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.foreign)
}

// Tuned is a digest of the choices of the engine's [Tuning] that the programs built so far follow, where those are others than the
// engine's own. It is "" where none are: bits are then the same as without a table.
func (e *Engine) Tuned() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.taken) == 0 {
		return ""
	}
	var lines []string
	for c, way := range e.taken {
		lines = append(lines, fmt.Sprintf("%+v %s\n", c.conv, way))
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:8])
}

// sorted are the table's convolutions in an order that depends on nothing but what they are.
func (t *Tuning) sorted() []Convolution {
	return slices.SortedFunc(maps.Keys(t.choices), func(a, b Convolution) int {
		x, y := a.conv.Geometry, b.conv.Geometry
		return cmp.Or(cmp.Compare(a.threads, b.threads), cmp.Compare(x.N, y.N), cmp.Compare(y.H.In, x.H.In), cmp.Compare(x.C, y.C),
			cmp.Compare(x.F, y.F), cmp.Compare(a.conv.Pass, b.conv.Pass), strings.Compare(fmt.Sprintf("%+v", a.conv), fmt.Sprintf("%+v", b.conv)))
	})
}
