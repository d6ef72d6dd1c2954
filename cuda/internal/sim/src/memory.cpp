// Memory of the device, pinned memory of the host, copies and fills. Device memory is memory of the host with pages that nobody
// may touch before and after, and with red zones between those and the allocation's ends.
#include "race.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

static const size_t page = 4096, guard = 4 << 20; // guard: bytes of address space before and after that nobody may touch
static const size_t zone = 256;                   // of a red zone; also the alignment of allocations
static const unsigned char zone_byte = 0xA5, fresh_byte = 0xFF; // 0xFF…: a NaN as a float, -1 as an integer

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

static void paint_red_zones(const Range &r) {
	if (!r.map) return;
	memset(r.base - zone, zone_byte, zone);
	memset(r.base + r.bytes, zone_byte, round_up(r.bytes, zone) - r.bytes);
}
void repair_red_zones() {
	for (const auto &[base, r] : state().ranges) paint_red_zones(r);
}

// An allocation ends where a page ends, up to its alignment.
static int allocate(Context *c, Kind kind, size_t bytes, void **p) {
	const size_t body = round_up(zone + round_up(bytes, zone), page), all = body + 2 * guard;
	char *map = (char *)mmap(nullptr, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED) return OUT_OF_MEMORY;
	if (mprotect(map + guard, body, PROT_READ | PROT_WRITE)) {
		munmap(map, all);
		return OUT_OF_MEMORY;
	}
	char *base = map + guard + body - round_up(bytes, zone);
	memset(base, fresh_byte, bytes);
	Range &r = state().ranges[(uintptr_t)base] = {base, map, bytes, all, kind, c};
	race_changed();
	paint_red_zones(r);
	*p = base;
	return SUCCESS;
}

// The first of n bytes from p on that is not as it was painted; n if all are.
static size_t first_written(const char *p, size_t n) {
	static const std::string painted(zone, (char)zone_byte);
	if (!memcmp(p, painted.data(), n)) return n;
	size_t i = 0;
	while ((unsigned char)p[i] == zone_byte) i++;
	return i;
}

static int check_red_zone(const Range &r) {
	if (!r.map) return SUCCESS;
	const size_t before = first_written(r.base - zone, zone), slack = round_up(r.bytes, zone) - r.bytes, behind = first_written(r.base + r.bytes, slack);
	if (before == zone && behind == slack) return SUCCESS;
	const std::string place = before < zone ? std::to_string(zone - before) + " bytes before" : std::to_string(behind) + " bytes behind";
	return fail(ILLEGAL_ADDRESS, "something wrote " + place + " an allocation of " + std::to_string(r.bytes) + " bytes; the last kernel was " +
	                                 state().last_kernel);
}

int check_red_zones() {
	static size_t checked = 0; // as many pieces of work had run
	if (checked == state().worked) return SUCCESS;
	checked = state().worked;
	for (const auto &[base, r] : state().ranges) {
		if (const int e = check_red_zone(r)) return e;
	}
	return SUCCESS;
}

static void unmap(const Range &r) {
	if (r.map) munmap(r.map, r.map_bytes);
}

void release_ranges(Context *c) {
	auto &all = state().ranges;
	for (auto i = all.begin(); i != all.end();) {
		if (i->second.context == c) {
			unmap(i->second);
			race_forget(i->second.base, i->second.bytes);
			i = all.erase(i);
		} else {
			++i;
		}
	}
}

Range *range_of(const void *p, size_t bytes) {
	auto i = state().ranges.upper_bound((uintptr_t)p);
	if (i == state().ranges.begin()) return nullptr;
	Range &r = (--i)->second;
	const size_t at = (size_t)((const char *)p - r.base);
	return at <= r.bytes && bytes <= r.bytes - at ? &r : nullptr;
}

static bool on_device(const void *p, size_t bytes) {
	const Range *r = range_of(p, bytes);
	return r && (r->kind == DEVICE_MEMORY || r->kind == GLOBAL_MEMORY);
}

extern "C" __attribute__((visibility("default"))) int stheno_sim_contains(const void *p, size_t bytes) {
	Lock lock(state().mutex);
	return range_of(p, bytes) != nullptr;
}

extern "C" __attribute__((visibility("default"))) int stheno_sim_use(const char *who, const void *p, size_t bytes, int writes) {
	const std::string race = race_range(who, p, bytes, writes);
	Lock lock(state().mutex);
	if (!range_of(p, bytes)) return fail(ILLEGAL_ADDRESS, std::string(who) + ": what it uses leaves its allocation: " + std::to_string(bytes) + " bytes");
	return race.empty() ? (int)SUCCESS : fail(ILLEGAL_ADDRESS, race);
}

static size_t used() {
	size_t n = 0;
	for (const auto &[base, r] : state().ranges) n += r.kind == DEVICE_MEMORY ? r.bytes : 0;
	return n;
}

// Whether this allocation is the one that STHENO_SIM_FAIL_ALLOC=n wants to fail, or with n+ one after it.
static bool asked_to_fail() {
	static size_t count = 0;
	static std::string asked;
	const char *v = getenv("STHENO_SIM_FAIL_ALLOC");
	if (asked != (v ? v : "")) asked = v ? v : "", count = 0;
	const size_t want = strtoull(asked.c_str(), nullptr, 10);
	return want && (++count == want || (count > want && asked.back() == '+'));
}

EXPORT cuMemAlloc_v2(void **p, size_t bytes) {
	ENTER;
	if (!p || bytes == 0) return INVALID_VALUE;
	if (const int e = unsafe_while_capturing()) return e;
	if (asked_to_fail()) return OUT_OF_MEMORY;
	const size_t limit = environment("STHENO_SIM_MEMORY", (size_t)8 << 30);
	if (bytes > limit || used() > limit - bytes) return OUT_OF_MEMORY;
	return allocate(call.context, DEVICE_MEMORY, bytes, p);
}

EXPORT cuMemGetInfo_v2(size_t *free, size_t *total) {
	ENTER;
	const size_t limit = environment("STHENO_SIM_MEMORY", (size_t)8 << 30), n = used();
	if (free) *free = n < limit ? limit - n : 0;
	if (total) *total = limit;
	return SUCCESS;
}

// Frees what is at p exactly, after all work that may use it.
static int release(Call &call, void *p, Kind kind, int unknown) {
	auto i = state().ranges.find((uintptr_t)p);
	if (i == state().ranges.end() || i->second.kind != kind) return unknown;
	if (const int e = unsafe_while_capturing()) return e;
	if (const int e = drain(call.lock, call.context)) return e;
	i = state().ranges.find((uintptr_t)p);
	if (i == state().ranges.end()) return unknown; // another thread was faster
	unmap(i->second);
	race_forget(i->second.base, i->second.bytes);
	state().ranges.erase(i);
	return SUCCESS;
}

EXPORT cuMemFree_v2(void *p) {
	ENTER;
	return release(call, p, DEVICE_MEMORY, INVALID_VALUE);
}

EXPORT cuMemHostAlloc(void **p, size_t bytes, unsigned) {
	ENTER;
	if (!p || bytes == 0) return INVALID_VALUE;
	if (const int e = unsafe_while_capturing()) return e;
	return allocate(call.context, PINNED_MEMORY, bytes, p);
}
EXPORT cuMemAllocHost_v2(void **p, size_t bytes) { return cuMemHostAlloc(p, bytes, 0); }

EXPORT cuMemFreeHost(void *p) {
	ENTER;
	return release(call, p, PINNED_MEMORY, INVALID_VALUE);
}

EXPORT cuMemHostRegister_v2(void *p, size_t bytes, unsigned) {
	ENTER;
	if (!p || bytes == 0) return INVALID_VALUE;
	for (const auto &[base, r] : state().ranges) {
		if (r.base < (char *)p + bytes && (char *)p < r.base + r.bytes) return HOST_MEMORY_ALREADY_REGISTERED;
	}
	state().ranges[(uintptr_t)p] = {(char *)p, nullptr, bytes, 0, REGISTERED_MEMORY, call.context};
	race_changed();
	return SUCCESS;
}

EXPORT cuMemHostUnregister(void *p) {
	ENTER;
	return release(call, p, REGISTERED_MEMORY, HOST_MEMORY_NOT_REGISTERED);
}

EXPORT cuMemHostGetDevicePointer_v2(void **device, void *p, unsigned flags) {
	ENTER;
	if (!device || flags) return INVALID_VALUE;
	const Range *r = range_of(p, 1);
	if (!r || r->kind == DEVICE_MEMORY) return INVALID_VALUE;
	*device = p;
	return SUCCESS;
}

EXPORT cuMemGetAddressRange_v2(void **base, size_t *bytes, void *p) {
	ENTER;
	const Range *r = range_of(p, 1);
	if (!r || r->kind != DEVICE_MEMORY) return NOT_FOUND;
	if (base) *base = r->base;
	if (bytes) *bytes = r->bytes;
	return SUCCESS;
}

// The memory may be gone when the work's turn comes.
static int still(const void *p, size_t bytes, const char *what, bool writes) {
	const std::string race = race_range(what, p, bytes, writes);
	Lock lock(state().mutex);
	if (!race.empty()) return fail(ILLEGAL_ADDRESS, race);
	if (range_of(p, bytes)) return SUCCESS;
	return fail(ILLEGAL_ADDRESS, std::string(what) + " of " + std::to_string(bytes) + " bytes uses memory that was freed");
}

// Which ends of a copy are memory of the device.
enum Direction { TO_DEVICE, TO_HOST, ON_DEVICE, BY_ADDRESS };

static int copy(void *to, const void *from, size_t bytes, Direction d, void *stream, bool sync) {
	ENTER;
	const auto s = stream_of(stream, call.context);
	if (!s) return INVALID_HANDLE;
	if (bytes == 0) return SUCCESS;
	if (!to || !from) return INVALID_VALUE;
	const bool device_to = on_device(to, bytes), device_from = on_device(from, bytes);
	if ((d == TO_DEVICE || d == ON_DEVICE) && !device_to) {
		return note(INVALID_VALUE, "a copy of " + std::to_string(bytes) + " bytes to the device leaves its allocation");
	}
	if ((d == TO_HOST || d == ON_DEVICE) && !device_from) {
		return note(INVALID_VALUE, "a copy of " + std::to_string(bytes) + " bytes from the device leaves its allocation");
	}
	const bool pinned_to = !device_to && range_of(to, bytes), pinned_from = !device_from && range_of(from, bytes);
	if (sync) {
		if (const int e = unsafe_while_capturing()) return e;
	}
	const auto w = std::make_shared<Work>();
	w->name = "copy";
	const bool staged = !device_from && !pinned_from && !s->capture; // read now, as CUDA stages pageable memory
	std::shared_ptr<std::vector<char>> stage;
	if (staged) stage = std::make_shared<std::vector<char>>((const char *)from, (const char *)from + bytes);
	w->run = [=] {
		if (device_to || pinned_to) {
			if (const int e = still(to, bytes, "a copy", true)) return e;
		}
		if (device_from || pinned_from) {
			if (const int e = still(from, bytes, "a copy", false)) return e;
		}
		memmove(to, stage ? stage->data() : from, bytes);
		return (int)SUCCESS;
	};
	if (const int e = enqueue(s, w)) return e;
	const bool waits = sync || (!device_to && !pinned_to && !s->capture);
	return waits ? wait(call.lock, mark(s)) : SUCCESS;
}

EXPORT cuMemcpyHtoD_v2(void *to, const void *from, size_t n) { return copy(to, from, n, TO_DEVICE, nullptr, true); }
EXPORT cuMemcpyDtoH_v2(void *to, const void *from, size_t n) { return copy(to, from, n, TO_HOST, nullptr, true); }
EXPORT cuMemcpyDtoD_v2(void *to, const void *from, size_t n) { return copy(to, from, n, ON_DEVICE, nullptr, false); }
EXPORT cuMemcpy(void *to, const void *from, size_t n) { return copy(to, from, n, BY_ADDRESS, nullptr, true); }
EXPORT cuMemcpyHtoDAsync_v2(void *to, const void *from, size_t n, void *s) { return copy(to, from, n, TO_DEVICE, s, false); }
EXPORT cuMemcpyDtoHAsync_v2(void *to, const void *from, size_t n, void *s) { return copy(to, from, n, TO_HOST, s, false); }
EXPORT cuMemcpyDtoDAsync_v2(void *to, const void *from, size_t n, void *s) { return copy(to, from, n, ON_DEVICE, s, false); }
EXPORT cuMemcpyAsync(void *to, const void *from, size_t n, void *s) { return copy(to, from, n, BY_ADDRESS, s, false); }

template <class V> static int fill(void *to, V value, size_t n, void *stream) {
	ENTER;
	const auto s = stream_of(stream, call.context);
	if (!s) return INVALID_HANDLE;
	if (n == 0) return SUCCESS;
	const size_t bytes = n * sizeof value;
	if ((uintptr_t)to % sizeof value) return INVALID_VALUE;
	if (!on_device(to, bytes)) {
		return note(INVALID_VALUE, "a fill of " + std::to_string(bytes) + " bytes leaves its allocation");
	}
	const auto w = std::make_shared<Work>();
	w->name = "fill";
	w->run = [=] {
		if (const int e = still(to, bytes, "a fill", true)) return e;
		std::fill_n((V *)to, n, value); // measuring fills megabytes before every run
		return (int)SUCCESS;
	};
	return enqueue(s, w);
}

EXPORT cuMemsetD8_v2(void *to, unsigned char v, size_t n) { return fill(to, v, n, nullptr); }
EXPORT cuMemsetD16_v2(void *to, unsigned short v, size_t n) { return fill(to, v, n, nullptr); }
EXPORT cuMemsetD32_v2(void *to, unsigned v, size_t n) { return fill(to, v, n, nullptr); }
EXPORT cuMemsetD8Async(void *to, unsigned char v, size_t n, void *s) { return fill(to, v, n, s); }
EXPORT cuMemsetD16Async(void *to, unsigned short v, size_t n, void *s) { return fill(to, v, n, s); }
EXPORT cuMemsetD32Async(void *to, unsigned v, size_t n, void *s) { return fill(to, v, n, s); }
