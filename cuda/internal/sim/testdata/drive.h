// What the test programs share: CUDA's functions by their real names, and checks that end the program.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "sim.h"

extern "C" {
int cuInit(unsigned);
int cuDeviceGetAttribute(int *, int, int);
int cuDevicePrimaryCtxRetain(void **, int);
int cuDevicePrimaryCtxRelease_v2(int);
int cuCtxSetCurrent(void *);
int cuCtxSynchronize(void);
int cuMemAlloc_v2(char **, size_t);
int cuMemFree_v2(char *);
int cuMemAllocHost_v2(void **, size_t);
int cuMemFreeHost(void *);
int cuMemGetInfo_v2(size_t *, size_t *);
int cuMemHostRegister_v2(void *, size_t, unsigned);
int cuMemHostUnregister(void *);
int cuMemcpyHtoD_v2(char *, const void *, size_t);
int cuMemcpyDtoH_v2(void *, const char *, size_t);
int cuMemcpyDtoD_v2(char *, const char *, size_t);
int cuMemcpyHtoDAsync_v2(char *, const void *, size_t, void *);
int cuMemcpyDtoHAsync_v2(void *, const char *, size_t, void *);
int cuMemsetD8_v2(char *, unsigned char, size_t);
int cuMemsetD16_v2(char *, unsigned short, size_t);
int cuMemsetD32_v2(char *, unsigned, size_t);
int cuMemsetD32Async(char *, unsigned, size_t, void *);
int cuStreamCreate(void **, unsigned);
int cuStreamDestroy_v2(void *);
int cuStreamSynchronize(void *);
int cuStreamQuery(void *);
int cuStreamWaitEvent(void *, void *, unsigned);
int cuStreamBeginCapture_v2(void *, int);
int cuStreamEndCapture(void *, void **);
int cuStreamIsCapturing(void *, int *);
int cuEventCreate(void **, unsigned);
int cuEventDestroy_v2(void *);
int cuEventRecord(void *, void *);
int cuEventSynchronize(void *);
int cuEventQuery(void *);
int cuEventElapsedTime(float *, void *, void *);
int cuModuleLoadData(void **, const void *);
int cuModuleUnload(void *);
int cuModuleGetFunction(void **, void *, const char *);
int cuModuleGetGlobal_v2(char **, size_t *, void *, const char *);
int cuFuncSetAttribute(void *, int, int);
int cuLaunchKernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **);
int cuGraphInstantiateWithFlags(void **, void *, unsigned long long);
int cuGraphLaunch(void *, void *);
int cuGraphExecDestroy(void *);
int cuGraphDestroy(void *);
int cuGetErrorName(int, const char **);
int cuGetProcAddress_v2(const char *, void **, int, uint64_t, int *);

int nvrtcCreateProgram(void **, const char *, const char *, int, const char *const *, const char *const *);
int nvrtcDestroyProgram(void **);
int nvrtcCompileProgram(void *, int, const char *const *);
int nvrtcGetPTXSize(void *, size_t *);
int nvrtcGetPTX(void *, char *);
int nvrtcGetCUBINSize(void *, size_t *);
int nvrtcGetCUBIN(void *, char *);
int nvrtcGetProgramLogSize(void *, size_t *);
int nvrtcGetProgramLog(void *, char *);
}

// want(call, code): the call returns the code.
#define want(call, code) want_at(__LINE__, #call, (call), (code))
#define ok(call) want(call, 0)
#define require(condition) require_at(__LINE__, #condition, (condition))

inline void want_at(int line, const char *call, int got, int code) {
	if (got == code) return;
	const char *name = "?";
	cuGetErrorName(got, &name);
	printf("line %d: %s returned %d (%s), want %d; %s\n", line, call, got, name, code, stheno_sim_message());
	exit(1);
}
inline void require_at(int line, const char *what, bool holds) {
	if (holds) return;
	printf("line %d: %s does not hold; %s\n", line, what, stheno_sim_message());
	exit(1);
}
inline bool told(const char *what) { return strstr(stheno_sim_message(), what) != nullptr; }

// Compiles a text; the image is a cubin for sm_…, PTX for compute_…, "" with the log in *log if it does not compile.
inline std::string compile(const std::string &text, const char *architecture = "sm_90", std::string *log = nullptr) {
	void *program;
	ok(nvrtcCreateProgram(&program, text.c_str(), "test.cu", 0, nullptr, nullptr));
	const std::string option = std::string("--gpu-architecture=") + architecture;
	const char *options[] = {option.c_str(), "--std=c++17"};
	const int error = nvrtcCompileProgram(program, 2, options);
	size_t n = 0;
	ok(nvrtcGetProgramLogSize(program, &n));
	std::string messages(n, 0), image;
	ok(nvrtcGetProgramLog(program, messages.data()));
	if (log) *log = messages;
	if (error && !log) printf("%s\n", messages.c_str());
	if (!log) ok(error);
	if (!error && strncmp(architecture, "sm_", 3) == 0) {
		ok(nvrtcGetCUBINSize(program, &n));
		image.resize(n);
		ok(nvrtcGetCUBIN(program, image.data()));
	} else if (!error) {
		ok(nvrtcGetPTXSize(program, &n));
		image.resize(n);
		ok(nvrtcGetPTX(program, image.data()));
	}
	ok(nvrtcDestroyProgram(&program));
	return image;
}

inline void *load(const std::string &image) {
	void *module;
	ok(cuModuleLoadData(&module, image.data()));
	return module;
}
inline void *function(void *module, const char *name) {
	void *f;
	ok(cuModuleGetFunction(&f, module, name));
	return f;
}

inline void *open_device() {
	void *context;
	ok(cuInit(0));
	ok(cuDevicePrimaryCtxRetain(&context, 0));
	ok(cuCtxSetCurrent(context));
	return context;
}

inline char *allocate(size_t bytes) {
	char *p;
	ok(cuMemAlloc_v2(&p, bytes));
	return p;
}

template <class V> std::vector<V> download(const char *p, size_t n) {
	std::vector<V> v(n);
	ok(cuMemcpyDtoH_v2(v.data(), p, n * sizeof(V)));
	return v;
}
template <class V> char *upload(const std::vector<V> &v) {
	char *p = allocate(v.size() * sizeof(V));
	ok(cuMemcpyHtoD_v2(p, v.data(), v.size() * sizeof(V)));
	return p;
}

struct Shape {
	unsigned grid, block, shared;
	void *stream;
};
template <class... A> int launch(void *f, Shape s, A... arguments) {
	void *parameters[] = {&arguments..., nullptr};
	return cuLaunchKernel(f, s.grid, 1, 1, s.block, 1, 1, s.shared, s.stream, parameters, nullptr);
}
