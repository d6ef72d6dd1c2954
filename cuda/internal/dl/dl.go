//go:build gpu && cgo && linux

package dl

/*
#cgo LDFLAGS: -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

// One call each: dlerror's text belongs to the thread that failed.
static void *stheno_open(const char *path, int global, const char **why) {
	void *handle = dlopen(path, RTLD_NOW | (global ? RTLD_GLOBAL : RTLD_LOCAL));
	if (!handle) *why = dlerror();
	return handle;
}

static const char *stheno_file_of(void *symbol) {
	Dl_info info;
	return dladdr(symbol, &info) ? info.dli_fname : NULL;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// Library is a loaded library. It stays loaded as long as the process runs: NVIDIA's libraries keep threads and handlers, so
// there is no Close.
type Library struct {
	handle unsafe.Pointer
	path   string
}

// Open loads a library. path is a file, or a soname that the dynamic linker looks for. global offers its symbols to libraries
// loaded later.
func Open(path string, global bool) (*Library, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var flag C.int
	if global {
		flag = 1
	}
	var why *C.char
	handle := C.stheno_open(name, flag, &why)
	if handle == nil {
		return nil, errors.New(C.GoString(why))
	}
	return &Library{handle: handle, path: path}, nil
}

// Symbol is the address of a function, nil if the library has none of that name.
func (l *Library) Symbol(name string) unsafe.Pointer {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	return C.dlsym(l.handle, c)
}

// Symbols stores the addresses of functions. Its error names the first that the library lacks.
func (l *Library) Symbols(to map[string]*unsafe.Pointer) error {
	for name, p := range to {
		if *p = l.Symbol(name); *p == nil {
			return fmt.Errorf("%s has no function %s: it is of another version, or another library", l.path, name)
		}
	}
	return nil
}

// File is the file that a function of the library comes from: what the dynamic linker found for a soname.
func (l *Library) File(symbol unsafe.Pointer) string {
	if f := C.stheno_file_of(symbol); f != nil {
		return C.GoString(f)
	}
	return l.path
}
