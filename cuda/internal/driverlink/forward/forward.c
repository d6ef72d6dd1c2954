// A libcuda.a that has every function of NVIDIA's driver API and passes each call on to the driver, which it looks for when the
// program starts. So a program that links it starts on machines without a driver, where the functions return
// CUDA_ERROR_NO_DEVICE. Functions that the machine's driver is too old to have return CUDA_ERROR_NOT_FOUND.
//
// Three functions differ:
//   cuInit            always succeeds, since gorgonia.org/cu calls it while the program starts, and ends the program if it fails.
//                     What the driver answered is remembered: stheno_cuda_init_status.
//   cuGetErrorName,   also know the errors that a program sees without a driver.
//   cuGetErrorString
//
// A forwarding function is a jump to an address in a table: registers and stack stay as the caller left them, so it needs no
// knowledge of the arguments.

#define _GNU_SOURCE // dlinfo
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

// Codes of CUresult, whose numbers are part of the driver's binary interface.
enum { success = 0, invalid_value = 1, not_initialized = 3, no_device = 100, not_found = 500 };

#include "functions.inc" // FUNCTIONS, the number of functions

// The name is global for the assembly below; nothing outside this file uses it.
__attribute__((visibility("hidden"))) void *stheno_cuda_functions[FUNCTIONS];

#define TEXT(x) #x

// Hidden: otherwise the program exports its functions (Go links with -rdynamic), and libraries that link the real driver would
// be given these.
#if defined(__x86_64__)
#define JUMP(number) "endbr64\n\tjmp *stheno_cuda_functions+8*" TEXT(number) "(%rip)\n"
#elif defined(__aarch64__)
#define JUMP(number) \
	"hint #34\n" /* bti c */ \
	"\tadrp x16, stheno_cuda_functions+8*" TEXT(number) "\n" \
	"\tldr x16, [x16, #:lo12:stheno_cuda_functions+8*" TEXT(number) "]\n" \
	"\tbr x16\n"
#else
#error "forward.c: write JUMP for this processor: a jump to the address in element `number` of stheno_cuda_functions"
#endif

#define FORWARD(number, name) \
	__asm__(".text\n\t.balign 16\n\t.globl " TEXT(name) "\n\t.hidden " TEXT(name) "\n\t.type " TEXT(name) ", %function\n" \
		TEXT(name) ":\n\t" JUMP(number) "\t.size " TEXT(name) ", .-" TEXT(name) "\n");
#include "functions.inc"
#undef FORWARD

static const char *const names[FUNCTIONS] = {
#define FORWARD(number, name) TEXT(name),
#include "functions.inc"
#undef FORWARD
};

static void *driver;             // handle of the library, NULL if there is none
static char detail[4096] = "";   // its path, or why there is none
static int (*driver_init)(unsigned int);
static int (*driver_error_name)(int, const char **);
static int (*driver_error_text)(int, const char **);
static int init_status = not_initialized;

static int return_no_device(void) { return no_device; }
static int return_not_found(void) { return not_found; }

static int init_function(unsigned int flags) {
	init_status = driver_init ? driver_init(flags) : no_device;
	return success;
}

static const struct { int code; const char *name, *text; } errors[] = {
	{success, "CUDA_SUCCESS", "no error"},
	{invalid_value, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
	{2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
	{not_initialized, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
	{no_device, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
	{101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
	{201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
	{not_found, "CUDA_ERROR_NOT_FOUND", "the driver does not have this function or name"},
	{999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

static int describe(int code, const char **out, int want_name) {
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		if (errors[i].code == code) {
			*out = want_name ? errors[i].name : errors[i].text;
			return success;
		}
	*out = NULL;
	return invalid_value;
}

static int error_name_function(int code, const char **out) {
	if (driver_error_name && driver_error_name(code, out) == success) return success;
	return describe(code, out, 1);
}

static int error_text_function(int code, const char **out) {
	if (driver_error_text && driver_error_text(code, out) == success) return success;
	return describe(code, out, 0);
}

// Where the driver's library is: first wherever the dynamic linker looks, then where Windows' subsystem for Linux and NixOS put it.
static const char *const places[] = {"libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1", "/run/opengl-driver/lib/libcuda.so.1"};

static void open_driver(void) {
	for (size_t i = 0; i < sizeof places / sizeof *places && !driver; i++) {
		driver = dlopen(places[i], RTLD_NOW | RTLD_LOCAL);
		const char *why = driver ? NULL : dlerror();
		if (i == 0 && why) // the later places say nothing new, except where they exist
			snprintf(detail, sizeof detail, "%s", why);
		else if (why && !strstr(why, "No such file"))
			snprintf(detail + strlen(detail), sizeof detail - strlen(detail), "; %s", why);
	}
	struct link_map *map;
	if (driver && dlinfo(driver, RTLD_DI_LINKMAP, &map) == 0) snprintf(detail, sizeof detail, "%s", map->l_name);
}

__attribute__((constructor)) static void fill(void) {
	open_driver();
	driver_init = driver ? (int (*)(unsigned int))dlsym(driver, "cuInit") : NULL;
	driver_error_name = driver ? (int (*)(int, const char **))dlsym(driver, "cuGetErrorName") : NULL;
	driver_error_text = driver ? (int (*)(int, const char **))dlsym(driver, "cuGetErrorString") : NULL;
	for (int i = 0; i < FUNCTIONS; i++) {
		void *f = driver ? dlsym(driver, names[i]) : NULL;
		// Headers since 12.8 mean the second of two functions that take and do the same; drivers before have the first alone.
		if (driver && !f && strcmp(names[i], "cuEventElapsedTime_v2") == 0) f = dlsym(driver, "cuEventElapsedTime");
		if (strcmp(names[i], "cuInit") == 0) f = (void *)init_function;
		if (strcmp(names[i], "cuGetErrorName") == 0) f = (void *)error_name_function;
		if (strcmp(names[i], "cuGetErrorString") == 0) f = (void *)error_text_function;
		if (!f) f = driver ? (void *)return_not_found : (void *)return_no_device;
		stheno_cuda_functions[i] = f;
	}
}

// stheno_cuda_init_status returns what the driver's cuInit answered; CUDA_ERROR_NO_DEVICE if there is no driver.
int stheno_cuda_init_status(void) {
	if (init_status == not_initialized) init_function(0);
	return init_status;
}

// stheno_cuda_loaded says whether there is a driver.
int stheno_cuda_loaded(void) { return driver != NULL; }

// stheno_cuda_init_detail returns the path of the driver's library, or the dynamic linker's words if it could not be loaded.
const char *stheno_cuda_init_detail(void) { return detail; }
