// A CUDA driver without a device, for tests that plan and never run: it takes any module and hands out kernels that cannot be
// launched. A part of cuDNN is linked to a libcuda.so.1, and its run-time compiler wants to load what it has compiled.

#define NO_DEVICE 100

int cuDriverGetVersion(int *version) {
	*version = 12090;
	return 0;
}

int cuGetErrorName(int status, const char **to) {
	*to = "CUDA_ERROR_NO_DEVICE";
	return 0;
}

int cuGetErrorString(int status, const char **to) {
	*to = "no CUDA-capable device is detected";
	return 0;
}

int cuLibraryLoadData(void **library) {
	*library = library; // any address that is not null
	return 0;
}

int cuLibraryGetKernel(void **kernel) {
	*kernel = kernel;
	return 0;
}

int cuLibraryUnload(void) { return 0; }
int cuKernelSetAttribute(void) { return 0; }

int cuKernelGetAttribute(int *value) {
	*value = 0;
	return 0;
}

#define NONE(name) \
	int name(void) { return NO_DEVICE; }
NONE(cuCtxGetCurrent)
NONE(cuCtxGetLimit)
NONE(cuCtxPopCurrent)
NONE(cuCtxPushCurrent)
NONE(cuDeviceGet)
NONE(cuDeviceGetCount)
NONE(cuKernelGetFunction)
NONE(cuLaunchCooperativeKernel)
NONE(cuLaunchKernel)
NONE(cuLaunchKernelEx)
NONE(cuLibraryLoadFromFile)
NONE(cuLinkAddData)
NONE(cuLinkComplete)
NONE(cuLinkCreate)
NONE(cuLinkDestroy)
NONE(cuModuleGetFunction)
NONE(cuModuleLoadData)
NONE(cuModuleUnload)
NONE(cuOccupancyMaxPotentialClusterSize)
NONE(cuStreamGetCtx)
NONE(cuTensorMapEncodeIm2col)
NONE(cuTensorMapEncodeTiled)
