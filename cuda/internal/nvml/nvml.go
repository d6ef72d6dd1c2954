//go:build gpu && cgo && linux

package nvml

/*
#include <stdlib.h>

// The functions, as NVML documents them. They are called by address: the library is loaded at run time.
typedef struct {
	void *init, *by_uuid, *energy, *power, *error_string;
} nvml_api;

typedef int (*init_fn)(void);
typedef int (*by_uuid_fn)(const char *, void **);
typedef int (*energy_fn)(void *, unsigned long long *);
typedef int (*power_fn)(void *, unsigned int *);
typedef const char *(*error_fn)(int);

static int nvml_init(nvml_api *a) { return ((init_fn)a->init)(); }
static int nvml_by_uuid(nvml_api *a, const char *uuid, void **device) { return ((by_uuid_fn)a->by_uuid)(uuid, device); }
static int nvml_energy(nvml_api *a, void *device, unsigned long long *mj) { return ((energy_fn)a->energy)(device, mj); }
static int nvml_power(nvml_api *a, void *device, unsigned int *mw) { return ((power_fn)a->power)(device, mw); }
static const char *nvml_error(nvml_api *a, int status) { return ((error_fn)a->error_string)(status); }
*/
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/stheno-ml/stheno/cuda/internal/dl"
)

// soname is the library's, which the driver installs beside its own.
const soname = "libnvidia-ml.so.1"

// Library is NVML, initialised. It stays so as long as the process runs. Its methods may be called from several goroutines at once.
type Library struct{ api *C.nvml_api } // in C memory: it is passed to C

// Load loads NVML.
func Load() (*Library, error) { return opened.Open(soname, load) }

var opened dl.Once[*Library]

func load(file string) (l *Library, err error) {
	h, err := dl.Open(file, false)
	if err != nil {
		return nil, fmt.Errorf("cuda: NVML: %w", err)
	}
	l = &Library{(*C.nvml_api)(C.calloc(1, C.sizeof_nvml_api))}
	a := l.api
	err = h.Symbols(map[string]*unsafe.Pointer{
		"nvmlInit_v2": &a.init, "nvmlDeviceGetHandleByUUID": &a.by_uuid, "nvmlDeviceGetTotalEnergyConsumption": &a.energy,
		"nvmlDeviceGetPowerUsage": &a.power, "nvmlErrorString": &a.error_string,
	})
	if err == nil {
		err = l.check("nvmlInit_v2", C.nvml_init(a))
	}
	if err != nil {
		C.free(unsafe.Pointer(a))
		return nil, err
	}
	return l, nil
}

func (l *Library) check(call string, status C.int) error {
	if status == 0 {
		return nil
	}
	return fmt.Errorf("cuda: NVML: %s: %s", call, C.GoString(C.nvml_error(l.api, status)))
}

// Device is a GPU as NVML knows it.
type Device struct {
	lib    *Library
	handle unsafe.Pointer
}

// Device finds a GPU by its UUID, "GPU-…". NVML counts all GPUs of the machine, whatever CUDA_VISIBLE_DEVICES shows the driver in which
// order, so that a number would not do.
func (l *Library) Device(uuid string) (*Device, error) {
	c := C.CString(uuid)
	defer C.free(unsafe.Pointer(c))
	d := &Device{lib: l}
	return d, l.check("nvmlDeviceGetHandleByUUID", C.nvml_by_uuid(l.api, c, &d.handle))
}

// Energy is what the GPU and its memory have taken since the driver was loaded, in joules. GPUs since Volta count it.
func (d *Device) Energy() (float64, error) {
	var mj C.ulonglong
	err := d.lib.check("nvmlDeviceGetTotalEnergyConsumption", C.nvml_energy(d.lib.api, d.handle, &mj))
	return float64(mj) / 1e3, err
}

// Power is what they draw, in watts: on most GPUs the mean of the last second.
func (d *Device) Power() (float64, error) {
	var mw C.uint
	err := d.lib.check("nvmlDeviceGetPowerUsage", C.nvml_power(d.lib.api, d.handle, &mw))
	return float64(mw) / 1e3, err
}
