// Contexts and errors, and functions by name.
#include "core.h"

#include <dlfcn.h>

#include <cstdlib>

State &state() {
	static State *s = new State; // never destroyed: threads of streams outlive main
	return *s;
}

size_t environment(const char *name, size_t otherwise) {
	const char *v = getenv(name);
	return v && *v ? strtoull(v, nullptr, 10) : otherwise;
}

static thread_local std::vector<void *> current; // the stack of contexts of a thread

// Whether this call is the one that STHENO_SIM_FAIL_CALL wants to fail: "n", the n-th of all calls, or "cuEventCreate:n", of those
// of a function. Anything else counts calls and fails none.
static bool asked_to_fail(const std::string &function) {
	static std::string asked;
	const char *v = getenv("STHENO_SIM_FAIL_CALL");
	if (asked != (v ? v : "")) asked = v ? v : "", state().calls = 0;
	if (asked.empty()) return false;
	const size_t colon = asked.rfind(':');
	if (colon != std::string::npos && asked.substr(0, colon) != function) return false;
	return ++state().calls == strtoull(asked.c_str() + (colon == std::string::npos ? 0 : colon + 1), nullptr, 10);
}

Call::Call(const char *function, bool needs_context) : lock(state().mutex), error(SUCCESS) {
	if (asked_to_fail(function)) {
		error = note(UNKNOWN, std::string(function) + ": STHENO_SIM_FAIL_CALL");
		return;
	}
	if (!state().initialized) {
		error = NOT_INITIALIZED;
	} else if (state().fault) {
		error = state().fault;
	} else if (needs_context) {
		if (current.empty() || !current.back()) {
			error = INVALID_CONTEXT;
		} else if (const auto c = find<Context>(current.back())) {
			context = c.get();
		} else {
			error = CONTEXT_IS_DESTROYED;
		}
	}
}

void *add(std::shared_ptr<Object> o, Context *c) {
	State &s = state();
	o->context = c;
	o->handle = (void *)(s.next_handle += 16);
	s.objects[o->handle] = o;
	return o->handle;
}

EXPORT cuDevicePrimaryCtxRetain(void **context, Device device) {
	ENTER_DEVICE;
	if (!context) return INVALID_VALUE;
	auto &p = state().primary[device];
	if (!p) {
		p = std::make_shared<Context>();
		p->device = device;
		p->primary = true;
	}
	if (p->references++ == 0) add(p, p.get());
	*context = p->handle;
	return SUCCESS;
}

EXPORT cuDevicePrimaryCtxRelease_v2(Device device) {
	ENTER_DEVICE;
	const auto p = state().primary[device];
	if (!p || p->references == 0) return INVALID_CONTEXT;
	if (--p->references == 0) destroy_context(call.lock, p.get());
	return SUCCESS;
}

EXPORT cuDevicePrimaryCtxReset_v2(Device device) {
	ENTER_DEVICE;
	const auto p = state().primary[device];
	if (p && p->references > 0) destroy_context(call.lock, p.get());
	if (p) p->references = 0;
	return SUCCESS;
}

EXPORT cuDevicePrimaryCtxGetState(Device device, unsigned *flags, int *active) {
	ENTER_DEVICE;
	if (!flags || !active) return INVALID_VALUE;
	const auto p = state().primary[device];
	*flags = p ? p->flags : 0;
	*active = p && p->references > 0;
	return SUCCESS;
}

EXPORT cuDevicePrimaryCtxSetFlags_v2(Device device, unsigned flags) {
	ENTER_DEVICE;
	auto &p = state().primary[device];
	if (!p) {
		p = std::make_shared<Context>();
		p->device = device;
		p->primary = true;
	}
	p->flags = flags;
	return SUCCESS;
}

EXPORT cuCtxCreate_v2(void **context, unsigned flags, Device device) {
	ENTER_DEVICE;
	if (!context) return INVALID_VALUE;
	const auto c = std::make_shared<Context>();
	c->device = device;
	c->flags = flags;
	*context = add(c, c.get());
	current.push_back(*context);
	return SUCCESS;
}

EXPORT cuCtxDestroy_v2(void *context) {
	ENTER_WITHOUT_CONTEXT;
	const auto c = find<Context>(context);
	if (!c || c->primary) return INVALID_CONTEXT;
	destroy_context(call.lock, c.get());
	if (!current.empty() && current.back() == context) current.pop_back();
	return SUCCESS;
}

EXPORT cuCtxSetCurrent(void *context) {
	ENTER_WITHOUT_CONTEXT;
	if (context && !find<Context>(context)) return INVALID_CONTEXT;
	if (!current.empty()) current.pop_back();
	if (context) current.push_back(context);
	return SUCCESS;
}

EXPORT cuCtxGetCurrent(void **context) {
	ENTER_WITHOUT_CONTEXT;
	if (!context) return INVALID_VALUE;
	*context = current.empty() ? nullptr : current.back();
	return SUCCESS;
}

EXPORT cuCtxPushCurrent_v2(void *context) {
	ENTER_WITHOUT_CONTEXT;
	if (!find<Context>(context)) return INVALID_CONTEXT;
	current.push_back(context);
	return SUCCESS;
}

EXPORT cuCtxPopCurrent_v2(void **context) {
	ENTER_WITHOUT_CONTEXT;
	if (current.empty()) return INVALID_CONTEXT;
	if (context) *context = current.back();
	current.pop_back();
	return SUCCESS;
}

EXPORT cuCtxGetDevice(Device *device) {
	ENTER;
	if (!device) return INVALID_VALUE;
	*device = call.context->device;
	return SUCCESS;
}

EXPORT cuCtxGetFlags(unsigned *flags) {
	ENTER;
	if (!flags) return INVALID_VALUE;
	*flags = call.context->flags;
	return SUCCESS;
}

EXPORT cuCtxGetApiVersion(void *context, unsigned *version) {
	ENTER_WITHOUT_CONTEXT;
	if (!version) return INVALID_VALUE;
	if (context && !find<Context>(context)) return INVALID_CONTEXT;
	*version = 3020;
	return SUCCESS;
}

EXPORT cuCtxGetStreamPriorityRange(int *least, int *greatest) {
	ENTER;
	if (least) *least = 0;
	if (greatest) *greatest = -5;
	return SUCCESS;
}

EXPORT cuCtxSynchronize() {
	ENTER;
	int error = SUCCESS;
	for (const auto &c : state().captures) { // of the context, whatever their mode and whoever captures: the wait is refused, and breaks them
		if (c->streams[0]->context != call.context) continue;
		c->invalid = true;
		error = STREAM_CAPTURE_UNSUPPORTED;
	}
	return error ? error : drain(call.lock, call.context);
}

// The newest version of a function: the names that cuda.h's macros produce.
EXPORT cuGetProcAddress_v2(const char *symbol, void **function, int, uint64_t, int *status) {
	if (!symbol || !function) return INVALID_VALUE;
	Dl_info self;
	void *library = dladdr((void *)cuGetProcAddress_v2, &self) ? dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD) : nullptr;
	*function = nullptr;
	std::string name = symbol;
	if (name == "cuGraphInstantiate") name = "cuGraphInstantiateWithFlags";
	if (library) {
		*function = dlsym(library, (name + "_v2").c_str());
		if (!*function) *function = dlsym(library, name.c_str());
		dlclose(library);
	}
	if (status) *status = *function ? 0 : 1; // CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND
	return *function ? SUCCESS : NOT_FOUND;
}
EXPORT cuGetProcAddress(const char *symbol, void **function, int version, uint64_t flags) {
	return cuGetProcAddress_v2(symbol, function, version, flags, nullptr);
}
