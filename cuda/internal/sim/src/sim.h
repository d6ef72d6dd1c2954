// What the simulated driver exports besides CUDA's own functions, for the other simulated libraries and for tests. Tests find
// these by dlsym in libcuda.so.1; on a real driver they are missing.
#ifndef STHENO_SIM_H
#define STHENO_SIM_H
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// What is alive: everything that was made and not yet freed, of all contexts.
struct stheno_sim_counts {
	size_t bytes;       // of device memory, without red zones
	size_t allocations; // of device memory
	size_t pinned;      // allocations and registrations of host memory
	size_t contexts, streams, events, modules, graphs, executables;
	size_t launches; // kernels run since the process began
	size_t calls;    // since STHENO_SIM_FAIL_CALL was set
};
void stheno_sim_live(struct stheno_sim_counts *counts);

// Queues fn(arg) in a stream (CUstream), as a kernel launch would be: it runs later on the stream's thread, or becomes a node
// of a graph while the stream captures, and then runs at every launch of the graph. fn returns 0 or the CUresult of a fault,
// which is sticky. drop(arg) is called once, when fn will not run again; it may be null. Returns a CUresult; if that is not 0,
// drop has been called.
int stheno_sim_enqueue(void *stream, const char *name, int (*fn)(void *arg), void (*drop)(void *arg), void *arg);

// Whether bytes from p on lie in one live allocation of device memory or pinned memory.
int stheno_sim_contains(const void *p, size_t bytes);

// Says that fn of stheno_sim_enqueue reads or writes bytes from p on, before it does. Returns 0, or the CUresult of a fault that was told:
// they do not lie in one allocation, or another use of them races with this one.
int stheno_sim_use(const char *who, const void *p, size_t bytes, int writes);

// Lets milliseconds pass for the events of the stream whose fn calls it, which nobody waits for.
void stheno_sim_pass(double milliseconds);

// Tells what is wrong and returns CUDA_ERROR_ILLEGAL_ADDRESS, for fn of stheno_sim_enqueue to return.
int stheno_sim_fault(const char *what);

// The last thing that was found wrong, such as the address that a kernel used; "" if none. The text stays valid until the next.
const char *stheno_sim_message(void);

// Forgets a sticky fault, which no real device can: so that a test can go on.
void stheno_sim_reset(void);

#ifdef __cplusplus
}
#endif
#endif
