//go:build gpu && cgo && linux

package cuda

import (
	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/internal/memcopy"
)

// inbox is how the numbers of a large input come to the device before every run; small ones have a [parcel]. There are two slots: the next batch arrives in one
// while the run at hand may still be reading what came through the other.
type inbox struct {
	engine *Engine
	slots  [2]slot
	next   int
}

type slot struct {
	pinned *driver.Pinned
	ptr    driver.Ptr    // where it arrives on the device
	here   *driver.Event // it has arrived
	taken  *driver.Event // it has been copied on
}

func (e *Engine) newInbox(bytes int) (*inbox, error) {
	b := &inbox{engine: e}
	for i := range b.slots {
		if err := b.open(&b.slots[i], int64(bytes)); err != nil {
			return nil, driver.Join(err, b.Close())
		}
	}
	return b, nil
}

func (b *inbox) open(s *slot, bytes int64) (err error) {
	if s.pinned, err = driver.NewPinned(bytes); err != nil {
		return err
	}
	if s.here, err = driver.NewEvent(); err != nil {
		return err
	}
	if s.taken, err = driver.NewEvent(); err != nil {
		return err
	}
	if s.ptr, err = b.engine.alloc(bytes, useInputs, "the next batch of an input"); err != nil {
		return err
	}
	// What is on the computing stream may still use the memory for what it held before.
	return s.taken.Record(b.engine.stream)
}

// send brings from to its place to. When it returns, the host memory may be changed; what is put on the computing stream
// afterwards finds the new numbers, what was there before the old ones.
func (b *inbox) send(to driver.Ptr, from []byte) error {
	s := &b.slots[b.next]
	b.next ^= 1
	if err := s.here.Synchronize(); err != nil { // the pinned memory may still be on its way
		return err
	}
	memcopy.Copy(s.pinned.Bytes(), from)
	compute, copies := b.engine.stream, b.engine.copies
	if err := copies.Wait(s.taken); err != nil {
		return err
	}
	if err := copies.ToDevice(s.ptr, s.pinned.Bytes()); err != nil {
		return err
	}
	if err := s.here.Record(copies); err != nil {
		return err
	}
	if err := compute.Wait(s.here); err != nil {
		return err
	}
	if err := compute.Copy(to, s.ptr, int64(len(from))); err != nil {
		return err
	}
	return s.taken.Record(compute)
}

// Close waits for what is on its way and frees the slots.
func (b *inbox) Close() error {
	errs := []error{b.engine.copies.Synchronize(), b.engine.stream.Synchronize()}
	for _, s := range b.slots {
		errs = append(errs, s.pinned.Close(), s.here.Close(), s.taken.Close())
		if s.ptr != 0 {
			errs = append(errs, b.engine.dev.Memory.Free(s.ptr))
		}
	}
	b.slots = [2]slot{}
	return driver.Join(errs...)
}
