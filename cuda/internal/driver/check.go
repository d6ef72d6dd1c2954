//go:build gpu && cgo && linux

package driver

/*
#include <cuda.h>

// Defined by the archive that the program is linked with (see the Makefile); absent where it is linked with the driver itself.
extern int stheno_cuda_init_status(void) __attribute__((weak));
extern int stheno_cuda_loaded(void) __attribute__((weak));
extern const char *stheno_cuda_init_detail(void) __attribute__((weak));

static int init_status(void) { return stheno_cuda_init_status ? stheno_cuda_init_status() : (int)cuInit(0); }
static int loaded(void) { return stheno_cuda_loaded ? stheno_cuda_loaded() : 1; }
static const char *init_detail(void) { return stheno_cuda_init_detail ? stheno_cuda_init_detail() : ""; }
*/
import "C"

import (
	"fmt"
	"reflect"
)

// check makes an *Error of what a function of package cu returned.
func check(call string, err error) error {
	if err == nil {
		return nil
	}
	if v := reflect.ValueOf(err); v.Kind() == reflect.Int { // cu's type is not exported
		return failure(call, C.CUresult(v.Int()))
	}
	return fmt.Errorf("cuda: %s: %w", call, err)
}

// failure makes an *Error of a result, nil of success.
func failure(call string, r C.CUresult) error {
	if r == C.CUDA_SUCCESS {
		return nil
	}
	e := &Error{Call: call, Code: int(r), Name: fmt.Sprintf("CUDA error %d", int(r))}
	var s *C.char
	if C.cuGetErrorName(r, &s) == C.CUDA_SUCCESS && s != nil {
		e.Name = C.GoString(s)
	}
	if C.cuGetErrorString(r, &s) == C.CUDA_SUCCESS && s != nil {
		e.Text = C.GoString(s)
	}
	return e
}

// Status says whether the driver could be loaded and initialized, and if not, why.
func Status() error {
	r := C.CUresult(C.init_status())
	if r == C.CUDA_SUCCESS {
		return nil
	}
	if C.loaded() == 0 {
		return &NoDriverError{Detail: C.GoString(C.init_detail())}
	}
	return failure("cuInit", r)
}
