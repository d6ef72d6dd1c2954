// The simulated NVML: GPUs that draw 300 watts all the time. With STHENO_SIM_NVML=power they do not count energy, as older ones.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#define EXPORT extern "C" __attribute__((visibility("default"))) int

enum { SUCCESS, UNINITIALIZED, INVALID_ARGUMENT, NOT_SUPPORTED, NOT_FOUND = 6 };

static bool initialized;
constexpr int milliwatts = 300000;

EXPORT nvmlInit_v2() {
	initialized = true;
	return SUCCESS;
}

extern "C" __attribute__((visibility("default"))) const char *nvmlErrorString(int status) {
	switch (status) {
	case SUCCESS: return "Success";
	case UNINITIALIZED: return "Uninitialized";
	case INVALID_ARGUMENT: return "Invalid Argument";
	case NOT_SUPPORTED: return "Not Supported";
	case NOT_FOUND: return "Not Found";
	}
	return "Unknown Error";
}

extern "C" int cuDeviceGetCount(int *n);
extern "C" int cuDeviceGetUuid(char *uuid, int device);

// "GPU-" and the bytes, as nvidia-smi prints them.
static std::string text_of(const unsigned char *u) {
	std::string s = "GPU-";
	for (int i = 0; i < 16; i++) {
		char hex[3];
		snprintf(hex, sizeof hex, "%02x", u[i]);
		s += hex;
		if (i == 3 || i == 5 || i == 7 || i == 9) s += '-';
	}
	return s;
}

EXPORT nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
	if (!initialized) return UNINITIALIZED;
	if (!uuid || !device) return INVALID_ARGUMENT;
	int n = 0;
	if (cuDeviceGetCount(&n)) return NOT_FOUND;
	for (int i = 0; i < n; i++) {
		unsigned char bytes[16];
		if (cuDeviceGetUuid((char *)bytes, i) == 0 && text_of(bytes) == uuid) {
			*device = (void *)(size_t)(i + 1);
			return SUCCESS;
		}
	}
	return NOT_FOUND;
}

EXPORT nvmlDeviceGetPowerUsage(void *device, unsigned *out) {
	if (!initialized) return UNINITIALIZED;
	if (!device || !out) return INVALID_ARGUMENT;
	*out = milliwatts;
	return SUCCESS;
}

EXPORT nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *out) {
	if (!initialized) return UNINITIALIZED;
	if (!device || !out) return INVALID_ARGUMENT;
	const char *mode = getenv("STHENO_SIM_NVML");
	if (mode && !strcmp(mode, "power")) return NOT_SUPPORTED;
	const auto now = std::chrono::steady_clock::now().time_since_epoch();
	*out = (unsigned long long)(std::chrono::duration<double>(now).count() * milliwatts);
	return SUCCESS;
}
