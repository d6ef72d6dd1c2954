//go:build gpu && cgo && linux

package cuda

import (
	"errors"
	"time"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/cublaslt"
	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
	"github.com/stheno-ml/stheno/cuda/internal/nvml"
)

// What a device does at best is measured on so much: more than its caches hold, and enough for every multiprocessor. A device with less
// memory, as the simulated one, has less to do.
const (
	peakSide   = 8192     // rows and columns of the matrices
	copied     = 1 << 30  // bytes
	littleSide = 256      // on a device whose memory is small
	little     = 10 << 30 // bytes of such a device's memory at most
	tries      = 5
	warming    = 200 * time.Millisecond // an idle device takes a while to reach its clock
)

// MeasurePeak measures the arithmetic that no product can exceed: that of a large product of square matrices through cuBLASLt in the engine's
// precision, in floating-point operations a second, additions and multiplications one each. It takes some tenths of a second and a gigabyte
// of the device's memory. Without cuBLASLt it is not known, and 0.
func (e *Engine) MeasurePeak() (flopsPerSecond float64, err error) {
	if e.isClosed() {
		return 0, errClosed
	}
	n := peakSide
	if e.dev.Info.Memory < little {
		n = littleSide
	}
	err = e.dev.Do(func() (err error) {
		if e.libs.blas == nil {
			return nil
		}
		plan, err := e.libs.blas.Plan(squareProduct(n, e.precision), workspace)
		if errors.Is(err, cublaslt.ErrUnsupported) {
			return nil
		}
		if err != nil {
			return err
		}
		defer func() { err = driver.Join(err, e.stream.Synchronize(), plan.Close()) }()
		bytes := int64(n) * int64(n) * 4
		return e.borrow([]int64{bytes, bytes, bytes, plan.Workspace}, "matrices to measure the device with", func(at []driver.Ptr) error {
			for _, p := range at[:2] { // zeros draw less power than numbers, and a device with power to spare runs faster: 0x3d3d3d3d is 0.046
				if err := e.stream.Fill(p, 0x3d, bytes); err != nil {
					return err
				}
			}
			took, err := e.fastest(func() error {
				return plan.Run(uintptr(e.stream.Handle()), uintptr(at[0]), uintptr(at[1]), uintptr(at[2]), 0, uintptr(at[3]))
			})
			if err == nil && took > 0 {
				flopsPerSecond = 2 * float64(n) * float64(n) * float64(n) / took.Seconds()
			}
			return err
		})
	})
	return flopsPerSecond, e.failed(err)
}

// squareProduct is c ← a·b of matrices of n rows and columns, which in bf16 are kept as such.
func squareProduct(n int, p kernel.Precision) *kernel.Gemm {
	half := p == kernel.BF16
	return &kernel.Gemm{Dtype: tensor.Float32, Precision: p, M: n, N: n, K: n, Batch: 1, RoundedAB: half, RoundedC: half}
}

// MeasureBandwidth measures the traffic with the device's memory that no kernel can exceed on data that no cache holds: the bytes that a copy
// reads and writes in a second. It takes some hundredths of a second and 2 GiB of the device's memory.
func (e *Engine) MeasureBandwidth() (bytesPerSecond float64, err error) {
	if e.isClosed() {
		return 0, errClosed
	}
	n := int64(copied)
	if e.dev.Info.Memory < little {
		n = littleSide << 10
	}
	err = e.dev.Do(func() error {
		return e.borrow([]int64{n, n}, "memory to measure the device with", func(at []driver.Ptr) error {
			if err := e.stream.Fill(at[0], 0x3d, n); err != nil {
				return err
			}
			took, err := e.fastest(func() error { return e.stream.Copy(at[1], at[0], n) })
			if err == nil && took > 0 {
				bytesPerSecond = 2 * float64(n) / took.Seconds()
			}
			return err
		})
	})
	return bytesPerSecond, e.failed(err)
}

// borrow hands do device memory of these sizes, and gives it back to the driver.
func (e *Engine) borrow(sizes []int64, purpose string, do func(at []driver.Ptr) error) error {
	var errs []error
	at := make([]driver.Ptr, 0, len(sizes))
	for _, n := range sizes {
		p, err := e.alloc(n, purpose, purpose)
		if err != nil {
			errs = append(errs, err)
			break
		}
		at = append(at, p)
	}
	if len(errs) == 0 {
		errs = append(errs, do(at), e.stream.Synchronize())
	}
	for _, p := range at {
		errs = append(errs, e.dev.Memory.Free(p))
	}
	return driver.Join(append(errs, e.dev.Memory.Trim())...)
}

// fastest is the least time that the device takes for do, by its own clock.
func (e *Engine) fastest(do func() error) (least time.Duration, err error) {
	var timers [2]*driver.Event
	for i := range timers {
		if timers[i], err = driver.NewTimer(); err != nil {
			return 0, driver.Join(err, timers[0].Close())
		}
	}
	defer func() { err = driver.Join(err, timers[0].Close(), timers[1].Close()) }()
	for try, begin := 0, time.Now(); try <= tries || time.Since(begin) < warming; try++ { // the first does what is done once
		if err := timers[0].Record(e.stream); err != nil {
			return 0, err
		}
		if err := do(); err != nil {
			return 0, err
		}
		if err := timers[1].Record(e.stream); err != nil {
			return 0, err
		}
		if err := timers[1].Synchronize(); err != nil {
			return 0, err
		}
		ms, err := timers[1].Since(timers[0])
		if err != nil {
			return 0, err
		}
		if took := time.Duration(ms * float64(time.Millisecond)); try > 0 && (least == 0 || took < least) {
			least = took
		}
	}
	return least, nil
}

// MeasureEnergy begins to measure the energy that the GPU takes, whoever uses it; stop tells it in joules. It is what NVIDIA's management
// library says, which comes with the driver: the GPU's own counter or, where it has none, its power over time. The error says why neither is
// known, as in some virtual machines.
func (e *Engine) MeasureEnergy() (stop func() (joules float64, err error), err error) {
	lib, err := nvml.Load()
	if err != nil {
		return nil, err
	}
	d, err := lib.Device(e.dev.UUID)
	if err != nil {
		return nil, err
	}
	return nvml.Measure(d)
}
