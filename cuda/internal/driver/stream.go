//go:build gpu && cgo && linux

package driver

/*
#include <cuda.h>
*/
import "C"

import (
	"unsafe"

	"gorgonia.org/cu"
)

// Stream is a queue of work on the device.
type Stream struct{ s cu.Stream }

// NewStream makes a stream that does not wait for the default one.
func NewStream() (*Stream, error) { return newStream(0) }

// NewUrgentStream makes one whose kernels take the multiprocessors that become free before those of others, also in graphs that are
// captured from it.
func NewUrgentStream() (*Stream, error) { return newStream(-1) }

// newStream makes a stream of a priority, of which lower numbers are higher; a device that has but one takes that.
func newStream(priority int) (*Stream, error) {
	s, err := cu.MakeStreamWithPriority(priority, cu.NonBlocking)
	if err != nil {
		return nil, check("cuStreamCreateWithPriority", err)
	}
	return &Stream{s}, nil
}

// Handle is the CUstream, for libraries.
func (s *Stream) Handle() unsafe.Pointer { return unsafe.Pointer(s.raw()) }

// raw is the stream as this package's C type: cgo gives every package its own.
func (s *Stream) raw() C.CUstream { return *(*C.CUstream)(unsafe.Pointer(&s.s)) }

// Synchronize waits until all work is done, and tells of kernels that failed.
func (s *Stream) Synchronize() error { return check("cuStreamSynchronize", s.s.Synchronize()) }

// Wait makes the work that follows wait for an event.
func (s *Stream) Wait(e *Event) error { return check("cuStreamWaitEvent", s.s.Wait(e.e, 0)) }

// Fill sets n bytes at to.
func (s *Stream) Fill(to Ptr, value byte, n int64) error {
	if n == 0 {
		return nil
	}
	return check("cuMemsetD8Async", cu.MemsetD8Async(cu.DevicePtr(to), value, n, s.s))
}

// Copy copies n bytes on the device.
func (s *Stream) Copy(to, from Ptr, n int64) error {
	if n == 0 || to == from {
		return nil
	}
	return check("cuMemcpyDtoDAsync", cu.MemcpyDtoDAsync(cu.DevicePtr(to), cu.DevicePtr(from), n, s.s))
}

// ToDevice copies pinned memory to the device. It must not be changed before the stream has done so.
func (s *Stream) ToDevice(to Ptr, from []byte) error {
	if len(from) == 0 {
		return nil
	}
	return check("cuMemcpyHtoDAsync", cu.MemcpyHtoDAsync(cu.DevicePtr(to), unsafe.Pointer(unsafe.SliceData(from)), int64(len(from)), s.s))
}

// ToHost copies device memory into pinned memory. It is there when the stream has done so.
func (s *Stream) ToHost(to []byte, from Ptr) error {
	if len(to) == 0 {
		return nil
	}
	return check("cuMemcpyDtoHAsync", cu.MemcpyDtoHAsync(unsafe.Pointer(unsafe.SliceData(to)), cu.DevicePtr(from), int64(len(to)), s.s))
}

// Close destroys the stream. Its work goes on to its end.
func (s *Stream) Close() error {
	if s == nil {
		return nil
	}
	return check("cuStreamDestroy", s.s.Destroy())
}

// Event marks a place in a stream's work.
type Event struct{ e cu.Event }

// NewEvent makes an event without a time.
func NewEvent() (*Event, error) {
	e, err := cu.MakeEvent(cu.DisableTiming)
	if err != nil {
		return nil, check("cuEventCreate", err)
	}
	return &Event{e}, nil
}

// NewTimer makes an event that notes the time.
func NewTimer() (*Event, error) {
	e, err := cu.MakeEvent(cu.DefaultEvent)
	if err != nil {
		return nil, check("cuEventCreate", err)
	}
	return &Event{e}, nil
}

// Record puts the event behind the work that the stream has now.
func (e *Event) Record(s *Stream) error { return check("cuEventRecord", e.e.Record(s.s)) }

// Synchronize waits for the event, and tells of kernels that failed.
func (e *Event) Synchronize() error { return check("cuEventSynchronize", e.e.Synchronize()) }

// Since is the time in milliseconds from another timer to this one. Both must have happened.
func (e *Event) Since(start *Event) (float64, error) {
	ms, err := start.e.Elapsed(e.e)
	return ms, check("cuEventElapsedTime", err)
}

// Close destroys the event.
func (e *Event) Close() error {
	if e == nil {
		return nil
	}
	return check("cuEventDestroy", cu.DestroyEvent(&e.e))
}
