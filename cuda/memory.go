//go:build gpu && cgo && linux

package cuda

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// place is host memory.
type place struct {
	at    *byte
	bytes int
	dtype tensor.Dtype
}

// memory is the counterpart of host memory on the device: of an input, a variable, a constant or an output. Programs that are
// bound to the same tensor share one. Its methods are called on the device's thread.
type memory struct {
	engine *Engine
	place  place
	data   op.Array // the host memory
	ptr    driver.Ptr
	refs   int
	role   role

	seen  op.Array // of integers: those that came here last, to look at before they are used as indices
	newer bool     // a program has changed it since the host's copy was made
	// version is another number after every change.
	version uint64
	inbox   *inbox            // for what is uploaded before every run
	outbox  [2]*driver.Pinned // for what is downloaded after every run; the second only where one run may follow another
	sent    [2]sending        // what the outboxes hold and nobody has taken, the oldest first
	unread  int               // how many of them
}

// sending is a result on its way to the host.
type sending struct {
	outbox int
	done   *driver.Event // the outbox holds what the run computed as soon as this has happened
}

// buffer is a memory that a program is bound to.
type buffer struct {
	*memory
	uploaded bool         // the host's numbers were brought here through this buffer
	host     []byte       // of the call at hand
	up, down func() error // made once, so that runs allocate nothing
	closed   bool

	unreachable runtime.Cleanup // see handle
}

func (m *memory) buffer() *buffer {
	b := &buffer{memory: m}
	b.up = func() error {
		if b.newer || b.unread > 0 { // what runs computed counts
			return nil
		}
		return b.upload(b.host)
	}
	b.down = func() error { return b.download(b.host) }
	b.unreachable = runtime.AddCleanup(b, func(m *memory) {
		go m.engine.dev.Do(m.release) // whose errors nobody is left to hear
	}, m)
	return b
}

var _ graph.Buffer = (*buffer)(nil)

// bytesOf views an array as bytes.
func bytesOf(a op.Array) []byte {
	switch x := a.Data.(type) {
	case []float32:
		return raw(x)
	case []float64:
		return raw(x)
	case []int:
		return raw(x)
	case []int32:
		return raw(x)
	case []int64:
		return raw(x)
	case []uint8:
		return x
	case []bool:
		return raw(x)
	}
	return nil
}

func raw[T any](x []T) []byte {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(x[0])))
}

func (e *Engine) wrap(data op.Array) (*buffer, error) {
	if data.Dtype().Type == nil {
		return nil, fmt.Errorf("cuda: data of type %T cannot be brought to the device; supported are float32, float64, int, int32, int64, uint8 and bool", data.Data)
	}
	b := bytesOf(data)
	key := place{unsafe.SliceData(b), len(b), data.Dtype()}
	if len(b) == 0 {
		key.at = new(byte) // empty tensors share nothing
	}
	if m := e.memories[key]; m != nil {
		m.refs++
		return m.buffer(), nil
	}
	p, err := e.alloc(int64(len(b)), roles[isInput], fmt.Sprintf("a tensor of %v of shape %v", data.Dtype(), data.Shape))
	if err != nil {
		return nil, err
	}
	m := &memory{engine: e, place: key, data: data, ptr: p, refs: 1, version: 1}
	if x, ok := data.Data.([]int); ok {
		m.seen = op.Array{Shape: data.Shape, Data: slices.Clone(x)}
	}
	e.memories[key] = m
	return m.buffer(), nil
}

// Upload brings the host's numbers to the device, unless the device has newer ones.
func (b *buffer) Upload(a op.Array) error {
	b.host = bytesOf(a)
	return b.engine.failed(b.engine.dev.Do(b.up))
}

func (b *buffer) upload(from []byte) (err error) {
	if len(from) != b.place.bytes {
		return fmt.Errorf("cuda: %d bytes for memory of %d", len(from), b.place.bytes)
	}
	if b.seen.Data != nil {
		copy(bytesOf(b.seen), from)
	}
	b.version++
	if !b.uploaded { // it may be the only time, as it is for weights
		if err := b.engine.parcel.send(); err != nil { // what another buffer of the memory has sent before
			return err
		}
		if err := b.engine.staging.toDevice(b.ptr, from); err != nil {
			return err
		}
		b.uploaded = true
		return nil
	}
	if b.place.bytes <= directBytes {
		return b.engine.parcel.add(b.ptr, from)
	}
	if b.role != isInput { // somebody has set weights, as to verify a step: that is no reason to hold an inbox of twice their size from now on
		if err := b.engine.parcel.send(); err != nil {
			return err
		}
		return b.engine.staging.toDevice(b.ptr, from)
	}
	if b.inbox == nil {
		if b.inbox, err = b.engine.newInbox(b.place.bytes); err != nil {
			return err
		}
	}
	return b.inbox.send(b.ptr, from)
}

// Download brings the device's numbers to the host, if a program has changed them.
func (b *buffer) Download(a op.Array) error {
	b.host = bytesOf(a)
	return b.engine.failed(b.engine.dev.Do(b.down))
}

func (m *memory) download(to []byte) error {
	switch {
	case m.unread > 0:
		s := m.sent[0]
		if err := s.done.Synchronize(); err != nil {
			return err
		}
		copy(to, m.outbox[s.outbox].Bytes())
		m.sent[0] = m.sent[1]
		m.unread--
	case m.newer:
		if err := m.engine.parcel.send(); err != nil {
			return err
		}
		if err := m.engine.staging.toHost(to, m.ptr); err != nil {
			return err
		}
		m.newer = false
	}
	return nil
}

// integers are those that the memory holds: what came here last, or what a program has computed since.
func (m *memory) integers() (op.Array, error) {
	if !m.newer && m.unread == 0 {
		return m.seen, nil
	}
	if err := m.engine.parcel.send(); err != nil {
		return m.seen, err
	}
	return m.seen, m.engine.staging.toHost(bytesOf(m.seen), m.ptr)
}

// send puts the way of the device's numbers to an outbox on the stream; they are there when done has happened.
func (m *memory) send(s sending) error {
	m.sent[m.unread] = s
	m.unread++
	m.newer = false
	m.version++
	return m.engine.stream.ToHost(m.outbox[s.outbox].Bytes(), m.ptr)
}

// open makes an outbox.
func (m *memory) open(outbox int) (err error) {
	if m.outbox[outbox] == nil {
		m.outbox[outbox], err = driver.NewPinned(int64(m.place.bytes))
	}
	return err
}

// Close lets go of the memory; the last to do so frees it. If the context is lost there is nothing left to free, and nothing to say
// that those who use the memory have not been told.
func (b *buffer) Close() error {
	if b.closed {
		return nil
	}
	b.closed = true
	b.unreachable.Stop()
	err := b.engine.dev.Do(b.release)
	if errors.Is(err, driver.ErrClosed) || driver.IsLost(err) {
		return nil
	}
	return err
}

// release takes one of those away who use the memory; the last frees it.
func (m *memory) release() error {
	m.refs--
	if m.refs > 0 || m.engine.memories[m.place] != m { // or the engine was closed, which has freed it
		return nil
	}
	delete(m.engine.memories, m.place)
	err := m.free()
	if len(m.engine.memories) == 0 { // nor will anything be sent to one
		err = driver.Join(err, m.engine.parcel.Close())
	}
	return err
}

func (m *memory) free() error {
	m.engine.parcel.drop(m.ptr)
	var errs []error
	if m.inbox != nil {
		errs = append(errs, m.inbox.Close())
	}
	errs = append(errs, m.engine.stream.Synchronize()) // what was uploaded may still be on its way
	errs = append(errs, m.outbox[0].Close(), m.outbox[1].Close())
	errs = append(errs, m.engine.dev.Memory.Free(m.ptr))
	m.inbox, m.outbox, m.unread = nil, [2]*driver.Pinned{}, 0
	return driver.Join(errs...)
}

// failed explains the loss of a context: where the error comes from is where somebody noticed.
func (e *Engine) failed(err error) error {
	if err == nil {
		return nil // before anything is allocated
	}
	var step *graph.StepError
	if driver.IsLost(err) && !errors.As(err, &step) && !waitsForSteps() {
		return fmt.Errorf("%w; to learn which step failed, run with %s=1", err, syncEnv)
	}
	return err
}
