//go:build gpu && cgo && linux

package driver

import (
	"errors"
	"fmt"
	"runtime"

	"gorgonia.org/cu"
)

// Info describes a device.
type Info struct {
	Ordinal         int
	Name, UUID      string
	Major, Minor    int // compute capability
	Multiprocessors int
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
	work    chan func()
	done    chan struct{} // closed when the thread has ended
	closed  chan struct{} // closed when no more work is taken
	modules map[*Module]bool
	Memory  *Memory // all allocations of device memory
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
	if ordinal >= n {
		return nil, fmt.Errorf("cuda: there is no GPU %d; the driver sees %d, counted from 0 (stheno devices lists them)", ordinal, n)
	}
	info, err := describe(ordinal)
	if err != nil {
		return nil, err
	}
	d := &Device{Info: info, work: make(chan func()), done: make(chan struct{}), closed: make(chan struct{})}
	d.Memory = &Memory{limit: limit, free: map[int64][]cu.DevicePtr{}, size: map[cu.DevicePtr]int64{}}
	started := make(chan error)
	go d.serve(ordinal, started)
	if err := <-started; err != nil {
		return nil, err
	}
	return d, nil
}

// serve is the device's thread. It ends with the goroutine, as it stays locked.
func (d *Device) serve(ordinal int, started chan<- error) {
	runtime.LockOSThread()
	defer close(d.done)
	start := func() (err error) {
		if d.dev, err = cu.GetDevice(ordinal); err != nil {
			return check("cuDeviceGet", err)
		}
		ctx, err := d.dev.RetainPrimaryCtx()
		if err != nil {
			return check("cuDevicePrimaryCtxRetain", err)
		}
		if err = cu.SetCurrentContext(ctx); err != nil {
			return errors.Join(check("cuCtxSetCurrent", err), check("cuDevicePrimaryCtxRelease", d.dev.ReleasePrimaryCtx()))
		}
		return nil
	}
	err := start()
	started <- err
	if err != nil {
		return
	}
	for {
		select {
		case f := <-d.work:
			f()
		case <-d.closed:
			return
		}
	}
}

// Do runs f on the device's thread, waits, and returns its error. A panic in f comes back as an error. It must not be called by f.
func (d *Device) Do(f func() error) (err error) {
	ready := make(chan struct{})
	select {
	case d.work <- func() {
		defer close(ready)
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("cuda: panic on the device's thread: %v", r)
			}
		}()
		err = f()
	}:
		<-ready
		return err
	case <-d.closed:
		return ErrClosed
	}
}

// Close frees the memory that was not freed, unloads the modules, and gives the context back.
func (d *Device) Close() error {
	select {
	case <-d.closed:
		return nil
	default:
	}
	err := d.Do(func() error {
		errs := []error{check("cuCtxSynchronize", cu.Synchronize())}
		for m := range d.modules {
			errs = append(errs, m.Close())
		}
		errs = append(errs, d.Memory.close(), check("cuDevicePrimaryCtxRelease", d.dev.ReleasePrimaryCtx()))
		return errors.Join(errs...)
	})
	close(d.closed)
	<-d.done
	return err
}
