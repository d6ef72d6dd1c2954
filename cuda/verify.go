//go:build gpu && cgo && linux

package cuda

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/shape"
)

// alike is how much the results of two ways may differ, relative to their size (norms): rounding to bfloat16 at other places makes
// a tenth of it.
const alike = 0.05

// kept is what the first way of a Choice makes of the operands at hand, and room for what another makes: a way is not fast by computing
// something else, and a run that is taken up again must end with the same bits.
type kept struct {
	results []*graph.Value
	at      []driver.Ptr // of each: what the first way made, then what one run of another did
	memory  driver.Ptr
	sums    driver.Ptr // of a comparison
}

// keep copies the results of a way. It keeps none of steps that write over an operand: the next run has others.
func (t *trial) keep(a *attempt) (k *kept, err error) {
	s := a.maker.step_
	k = &kept{}
	var bytes []int64
	for _, v := range s.Out {
		for _, in := range s.In {
			if v.Root() == in.Root() {
				return &kept{}, nil
			}
		}
		if isFloat(v) && v.Len() > 0 {
			k.results = append(k.results, v)
			bytes = append(bytes, int64(v.StoredBytes()))
		}
	}
	n := int64(0)
	for range 2 {
		for _, b := range bytes {
			k.at = append(k.at, driver.Ptr(n))
			n += (b + 511) / 512 * 512
		}
	}
	if k.memory, err = t.engine.dev.Memory.Alloc(n+kernel.ComparedBytes, "comparing ways to compute a step"); err != nil {
		return nil, err
	}
	for i := range k.at {
		k.at[i] += k.memory
	}
	k.sums = k.memory + driver.Ptr(n)
	return k, k.copy(t, a, 0)
}

func isFloat(v *graph.Value) bool { return v.Dtype == tensor.Float32 || v.Dtype == tensor.Float64 }

// copy copies the results of a way to the first place of each result, or to the second.
func (k *kept) copy(t *trial, a *attempt, place int) error {
	for i, v := range k.results {
		if err := t.engine.stream.Copy(k.at[place*len(k.results)+i], a.at[v.Root()], int64(v.StoredBytes())); err != nil {
			return err
		}
	}
	return nil
}

// verify tells in which way a way, which has run, does not compute what the first does, or not in every run.
func (k *kept) verify(t *trial, a *attempt) (why string, err error) {
	if len(k.results) == 0 {
		return "", nil
	}
	if err := errors.Join(k.copy(t, a, 1), a.run()); err != nil {
		return "", err
	}
	n := len(k.results)
	for i, v := range k.results {
		again, err := k.compare(t, v, k.at[n+i], a.at[v.Root()])
		if err != nil {
			return "", err
		}
		if again.differ > 0 && !t.engine.config.Nondeterministic {
			return fmt.Sprintf("%.0f of %d elements of result %d differ from run to run, by %.2g in all; %s", again.differ, v.Len(), i, math.Sqrt(again.difference),
				again.where(v, "was %v and then %v")), nil
		}
		c, err := k.compare(t, v, k.at[i], a.at[v.Root()])
		if err != nil {
			return "", err
		}
		if c.odd > 0 {
			return fmt.Sprintf("%.0f of %d elements of its result %d are not finite where the first's are, or the other way around; %s", c.odd, v.Len(), i, c.where(v, wanted)), nil
		}
		if !(c.difference <= alike*alike*c.size) { // also if it is no number
			return fmt.Sprintf("its result %d differs from that of the first by %.2g, which is of size %.2g; %s", i, math.Sqrt(c.difference), math.Sqrt(c.size), c.where(v, wanted)), nil
		}
	}
	return "", nil
}

// comparison is of how many elements differ, the squares of the differences of those that are finite and of their own size, and how many differ
// of which one is not finite; and what the two have where they differ in this way first, and where the others differ most.
type comparison struct {
	differ, difference, size, odd float64
	notFinite, most               sample
	greatest                      float64 // the difference at most
}

// sample is an element, −1 for none, and what two memories have there.
type sample struct {
	at   int
	a, b float64
}

// wanted is how where tells of the results of the first way and of another.
const wanted = "should be %v and is %v"

// where tells of the element that says most about the difference.
func (c *comparison) where(v *graph.Value, how string) string {
	p, which := c.notFinite, "the first of them"
	if p.at < 0 {
		p, which = c.most, "the one that differs most"
	}
	if p.at < 0 {
		return "none in particular"
	}
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', 5, 64) }
	return fmt.Sprintf("%s, %s, "+how, which, shape.Format(indexOf(v, p.at)), number(p.a), number(p.b))
}

// indexOf is the index of a value's element that is at so many others behind the first in memory.
func indexOf(v *graph.Value, at int) tensor.Shape {
	index, last := make(tensor.Shape, len(v.Shape)), len(v.Shape)-1
	if v.Transposed {
		rows := v.Len() / v.Shape[last]
		at = at%rows*v.Shape[last] + at/rows
	}
	for i := last; i >= 0; i-- {
		index[i], at = at%v.Shape[i], at/v.Shape[i]
	}
	return index
}

// compare compares two memories that hold a value.
func (k *kept) compare(t *trial, v *graph.Value, a, b driver.Ptr) (c comparison, err error) {
	if err := t.launch(kernel.Compare(v, kernel.Address(k.sums), kernel.Address(a), kernel.Address(b))); err != nil {
		return c, err
	}
	host, err := driver.NewPinned(kernel.ComparedBytes)
	if err != nil {
		return c, err
	}
	if err := errors.Join(t.engine.stream.ToHost(host.Bytes(), k.sums), t.engine.stream.Synchronize()); err != nil {
		return c, errors.Join(err, host.Close())
	}
	c.notFinite.at, c.most.at = -1, -1
	for block := range kernel.CompareBlocks {
		var x [kernel.ComparedNumbers]float64
		for i := range x {
			x[i] = math.Float64frombits(binary.LittleEndian.Uint64(host.Bytes()[8*(block*len(x)+i):]))
		}
		c.add(x)
	}
	return c, host.Close()
}

// add adds what a block has found.
func (c *comparison) add(x [kernel.ComparedNumbers]float64) {
	c.differ, c.difference, c.size, c.odd = c.differ+x[0], c.difference+x[1], c.size+x[2], c.odd+x[3]
	if p := (sample{int(x[4]), x[5], x[6]}); p.at >= 0 && (c.notFinite.at < 0 || p.at < c.notFinite.at) {
		c.notFinite = p
	}
	if p := (sample{int(x[8]), x[9], x[10]}); p.at >= 0 && x[7] > c.greatest {
		c.most, c.greatest = p, x[7]
	}
}

// close frees what was kept.
func (k *kept) close(t *trial) error {
	if k == nil || k.memory == 0 {
		return nil
	}
	return t.engine.dev.Memory.Free(k.memory)
}

// launch runs a kernel once.
func (t *trial) launch(r kernel.Resolved) error {
	l, err := (&program{engine: t.engine}).resolved(r)
	if err != nil {
		return err
	}
	defer l.Close()
	return l.Run(t.engine.stream)
}
