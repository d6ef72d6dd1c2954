//go:build gpu && cgo && linux

package sim

/*
#include <dlfcn.h>
#include "src/sim.h"

static int sim_live(struct stheno_sim_counts *c) {
	void *h = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
	void *f = h ? dlsym(h, "stheno_sim_live") : 0;
	if (f) ((void (*)(struct stheno_sim_counts *))f)(c);
	if (h) dlclose(h);
	return f != 0;
}

static int sim_reset(void) {
	void *h = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
	void *f = h ? dlsym(h, "stheno_sim_reset") : 0;
	if (f) ((void (*)(void))f)();
	if (h) dlclose(h);
	return f != 0;
}

static const char *sim_message(void) {
	void *h = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
	void *f = h ? dlsym(h, "stheno_sim_message") : 0;
	const char *m = f ? ((const char *(*)(void))f)() : 0;
	if (h) dlclose(h);
	return m;
}
*/
import "C"

// Counts is what is alive: made and not yet freed, of all contexts.
type Counts struct {
	Bytes, Allocations                                      int // of device memory
	Pinned                                                  int // allocations of host memory
	Contexts, Streams, Events, Modules, Graphs, Executables int
}

// Live counts what is alive in this process. ok is false if its driver is not the simulated one, or was not used yet.
func Live() (c Counts, ok bool) {
	var n C.struct_stheno_sim_counts
	if C.sim_live(&n) == 0 {
		return c, false
	}
	return Counts{Bytes: int(n.bytes), Allocations: int(n.allocations), Pinned: int(n.pinned), Contexts: int(n.contexts), Streams: int(n.streams),
		Events: int(n.events), Modules: int(n.modules), Graphs: int(n.graphs), Executables: int(n.executables)}, true
}

// Calls is the number of the driver's functions called since the environment variable STHENO_SIM_FAIL_CALL was set.
func Calls() int {
	var n C.struct_stheno_sim_counts
	C.sim_live(&n)
	return int(n.calls)
}

// Reset forgets a fault of a kernel, which no real device can.
func Reset() { C.sim_reset() }

// Message is the last thing that the simulated driver found wrong, "" if nothing was.
func Message() string {
	if m := C.sim_message(); m != nil {
		return C.GoString(m)
	}
	return ""
}
