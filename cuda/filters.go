//go:build gpu && cgo && linux

package cuda

import (
	"cmp"
	"errors"
	"slices"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
)

// filters are the program's inputs that the libraries read in an order of their own: packed before the steps, where they have changed.
type filters struct {
	list   []filter // in the order in which steps read them
	always bool     // the program changes them itself, so that every run packs
	made   []action
	early  int // the first of made, which come before the steps; in a CUDA graph the others run beside those
	first  int // step that needs one of the others
	own    []*driver.Launch
}

// filter is one of them.
type filter struct {
	kernel.Packed
	step int       // the first that reads it
	to   []address // where its address is used
	at   *packedFilter
}

// packedFilter is the memory of a packed filter, which the programs that are bound to the same tensor share.
type packedFilter struct {
	key     packedKey
	ptr     driver.Ptr
	refs    int
	version uint64 // of the tensor, when it was packed last by a program that does not change it
}

// packedKey is a tensor and how it is packed.
type packedKey struct {
	of  *memory
	how kernel.Packed // of no value
}

// packedFor finds the memory of a packed filter. Whoever has it releases it.
func (e *Engine) packedFor(key packedKey) (*packedFilter, error) {
	f := e.packed[key]
	if f == nil {
		p, err := e.alloc(key.how.Bytes(), useFilters, useFilters)
		if err != nil {
			return nil, err
		}
		f = &packedFilter{key: key, ptr: p}
		e.packed[key] = f
	}
	f.refs++
	return f, nil
}

func (f *packedFilter) release(e *Engine) error {
	if f.refs--; f.refs > 0 {
		return nil
	}
	delete(e.packed, f.key)
	return e.dev.Memory.Free(f.ptr)
}

// pack is where a packed filter lies among those of the program, which has it from now on.
func (m *maker) pack(i int) int64 {
	f, ok := m.packed[i]
	if !ok {
		f = packedAt{m.packing, m.at}
		m.packed[i] = f
		m.packing += (m.packs[i].Bytes() + 255) / 256 * 256
	}
	return f.at
}

// packedAt is where a packed filter lies, and the first step that reads it.
type packedAt struct {
	at   int64
	step int
}

// earlyBytes is how much is packed before the first step at most: what layers read before the others can be packed beside them. Fewer
// than lateBytes are not worth a launch of their own.
var earlyBytes, lateBytes int64 = 1 << 20, 4 << 20 // variables for tests

// makeFilters lists the packed filters. They have memory when they are packed first, as it depends on the tensors that are bound by then.
func (m *maker) makeFilters() {
	p := m.program
	changes := map[*graph.Value]bool{}
	for _, a := range p.plan.Assigns {
		changes[a.Target.Root()] = true
	}
	for i, packed := range m.packs {
		at, ok := m.packed[i]
		if !ok {
			continue
		}
		f := filter{Packed: packed, step: at.step}
		for _, a := range m.filters {
			if a.offset >= at.at && a.offset < at.at+packed.Bytes() {
				f.to = append(f.to, address{a.to, a.offset - at.at})
			}
		}
		p.filters.list = append(p.filters.list, f)
		p.filters.always = p.filters.always || changes[packed.Of]
	}
	slices.SortStableFunc(p.filters.list, func(a, b filter) int { return cmp.Compare(a.step, b.step) })
}

// soon is how many of the filters, which are in the order in which steps read them, are packed before the first step.
func (f *filters) soon() int {
	n, early, late := 0, int64(0), int64(0)
	for _, x := range f.list {
		if early += x.Bytes(); early <= earlyBytes && late == 0 {
			n++
		} else {
			late += x.Bytes()
		}
	}
	if late < lateBytes || !allBeside() {
		return len(f.list)
	}
	return n
}

// packChanged packs, where no step changes the filters, if something else has since they were packed last.
func (p *program) packChanged() error {
	f, changed := &p.filters, false
	for _, x := range f.list {
		changed = changed || x.at.version != x.at.key.of.version
	}
	if f.always || !changed {
		return nil
	}
	if err := p.packFilters(); err != nil {
		return err
	}
	for _, x := range f.list {
		x.at.version = x.at.key.of.version
	}
	return nil
}

// packFilters puts the packing on the stream.
func (p *program) packFilters() error {
	if err := p.prepareFilters(); err != nil {
		return err
	}
	return p.runAll(p.filters.made)
}

func (p *program) runAll(list []action) error {
	for _, a := range list {
		if err := a.run(p); err != nil {
			return err
		}
	}
	return nil
}

// packBeside puts the packing on two streams, if the program changes the filters itself: on the other one goes that of filters which are
// needed later. It returns the event behind that, nil where there is none, and the first step that has to wait for it. No step that runs
// beside others reads a filter.
func (p *program) packBeside() (packed *driver.Event, step int, err error) {
	if !p.filters.always {
		return nil, 0, nil
	}
	if err := p.prepareFilters(); err != nil {
		return nil, 0, err
	}
	f, side := &p.filters, p.engine.side
	if err := p.runAll(f.made[:f.early]); err != nil || f.early == len(f.made) {
		return nil, 0, err
	}
	if packed, err = p.mark(packedMark); err != nil {
		return nil, 0, err
	}
	err = p.on(side, func() error { return p.runAll(f.made[f.early:]) })
	return packed, f.first, errors.Join(err, packed.Record(side))
}

// packOwn packs if the program changes the filters itself: that is then a part of what it does in every run, also of its CUDA graph.
func (p *program) packOwn() error {
	if !p.filters.always {
		return nil
	}
	return p.packFilters()
}

// prepareFilters finds the filters' memory and makes the launches, which hold addresses.
func (p *program) prepareFilters() error {
	f := &p.filters
	if len(f.list) == 0 || f.made != nil {
		return nil
	}
	list := make([]kernel.PackedAt, len(f.list))
	for i := range f.list {
		x := &f.list[i]
		if err := p.findFilter(x); err != nil {
			return err
		}
		list[i] = kernel.PackedAt{Packed: x.Packed, Wide: kernel.Address(x.at.key.of.ptr), At: kernel.Address(x.at.ptr)}
	}
	soon := f.soon()
	for i, part := range [][]kernel.PackedAt{list[:soon], list[soon:]} {
		for _, r := range kernel.PackLaunches(part) {
			a, err := p.resolved(r)
			if err != nil {
				return errors.Join(err, p.dropFilters())
			}
			f.made, f.own = append(f.made, a), append(f.own, a.Launch)
		}
		if i == 0 {
			f.early = len(f.made)
		}
	}
	if soon < len(list) {
		f.first = f.list[soon].step
	}
	return nil
}

// findFilter finds the memory of a filter of the tensor that is bound now, and writes its address.
func (p *program) findFilter(x *filter) error {
	key := packedKey{p.bound[x.Of], x.Packed}
	key.how.Of = nil
	if x.at != nil && x.at.key == key {
		return nil
	}
	at, err := p.engine.packedFor(key)
	if err != nil {
		return err
	}
	if x.at != nil {
		err = x.at.release(p.engine)
	}
	x.at = at
	for _, a := range x.to {
		*a.to = uint64(at.ptr) + uint64(a.offset)
	}
	return err
}

// dropFilters forgets the launches.
func (p *program) dropFilters() error {
	for _, l := range p.filters.own {
		l.Close()
	}
	p.filters.made, p.filters.own = nil, nil
	return nil
}

// freeFilters lets go of the packed filters.
func (p *program) freeFilters() error {
	var errs []error
	for _, x := range p.filters.list {
		if x.at != nil {
			errs = append(errs, x.at.release(p.engine))
		}
	}
	p.filters.list = nil
	return driver.Join(errs...)
}
