//go:build gpu && cgo && linux

package cuda

import (
	"encoding/binary"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// parcel is how small inputs come to the device before a run, such as the learning rate, the number of the step and the labels: all in
// one copy, from where a kernel takes each to its place. There are two: one is filled while the other may be on its way.
type parcel struct {
	engine *Engine
	slots  [2]parcelSlot
	next   int  // slot that is filled
	open   bool // it may be
	count  int  // of things in it
	used   int  // bytes
}

type parcelSlot struct {
	pinned  *driver.Pinned
	ptr     driver.Ptr    // where it arrives
	here    *driver.Event // it has been taken apart
	scatter *launch
}

const (
	// directBytes is what is not worth a stream of its own.
	directBytes  = 64 << 10
	parcelHeader = kernel.ParcelEntries * kernel.EntryBytes
	parcelBytes  = 256 << 10
)

// add puts from into the parcel, to go to a place. The host memory may be changed when it returns.
func (p *parcel) add(to driver.Ptr, from []byte) error {
	if len(from) == 0 {
		return nil
	}
	for i := range p.count {
		if at, offset, bytes := p.entry(i); at == to && bytes == len(from) { // the newer counts
			copy(p.slots[p.next].pinned.Bytes()[offset:], from)
			return nil
		}
	}
	if p.count == kernel.ParcelEntries || p.used+len(from) > parcelBytes {
		if err := p.send(); err != nil {
			return err
		}
	}
	if !p.open {
		if err := p.begin(); err != nil {
			return err
		}
	}
	mem := p.slots[p.next].pinned.Bytes()
	entry := mem[p.count*kernel.EntryBytes:]
	binary.LittleEndian.PutUint64(entry, uint64(to))
	binary.LittleEndian.PutUint64(entry[8:], uint64(p.used))
	binary.LittleEndian.PutUint64(entry[16:], uint64(len(from)))
	copy(mem[p.used:], from)
	p.count++
	p.used += (len(from) + 15) / 16 * 16
	return nil
}

func (p *parcel) entry(i int) (to driver.Ptr, offset, bytes int) {
	entry := p.slots[p.next].pinned.Bytes()[i*kernel.EntryBytes:]
	word := func(k int) uint64 { return binary.LittleEndian.Uint64(entry[8*k:]) }
	return driver.Ptr(word(0)), int(word(1)), int(word(2))
}

// drop takes what was to go to a place out.
func (p *parcel) drop(to driver.Ptr) {
	for i := range p.count {
		if at, _, _ := p.entry(i); at == to {
			clear(p.slots[p.next].pinned.Bytes()[i*kernel.EntryBytes:][:kernel.EntryBytes])
		}
	}
}

// begin makes the slot that is to be filled empty. What both need is made with the first, so that later runs allocate nothing.
func (p *parcel) begin() (err error) {
	for i := range p.slots {
		s := &p.slots[i]
		if s.pinned == nil {
			if s.pinned, err = driver.NewPinned(parcelBytes); err != nil {
				return err
			}
		}
		if s.here == nil {
			if s.here, err = driver.NewEvent(); err != nil {
				return err
			}
		}
	}
	s := &p.slots[p.next]
	if err := s.here.Synchronize(); err != nil { // it may still be on its way
		return err
	}
	clear(s.pinned.Bytes()[:parcelHeader])
	p.open, p.count, p.used = true, 0, parcelHeader
	return nil
}

// send puts the way of what is in the parcel on the computing stream: what comes there afterwards finds the new numbers, what was
// there before the old ones.
func (p *parcel) send() error {
	if p.count == 0 {
		return nil
	}
	s, stream, count := &p.slots[p.next], p.engine.stream, p.count
	p.next, p.open, p.count = p.next^1, false, 0
	if count == 1 {
		entry := s.pinned.Bytes()
		to, offset, bytes := binary.LittleEndian.Uint64(entry), binary.LittleEndian.Uint64(entry[8:]), binary.LittleEndian.Uint64(entry[16:])
		if err := stream.ToDevice(driver.Ptr(to), entry[offset:offset+bytes]); err != nil {
			return err
		}
		return s.here.Record(stream)
	}
	for i := range p.slots {
		if err := p.slots[i].prepare(p.engine); err != nil {
			return err
		}
	}
	if err := stream.ToDevice(s.ptr, s.pinned.Bytes()[:p.used]); err != nil {
		return err
	}
	if err := s.scatter.Run(stream); err != nil {
		return err
	}
	return s.here.Record(stream)
}

// prepare makes what takes a parcel of several things apart.
func (s *parcelSlot) prepare(e *Engine) (err error) {
	if s.ptr == 0 {
		if s.ptr, err = e.alloc(parcelBytes, useInputs, "small inputs on their way"); err != nil {
			return err
		}
	}
	if s.scatter != nil {
		return nil
	}
	r := kernel.Scatter(kernel.Address(s.ptr))
	if err := e.compiler.compile([]kernel.Source{r.Source}, nil); err != nil {
		return err
	}
	s.scatter, err = e.newLaunch(&kernel.Launch{Source: r.Source, Name: r.Name, Grid: r.Grid, Block: r.Block, Args: r.Args})
	return err
}

// Close frees the slots. The stream's work must be over.
func (p *parcel) Close() error {
	var errs []error
	for i := range p.slots {
		s := &p.slots[i]
		if s.scatter != nil {
			s.scatter.Close()
		}
		errs = append(errs, s.pinned.Close(), s.here.Close())
		if s.ptr != 0 {
			errs = append(errs, p.engine.dev.Memory.Free(s.ptr))
		}
	}
	p.slots, p.open, p.count = [2]parcelSlot{}, false, 0
	return driver.Join(errs...)
}
