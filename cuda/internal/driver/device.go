//go:build gpu && cgo && linux

package driver

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"

	"gorgonia.org/cu"
)

// Info describes a device.
type Info struct {
	Ordinal         int
	Name, UUID      string
	Major, Minor    int // compute capability
	Multiprocessors int
	L2              int   // bytes of the second-level cache
	Memory          int64 // bytes
}

// Version is the newest version of CUDA that the driver knows: 12080 is 12.8.
func Version() int { return cu.Version() }

// Devices lists the GPUs.
func Devices() ([]Info, error) {
	if err := Status(); err != nil {
		return nil, err
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, check("cuDeviceGetCount", err)
	}
	if n == 0 {
		return nil, &Error{Call: "cuDeviceGetCount", Code: codeNoDevice, Name: "CUDA_ERROR_NO_DEVICE", Text: "the driver sees no GPU"}
	}
	all := make([]Info, n)
	for i := range all {
		if all[i], err = describe(i); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func describe(ordinal int) (Info, error) {
	info := Info{Ordinal: ordinal}
	d, err := cu.GetDevice(ordinal)
	if err != nil {
		return info, check("cuDeviceGet", err)
	}
	if info.Name, err = d.Name(); err != nil {
		return info, check("cuDeviceGetName", err)
	}
	for _, a := range []struct {
		of cu.DeviceAttribute
		to *int
	}{
		{cu.ComputeCapabilityMajor, &info.Major},
		{cu.ComputeCapabilityMinor, &info.Minor},
		{cu.MultiprocessorCount, &info.Multiprocessors},
		{cu.L2CacheSize, &info.L2},
	} {
		if *a.to, err = d.Attribute(a.of); err != nil {
			return info, check("cuDeviceGetAttribute", err)
		}
	}
	if info.Memory, err = d.TotalMem(); err != nil {
		return info, check("cuDeviceTotalMem", err)
	}
	id, err := d.UUID()
	if err != nil {
		return info, check("cuDeviceGetUuid", err)
	}
	info.UUID = "GPU-" + id.String()
	return info, nil
}

// Device is a GPU that is in use: its primary context, which is shared with other libraries of the process, and a thread.
type Device struct {
	Info

	dev     cu.Device
	ctx     cu.CUContext
	modules map[*Module]bool
	Memory  *Memory // all allocations of device memory

	mu      sync.Mutex // held by who has given the thread something to do
	closed  bool
	work    chan func() error
	results chan error
	thread  atomic.Int64 // the thread's number, 0 when it has ended
}

// ErrClosed is returned by a device that was closed.
var ErrClosed = errors.New("cuda: the device is closed")

// Open takes a GPU into use. limit is the number of bytes of its memory to use at most, 0 for all.
func Open(ordinal int, limit int64) (*Device, error) {
	if err := Status(); err != nil {
		return nil, err
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, check("cuDeviceGetCount", err)
	}
	if ordinal < 0 || ordinal >= n {
		return nil, fmt.Errorf("cuda: there is no GPU %d; the driver sees %d, counted from 0 (stheno devices lists them)", ordinal, n)
	}
	info, err := describe(ordinal)
	if err != nil {
		return nil, err
	}
	d := &Device{Info: info, modules: map[*Module]bool{}, work: make(chan func() error), results: make(chan error)}
	d.Memory = &Memory{limit: limit, free: map[int64][]cu.DevicePtr{}, out: map[cu.DevicePtr]block{}}
	go d.serve(d.retain)
	if err := <-d.results; err != nil {
		close(d.work)
		<-d.results
		return nil, err
	}
	return d, nil
}

// retain makes the device's context that of this thread.
func (d *Device) retain() (err error) {
	if d.dev, err = cu.GetDevice(d.Ordinal); err != nil {
		return check("cuDeviceGet", err)
	}
	if d.ctx, err = d.dev.RetainPrimaryCtx(); err != nil {
		return check("cuDevicePrimaryCtxRetain", err)
	}
	if err = d.use(); err != nil {
		return errors.Join(err, check("cuDevicePrimaryCtxRelease", d.dev.ReleasePrimaryCtx()))
	}
	return nil
}

func (d *Device) use() error { return check("cuCtxSetCurrent", cu.SetCurrentContext(d.ctx)) }

// serve is the device's thread. It answers first, then what it is given, and closes results when there is no more. The thread ends
// with the goroutine, as it stays locked.
func (d *Device) serve(first func() error) {
	runtime.LockOSThread()
	d.thread.Store(int64(syscall.Gettid()))
	d.answer(first)
	for f := range d.work {
		d.answer(f)
	}
	d.thread.Store(0)
	close(d.results)
}

// answer runs f and sends its error. f may be, or call, a user's own code: a panic is an error, and so is the end of the goroutine
// (as by a test's FailNow), after which another takes its place.
func (d *Device) answer(f func() error) {
	var err error
	returned := false
	defer func() {
		switch r := recover(); {
		case returned:
		case r != nil:
			err = fmt.Errorf("cuda: panic on the device's thread: %v\n%s", r, debug.Stack())
		default:
			d.thread.Store(0)
			go d.serve(func() error { return errors.Join(errExit, d.use()) })
			return
		}
		d.results <- err
	}()
	err = f()
	returned = true
}

var errExit = errors.New("cuda: what ran on the device's thread ended its goroutine (runtime.Goexit) instead of returning")

// Do runs f on the device's thread, waits, and returns its error. A panic in f comes back as an error. Called by such an f, it runs
// what it is given at once.
func (d *Device) Do(f func() error) error {
	if d.own() {
		return f()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return ErrClosed
	}
	d.work <- f
	return <-d.results
}

// own says whether the caller is on the device's thread: no other goroutine ever is.
func (d *Device) own() bool { return d.thread.Load() == int64(syscall.Gettid()) }

// Close frees the memory that was not freed, unloads the modules, and gives the context back. Whatever Do was asked for before is
// done before, and what comes later is refused. Closing twice is harmless.
func (d *Device) Close() error { return d.CloseAfter(nil) }

// CloseAfter runs last and closes the device, and nothing comes between.
func (d *Device) CloseAfter(last func() error) error {
	if d.own() {
		return errors.New("cuda: a device cannot be closed by what runs on its thread")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	var errs []error
	for _, f := range []func() error{last, d.release} {
		if f != nil {
			d.work <- f
			errs = append(errs, <-d.results)
		}
	}
	close(d.work)
	<-d.results
	return Join(errs...)
}

func (d *Device) release() error {
	return Apart(func() error {
		errs := []error{check("cuCtxSynchronize", cu.Synchronize())}
		for m := range d.modules {
			errs = append(errs, m.Close())
		}
		errs = append(errs, d.Memory.close(), check("cuDevicePrimaryCtxRelease", d.dev.ReleasePrimaryCtx()))
		return Join(errs...)
	})
}
