// Initialisation, and devices with their attributes.
#include "core.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

// The compute capability, as in "9.0" of STHENO_SIM_CAPABILITY.
static int capability(bool minor) {
	const char *v = getenv("STHENO_SIM_CAPABILITY");
	int major_number = 9, minor_number = 0;
	if (v) sscanf(v, "%d.%d", &major_number, &minor_number);
	return minor ? minor_number : major_number;
}

int devices() { return (int)environment("STHENO_SIM_DEVICES", 1); }

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
	    {16, (int)environment("STHENO_SIM_MULTIPROCESSORS", 4)},
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
