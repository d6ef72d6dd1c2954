// Initialisation, devices, contexts and errors.
#include "core.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

State &state() {
	static State *s = new State; // never destroyed: threads of streams outlive main
	return *s;
}

size_t environment(const char *name, size_t otherwise) {
	const char *v = getenv(name);
	return v && *v ? strtoull(v, nullptr, 10) : otherwise;
}

static thread_local std::vector<void *> current; // the stack of contexts of a thread

Call::Call(bool needs_context) : lock(state().mutex), error(SUCCESS) {
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

// The compute capability, as in "9.0" of STHENO_SIM_CAPABILITY.
static int capability(bool minor) {
	const char *v = getenv("STHENO_SIM_CAPABILITY");
	int major_number = 9, minor_number = 0;
	if (v) sscanf(v, "%d.%d", &major_number, &minor_number);
	return minor ? minor_number : major_number;
}

static int devices() { return (int)environment("STHENO_SIM_DEVICES", 1); }

EXPORT cuInit(unsigned flags) {
	Lock lock(state().mutex);
	if (flags) return INVALID_VALUE;
	if (devices() == 0) return NO_DEVICE;
	state().initialized = true;
	return SUCCESS;
}

EXPORT cuDriverGetVersion(int *version) {
	if (!version) return INVALID_VALUE;
	*version = 12080;
	return SUCCESS;
}

EXPORT cuDeviceGetCount(int *count) {
	ENTER_WITHOUT_CONTEXT;
	if (!count) return INVALID_VALUE;
	*count = devices();
	return SUCCESS;
}

EXPORT cuDeviceGet(Device *device, int ordinal) {
	ENTER_WITHOUT_CONTEXT;
	if (!device) return INVALID_VALUE;
	if (ordinal < 0 || ordinal >= devices()) return INVALID_DEVICE;
	*device = ordinal;
	return SUCCESS;
}

#define ENTER_DEVICE                                                                                                   \
	ENTER_WITHOUT_CONTEXT;                                                                                             \
	if (device < 0 || device >= devices()) return INVALID_DEVICE

EXPORT cuDeviceGetName(char *name, int bytes, Device device) {
	ENTER_DEVICE;
	if (!name || bytes <= 0) return INVALID_VALUE;
	snprintf(name, (size_t)bytes, "Simulated GPU");
	return SUCCESS;
}

EXPORT cuDeviceGetUuid(char *uuid, Device device) {
	ENTER_DEVICE;
	if (!uuid) return INVALID_VALUE;
	memcpy(uuid, "stheno-simulated", 16);
	uuid[15] = (char)device;
	return SUCCESS;
}
EXPORT cuDeviceGetUuid_v2(char *uuid, Device device) { return cuDeviceGetUuid(uuid, device); }

EXPORT cuDeviceTotalMem_v2(size_t *bytes, Device device) {
	ENTER_DEVICE;
	if (!bytes) return INVALID_VALUE;
	*bytes = environment("STHENO_SIM_MEMORY", (size_t)8 << 30);
	return SUCCESS;
}

EXPORT cuDeviceGetAttribute(int *value, int attribute, Device device) {
	ENTER_DEVICE;
	if (!value || attribute <= 0 || attribute > 160) return INVALID_VALUE;
	static const std::map<int, int> values = {
	    {1, 1024},           // threads of a block
	    {2, 1024},           // block x, y, z
	    {3, 1024},           //
	    {4, 64},             //
	    {5, 0x7fffffff},     // grid x, y, z
	    {6, 65535},          //
	    {7, 65535},          //
	    {8, 48 * 1024},      // shared memory of a block
	    {9, 64 * 1024},      // constant memory
	    {10, 32},            // warp
	    {11, 0x7fffffff},    // pitch
	    {12, 65536},         // registers of a block
	    {13, 1000000},       // clock, kHz
	    {14, 512},           // alignment of textures
	    {15, 1},             // copies overlap with kernels
	    {16, 4},             // multiprocessors
	    {19, 1},             // maps host memory
	    {31, 1},             // concurrent kernels
	    {36, 1000000},       // memory clock, kHz
	    {37, 384},           // memory bus, bits
	    {38, 4 << 20},       // L2 cache
	    {39, 2048},          // threads of a multiprocessor
	    {40, 2},             // copy engines
	    {41, 1},             // unified addresses
	    {78, 1},             // priorities of streams
	    {79, 1},             // L1 caches
	    {80, 1},             //
	    {81, 228 * 1024},    // shared memory of a multiprocessor
	    {82, 65536},         // registers of a multiprocessor
	    {97, 227 * 1024},    // shared memory of a block, if asked for
	    {99, 1},             // registers host memory
	    {106, 32},           // blocks of a multiprocessor
	    {111, 1024},         // reserved shared memory of a block
	};
	if (attribute == 75 || attribute == 76) {
		*value = capability(attribute == 76);
	} else {
		const auto i = values.find(attribute);
		*value = i == values.end() ? 0 : i->second;
	}
	return SUCCESS;
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
	if (const int e = unsafe_while_capturing()) return e;
	return drain(call.lock, call.context);
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
