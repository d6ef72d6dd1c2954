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
}

// filter is one of them.
type filter struct {
	kernel.Packed
	to []address // where its address is used
	at *packedFilter
}

// packedFilter is the memory of a packed filter, which the programs that are bound to the same tensor share.
type packedFilter struct {
	key     packedKey
	ptr     driver.Ptr
	refs    int
	version uint64 // of the tensor, when it was packed last without being changed in the same run
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
	at, ok := m.packed[i]
	if !ok {
		at = m.packing
		m.packed[i] = at
		m.packing += (m.packs[i].Bytes() + 255) / 256 * 256
	}
	return at
}

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
		f := filter{Packed: packed}
		for _, a := range m.filters {
			if a.offset >= at && a.offset < at+packed.Bytes() {
				f.to = append(f.to, address{a.to, a.offset - at})
			}
		}
		p.filters.list = append(p.filters.list, f)
		p.filters.always = p.filters.always || changes[packed.Of]
	}
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
	for _, r := range kernel.PackLaunches(list) {
		a, err := p.resolved(r)
		if err != nil {
			return errors.Join(err, p.dropFilters())
		}
		f.made, f.own = append(f.made, a), append(f.own, a.Launch)
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
