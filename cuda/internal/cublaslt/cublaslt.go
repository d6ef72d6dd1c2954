//go:build gpu && cgo && linux

package cublaslt

/*
#include "api.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/dl"
	"github.com/stheno-ml/stheno/cuda/internal/find"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// Library is a loaded cuBLASLt.
type Library struct {
	api     *C.lt_api // in C memory: it is passed to C
	path    string
	version int
}

// Load looks for cuBLASLt. driver is the major CUDA version of the driver, and a library that is not newer is preferred; 0 does
// not know it. The error, a *find.NotFound, says what was tried.
func Load(driver int) (*Library, error) {
	l := find.CUBLASLt
	l.MaxMajor = driver
	lib, _, err := find.Load(find.Host(), l, Open)
	return lib, err
}

// Open loads cuBLASLt from a file.
func Open(file string) (*Library, error) { return opened.Open(file, load) }

// opened are the libraries of this process.
var opened dl.Once[*Library]

func load(file string) (l *Library, err error) {
	h, err := dl.Open(file, true) // global: cuDNN asks the linker for it by its name only
	if err != nil {
		return nil, err
	}
	l = &Library{api: (*C.lt_api)(C.calloc(1, C.sizeof_lt_api))}
	defer func() {
		if err != nil {
			C.free(unsafe.Pointer(l.api))
		}
	}()
	a := l.api
	if err := h.Symbols(map[string]*unsafe.Pointer{
		"cublasLtGetVersion": &a.version, "cublasLtGetStatusName": &a.name, "cublasLtCreate": &a.create, "cublasLtDestroy": &a.destroy,
		"cublasLtMatmulDescCreate": &a.desc_create, "cublasLtMatmulDescSetAttribute": &a.desc_set, "cublasLtMatmulDescDestroy": &a.desc_destroy,
		"cublasLtMatrixLayoutCreate": &a.layout_create, "cublasLtMatrixLayoutSetAttribute": &a.layout_set, "cublasLtMatrixLayoutDestroy": &a.layout_destroy,
		"cublasLtMatmulPreferenceCreate": &a.pref_create, "cublasLtMatmulPreferenceSetAttribute": &a.pref_set, "cublasLtMatmulPreferenceDestroy": &a.pref_destroy,
		"cublasLtMatmulAlgoGetHeuristic": &a.heuristic, "cublasLtMatmul": &a.matmul, "cublasLtMatmulAlgoCheck": &a.algo_check,
	}); err != nil {
		return l, err
	}
	l.path = h.File(a.version)
	l.version = int(C.lt_version(a))
	return l, nil
}

// Version is that of cuBLASLt: "12.9.1".
func (l *Library) Version() string {
	return fmt.Sprintf("%d.%d.%d", l.version/10000, l.version/100%100, l.version%100)
}

// Path is the file that was loaded.
func (l *Library) Path() string { return l.path }

// check turns a status into an error.
func (l *Library) check(call string, status C.int) error {
	switch status {
	case statusSuccess:
		return nil
	case statusNotSupported, statusArchMismatch:
		return fmt.Errorf("%w: %s: %s", ErrUnsupported, call, C.GoString(C.lt_name(l.api, status)))
	}
	return fmt.Errorf("cuda: %s of cuBLASLt %s: %s", call, l.Version(), C.GoString(C.lt_name(l.api, status)))
}

// Handle is cuBLASLt's state for the device whose context is current when it is made and used.
type Handle struct {
	lib    *Library
	handle unsafe.Pointer
}

// New makes a handle for the device whose context is current.
func (l *Library) New() (*Handle, error) {
	h := &Handle{lib: l}
	return h, l.check("cublasLtCreate", C.lt_create(l.api.create, &h.handle))
}

// Version is that of the library.
func (h *Handle) Version() string { return h.lib.Version() }

// Close frees the handle. Its plans must be closed before.
func (h *Handle) Close() error {
	return h.lib.check("cublasLtDestroy", C.lt_destroy(h.lib.api.destroy, h.handle))
}

// Matmul is a product with the algorithm chosen for it. One goroutine at a time may use it.
type Matmul struct {
	Workspace int64 // bytes that Run needs
	Measured  bool  // for logs: the algorithm was chosen by Take
	handle    *Handle
	plan      *C.lt_plan // in C memory: it is passed to C
	p         problem
	double    bool
}

// Plan chooses an algorithm for a product, with at most maxWorkspace bytes of working memory: the first that cuBLASLt's heuristic
// proposes. Memory is taken to be aligned to 64 bytes but for the offsets of g's pointers. The error wraps ErrUnsupported if there is
// no algorithm.
func (h *Handle) Plan(g *kernel.Gemm, maxWorkspace int64) (*Matmul, error) {
	all, err := h.Ways(g, maxWorkspace, 1)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// describe makes a product without an algorithm.
func (h *Handle) describe(g *kernel.Gemm) (m *Matmul, err error) {
	p, err := pose(g)
	if err != nil {
		return nil, err
	}
	l, a := h.lib, h.lib.api
	m = &Matmul{handle: h, plan: (*C.lt_plan)(C.calloc(1, C.sizeof_lt_plan)), p: p, double: g.Dtype == tensor.Float64}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
			m = nil
		}
	}()
	first := func(call string, status C.int) { // keeps the first error
		if err == nil {
			err = l.check(call, status)
		}
	}
	set := func(attribute int, value int) {
		if err == nil {
			first("cublasLtMatmulDescSetAttribute", C.lt_set32(a.desc_set, m.plan.desc, C.int(attribute), C.int32_t(value)))
		}
	}
	first("cublasLtMatmulDescCreate", C.lt_desc_create(a, &m.plan.desc, C.int(p.compute), C.int(p.scale)))
	set(descTransA, transposed(p.a))
	set(descTransB, transposed(p.b))
	set(descEpilogue, p.epilogue)
	if p.epilogue&epilogueBias != 0 && err == nil {
		first("cublasLtMatmulDescSetAttribute", m.setBias(uintptr(p.biasAlignment))) // the choice looks at its alignment only
	}
	layouts := [...]*unsafe.Pointer{&m.plan.a, &m.plan.b, &m.plan.d}
	for i, x := range [...]matrix{p.a, p.b, p.d} {
		if err == nil {
			first("cublasLtMatrixLayoutCreate", C.lt_layout_create(a, layouts[i], C.int(x.data), C.uint64_t(x.rows), C.uint64_t(x.cols), C.int64_t(x.ld)))
		}
		if err == nil && p.batch > 1 {
			first("cublasLtMatrixLayoutSetAttribute", C.lt_set32(a.layout_set, *layouts[i], layoutBatchCount, C.int32_t(p.batch)))
			first("cublasLtMatrixLayoutSetAttribute", C.lt_set64(a.layout_set, *layouts[i], layoutBatchStride, C.int64_t(x.stride)))
		}
	}
	return m, err
}

func transposed(m matrix) int {
	if m.trans {
		return 1
	}
	return 0
}

func (m *Matmul) setBias(at uintptr) C.int {
	return C.lt_set64(m.handle.lib.api.desc_set, m.plan.desc, descBiasPointer, C.int64_t(at))
}

// Run starts c ← a·b on a stream. a, b, c and bias are those of the kernel.Gemm, on the device; workspace has m.Workspace bytes
// and is aligned to 64 bytes.
func (m *Matmul) Run(stream, a, b, c, bias, workspace uintptr) error {
	l := m.handle.lib
	for _, x := range [...]struct {
		at    uintptr
		align int
	}{{a, m.p.b.alignment}, {b, m.p.a.alignment}, {c, m.p.d.alignment}, {bias, m.p.biasAlignment}} {
		if x.at%uintptr(x.align) != 0 {
			return fmt.Errorf("cuda: cuBLASLt: memory at %#x is not aligned to %d bytes, for which the product was planned", x.at, x.align)
		}
	}
	if m.p.epilogue&epilogueBias != 0 {
		if err := l.check("cublasLtMatmulDescSetAttribute", m.setBias(bias)); err != nil {
			return err
		}
	}
	var doubles C.int
	if m.double {
		doubles = 1
	}
	return l.check("cublasLtMatmul", C.lt_matmul(l.api, m.handle.handle, m.plan, doubles, C.uintptr_t(b), C.uintptr_t(a), C.uintptr_t(c),
		C.uintptr_t(workspace), C.size_t(m.Workspace), C.uintptr_t(stream)))
}

// Close frees the plan. Runs that were started need not have ended.
func (m *Matmul) Close() error {
	l, p := m.handle.lib, m.plan
	if p == nil {
		return nil
	}
	var errs []error
	for _, x := range []struct{ destroy, what unsafe.Pointer }{{l.api.layout_destroy, p.d}, {l.api.layout_destroy, p.b}, {l.api.layout_destroy, p.a}, {l.api.desc_destroy, p.desc}} {
		if x.what != nil {
			errs = append(errs, l.check("destroy", C.lt_destroy(x.destroy, x.what)))
		}
	}
	C.free(unsafe.Pointer(p))
	m.plan = nil
	return errors.Join(errs...)
}

// ask asks the heuristic for algorithms.
func (m *Matmul) ask(maxWorkspace int64, most int) (good []C.lt_result, err error) {
	l, a := m.handle.lib, m.handle.lib.api
	var pref unsafe.Pointer
	if err := l.check("cublasLtMatmulPreferenceCreate", C.lt_create(a.pref_create, &pref)); err != nil {
		return nil, err
	}
	defer C.lt_destroy(a.pref_destroy, pref)
	set := func(status C.int) {
		if err == nil {
			err = l.check("cublasLtMatmulPreferenceSetAttribute", status)
		}
	}
	set(C.lt_set64(a.pref_set, pref, prefMaxWorkspace, C.int64_t(maxWorkspace)))
	for i, x := range [...]matrix{m.p.a, m.p.b, m.p.d, m.p.d} {
		set(C.lt_set32(a.pref_set, pref, C.int(prefAlignment+i), C.int32_t(x.alignment)))
	}
	if err != nil {
		return nil, err
	}
	found := make([]C.lt_result, most)
	var n C.int
	if err := l.check("cublasLtMatmulAlgoGetHeuristic", C.lt_heuristic(a, m.handle.handle, m.plan, pref, C.int(most), &found[0], &n)); err != nil {
		return nil, err
	}
	for _, r := range found[:n] {
		if r.state == statusSuccess {
			good = append(good, r)
		}
	}
	return good, nil
}

// take makes an algorithm that the heuristic proposed the plan's.
func (m *Matmul) take(r C.lt_result) { m.plan.algo, m.Workspace = r.algo, int64(r.workspace) }

// check makes an algorithm the plan's, if cuBLASLt says that it will do.
func (m *Matmul) check(algorithm [8]uint64) error {
	for i, x := range algorithm {
		m.plan.algo[i] = C.uint64_t(x)
	}
	l := m.handle.lib
	var r C.lt_result
	if err := l.check("cublasLtMatmulAlgoCheck", C.lt_algo_check(l.api, m.handle.handle, m.plan, &r)); err != nil {
		return err
	}
	m.Workspace = int64(r.workspace)
	return nil
}

func (m *Matmul) algorithm() (a [8]uint64) {
	for i, x := range m.plan.algo {
		a[i] = uint64(x)
	}
	return a
}
