//go:build gpu && cgo && linux

package driver

/*
#include <cuda.h>
*/
import "C"

import (
	"errors"
	"maps"
	"unsafe"

	"gorgonia.org/cu"
)

// Ptr is an address in the device's memory.
type Ptr uint64

// granule is what allocations are rounded up to, so that freed ones fit again: 512 bytes, or an eighth of the power of two
// below, whichever is more.
func granule(n int64) int64 {
	g := int64(512)
	for g*16 <= n {
		g *= 2
	}
	return g
}

// rounded is the size of the block that serves n bytes.
func rounded(n int64) int64 {
	g := granule(max(n, 1))
	return (max(n, 1) + g - 1) / g * g
}

// Memory hands out device memory. Freed blocks are kept for requests of the same rounded size, since cuMemFree waits for the
// whole device, and given back when memory runs out.
type Memory struct {
	limit int64
	held  int64 // bytes taken from the driver
	used  int64 // bytes handed out
	free  map[int64][]cu.DevicePtr
	out   map[cu.DevicePtr]block // what is handed out
}

// block is memory that is handed out.
type block struct {
	size, asked int64 // bytes, and those that were asked for
	use         string
}

// Alloc returns n bytes, aligned to 512. purpose is for the error: "the arena of the program", and what the memory counts as in Uses, until
// Count says another. The error is a *MemoryError where memory is used up, and nothing is lost by it.
func (m *Memory) Alloc(n int64, purpose string) (Ptr, error) { return m.alloc(n, rounded(n), purpose) }

// AllocLarge is Alloc for few blocks, each of which may be a large part of the device's memory: it is hardly rounded up, and where none of its
// size is kept, all that is kept is given back first.
func (m *Memory) AllocLarge(n int64, purpose string) (Ptr, error) {
	size := (max(n, 1) + 511) / 512 * 512
	if len(m.free[size]) == 0 {
		if err := m.Trim(); err != nil {
			return 0, err
		}
	}
	return m.alloc(n, size, purpose)
}

func (m *Memory) alloc(n, size int64, purpose string) (Ptr, error) {
	if blocks := m.free[size]; len(blocks) > 0 {
		p := blocks[len(blocks)-1]
		m.free[size] = blocks[:len(blocks)-1]
		m.out[p] = block{size, n, purpose}
		m.used += size
		return Ptr(p), nil
	}
	if m.limit > 0 && m.held+size > m.limit {
		if err := m.Trim(); err != nil {
			return 0, err
		}
		if m.held+size > m.limit {
			return 0, m.exhausted(n, purpose)
		}
	}
	p, err := cu.MemAlloc(size)
	if err == cu.OutOfMemory {
		if err := m.Trim(); err != nil {
			return 0, err
		}
		p, err = cu.MemAlloc(size)
	}
	switch {
	case err == cu.OutOfMemory:
		return 0, m.exhausted(n, purpose)
	case err != nil:
		return 0, check("cuMemAlloc", err)
	}
	m.held += size
	m.used += size
	m.out[p] = block{size, n, purpose}
	return Ptr(p), nil
}

// Count lets a block count as for another use from now on.
func (m *Memory) Count(p Ptr, use string) {
	if b, ok := m.out[cu.DevicePtr(p)]; ok {
		b.use = use
		m.out[cu.DevicePtr(p)] = b
	}
}

// What memory is held for besides the uses of blocks that are handed out.
const (
	UseKept    = "kept for later"
	UseRounded = "rounding up"
)

// Uses are the bytes that are held, by use; their sum is Held.
func (m *Memory) Uses() map[string]int64 {
	uses := map[string]int64{}
	for _, b := range m.out {
		uses[b.use] += b.asked
		uses[UseRounded] += b.size - b.asked
	}
	uses[UseKept] = m.held - m.used
	maps.DeleteFunc(uses, func(_ string, n int64) bool { return n == 0 })
	return uses
}

func (m *Memory) exhausted(n int64, purpose string) error {
	e := &MemoryError{For: purpose, Need: n, Held: m.held, Limit: m.limit, Uses: m.Uses()}
	e.Free, e.Total, _ = cu.MemInfo() // zeros say enough if even that fails
	return e
}

// Free takes a block back. Work on it that is still under way must have been put on the stream that will use the block next.
func (m *Memory) Free(p Ptr) error {
	b, ok := m.out[cu.DevicePtr(p)]
	if !ok {
		return errors.New("cuda: memory freed twice, or never handed out")
	}
	delete(m.out, cu.DevicePtr(p))
	m.used -= b.size
	m.free[b.size] = append(m.free[b.size], cu.DevicePtr(p))
	return nil
}

// Trim gives kept blocks back to the driver, after the work that may still use them.
func (m *Memory) Trim() error {
	if len(m.free) == 0 {
		return nil
	}
	return Apart(func() error {
		errs := []error{check("cuCtxSynchronize", cu.Synchronize())}
		for size, blocks := range m.free {
			for _, p := range blocks {
				errs = append(errs, check("cuMemFree", cu.MemFree(p)))
				m.held -= size
			}
			delete(m.free, size)
		}
		return Join(errs...)
	})
}

// Used is the number of bytes handed out, Held the number taken from the driver.
func (m *Memory) Used() int64 { return m.used }

// Held is the number of bytes taken from the driver.
func (m *Memory) Held() int64 { return m.held }

func (m *Memory) close() error {
	for p, b := range m.out {
		m.free[b.size] = append(m.free[b.size], p)
	}
	m.out, m.used = map[cu.DevicePtr]block{}, 0
	return m.Trim()
}

// MemInfo returns the free and the total bytes of the device.
func MemInfo() (free, total int64, err error) {
	free, total, err = cu.MemInfo()
	return free, total, check("cuMemGetInfo", err)
}

// Pinned is host memory that the device can copy from and to while the host goes on.
type Pinned struct{ mem []byte }

// NewPinned allocates n bytes.
func NewPinned(n int64) (*Pinned, error) {
	var p unsafe.Pointer
	if err := failure("cuMemAllocHost", C.cuMemAllocHost(&p, C.size_t(max(n, 1)))); err != nil {
		return nil, err
	}
	return &Pinned{unsafe.Slice((*byte)(p), n)}, nil
}

// Bytes is the memory. It must not be used after Close.
func (p *Pinned) Bytes() []byte { return p.mem }

// Close frees the memory. Copies from and to it must be over.
func (p *Pinned) Close() error {
	if p == nil || p.mem == nil {
		return nil
	}
	err := check("cuMemFreeHost", cu.MemFreeHost(unsafe.Pointer(unsafe.SliceData(p.mem))))
	p.mem = nil
	return err
}
