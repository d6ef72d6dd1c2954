//go:build gpu && cgo && linux

package nvrtc

/*
#include <stdlib.h>

// The functions, as NVRTC documents them. They are called by address: the library is loaded at run time.
typedef struct {
	void *version, *num_archs, *archs, *create, *compile, *destroy, *ptx_size, *ptx, *cubin_size, *cubin, *log_size, *log, *error_string;
} nvrtc_api;

typedef int (*version_fn)(int *, int *);
typedef int (*archs_fn)(int *);
typedef int (*create_fn)(void **, const char *, const char *, int, const char *const *, const char *const *);
typedef int (*compile_fn)(void *, int, const char *const *);
typedef int (*destroy_fn)(void **);
typedef int (*size_fn)(void *, size_t *);
typedef int (*text_fn)(void *, char *);
typedef const char *(*error_fn)(int);

static int nvrtc_version(nvrtc_api *a, int *major, int *minor) { return ((version_fn)a->version)(major, minor); }
static int nvrtc_archs(void *f, int *out) { return ((archs_fn)f)(out); }
static int nvrtc_create(nvrtc_api *a, void **p, const char *text, const char *name) { return ((create_fn)a->create)(p, text, name, 0, NULL, NULL); }
static int nvrtc_compile(nvrtc_api *a, void *p, int n, char **options) { return ((compile_fn)a->compile)(p, n, (const char *const *)options); }
static int nvrtc_destroy(nvrtc_api *a, void **p) { return ((destroy_fn)a->destroy)(p); }
static int nvrtc_size(void *f, void *p, size_t *n) { return ((size_fn)f)(p, n); }
static int nvrtc_text(void *f, void *p, char *to) { return ((text_fn)f)(p, to); }
static const char *nvrtc_error(nvrtc_api *a, int status) { return ((error_fn)a->error_string)(status); }
*/
import "C"

import (
	"fmt"
	"path/filepath"
	"strings"
	"unsafe"

	"github.com/stheno-ml/stheno/cuda/internal/dl"
	"github.com/stheno-ml/stheno/cuda/internal/find"
)

// Library is a loaded NVRTC. Its methods may be called from several goroutines at once.
type Library struct {
	api          *C.nvrtc_api // in C memory: it is passed to C
	path         string
	major, minor int
	archs        []int
}

// Load looks for NVRTC. driver is the major CUDA version of the driver, and an NVRTC that is not newer is preferred; 0 does not
// know it. The error, a *find.NotFound, says what was tried.
func Load(driver int) (*Library, error) {
	l := find.NVRTC
	l.MaxMajor = driver
	lib, _, err := find.Load(find.Host(), l, Open)
	return lib, err
}

// Open loads NVRTC from a file.
func Open(file string) (*Library, error) { return opened.Open(file, load) }

// opened are the libraries of this process.
var opened dl.Once[*Library]

func load(file string) (l *Library, err error) {
	// Global, since cuDNN compiles with NVRTC too and asks the linker for it by its name only.
	h, err := dl.Open(file, true)
	if err != nil {
		return nil, err
	}
	l = &Library{api: (*C.nvrtc_api)(C.calloc(1, C.sizeof_nvrtc_api))}
	defer func() {
		if err != nil {
			C.free(unsafe.Pointer(l.api))
		}
	}()
	a := l.api
	if err := h.Symbols(map[string]*unsafe.Pointer{
		"nvrtcVersion": &a.version, "nvrtcGetNumSupportedArchs": &a.num_archs, "nvrtcGetSupportedArchs": &a.archs,
		"nvrtcCreateProgram": &a.create, "nvrtcCompileProgram": &a.compile, "nvrtcDestroyProgram": &a.destroy,
		"nvrtcGetPTXSize": &a.ptx_size, "nvrtcGetPTX": &a.ptx, "nvrtcGetCUBINSize": &a.cubin_size, "nvrtcGetCUBIN": &a.cubin,
		"nvrtcGetProgramLogSize": &a.log_size, "nvrtcGetProgramLog": &a.log, "nvrtcGetErrorString": &a.error_string,
	}); err != nil {
		return l, err
	}
	l.path = h.File(a.version)
	var major, minor, n C.int
	if err := l.check("nvrtcVersion", C.nvrtc_version(a, &major, &minor)); err != nil {
		return l, err
	}
	l.major, l.minor = int(major), int(minor)
	l.openBuiltins()
	if err := l.check("nvrtcGetNumSupportedArchs", C.nvrtc_archs(a.num_archs, &n)); err != nil {
		return l, err
	}
	archs := make([]C.int, max(n, 1))
	if err := l.check("nvrtcGetSupportedArchs", C.nvrtc_archs(a.archs, &archs[0])); err != nil {
		return l, err
	}
	for _, arch := range archs[:n] {
		l.archs = append(l.archs, int(arch))
	}
	return l, nil
}

// openBuiltins loads the library's other half, which it asks the dynamic linker for by its name alone when it compiles. Python's packages of
// CUDA 13.0 do not tell the linker to look beside them, those before and after do. Where it lies elsewhere the linker has to find it.
func (l *Library) openBuiltins() {
	name := fmt.Sprintf("libnvrtc-builtins.so.%d.%d", l.major, l.minor)
	_, _ = dl.Open(filepath.Join(filepath.Dir(l.path), name), false) // if that fails, a compilation says which file it misses
}

// Version is that of CUDA that NVRTC is of: "12.9".
func (l *Library) Version() string { return fmt.Sprintf("%d.%d", l.major, l.minor) }

// Path is the file that was loaded.
func (l *Library) Path() string { return l.path }

// Archs are the compute capabilities that NVRTC knows, ascending: 90 is 9.0.
func (l *Library) Archs() []int { return l.archs }

// CompileError says what is wrong in a text.
type CompileError struct {
	Name, Log string
	Options   []string
	Version   string // of NVRTC
	Err       error
}

func (e *CompileError) Error() string {
	return fmt.Sprintf("cuda: NVRTC %s does not compile %s (%s): %v\n%s", e.Version, e.Name, strings.Join(e.Options, " "), e.Err, strings.TrimSpace(e.Log))
}

func (e *CompileError) Unwrap() error { return e.Err }

// Compile compiles a text. The image is machine code (a cubin) if the options ask for the architecture sm_XX, and PTX, which
// ends with a NUL as the driver wants it, if they ask for compute_XX. The log has the warnings. The error is a *CompileError.
func (l *Library) Compile(name, text string, options ...string) (image []byte, log string, err error) {
	fail := func(err error) error {
		return &CompileError{Name: name, Log: log, Options: options, Version: l.Version(), Err: err}
	}
	cname, ctext := C.CString(name), C.CString(text)
	defer C.free(unsafe.Pointer(cname))
	defer C.free(unsafe.Pointer(ctext))
	var program unsafe.Pointer
	if err := l.check("nvrtcCreateProgram", C.nvrtc_create(l.api, &program, ctext, cname)); err != nil {
		return nil, "", fail(err)
	}
	defer C.nvrtc_destroy(l.api, &program)

	n := len(options)
	argv := (**C.char)(C.calloc(C.size_t(n+1), C.size_t(unsafe.Sizeof(uintptr(0)))))
	defer C.free(unsafe.Pointer(argv))
	cubin := false
	for i, o := range options {
		c := C.CString(o)
		defer C.free(unsafe.Pointer(c))
		unsafe.Slice(argv, n)[i] = c
		cubin = cubin || strings.Contains(o, "sm_") && (strings.HasPrefix(o, "--gpu-architecture=") || strings.HasPrefix(o, "-arch="))
	}
	status := C.nvrtc_compile(l.api, program, C.int(n), argv)
	if text, err := l.bytes("nvrtcGetProgramLog", l.api.log_size, l.api.log, program); err == nil {
		log = strings.TrimRight(string(text), "\x00\n")
	}
	if err := l.check("nvrtcCompileProgram", status); err != nil {
		return nil, log, fail(err)
	}
	if cubin {
		image, err = l.bytes("nvrtcGetCUBIN", l.api.cubin_size, l.api.cubin, program)
	} else {
		image, err = l.bytes("nvrtcGetPTX", l.api.ptx_size, l.api.ptx, program)
	}
	if err == nil && len(image) == 0 {
		err = fmt.Errorf("it wrote nothing: one of the options must be --gpu-architecture=sm_XX or compute_XX")
	}
	if err != nil {
		return nil, log, fail(err)
	}
	return image, log, nil
}

// bytes calls a pair of functions that give a size and as many bytes.
func (l *Library) bytes(call string, size, get, program unsafe.Pointer) ([]byte, error) {
	var n C.size_t
	if err := l.check(call+"Size", C.nvrtc_size(size, program, &n)); err != nil || n == 0 {
		return nil, err
	}
	out := make([]byte, n)
	return out, l.check(call, C.nvrtc_text(get, program, (*C.char)(unsafe.Pointer(&out[0]))))
}

func (l *Library) check(call string, status C.int) error {
	if status == 0 {
		return nil
	}
	return fmt.Errorf("%s: %s", call, C.GoString(C.nvrtc_error(l.api, status)))
}
