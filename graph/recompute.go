package graph

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// Recompute says which results of the forward pass are thrown away and computed again when the backward pass needs them:
// time for memory. The results of a plan are the same bit by bit, whatever it says: the same operations compute the same
// numbers from the same inputs. The zero value is [RecomputeOff].
type Recompute struct {
	kind     recomputeKind
	segments int // parts that the forward pass is cut into; 0 means the number that needs the least memory
	most     int // of them, that many are computed again, those that free the most memory for their time; 0 means all
}

type recomputeKind uint8

const (
	recomputeOff recomputeKind = iota
	recomputeCheap
	recomputeSegments
)

var (
	// RecomputeOff keeps everything: the fastest.
	RecomputeOff = Recompute{}
	// RecomputeCheap computes again what costs a sweep over memory and no more: normalization, activations, dropout,
	// pooling, sums.
	RecomputeCheap = Recompute{kind: recomputeCheap}
)

// RecomputeSegments cuts the forward pass into n segments, keeps what passes from one to the next, and computes the inside of
// each, but for the last, once more before its backward pass: about a third more time for a training step (Chen et al. 2016,
// Training Deep Nets with Sublinear Memory Cost). With n = 0 it tries several numbers and takes the one that needs the
// least memory.
func RecomputeSegments(n int) Recompute {
	return Recompute{kind: recomputeSegments, segments: max(n, 0)}
}

// ParseRecompute reads "off", "cheap", "segments" or "segments:N".
func ParseRecompute(s string) (Recompute, error) {
	name, number, counted := strings.Cut(s, ":")
	switch {
	case s == "off" || s == "":
		return RecomputeOff, nil
	case s == "cheap":
		return RecomputeCheap, nil
	case s == "segments":
		return RecomputeSegments(0), nil
	case name == "segments" && counted:
		if n, err := strconv.Atoi(number); err == nil && n > 0 {
			return RecomputeSegments(n), nil
		}
	}
	return RecomputeOff, fmt.Errorf("graph: unknown recomputation %q; known are %s", s, strings.Join(Recomputations(), ", "))
}

// Recomputations lists what ParseRecompute reads.
func Recomputations() []string { return []string{"off", "cheap", "segments", "segments:N"} }

// String is what ParseRecompute reads.
func (r Recompute) String() string {
	switch {
	case r.kind == recomputeOff:
		return "off"
	case r.kind == recomputeCheap:
		return "cheap"
	case r.segments == 0:
		return "segments"
	case r.most > 0:
		return fmt.Sprintf("%d of segments:%d", r.most, r.segments)
	}
	return fmt.Sprintf("segments:%d", r.segments)
}

// cheap says whether an operation costs about a sweep over its operands.
func cheap(instr Instr) bool {
	switch instr.(type) {
	case *op.ReLU, *op.Scale, *op.BiasAdd, *op.Dropout, *op.ChannelAffine, *op.BatchNorm, *op.BatchNormInference, *op.Add, *op.Mul,
		*op.MaxPool2D, *op.AvgPool2D, *op.ZeroPad2D, *op.Permute, *op.Augment, *FusedBatchNorm, *Copy,
		*ir.Unary, *ir.Binary, *ir.Loop, *ir.Cast, *ir.Repeat, *ir.Concat, *ir.Slice, *ir.Upsample, *ir.GroupNorm:
		return true
	}
	return false
}

// repeatable says whether computing an operation twice is the same as computing it once. The operations of users and of
// Gorgonia may keep state; numbers drawn anew are left alone though they would repeat.
func repeatable(instr Instr) bool {
	_, host := instr.(*HostOp)
	return !host && instr.Kind() != "Random"
}

// recompute rewrites a program whose steps are fused: steps of the backward pass read copies of what the policy throws away,
// made by second steps. These are ranked right before their first reader, and so run there.
func recompute(p *program, r Recompute) error {
	if r.kind == recomputeOff {
		return nil
	}
	f, err := newForward(p)
	if err != nil || f == nil {
		return err
	}
	var drop map[*Value]bool
	if r.kind == recomputeCheap {
		drop = f.cheap()
	} else {
		drop = f.segments(r)
	}
	d := &doubler{p: p, drop: drop, again: map[*Value]*Value{}}
	for _, s := range f.backward {
		d.redirect(s)
	}
	d.rank()
	return nil
}

// doubler makes the second steps.
type doubler struct {
	p      *program
	drop   map[*Value]bool   // values that the backward pass must not read
	again  map[*Value]*Value // what it reads instead
	second []*Step           // in an order in which they can run
}

// redirect makes a step of the backward pass read values that are computed again.
func (d *doubler) redirect(s *Step) {
	in := make([]*Value, len(s.In))
	for i, v := range s.In {
		in[i] = d.value(v)
	}
	s.In = in
}

// value returns what takes the place of v in the backward pass.
func (d *doubler) value(v *Value) *Value {
	if w := d.again[v]; w != nil {
		return w
	}
	if v.Alias != nil { // a view
		owner := d.value(v.Alias)
		if owner == v.Alias {
			return v
		}
		w := d.twin(v)
		w.Alias = owner
		return w
	}
	if !d.drop[v] {
		return v
	}
	first := d.p.producer[v]
	s := &Step{Instr: first.Instr, In: append([]*Value(nil), first.In...)}
	d.redirect(s)
	for _, o := range first.Out {
		s.Out = append(s.Out, d.twin(o))
	}
	d.second = append(d.second, s)
	return d.again[v]
}

func (d *doubler) twin(v *Value) *Value {
	w := d.p.newValue(v.Name+" (again)", v.Shape, v.Dtype, nil)
	if v.Alias != nil || d.drop[v] {
		d.again[v] = w
	}
	return w
}

// rank adds the second steps to the program, each with the rank of its earliest reader.
func (d *doubler) rank() {
	first := map[*Value]int{}
	note := func(s *Step) {
		for _, v := range s.In {
			if r, ok := first[v.Root()]; !ok || s.rank < r {
				first[v.Root()] = s.rank
			}
		}
	}
	for _, s := range d.p.steps {
		note(s)
	}
	for i := len(d.second) - 1; i >= 0; i-- {
		s := d.second[i]
		s.rank = int(^uint(0) >> 1)
		for _, o := range s.Out {
			if r, ok := first[o]; ok {
				s.rank = min(s.rank, r)
			}
		}
		note(s)
	}
	for _, s := range d.second {
		d.p.addStep(s)
	}
}
