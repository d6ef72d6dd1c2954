//go:build gpu && cgo && linux

package cuda

import (
	"errors"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
)

// filters are the program's inputs that the libraries read in an order of their own: packed before the steps, where they have changed.
type filters struct {
	list   []filter
	always bool // the program changes them itself, so that every run packs
	made   []action
	own    []*driver.Launch
	seen   []uint64 // versions of the inputs when they were packed last
}

type filter struct {
	kernel.Packed
	at driver.Ptr
}

// pack is where a packed filter lies among those of the program, which has it from now on.
func (m *maker) pack(i int) int64 {
	at, ok := m.packed[i]
	if !ok {
		at = m.packing
		m.packed[i] = at
		m.packing += (m.packs[i].Bytes() + 255) / 256 * 256
	}
	return at
}

// makeFilters allocates the packed filters and writes their addresses.
func (m *maker) makeFilters() error {
	if m.packing == 0 {
		return nil
	}
	p := m.program
	memory, err := p.engine.alloc(m.packing, useFilters, useFilters)
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
		if at, ok := m.packed[i]; ok {
			p.filters.list = append(p.filters.list, filter{packed, memory + driver.Ptr(at)})
			p.filters.always = p.filters.always || changes[packed.Of]
		}
	}
	p.filters.seen = make([]uint64, len(p.filters.list))
	return nil
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
	for _, a := range p.filters.made {
		if err := a.run(p); err != nil {
			return err
		}
	}
	return nil
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
	for _, r := range kernel.PackLaunches(list) {
		a, err := p.resolved(r)
		if err != nil {
			return errors.Join(err, p.dropFilters())
		}
		f.made, f.own = append(f.made, a), append(f.own, a.Launch)
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
