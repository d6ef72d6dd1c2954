//go:build gpu && cgo && linux

package cuda

import (
	"math"
	"slices"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// staging is pinned memory through which large pieces of host memory go to the device and back, block by block: while one
// block is on its way, the host copies the next.
type staging struct {
	stream *driver.Stream
	block  [2]*driver.Pinned
	free   [2]*driver.Event // the block's last copy is over
}

// stagingBlock is large enough for full bandwidth and small enough to be no burden.
const stagingBlock = 4 << 20

func newStaging(stream *driver.Stream) (*staging, error) {
	s := &staging{stream: stream}
	for i := range s.block {
		var err error
		if s.block[i], err = driver.NewPinned(stagingBlock); err != nil {
			return nil, driver.Join(err, s.Close())
		}
		if s.free[i], err = driver.NewEvent(); err != nil {
			return nil, driver.Join(err, s.Close())
		}
	}
	return s, nil
}

// toDevice copies host memory to the device, in the stream's order. The host memory may be changed when it returns.
func (s *staging) toDevice(to driver.Ptr, from []byte) error {
	for i := 0; len(from) > 0; i ^= 1 {
		if err := s.free[i].Synchronize(); err != nil {
			return err
		}
		n := copy(s.block[i].Bytes(), from)
		if err := s.stream.ToDevice(to, s.block[i].Bytes()[:n]); err != nil {
			return err
		}
		if err := s.free[i].Record(s.stream); err != nil {
			return err
		}
		to, from = to+driver.Ptr(n), from[n:]
	}
	return nil
}

// toHost copies device memory to the host when all work before is done, and returns when it is there.
func (s *staging) toHost(to []byte, from driver.Ptr) error {
	var pending [2][]byte
	collect := func(i int) error {
		if err := s.free[i].Synchronize(); err != nil {
			return err
		}
		copy(pending[i], s.block[i].Bytes())
		pending[i] = nil
		return nil
	}
	i := 0
	for ; len(to) > 0; i ^= 1 {
		if err := collect(i); err != nil {
			return err
		}
		n := min(len(to), stagingBlock)
		if err := s.stream.ToHost(s.block[i].Bytes()[:n], from); err != nil {
			return err
		}
		if err := s.free[i].Record(s.stream); err != nil {
			return err
		}
		pending[i], to, from = to[:n], to[n:], from+driver.Ptr(n)
	}
	if err := collect(i); err != nil {
		return err
	}
	return collect(i ^ 1)
}

// bring copies a value to the host, from where it lies on the device.
func (s *staging) bring(to op.Array, v *graph.Value, from driver.Ptr) (err error) {
	if v.Narrow {
		err = s.widened(to.Data.([]float32), from)
	} else {
		err = s.toHost(bytesOf(to), from)
	}
	if err == nil && v.Transposed {
		lastAxisLast(to)
	}
	return err
}

// lastAxisLast brings the elements of float32 whose last axis comes first into the order of their shape.
func lastAxisLast(a op.Array) {
	to := a.Data.([]float32)
	from, last := slices.Clone(to), a.Shape[len(a.Shape)-1]
	rows := len(to) / max(last, 1)
	for i := range to {
		to[i] = from[i%last*rows+i/last]
	}
}

// widened copies bfloat16 of the device to the host as float32.
func (s *staging) widened(to []float32, from driver.Ptr) error {
	narrow := make([]uint16, len(to))
	if err := s.toHost(raw(narrow), from); err != nil {
		return err
	}
	for i, x := range narrow {
		to[i] = math.Float32frombits(uint32(x) << 16)
	}
	return nil
}

// narrowed are numbers as bfloat16, rounded as kernels do: to the nearest, of two the even one, and NaN stays NaN.
func narrowed(from []float32) []uint16 {
	to := make([]uint16, len(from))
	for i, x := range from {
		bits := math.Float32bits(x)
		if x != x {
			to[i] = uint16(bits>>16 | 0x40)
		} else {
			to[i] = uint16((bits + 0x7fff + bits>>16&1) >> 16)
		}
	}
	return to
}

// Close frees the blocks.
func (s *staging) Close() error {
	var errs []error
	for i := range s.block {
		errs = append(errs, s.block[i].Close(), s.free[i].Close())
	}
	return driver.Join(errs...)
}
