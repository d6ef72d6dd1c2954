//go:build gpu && cgo && linux

package cudnn

/*
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

// The functions, as NVIDIA documents them. They are called by address: the library is loaded at run time.
typedef struct {
	void *version, *error_string, *last_error;
	void *create, *destroy, *set_stream;
	void *desc_create, *desc_destroy, *desc_set, *desc_get, *desc_finalize, *execute;
} dnn_api;

typedef size_t (*version_fn)(void);
typedef const char *(*error_string_fn)(int);
typedef void (*last_error_fn)(char *, size_t);
typedef int (*create_fn)(void **);
typedef int (*pointer_fn)(void *);
typedef int (*set_stream_fn)(void *, void *);
typedef int (*desc_create_fn)(int, void **);
typedef int (*desc_set_fn)(void *, int, int, int64_t, const void *);
typedef int (*desc_get_fn)(void *, int, int, int64_t, int64_t *, void *);
typedef int (*execute_fn)(void *, void *, void *);

static size_t dnn_version(dnn_api *a) { return ((version_fn)a->version)(); }
static const char *dnn_error_string(dnn_api *a, int status) { return ((error_string_fn)a->error_string)(status); }
static void dnn_last_error(dnn_api *a, char *to, size_t n) { ((last_error_fn)a->last_error)(to, n); }
static int dnn_create(dnn_api *a, void **out) { return ((create_fn)a->create)(out); }
static int dnn_destroy(dnn_api *a, void *handle) { return ((pointer_fn)a->destroy)(handle); }
static int dnn_set_stream(dnn_api *a, void *handle, uintptr_t stream) { return ((set_stream_fn)a->set_stream)(handle, (void *)stream); }
static int dnn_desc_create(dnn_api *a, int kind, void **out) { return ((desc_create_fn)a->desc_create)(kind, out); }
static int dnn_desc_destroy(dnn_api *a, void *d) { return ((pointer_fn)a->desc_destroy)(d); }
static int dnn_desc_finalize(dnn_api *a, void *d) { return ((pointer_fn)a->desc_finalize)(d); }
static int dnn_desc_set(dnn_api *a, void *d, int name, int type, int64_t n, const void *values) { return ((desc_set_fn)a->desc_set)(d, name, type, n, values); }
static int dnn_desc_get(dnn_api *a, void *d, int name, int type, int64_t n, int64_t *have, void *values) { return ((desc_get_fn)a->desc_get)(d, name, type, n, have, values); }
static int dnn_execute(dnn_api *a, void *handle, void *plan, void *pack) { return ((execute_fn)a->execute)(handle, plan, pack); }
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"github.com/stheno-ml/stheno/cuda/internal/dl"
	"github.com/stheno-ml/stheno/cuda/internal/find"
)

// Library is a loaded cuDNN.
type Library struct {
	api     *C.dnn_api // in C memory: it is passed to C
	path    string
	version int
}

// Load looks for cuDNN. NVRTC and cuBLASLt should be loaded before: some of cuDNN's engines ask the dynamic linker for them by
// name only. The error, a *find.NotFound, says what was tried.
func Load() (*Library, error) {
	lib, _, err := find.Load(find.Host(), find.CuDNN, Open)
	return lib, err
}

// Open loads cuDNN from a file. Its companions must lie beside it.
func Open(file string) (*Library, error) { return opened.Open(file, load) }

// opened are the libraries of this process.
var opened dl.Once[*Library]

func load(file string) (l *Library, err error) {
	h, err := dl.Open(file, true) // global: its parts use each other's functions
	if err != nil {
		return nil, err
	}
	l = &Library{api: (*C.dnn_api)(C.calloc(1, C.sizeof_dnn_api))}
	defer func() {
		if err != nil {
			C.free(unsafe.Pointer(l.api))
		}
	}()
	a := l.api
	if err := h.Symbols(map[string]*unsafe.Pointer{
		"cudnnGetVersion": &a.version, "cudnnGetErrorString": &a.error_string, "cudnnGetLastErrorString": &a.last_error,
		"cudnnCreate": &a.create, "cudnnDestroy": &a.destroy, "cudnnSetStream": &a.set_stream,
		"cudnnBackendCreateDescriptor": &a.desc_create, "cudnnBackendDestroyDescriptor": &a.desc_destroy,
		"cudnnBackendSetAttribute": &a.desc_set, "cudnnBackendGetAttribute": &a.desc_get, "cudnnBackendFinalize": &a.desc_finalize,
		"cudnnBackendExecute": &a.execute,
	}); err != nil {
		return l, err
	}
	l.path = h.File(a.version)
	if l.version = int(C.dnn_version(a)); l.version < 90000 || l.version >= 100000 {
		return l, fmt.Errorf("it is cuDNN %s, want 9", l.Version())
	}
	return l, nil
}

// Version is that of cuDNN: "9.28.0".
func (l *Library) Version() string {
	return fmt.Sprintf("%d.%d.%d", l.version/10000, l.version/100%100, l.version%100)
}

// Path is the file that was loaded.
func (l *Library) Path() string { return l.path }

// statusError is a status other than success.
type statusError struct {
	call   string
	status C.int
	text   string
}

func (e *statusError) Error() string { return fmt.Sprintf("%s: %s", e.call, e.text) }

// refused says that cuDNN understood the call and does not do it: statuses of 2000 and 3000 are about its arguments.
func (e *statusError) refused() bool { return e.status >= 2000 && e.status < 4000 }

// call runs f and turns its status into an error. cuDNN keeps the reason for each thread.
func (l *Library) call(name string, f func() C.int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	status := f()
	if status == 0 {
		return nil
	}
	e := &statusError{call: name, status: status, text: C.GoString(C.dnn_error_string(l.api, status))}
	reason := make([]byte, 1024)
	C.dnn_last_error(l.api, (*C.char)(unsafe.Pointer(&reason[0])), C.size_t(len(reason)))
	if text, _, _ := strings.Cut(string(reason), "\x00"); text != "" {
		e.text += " (" + strings.TrimSpace(text) + ")"
	}
	return e
}

// Handle is cuDNN's state for a stream of the device whose context is current when it is made and used.
type Handle struct {
	lib    *Library
	handle unsafe.Pointer // nil to plan for a device that is not there
	device unsafe.Pointer // the descriptor of such a device
	close  builder

	// OpenOrder allows engines that add in an order which depends on timing, so that runs differ in their last bits.
	OpenOrder bool

	compiled map[string]*Plan // that took long to make, by problem and choice
}

// New makes a handle that works on a stream of the device whose context is current.
func (l *Library) New(stream uintptr) (*Handle, error) {
	h := &Handle{lib: l, compiled: map[string]*Plan{}}
	if err := l.call("cudnnCreate", func() C.int { return C.dnn_create(l.api, &h.handle) }); err != nil {
		return nil, fmt.Errorf("cuda: cuDNN %s: %w", l.Version(), err)
	}
	if err := h.SetStream(stream); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// SetStream makes another stream the one that the handle works on.
func (h *Handle) SetStream(stream uintptr) error {
	l := h.lib
	if err := l.call("cudnnSetStream", func() C.int { return C.dnn_set_stream(l.api, h.handle, C.uintptr_t(stream)) }); err != nil {
		return fmt.Errorf("cuda: cuDNN %s: %w", l.Version(), err)
	}
	return nil
}

// ForDevice makes a handle that only plans, for a device that need not be there; properties describe it in cuDNN's JSON. It
// takes cuDNN 9.8.
func (l *Library) ForDevice(properties string) (*Handle, error) {
	h := &Handle{lib: l, compiled: map[string]*Plan{}}
	b := builder{lib: l}
	h.device = b.make(kindDevice, chars(deviceJSON, properties))
	h.close = b
	if b.err != nil {
		b.destroy()
		return nil, fmt.Errorf("cuda: cuDNN %s: properties of a device: %w", l.Version(), b.err)
	}
	return h, nil
}

// Version is that of the library.
func (h *Handle) Version() string { return h.lib.Version() }

// Close frees the handle. Its plans must be closed before.
func (h *Handle) Close() error {
	for _, plan := range h.compiled {
		_ = plan.Close() // it has no error
	}
	h.compiled = nil
	h.close.destroy()
	if h.handle == nil {
		return nil
	}
	return h.lib.call("cudnnDestroy", func() C.int { return C.dnn_destroy(h.lib.api, h.handle) })
}

func (h *Handle) execute(plan, pack unsafe.Pointer) error {
	return h.lib.call("cudnnBackendExecute", func() C.int { return C.dnn_execute(h.lib.api, h.handle, plan, pack) })
}

// builder makes descriptors and owns them. After an error it does nothing more.
type builder struct {
	lib   *Library
	owned []unsafe.Pointer
	err   error
}

// attribute is a value of an attribute of a descriptor: count elements of a type, at data.
type attribute struct {
	name, kind int
	count      int
	data       unsafe.Pointer
}

// values is an attribute with the elements of a slice. Those of type unsafe.Pointer must point to C memory.
func values[T any](name, kind int, v ...T) attribute {
	return attribute{name: name, kind: kind, count: len(v), data: unsafe.Pointer(unsafe.SliceData(v))}
}

func ints(name int, v ...int64) attribute                 { return values(name, typeInt64, v...) }
func enum(name, kind int, v int32) attribute              { return values(name, kind, v) }
func descriptors(name int, v ...unsafe.Pointer) attribute { return values(name, typeDescriptor, v...) }
func handle(name int, v unsafe.Pointer) attribute         { return values(name, typeHandle, v) }
func chars(name int, v string) attribute                  { return values(name, typeChar, []byte(v)...) }
func pointers(name int, v ...uintptr) attribute           { return values(name, typeVoidPtr, v...) }

// make makes a finalized descriptor.
func (b *builder) make(kind int, attributes ...attribute) unsafe.Pointer {
	d := b.start(kind)
	for _, a := range attributes {
		b.set(kind, d, a)
	}
	if b.err == nil {
		b.err = b.lib.call(fmt.Sprintf("cudnnBackendFinalize(%d)", kind), func() C.int { return C.dnn_desc_finalize(b.lib.api, d) })
	}
	return d
}

func (b *builder) set(kind int, d unsafe.Pointer, a attribute) {
	if b.err == nil {
		b.err = b.lib.call(fmt.Sprintf("cudnnBackendSetAttribute(%d, %d)", kind, a.name), func() C.int {
			return C.dnn_desc_set(b.lib.api, d, C.int(a.name), C.int(a.kind), C.int64_t(a.count), a.data)
		})
	}
}

// start makes a descriptor without attributes, which is not finalized.
func (b *builder) start(kind int) unsafe.Pointer {
	if b.err != nil {
		return nil
	}
	var d unsafe.Pointer
	b.err = b.lib.call(fmt.Sprintf("cudnnBackendCreateDescriptor(%d)", kind), func() C.int { return C.dnn_desc_create(b.lib.api, C.int(kind), &d) })
	if b.err == nil {
		b.owned = append(b.owned, d)
	}
	return d
}

// get reads up to len(v) elements of an attribute and returns how many there are.
func get[T any](b *builder, d unsafe.Pointer, name, kind int, v []T) int {
	if b.err != nil {
		return 0
	}
	var n C.int64_t
	b.err = b.lib.call(fmt.Sprintf("cudnnBackendGetAttribute(%d)", name), func() C.int {
		return C.dnn_desc_get(b.lib.api, d, C.int(name), C.int(kind), C.int64_t(len(v)), &n, unsafe.Pointer(unsafe.SliceData(v)))
	})
	return int(n)
}

// destroy frees the descriptors, the last first.
func (b *builder) destroy() {
	for i := len(b.owned) - 1; i >= 0; i-- {
		C.dnn_desc_destroy(b.lib.api, b.owned[i])
	}
	b.owned = nil
}

// shared are descriptors that several plans need. The last to go frees them.
type shared struct {
	builder
	users int
}

func (s *shared) hold() *shared {
	s.users++
	return s
}

func (s *shared) release() {
	if s.users--; s.users == 0 {
		s.destroy()
	}
}
