// Modules, functions and launches. An image is a shared library that NVRTC's stand-in made, or the same as text ("PTX").
#include "race.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "image.h"

Image::~Image() {
	if (library) dlclose(library);
}

// Copies what a caller points to without trusting that it is there.
static bool read_memory(const void *p, void *to, size_t n) {
	iovec local = {to, n}, remote = {(void *)p, n};
	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)n;
}

// The bytes of the library in an image, or "" if it is damaged or of another kind.
static std::string read_image(const void *image) {
	char head[sizeof(Elf64_Ehdr)];
	if (!read_memory(image, head, sizeof head)) return "";
	if (!memcmp(head, text_image_mark, strlen(text_image_mark))) {
		return from_text((const char *)image);
	}
	const Elf64_Ehdr &h = *(const Elf64_Ehdr *)head;
	if (memcmp(head, ELFMAG, SELFMAG) || h.e_shoff > (uint64_t)1 << 30) return "";
	std::string bytes(h.e_shoff + (size_t)h.e_shentsize * h.e_shnum + seal_bytes, 0);
	if (!read_memory(image, bytes.data(), bytes.size())) return "";
	return sealed(bytes) ? bytes : "";
}

static std::shared_ptr<Image> load(const std::string &bytes) {
	const char *folder = getenv("TMPDIR");
	std::string path = std::string(folder && *folder ? folder : "/tmp") + "/stheno-sim-XXXXXX";
	const int file = mkstemp(path.data());
	if (file < 0) return nullptr;
	const bool written = write(file, bytes.data(), bytes.size()) == (ssize_t)bytes.size();
	close(file);
	const auto image = std::make_shared<Image>();
	if (written) image->library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
	if (!image->library) note(INVALID_IMAGE, std::string("dlopen: ") + (written ? dlerror() : "cannot write the file"));
	unlink(path.c_str());
	if (!image->library) return nullptr;
	if (races()) race_image(*image, bytes);
	image->table = (const sim_module_table *)dlsym(image->library, "sim_module");
	return image->table && image->table->version == SIM_ABI_VERSION ? image : nullptr;
}

extern "C" int cuDeviceGetAttribute(int *value, int attribute, Device device);

EXPORT cuModuleLoadDataEx(void **module, const void *image, unsigned, int *, void **) {
	int major = 0, minor = 0;
	cuDeviceGetAttribute(&major, 75, 0);
	cuDeviceGetAttribute(&minor, 76, 0);
	ENTER;
	if (!module || !image) return INVALID_VALUE;
	const std::string bytes = read_image(image);
	const auto loaded = bytes.empty() ? nullptr : load(bytes);
	if (!loaded) return INVALID_IMAGE;
	const int a = loaded->architecture = (int)architecture_of(bytes);
	const bool text = !memcmp(image, text_image_mark, strlen(text_image_mark)); // PTX runs on newer devices too
	if (text ? a > major * 10 + minor : a / 10 != major || a % 10 > minor) return NO_BINARY_FOR_GPU;
	const auto m = std::make_shared<Module>();
	m->image = loaded;
	*module = add(m, call.context);
	return SUCCESS;
}
EXPORT cuModuleLoadData(void **module, const void *image) { return cuModuleLoadDataEx(module, image, 0, nullptr, nullptr); }
EXPORT cuModuleLoadFatBinary(void **module, const void *image) { return cuModuleLoadData(module, image); }

static void forget(Module &m) {
	for (const auto &[name, f] : m.functions) state().objects.erase(f->handle);
	for (const uintptr_t g : m.globals) state().ranges.erase(g);
	state().objects.erase(m.handle);
}

EXPORT cuModuleUnload(void *module) {
	ENTER;
	const auto m = find<Module>(module);
	if (!m) return INVALID_HANDLE;
	if (const int e = drain(call.lock, call.context)) return e;
	forget(*m);
	return SUCCESS;
}

EXPORT cuModuleGetFunction(void **function, void *module, const char *name) {
	ENTER;
	const auto m = find<Module>(module);
	if (!m) return INVALID_HANDLE;
	if (!function || !name) return INVALID_VALUE;
	auto &f = m->functions[name];
	if (!f) {
		for (int i = 0; i < m->image->table->kernels; i++) {
			const sim_kernel &k = m->image->table->kernel[i];
			if (strcmp(k.name, name)) continue;
			f = std::make_shared<Function>();
			f->image = m->image;
			f->kernel = &k;
			add(f, call.context);
		}
	}
	if (!f) {
		m->functions.erase(name);
		return NOT_FOUND;
	}
	*function = f->handle;
	return SUCCESS;
}

EXPORT cuModuleGetGlobal_v2(void **p, size_t *bytes, void *module, const char *name) {
	ENTER;
	const auto m = find<Module>(module);
	if (!m) return INVALID_HANDLE;
	void *const at = name ? dlsym(m->image->library, name) : nullptr;
	Dl_info info;
	const ElfW(Sym) *symbol = nullptr;
	if (!at || !dladdr1(at, &info, (void **)&symbol, RTLD_DL_SYMENT) || !symbol) return NOT_FOUND;
	if (p) *p = at;
	if (bytes) *bytes = symbol->st_size;
	state().ranges[(uintptr_t)at] = {(char *)at, nullptr, symbol->st_size, 0, GLOBAL_MEMORY, call.context};
	m->globals.push_back((uintptr_t)at);
	return SUCCESS;
}

EXPORT cuFuncGetAttribute(int *value, int attribute, void *function) {
	ENTER;
	const auto f = find<Function>(function);
	if (!f) return INVALID_HANDLE;
	if (!value) return INVALID_VALUE;
	const sim_module_table &t = *f->image->table;
	switch (attribute) {
	case 0: *value = f->kernel->max_threads ? (int)f->kernel->max_threads : 1024; return SUCCESS;
	case 1: *value = (int)(t.shared_end - t.shared); return SUCCESS; // of the whole module
	case 2: case 3: case 7: *value = 0; return SUCCESS;
	case 4: *value = 32; return SUCCESS; // registers
	case 5: case 6: *value = f->image->architecture; return SUCCESS;
	case 8: *value = f->max_dynamic_shared; return SUCCESS;
	case 9: *value = -1; return SUCCESS;
	}
	return INVALID_VALUE;
}

EXPORT cuFuncSetAttribute(void *function, int attribute, int value) {
	ENTER;
	const auto f = find<Function>(function);
	if (!f) return INVALID_HANDLE;
	if (attribute == 9) return SUCCESS; // preferred carve-out: a hint
	if (attribute != 8 || value < 0 || value > 227 * 1024) return INVALID_VALUE;
	f->max_dynamic_shared = value;
	return SUCCESS;
}
EXPORT cuFuncSetCacheConfig(void *function, int) {
	ENTER;
	return find<Function>(function) ? SUCCESS : INVALID_HANDLE;
}

EXPORT cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, void *function, int threads, size_t shared) {
	ENTER;
	if (!find<Function>(function)) return INVALID_HANDLE;
	if (!blocks || threads <= 0) return INVALID_VALUE;
	int n = threads > 1024 ? 0 : 2048 / threads;
	if (shared) n = std::min(n, (int)(227 * 1024 / shared));
	*blocks = std::min(n, 32);
	return SUCCESS;
}

// Whether this launch is the one that STHENO_SIM_FAULT=kernel:n wants to fail.
static bool asked_to_fail(const char *kernel) {
	static std::string asked;
	static size_t count = 0;
	const char *v = getenv("STHENO_SIM_FAULT");
	if (asked != (v ? v : "")) asked = v ? v : "", count = 0;
	const size_t colon = asked.rfind(':');
	if (colon == std::string::npos || asked.substr(0, colon) != kernel) return false;
	return ++count == strtoull(asked.c_str() + colon + 1, nullptr, 10);
}

// A parameter that is a pointer points into memory of the device or pinned memory, or is null.
static std::string stray_pointer(const Launch &l) {
	Lock lock(state().mutex);
	for (int i = 0; i < l.kernel->parameters; i++) {
		if (!l.kernel->pointers[i]) continue;
		const void *p = *(void **)l.parameters[(size_t)i];
		if (p && !range_of(p, 0)) return "kernel " + std::string(l.kernel->name) + ": parameter " + std::to_string(i) + " points into no live allocation";
	}
	return "";
}

static int run(Launch &l, bool &fails) {
	std::string wrong = fails ? "kernel " + std::string(l.kernel->name) + ": STHENO_SIM_FAULT" : stray_pointer(l);
	fails = false;
	{
		Lock lock(state().mutex);
		state().launches++;
		state().last_kernel = l.kernel->name;
	}
	if (wrong.empty()) wrong = run_grid(l);
	if (wrong.empty()) return SUCCESS;
	Lock lock(state().mutex);
	return fail(ILLEGAL_ADDRESS, wrong);
}

EXPORT cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                      unsigned shared, void *stream, void **parameters, void **extra) {
	ENTER;
	const auto f = find<Function>(function);
	const auto s = stream_of(stream, call.context);
	if (!f || !s || f->context != call.context) return INVALID_HANDLE;
	const sim_kernel &k = *f->kernel;
	const std::string name = "launch of " + std::string(k.name) + ": ";
	if (extra) return note(NOT_SUPPORTED, name + "parameters in a buffer are not simulated");
	if (gx == 0 || gy == 0 || gz == 0 || gx > 0x7fffffff || gy > 65535 || gz > 65535) {
		return note(INVALID_VALUE, name + "a grid of " + std::to_string(gx) + "×" + std::to_string(gy) + "×" + std::to_string(gz));
	}
	if (bx == 0 || by == 0 || bz == 0 || bx > 1024 || by > 1024 || bz > 64 || (uint64_t)bx * by * bz > 1024) {
		return note(INVALID_VALUE, name + "a block of " + std::to_string(bx) + "×" + std::to_string(by) + "×" + std::to_string(bz));
	}
	if (k.max_threads && bx * by * bz > k.max_threads) {
		return note(LAUNCH_OUT_OF_RESOURCES, name + "more threads than its __launch_bounds__ of " + std::to_string(k.max_threads));
	}
	if ((int)shared > f->max_dynamic_shared) {
		return note(INVALID_VALUE, name + std::to_string(shared) + " bytes of dynamic shared memory; allowed are " + std::to_string(f->max_dynamic_shared));
	}
	if (k.parameters && !parameters) return note(INVALID_VALUE, name + "no parameters");

	const auto l = std::make_shared<Launch>();
	l->image = f->image;
	l->kernel = &k;
	l->grid = dim3(gx, gy, gz);
	l->block = dim3(bx, by, bz);
	l->shared = shared;
	size_t bytes = 0;
	std::vector<size_t> at;
	for (int i = 0; i < k.parameters; i++) {
		bytes = (bytes + k.alignments[i] - 1) / k.alignments[i] * k.alignments[i];
		at.push_back(bytes);
		bytes += k.sizes[i];
	}
	if (bytes > 4096) return note(INVALID_VALUE, name + "more than 4 KiB of parameters");
	l->bytes.resize(bytes + 16);
	char *first = (char *)(((uintptr_t)l->bytes.data() + 15) / 16 * 16);
	for (int i = 0; i < k.parameters; i++) {
		char *const to = first + at[(size_t)i];
		if (!parameters[i]) return note(INVALID_VALUE, name + "parameter " + std::to_string(i) + " is missing");
		memcpy(to, parameters[i], k.sizes[i]);
		l->parameters.push_back(to);
	}

	const auto fails = std::make_shared<bool>(false);
	const auto w = std::make_shared<Work>();
	w->name = "kernel " + std::string(k.name);
	w->check = [l, fails] {
		const char *order = getenv("STHENO_SIM_ORDER");
		l->order = order ? order : "";
		*fails = asked_to_fail(l->kernel->name);
		return (int)SUCCESS;
	};
	w->run = [l, fails] { return run(*l, *fails); };
	return enqueue(s, w);
}

// Ends a context and all that belongs to it.
void destroy_context(Lock &lock, Context *c) {
	drain(lock, c);
	std::vector<std::shared_ptr<Object>> mine;
	for (const auto &[handle, o] : state().objects) {
		if (o->context == c) mine.push_back(o);
	}
	for (const auto &o : mine) {
		if (const auto s = std::dynamic_pointer_cast<Stream>(o)) s->closing = true;
		if (const auto m = std::dynamic_pointer_cast<Module>(o)) forget(*m);
		state().objects.erase(o->handle);
	}
	if (c->null_stream) c->null_stream->closing = true;
	c->null_stream = nullptr;
	release_ranges(c);
	state().changed.notify_all();
}
