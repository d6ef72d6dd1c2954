//go:build gpu && cgo && linux

package driver

/*
#include <cuda.h>
#include <stdlib.h>

// A launch that is kept ready: its parameters lie behind it, as cuLaunchKernel wants them.
typedef struct {
	CUfunction f;
	unsigned gx, gy, gz, bx, by, bz, shared;
	void **params;
} stheno_launch;

static CUresult run_launch(const stheno_launch *l, CUstream s) {
	return cuLaunchKernel(l->f, l->gx, l->gy, l->gz, l->bx, l->by, l->bz, l->shared, s, l->params, NULL);
}
*/
import "C"

import (
	"unsafe"

	"gorgonia.org/cu"
)

// Module is compiled code that is loaded.
type Module struct {
	d *Device
	m cu.Module
}

// Load loads PTX or a cubin. The device unloads what is not closed.
func (d *Device) Load(image []byte) (*Module, error) {
	m, err := cu.LoadData(string(image)) // which ends it with a zero, as PTX must
	if err != nil {
		return nil, check("cuModuleLoadData", err)
	}
	out := &Module{d, m}
	d.modules[out] = true
	return out, nil
}

// Close unloads the module.
func (m *Module) Close() error {
	if m == nil || !m.d.modules[m] {
		return nil
	}
	delete(m.d.modules, m)
	return check("cuModuleUnload", m.m.Unload())
}

// Function is a kernel.
type Function struct{ f cu.Function }

// sharedForAll is the shared memory that every kernel may have.
const sharedForAll = 48 << 10

// Function finds a kernel by its name. shared is the number of bytes of dynamic shared memory that it will be launched with, for
// which the driver asks before more than 48 KiB are used.
func (m *Module) Function(name string, shared int) (Function, error) {
	f, err := m.m.Function(name)
	if err != nil {
		return Function{}, check("cuModuleGetFunction "+name, err)
	}
	out := Function{f}
	if shared > sharedForAll {
		r := C.cuFuncSetAttribute(out.raw(), C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(shared))
		if err := failure("cuFuncSetAttribute "+name, r); err != nil {
			return Function{}, err
		}
	}
	return out, nil
}

func (f Function) raw() C.CUfunction { return *(*C.CUfunction)(unsafe.Pointer(&f.f)) }

// Launch is a kernel with its arguments, kept in C memory so that running it costs one call and allocates nothing.
type Launch struct {
	l    *C.stheno_launch
	data unsafe.Pointer
	args []unsafe.Pointer
}

// NewLaunch prepares a launch. args are the arguments' bytes; [Launch.Arg] finds them again.
func NewLaunch(f Function, grid, block [3]int, shared int, args [][]byte) *Launch {
	const slot = 16 // alignment of every argument
	size := 0
	for _, a := range args {
		size += (len(a) + slot - 1) / slot * slot
	}
	l := &Launch{l: (*C.stheno_launch)(C.calloc(1, C.size_t(unsafe.Sizeof(C.stheno_launch{})))), data: C.calloc(1, C.size_t(size+1))}
	params := C.calloc(C.size_t(len(args)+1), C.size_t(unsafe.Sizeof(uintptr(0))))
	table := unsafe.Slice((*unsafe.Pointer)(params), len(args)+1)
	at := 0
	for i, a := range args {
		p := unsafe.Add(l.data, at)
		copy(unsafe.Slice((*byte)(p), len(a)), a)
		table[i] = p
		l.args = append(l.args, p)
		at += (len(a) + slot - 1) / slot * slot
	}
	l.l.f = f.raw()
	l.l.gx, l.l.gy, l.l.gz = C.uint(grid[0]), C.uint(grid[1]), C.uint(grid[2])
	l.l.bx, l.l.by, l.l.bz = C.uint(block[0]), C.uint(block[1]), C.uint(block[2])
	l.l.shared = C.uint(shared)
	l.l.params = (*unsafe.Pointer)(params)
	return l
}

// Arg is where argument i is kept, as 64 bits; it may be changed between runs.
func (l *Launch) Arg(i int) *uint64 { return (*uint64)(l.args[i]) }

// Word is where 64 bits of argument i are kept, those of number k.
func (l *Launch) Word(i, k int) *uint64 { return (*uint64)(unsafe.Add(l.args[i], 8*k)) }

// Run puts the kernel on a stream.
func (l *Launch) Run(s *Stream) error {
	return failure("cuLaunchKernel", C.run_launch(l.l, s.raw()))
}

// Close frees what was kept.
func (l *Launch) Close() {
	if l.l == nil {
		return
	}
	C.free(unsafe.Pointer(l.l.params))
	C.free(l.data)
	C.free(unsafe.Pointer(l.l))
	l.l, l.args = nil, nil
}
