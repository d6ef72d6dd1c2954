//go:build gpu && cgo && linux

package driver

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/cu"
)

// Who waits for a device waits first until nobody else of the process records a stream on it. A real driver refuses the one and breaks the other,
// whatever the mode of recording; the simulated one does neither.
func TestNobodyWaitsForADeviceThatIsRecorded(t *testing.T) {
	one, other := openDevice(t, 0), openDevice(t, 0)
	on(t, other, func() error { // has memory to give back
		p, err := other.Memory.Alloc(1<<20, "what is kept")
		return errors.Join(err, other.Memory.Free(p))
	})
	trimmed, recorded, told := atomic.Bool{}, true, make(chan error)
	on(t, one, func() error {
		s, err := NewStream()
		require.NoError(t, err)
		p, err := one.Memory.Alloc(64, "what is recorded")
		require.NoError(t, err)
		g, err := s.Capture(func() error {
			go func() {
				err := other.Do(other.Memory.Trim)
				trimmed.Store(true)
				told <- err
			}()
			for !trimmed.Load() && recordings.TryRLock() { // nobody wants to be apart yet
				recordings.RUnlock()
				runtime.Gosched()
			}
			time.Sleep(20 * time.Millisecond) // in which it is done if it does not wait
			recorded = !trimmed.Load()
			return s.Fill(p, 1, 64)
		})
		require.NoError(t, err)
		return errors.Join(g.Launch(s), s.Synchronize(), g.Close(), s.Close(), one.Memory.Free(p))
	})
	require.NoError(t, <-told)
	require.True(t, recorded, "it did not wait")
	on(t, other, func() error {
		require.Zero(t, other.Memory.Held())
		return nil
	})
}

// Who records and waits, or is apart twice, does not wait for itself.
func TestApartOfOneself(t *testing.T) {
	d := openDevice(t, 0)
	on(t, d, func() error {
		s, err := NewStream()
		require.NoError(t, err)
		wait := func() error { return Apart(func() error { return check("cuCtxSynchronize", cu.Synchronize()) }) }
		_, err = s.Capture(wait)
		require.ErrorContains(t, err, "cuCtxSynchronize: CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED")
		return errors.Join(Apart(wait), wait(), s.Close())
	})
}
