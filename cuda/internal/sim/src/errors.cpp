// Errors, the sticky fault, and what the library exports besides CUDA's functions (sim.h).
#include "core.h"

#include <cstdio>

int note(int code, const std::string &message) {
	state().message = message;
	fprintf(stderr, "simulated CUDA: %s\n", message.c_str());
	return code;
}

int fail(int code, const std::string &message) {
	if (!state().fault) {
		state().fault = code;
		note(code, message);
	}
	state().changed.notify_all();
	return state().fault;
}

struct Code {
	int code;
	const char *name, *text;
};
static const Code codes[] = {
    {SUCCESS, "CUDA_SUCCESS", "no error"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {NO_BINARY_FOR_GPU, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {FILE_NOT_FOUND, "CUDA_ERROR_FILE_NOT_FOUND", "file not found"},
    {OPERATING_SYSTEM, "CUDA_ERROR_OPERATING_SYSTEM", "OS call failed or operation not supported on this OS"},
    {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {LAUNCH_OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {PRIMARY_CONTEXT_ACTIVE, "CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE", "cannot set while device is active in this process"},
    {CONTEXT_IS_DESTROYED, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed"},
    {HOST_MEMORY_ALREADY_REGISTERED, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", "part or all of the requested memory range is already mapped"},
    {HOST_MEMORY_NOT_REGISTERED, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED", "pointer does not correspond to a registered memory region"},
    {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {STREAM_CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
    {STREAM_CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"},
    {STREAM_CAPTURE_MERGE, "CUDA_ERROR_STREAM_CAPTURE_MERGE", "operation would result in a merge of separate capture sequences"},
    {STREAM_CAPTURE_UNMATCHED, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "capture was not ended in the same stream as it began"},
    {STREAM_CAPTURE_UNJOINED, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "capturing stream has unjoined work"},
    {STREAM_CAPTURE_IMPLICIT, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", "operation would make the legacy stream depend on a capturing blocking stream"},
    {CAPTURED_EVENT, "CUDA_ERROR_CAPTURED_EVENT", "operation not permitted on an event last recorded in a capturing stream"},
    {STREAM_CAPTURE_WRONG_THREAD, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD", "attempt to terminate a thread-local capture sequence from another thread"},
};

static int describe(int code, const char **text, bool name) {
	if (!text) return INVALID_VALUE;
	for (const Code &c : codes) {
		if (c.code == code) {
			*text = name ? c.name : c.text;
			return SUCCESS;
		}
	}
	*text = nullptr;
	return INVALID_VALUE;
}
EXPORT cuGetErrorName(int code, const char **text) { return describe(code, text, true); }
EXPORT cuGetErrorString(int code, const char **text) { return describe(code, text, false); }

extern "C" __attribute__((visibility("default"))) const char *stheno_sim_message(void) {
	Lock lock(state().mutex);
	static std::string *copy = new std::string;
	*copy = state().message;
	return copy->c_str();
}

EXPORT stheno_sim_fault(const char *what) {
	Lock lock(state().mutex);
	return fail(ILLEGAL_ADDRESS, what);
}

extern "C" __attribute__((visibility("default"))) void stheno_sim_reset(void) {
	Lock lock(state().mutex);
	std::vector<std::shared_ptr<Context>> contexts;
	for (const auto &[handle, o] : state().objects) {
		if (const auto c = std::dynamic_pointer_cast<Context>(o)) contexts.push_back(c);
	}
	for (const auto &c : contexts) drain(lock, c.get()); // work in flight may still tell of the fault
	state().fault = SUCCESS;
	state().message.clear();
	repair_red_zones();
}

extern "C" __attribute__((visibility("default"))) void stheno_sim_live(stheno_sim_counts *c) {
	Lock lock(state().mutex);
	*c = {};
	c->launches = state().launches;
	for (const auto &[base, r] : state().ranges) {
		if (r.kind == DEVICE_MEMORY) {
			c->bytes += r.bytes;
			c->allocations++;
		} else if (r.kind != GLOBAL_MEMORY) {
			c->pinned++;
		}
	}
	for (const auto &[handle, o] : state().objects) {
		if (dynamic_cast<Context *>(o.get())) c->contexts++;
		if (dynamic_cast<Stream *>(o.get())) c->streams++;
		if (dynamic_cast<Event *>(o.get())) c->events++;
		if (dynamic_cast<Module *>(o.get())) c->modules++;
		if (dynamic_cast<Graph *>(o.get())) c->graphs++;
		if (dynamic_cast<Executable *>(o.get())) c->executables++;
	}
}
