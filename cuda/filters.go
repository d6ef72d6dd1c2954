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
	list   []filter
	always bool // the program changes them itself, so that every run packs
	made   []action
	early  int // the first of made, which come before the steps; in a CUDA graph the others run beside those
	first  int // step that needs one of the others
	own    []*driver.Launch
	seen   []uint64 // versions of the inputs when they were packed last
}

type filter struct {
	kernel.Packed
	at   driver.Ptr
	step int // the first that reads it
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

// makeFilters allocates the packed filters and writes their addresses.
func (m *maker) makeFilters() error {
	if m.packing == 0 {
		return nil
	}
	p := m.program
	memory, err := p.engine.alloc(m.packing, "filters in the order of the libraries")
	if err != nil {
		return err
	}
	p.close = append(p.close, func() error { return p.engine.dev.Memory.Free(memory) })
	for _, a := range m.filters {
		*a.to = uint64(memory) + uint64(a.offset)
	}
	changes := map[*graph.Value]bool{}
	for _, a := range p.plan.Assigns {
		changes[a.Target.Root()] = true
	}
	for i, packed := range m.packs {
		if f, ok := m.packed[i]; ok {
			p.filters.list = append(p.filters.list, filter{packed, memory + driver.Ptr(f.at), f.step})
			p.filters.always = p.filters.always || changes[packed.Of]
		}
	}
	p.filters.seen = make([]uint64, len(p.filters.list))
	slices.SortStableFunc(p.filters.list, func(a, b filter) int { return cmp.Compare(a.step, b.step) })
	return nil
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
	for i, x := range f.list {
		changed = changed || f.seen[i] != p.bound[x.Of].version
	}
	if f.always || !changed {
		return nil
	}
	if err := p.packFilters(); err != nil {
		return err
	}
	for i, x := range f.list {
		f.seen[i] = p.bound[x.Of].version
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

// prepareFilters makes the launches, which hold addresses.
func (p *program) prepareFilters() error {
	f := &p.filters
	if len(f.list) == 0 || f.made != nil {
		return nil
	}
	list := make([]kernel.PackedAt, len(f.list))
	for i, x := range f.list {
		list[i] = kernel.PackedAt{Packed: x.Packed, Wide: kernel.Address(p.bound[x.Of].ptr), At: kernel.Address(x.at)}
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

// dropFilters forgets the launches, and that anything was packed.
func (p *program) dropFilters() error {
	for _, l := range p.filters.own {
		l.Close()
	}
	p.filters.made, p.filters.own = nil, nil
	clear(p.filters.seen)
	return nil
}
