//go:build gpu && cgo && linux

package cuda

import (
	"errors"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
)

// inbox is how the numbers of an input come to the device before every run. There are two slots: the next batch arrives in one
// while the run at hand may still be reading what came through the other.
type inbox struct {
	engine *Engine
	slots  [2]slot
	next   int
	direct bool // small: straight to its place, on the computing stream
}

type slot struct {
	pinned *driver.Pinned
	ptr    driver.Ptr    // where it arrives on the device; 0 if direct
	here   *driver.Event // it has arrived
	taken  *driver.Event // it has been copied on
}

// directBytes is what is not worth a stream of its own.
const directBytes = 64 << 10

func (e *Engine) newInbox(bytes int) (b *inbox, err error) {
	b = &inbox{engine: e, direct: bytes <= directBytes}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	for i := range b.slots {
		s := &b.slots[i]
		if s.pinned, err = driver.NewPinned(int64(bytes)); err != nil {
			return nil, err
		}
		if s.here, err = driver.NewEvent(); err != nil {
			return nil, err
		}
		if b.direct {
			continue
		}
		if s.taken, err = driver.NewEvent(); err != nil {
			return nil, err
		}
		if s.ptr, err = e.dev.Memory.Alloc(int64(bytes), "the next batch of an input"); err != nil {
			return nil, err
		}
		// What is on the computing stream may still use the memory for what it held before.
		if err = s.taken.Record(e.stream); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// send brings from to its place to. When it returns, the host memory may be changed; what is put on the computing stream
// afterwards finds the new numbers, what was there before the old ones.
func (b *inbox) send(to driver.Ptr, from []byte) error {
	s := &b.slots[b.next]
	b.next ^= 1
	if err := s.here.Synchronize(); err != nil { // the pinned memory may still be on its way
		return b.engine.failed(err)
	}
	copy(s.pinned.Bytes(), from)
	compute, copies := b.engine.stream, b.engine.copies
	if b.direct {
		if err := compute.ToDevice(to, s.pinned.Bytes()); err != nil {
			return err
		}
		return s.here.Record(compute)
	}
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
	return errors.Join(errs...)
}
