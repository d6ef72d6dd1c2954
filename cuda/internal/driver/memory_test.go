//go:build gpu && cgo && linux

package driver

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRounding(t *testing.T) {
	for _, c := range [][2]int64{{0, 512}, {1, 512}, {512, 512}, {513, 1024}, {8191, 8192}, {8193, 9216}, {1 << 20, 1 << 20}, {1<<20 + 1, 1<<20 + 1<<17}} {
		require.Equal(t, c[1], rounded(c[0]), "%d", c[0])
	}
	for n := int64(1); n < 1<<34; n = n*9/7 + 13 {
		r := rounded(n)
		require.Zero(t, r%512)
		require.GreaterOrEqual(t, r, n)
		require.LessOrEqual(t, r-n, max(512, n/8+1), "%d", n)
		require.Equal(t, r, rounded(r), "%d", n)
	}
}

func TestMemory(t *testing.T) {
	d := openDevice(t, 0)
	m := d.Memory
	on(t, d, func() error {
		a, err := m.Alloc(1000, "a")
		require.NoError(t, err)
		b, err := m.Alloc(0, "nothing has an address, too")
		require.NoError(t, err)
		require.NotZero(t, b)
		require.Zero(t, uint64(a)%256)
		require.Equal(t, int64(1536), m.Used())
		require.Equal(t, map[string]int64{"a": 1000, UseRounded: 536}, m.Uses())
		m.Count(a, "weights")
		require.Equal(t, int64(1000), m.Uses()["weights"])
		require.NoError(t, m.Free(a))
		require.Equal(t, int64(1024), m.Uses()[UseKept])
		require.Equal(t, int64(512), m.Used())
		require.Equal(t, int64(1536), m.Held(), "kept for the next")
		again, err := m.Alloc(600, "of the same rounded size")
		require.NoError(t, err)
		require.Equal(t, a, again)
		require.NoError(t, m.Free(again))
		require.ErrorContains(t, m.Free(again), "freed twice")
		require.ErrorContains(t, m.Free(12345), "never handed out")
		require.NoError(t, m.Trim())
		require.Equal(t, int64(512), m.Held())
		require.NoError(t, m.Free(b))
		free, total, err := MemInfo()
		require.NoError(t, err)
		require.Positive(t, free)
		require.LessOrEqual(t, free, total)
		return nil
	})
}

// Large blocks are hardly rounded up, and what is kept makes room for them.
func TestLargeMemory(t *testing.T) {
	d := openDevice(t, 0)
	m := d.Memory
	on(t, d, func() error {
		a, err := m.AllocLarge(1<<20+1, "a")
		require.NoError(t, err)
		require.Equal(t, int64(1<<20+512), m.Held())
		require.Equal(t, map[string]int64{"a": 1<<20 + 1, UseRounded: 511}, m.Uses())
		require.NoError(t, m.Free(a))
		again, err := m.AllocLarge(1<<20+2, "of the same size")
		require.NoError(t, err)
		require.Equal(t, a, again)
		require.NoError(t, m.Free(again))
		b, err := m.AllocLarge(2<<20, "larger")
		require.NoError(t, err)
		require.Equal(t, int64(2<<20), m.Held())
		return m.Free(b)
	})
}

// The error tells what the memory is held for, the largest first.
func TestMemoryErrorListsUses(t *testing.T) {
	e := &MemoryError{For: "an arena", Need: 2 << 20, Total: 8 << 20, Free: 1 << 20, Held: 7 << 20,
		Uses: map[string]int64{"a": 1 << 20, "b": 3 << 20, "c": 2 << 20, "d": 1 << 20}}
	require.EqualError(t, e, "cuda: out of device memory: an arena needs 2.0 MiB, of 8.0 MiB the device has 1.0 MiB free, and this engine holds 7.0 MiB "+
		"(b 3.0 MiB, c 2.0 MiB, a 1.0 MiB, …); use a smaller batch, less memory for the step (in stheno train: --memory-budget), or another GPU")
}

func TestMemoryLimit(t *testing.T) {
	d := openDevice(t, 4096)
	m := d.Memory
	on(t, d, func() error {
		a, err := m.Alloc(2048, "a")
		require.NoError(t, err)
		_, err = m.Alloc(2049, "the arena of a test")
		var e *MemoryError
		require.ErrorAs(t, err, &e)
		require.Equal(t, int64(2049), e.Need)
		require.EqualError(t, err, "cuda: out of device memory: the arena of a test needs 2.0 KiB, and the engine, limited to 4.0 KiB, holds 2.0 KiB (a 2.0 KiB); "+
			"use a smaller batch, less memory for the step (in stheno train: --memory-budget), or another GPU")
		require.Equal(t, int64(2048), m.Used(), "nothing is lost")
		require.NoError(t, m.Free(a))
		b, err := m.Alloc(4096, "what was kept is given back for it")
		require.NoError(t, err)
		require.Equal(t, int64(4096), m.Held())
		return m.Free(b)
	})
}

func TestMemoryOfTheDevice(t *testing.T) {
	d := openDevice(t, 0)
	on(t, d, func() error {
		small, err := d.Memory.Alloc(1<<20, "a")
		require.NoError(t, err)
		require.NoError(t, d.Memory.Free(small))
		require.Positive(t, d.Memory.Held())
		_, err = d.Memory.Alloc(1<<60, "too much")
		require.ErrorContains(t, err, "out of device memory: too much needs 1073741824.00 GiB, of ")
		require.ErrorContains(t, err, "this engine holds 0 B")
		require.Zero(t, d.Memory.Held(), "what was kept was given back first")
		return nil
	})
}

func TestPinnedAndStreams(t *testing.T) {
	d := openDevice(t, 0)
	on(t, d, func() error {
		const n = 1 << 20
		s, err := NewStream()
		require.NoError(t, err)
		other, err := NewStream()
		require.NoError(t, err)
		require.NotEqual(t, s.Handle(), other.Handle())
		from, err := NewPinned(n)
		require.NoError(t, err)
		to, err := NewPinned(n)
		require.NoError(t, err)
		a, err := d.Memory.Alloc(n, "a")
		require.NoError(t, err)
		b, err := d.Memory.Alloc(n, "b")
		require.NoError(t, err)
		start, err := NewTimer()
		require.NoError(t, err)
		end, err := NewTimer()
		require.NoError(t, err)
		for i := range from.Bytes() {
			from.Bytes()[i] = byte(i * 7)
		}
		require.NoError(t, start.Record(s))
		require.NoError(t, s.Fill(a, 9, n))
		require.NoError(t, s.ToDevice(a+1, from.Bytes()[1:n-1]))
		require.NoError(t, end.Record(s))
		require.NoError(t, other.Wait(end)) // the order of two streams
		require.NoError(t, other.Copy(b, a, n))
		require.NoError(t, other.ToHost(to.Bytes(), b))
		require.NoError(t, other.Synchronize())
		require.Equal(t, byte(9), to.Bytes()[0])
		require.Equal(t, byte(9), to.Bytes()[n-1])
		require.Equal(t, from.Bytes()[1:n-1], to.Bytes()[1:n-1])
		require.NoError(t, end.Synchronize())
		ms, err := end.Since(start)
		require.NoError(t, err)
		require.GreaterOrEqual(t, ms, 0.0)
		for _, nothing := range []error{s.Fill(a, 1, 0), s.Copy(a, b, 0), s.Copy(a, a, n), s.ToDevice(a, nil), s.ToHost(nil, a)} {
			require.NoError(t, nothing)
		}
		empty, err := NewPinned(0)
		require.NoError(t, err)
		require.Empty(t, empty.Bytes())
		var noPinned *Pinned
		var noEvent *Event
		var noStream *Stream
		var noGraph *Graph
		return errors.Join(from.Close(), from.Close(), to.Close(), empty.Close(), start.Close(), end.Close(), s.Close(), other.Close(),
			noPinned.Close(), noEvent.Close(), noStream.Close(), noGraph.Close(), d.Memory.Free(a), d.Memory.Free(b))
	})
}
