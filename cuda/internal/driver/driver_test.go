//go:build gpu && cgo && linux

package driver

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// openDevice opens the first GPU, real or simulated.
func openDevice(t *testing.T, limit int64) *Device {
	t.Helper()
	if err := Status(); err != nil {
		t.Skipf("needs a GPU, or the simulated one of make gpu-test: %v", err)
	}
	d, err := Open(0, limit)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// on runs a test's body on the device's thread; its requirements are told after it.
func on(t *testing.T, d *Device, f func() error) {
	t.Helper()
	require.NoError(t, d.Do(f))
}

// Without a driver everything says so; with one, what it finds.
func TestWithoutADriver(t *testing.T) {
	err := Status()
	if err == nil {
		t.Skip("this machine has a driver")
	}
	require.ErrorContains(t, err, "cuda: ")
	var none *NoDriverError
	if errors.As(err, &none) {
		require.ErrorContains(t, err, "libcuda.so.1 cannot be loaded (")
		require.ErrorContains(t, err, "install the NVIDIA driver; in a container, start it with --gpus all")
	}
	_, listed := Devices()
	require.Equal(t, err.Error(), listed.Error())
	_, opened := Open(0, 0)
	require.Equal(t, err.Error(), opened.Error())
}

func TestDevices(t *testing.T) {
	d := openDevice(t, 0)
	require.GreaterOrEqual(t, Version(), 11000)
	all, err := Devices()
	require.NoError(t, err)
	require.Equal(t, d.Info, all[0])
	require.NotEmpty(t, d.Name)
	require.Regexp(t, `^GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`, d.UUID)
	require.Positive(t, d.Major)
	require.Positive(t, d.Multiprocessors)
	require.Positive(t, d.Info.Memory)
	for _, bad := range []int{-1, len(all), 99} {
		_, err = Open(bad, 0)
		require.ErrorContains(t, err, "there is no GPU")
		require.ErrorContains(t, err, "stheno devices lists them")
	}
}

func TestDo(t *testing.T) {
	d := openDevice(t, 0)
	no := errors.New("no")
	require.ErrorIs(t, d.Do(func() error { return no }), no)
	require.ErrorContains(t, d.Do(func() error { panic("oh") }), "panic on the device's thread: oh")
	require.ErrorContains(t, d.Do(func() error { panic(no) }), "driver_test.go", "the stack")
	require.ErrorIs(t, d.Do(func() error { return d.Do(func() error { return no }) }), no, "inside itself")
	require.ErrorContains(t, d.Do(d.Close), "by what runs on its thread")
	require.ErrorContains(t, d.Do(func() error { runtime.Goexit(); return nil }), "runtime.Goexit")
	on(t, d, func() error { // the thread that took its place has the context
		s, err := NewStream()
		if err != nil {
			return err
		}
		return errors.Join(s.Synchronize(), s.Close())
	})
	f := func() error { return nil }
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = d.Do(f) }))
}

func TestDoFromManyGoroutines(t *testing.T) {
	d := openDevice(t, 0)
	var inside, sum atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				err := d.Do(func() error {
					if inside.Add(1) != 1 {
						return errors.New("two at once")
					}
					sum.Add(1)
					inside.Add(-1)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1600, sum.Load())
}

// Close while others wait: what was begun is finished, the rest refused, and nobody hangs.
func TestCloseWhileOthersWait(t *testing.T) {
	d := openDevice(t, 0)
	begun := make(chan bool)
	var all sync.WaitGroup
	all.Go(func() {
		if err := d.Do(func() error { close(begun); time.Sleep(20 * time.Millisecond); return nil }); err != nil {
			t.Error(err)
		}
	})
	<-begun
	var last, after atomic.Bool
	for range 4 {
		all.Go(func() {
			if err := d.Do(func() error { after.Store(last.Load()); return nil }); err != nil && !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		})
	}
	for range 2 {
		all.Go(func() {
			if err := d.CloseAfter(func() error { last.Store(true); return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.True(t, last.Load())
	require.False(t, after.Load(), "nothing runs after the last")
	require.ErrorIs(t, d.Do(func() error { return nil }), ErrClosed)
	require.NoError(t, d.Close())
}

func TestCloseTellsOfLast(t *testing.T) {
	d := openDevice(t, 0)
	no := errors.New("no")
	require.ErrorIs(t, d.CloseAfter(func() error { return no }), no)
	require.ErrorIs(t, d.Do(func() error { return nil }), ErrClosed)

	d = openDevice(t, 0)
	require.ErrorContains(t, d.CloseAfter(func() error { panic("oh") }), "oh")
	d = openDevice(t, 0)
	require.ErrorContains(t, d.CloseAfter(func() error { runtime.Goexit(); return nil }), "Goexit")
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		code   int
		lost   bool
		remedy string
	}{
		{codeOutOfMemory, false, ""}, {codeNoDevice, false, "nvidia-smi"}, {codeSystemNotReady, false, "fabric manager"},
		{codeDriverMismatch, false, "restart the machine"}, {codeCompatNotThere, false, "LD_LIBRARY_PATH"}, {codeUnsupportedPTX, false, "STHENO_CUDA_CACHE=off"},
		{codeIllegalAddress, true, "start it again"}, {codeAssert, true, "start it again"}, {codeLaunchFailed, true, "start it again"},
		{713, false, ""}, {codeOutOfResources, false, ""},
	} {
		e := &Error{Call: "cuCall", Code: c.code, Name: "CUDA_ERROR_NAME", Text: "text"}
		require.Equal(t, c.lost, e.Lost(), "%d", c.code)
		require.Equal(t, c.lost, IsLost(errors.Join(errors.New("x"), e)))
		require.Equal(t, c.code == codeOutOfMemory, IsOutOfMemory(e))
		require.ErrorContains(t, e, "cuda: cuCall: CUDA_ERROR_NAME, text")
		require.ErrorContains(t, e, c.remedy)
	}
	lost, a := &Error{Call: "a", Code: codeIllegalAddress, Name: "L"}, errors.New("a")
	require.Nil(t, Join(nil, nil))
	require.EqualError(t, Join(a, nil, errors.New("a"), errors.New("b")), "a\nb")
	require.Equal(t, error(lost), Join(a, lost, lost))
}

// The driver's own names of errors are in them.
func TestErrorsHaveCUDAsNames(t *testing.T) {
	d := openDevice(t, 0)
	err := d.Do(func() error {
		_, err := d.Load([]byte("nothing that a driver loads"))
		return err
	})
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "cuModuleLoadData", e.Call)
	require.Contains(t, []string{"CUDA_ERROR_INVALID_IMAGE", "CUDA_ERROR_INVALID_PTX"}, e.Name)
	require.NotEmpty(t, e.Text)
	require.ErrorContains(t, err, "update the driver")
}
