package driver

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// CUDA's numbers of the errors that the engine tells apart.
const (
	codeOutOfMemory    = 2
	codeNoDevice       = 100
	codeInvalidImage   = 200
	codeNoBinary       = 209
	codeInvalidPTX     = 218
	codeUnsupportedPTX = 222
	codeIllegalAddress = 700
	codeOutOfResources = 701
	codeLaunchTimeout  = 702
	codeAssert         = 710
	codeMisaligned     = 716
	codeLaunchFailed   = 719
	codeSystemNotReady = 802
	codeDriverMismatch = 803
	codeCompatNotThere = 804
)

// Error is a call that CUDA refused, or a kernel that failed.
type Error struct {
	Call string // "cuMemAlloc"
	Code int
	Name string // "CUDA_ERROR_OUT_OF_MEMORY"
	Text string // CUDA's own explanation
}

func (e *Error) Error() string {
	s := fmt.Sprintf("cuda: %s: %s", e.Call, e.Name)
	if e.Text != "" {
		s += ", " + e.Text
	}
	if r := e.remedy(); r != "" {
		s += "; " + r
	}
	return s
}

// Lost says whether the context is of no use any more after this error: every later call fails with it, and only a new process
// helps.
func (e *Error) Lost() bool {
	switch e.Code {
	case codeIllegalAddress, codeLaunchTimeout, codeMisaligned, codeLaunchFailed, codeAssert, 714, 715, 717, 718, 214, 220:
		return true
	}
	return false
}

// OutOfMemory says whether memory was used up.
func (e *Error) OutOfMemory() bool { return e.Code == codeOutOfMemory }

// remedy is what a person can do about the error.
func (e *Error) remedy() string {
	switch e.Code {
	case codeNoDevice:
		return "check with nvidia-smi that the machine has an NVIDIA GPU which this process may use (CUDA_VISIBLE_DEVICES, a container's --gpus)"
	case codeSystemNotReady:
		return "the fabric manager of this machine's NVSwitch must run (nvidia-fabricmanager)"
	case codeDriverMismatch:
		return "the driver's kernel module and its library differ in version: restart the machine after a driver update"
	case codeCompatNotThere:
		return "a CUDA compatibility package hides the driver's own library: take it out of LD_LIBRARY_PATH"
	case codeNoBinary, codeInvalidImage, codeInvalidPTX, codeUnsupportedPTX:
		return "the driver is older than NVRTC: update the driver, or install an NVRTC of the driver's CUDA version; STHENO_CUDA_CACHE=off rules out a damaged cache"
	}
	if e.Lost() {
		return "the GPU's context is lost, and this process cannot use it any more: start it again"
	}
	return ""
}

// IsOutOfMemory says whether err tells of device memory that is used up.
func IsOutOfMemory(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.OutOfMemory()
}

// IsLost says whether err tells of a context that is lost.
func IsLost(err error) bool {
	if err == nil {
		return false // before anything is allocated: every call of a run is asked about
	}
	var e *Error
	return errors.As(err, &e) && e.Lost()
}

// Join is errors.Join for what many calls return that each could fail for the same reason: of errors with the same text the first
// stands for all, and a context that is lost hides what follows from it.
func Join(errs ...error) error {
	seen := map[string]bool{}
	var all []error
	for _, err := range errs {
		if IsLost(err) {
			return err
		}
		if err != nil && !seen[err.Error()] {
			seen[err.Error()] = true
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// MemoryError is device memory that there is not.
type MemoryError struct {
	For         string           // what asked: "the arena of the program"
	Need        int64            // bytes
	Free, Total int64            // bytes on the device
	Held        int64            // bytes that this engine holds
	Limit       int64            // the engine's limit, 0 for none
	Programs    int              // of the engine, which hold memory too
	Uses        map[string]int64 // bytes that this engine holds, by use
}

// OutOfMemory is true: callers outside tell this error by it.
func (e *MemoryError) OutOfMemory() bool { return true }

func (e *MemoryError) Error() string {
	s := fmt.Sprintf("cuda: out of device memory: %s needs %s, ", e.For, bytes(e.Need))
	if e.Limit > 0 && e.Held+e.Need > e.Limit {
		s += fmt.Sprintf("and the engine, limited to %s, holds %s", bytes(e.Limit), bytes(e.Held))
	} else {
		s += fmt.Sprintf("of %s the device has %s free, and this engine holds %s", bytes(e.Total), bytes(e.Free), bytes(e.Held))
	}
	s += e.largest()
	if e.Programs > 1 {
		s += fmt.Sprintf("; %d programs are open, of which those that are done with can be closed", e.Programs)
	}
	return s + "; use a smaller batch, less memory for the step (in stheno train: --memory-budget), or another GPU"
}

// mostUses is how many uses an error lists.
const mostUses = 3

// largest lists what the engine holds most memory for: " (weights 190.0 MiB, outputs 1.0 MiB)".
func (e *MemoryError) largest() string {
	names := slices.SortedFunc(maps.Keys(e.Uses), func(a, b string) int {
		return cmp.Or(cmp.Compare(e.Uses[b], e.Uses[a]), cmp.Compare(a, b))
	})
	var all []string
	for _, name := range names[:min(len(names), mostUses)] {
		all = append(all, name+" "+bytes(e.Uses[name]))
	}
	if len(names) > mostUses {
		all = append(all, "…")
	}
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, ", ") + ")"
}

// bytes is a number of bytes as people read it.
func bytes(n int64) string {
	const unit = 1024
	switch {
	case n < unit:
		return fmt.Sprintf("%d B", n)
	case n < unit*unit:
		return fmt.Sprintf("%.1f KiB", float64(n)/unit)
	case n < unit*unit*unit:
		return fmt.Sprintf("%.1f MiB", float64(n)/unit/unit)
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/unit/unit/unit)
}
