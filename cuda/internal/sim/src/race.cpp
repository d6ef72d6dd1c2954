// Who used memory last, and whether something orders that before who uses it now.
#include "race.h"
#include "shadow.h"

#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unordered_map>

// A kernel or other work that ran.
struct Ran {
	uint32_t first; // of its runs
	Place place;
	std::string name;
	std::weak_ptr<Image> image;
};

// What a thread of this grid or an earlier block let others know by an atomic operation.
struct Release {
	uint32_t run, clock, epoch, thread;
};
struct Acquired {
	Release what;
	Use by; // when, by whom
};

static std::mutex uses; // of all below, and of the cells
static std::vector<Ran> ran;
static uint32_t last_run = 0;

// The grid that runs.
static struct {
	const char *shared, *shared_end, *dynamic, *dynamic_end, *base;
	uint32_t first, run, epoch;
	bool warps; // whether a __syncwarp was called in this block
	std::vector<uint32_t> clock, fenced;
	std::vector<std::vector<uint32_t>> view; // how far a thread knows the lanes of its warp
	std::unordered_map<uintptr_t, std::vector<Release>> released;
	std::vector<std::vector<Release>> seen;               // by a thread, that did not fence since
	std::unordered_map<uint32_t, std::vector<Acquired>> acquired; // by this block, of runs
	struct {
		uint32_t run, before; // the answer for run before the work whose first run is before
		bool ordered;
	} answers[1024];
} now;

static size_t ran_at(uint32_t run) {
	size_t low = 0, high = ran.size();
	while (high - low > 1) {
		const size_t middle = (low + high) / 2;
		(ran[middle].first <= run ? low : high) = middle;
	}
	return low;
}

static bool known_here(const Use &u, int thread) {
	if (u.epoch < now.epoch || u.thread == (uint32_t)thread) return true;
	return now.warps && u.thread / 32 == (uint32_t)thread / 32 && u.clock <= now.view[(size_t)thread][u.thread % 32];
}

// Whether u comes before what the thread does now.
static bool ordered(const Use &u, int thread) {
	if (u.run == now.run) return known_here(u, thread);
	if (u.run >= now.first) {
		const auto a = now.acquired.find(u.run);
		if (a == now.acquired.end()) return false;
		for (const Acquired &k : a->second) {
			const bool released = u.epoch < k.what.epoch || (u.thread == k.what.thread && u.clock <= k.what.clock);
			if (released && known_here(k.by, thread)) return true;
		}
		return false;
	}
	auto &a = now.answers[u.run % 1024];
	if (a.run != u.run || a.before != now.first) a = {u.run, now.first, race_ordered(ran[ran_at(u.run)].place, ran.back().place)};
	return a.ordered;
}

// The lines of the kernel's text that an instruction stands for: where it was written, and where what that stands in was called.
static std::string lines_of(const Ran &r, uint32_t pc) {
	const auto image = r.image.lock();
	pc &= ~atomic_bit;
	if (!image || !pc) return "";
	char file[] = "/tmp/stheno-sim-XXXXXX", command[200], line[500];
	const int f = mkstemp(file);
	if (f < 0) return "";
	const bool written = write(f, image->bytes.data(), image->bytes.size()) == (ssize_t)image->bytes.size();
	close(f);
	std::string s;
	snprintf(command, sizeof command, "addr2line -i -s -e %s 0x%x 2>/dev/null", file, pc - 1);
	if (FILE *p = written ? popen(command, "r") : nullptr) {
		while (fgets(line, sizeof line, p)) {
			std::string l(line, strcspn(line, "\n"));
			l = l.substr(0, l.find(" (discriminator"));
			s += (s.empty() ? " at " : ", inlined at ") + l;
		}
		pclose(p);
	}
	unlink(file);
	return s;
}

static std::string describe(const Use &u, const char *did) {
	const Ran &r = ran[ran_at(u.run)];
	const std::string thread = "thread " + std::to_string(u.thread) + " of ";
	std::string who = thread + "the same block", what = "barrier";
	if (u.run < now.first) {
		who = "the earlier " + r.name + " (stream " + std::to_string(r.place.stream) + ", item " + std::to_string(r.place.item);
		if (r.place.node >= 0) who += ", node " + std::to_string(r.place.node);
		who += ")", what = "stream, event or edge of a graph";
	} else if (u.run != now.run) {
		who = thread + "block " + std::to_string(u.run - now.first) + ", in their order,", what = "atomic operation with fences";
	}
	return who + " " + did + lines_of(r, u.pc) + ", and no " + what + " orders the two";
}

// Marks one cell; the use that races, or null.
static const Use *mark(Cell &c, int thread, sim_access how, const Use &me) {
	const bool atomics = how == SIM_ATOMIC_ACCESS && c.write.pc & atomic_bit && c.write.run >= now.first;
	if (c.write.run && !atomics && !ordered(c.write, thread)) return &c.write;
	if (how == SIM_READ) {
		for (Use &r : c.read) {
			if (!r.run || ordered(r, thread)) {
				r = me;
				return nullptr;
			}
		}
		c.read[1] = me; // two that are not ordered are enough
		return nullptr;
	}
	for (Use &r : c.read) {
		if (r.run && !ordered(r, thread)) return &r;
		r.run = 0;
	}
	c.write = me;
	return nullptr;
}

static std::string touch(uintptr_t p, size_t bytes, int thread, sim_access how, const Use &me, bool shared) {
	for (size_t n; bytes > 0; p += n, bytes -= n) {
		n = std::min(bytes, shadow_page - p % shadow_page);
		for (Cell &c : cells_of(p, n, shared)) {
			if (shared && c.write.run != now.run) c.write.run = 0; // shared memory begins anew with each block
			for (Use &r : c.read) {
				if (shared && r.run != now.run) r.run = 0;
			}
			const Use *other = mark(c, thread, how, me);
			if (!other) continue;
			const Use u = *other;
			const char *const doing = how == SIM_READ ? "reads " : how == SIM_WRITE ? "writes " : "changes by an atomic operation ";
			const char *const did = other == &c.write ? "wrote" : "read";
			c = {};
			return std::string("a race: it ") + doing + std::to_string(bytes) + " bytes of " + (shared ? "shared" : "global") + " memory" +
			       lines_of(ran.back(), me.pc) + ", which " + describe(u, did);
		}
	}
	return "";
}

static void begin(const std::string &name, std::shared_ptr<Image> image, uint64_t runs) {
	shadow_begin();
	ran.push_back({last_run + 1, race_now(), name, image});
	now.first = now.run = last_run + 1;
	last_run += (uint32_t)runs;
	now.acquired.clear(), now.released.clear();
	now.epoch = 0;
}

std::string race_range(const char *what, const void *p, size_t bytes, bool write) {
	if (!races() || !bytes) return "";
	std::lock_guard<std::mutex> lock(uses);
	begin(what, nullptr, 1);
	const std::string race = touch((uintptr_t)p, bytes, 0, write ? SIM_WRITE : SIM_READ, {now.run, 1, 0, 0, 0}, false);
	return race.empty() ? "" : std::string(what) + ": " + race;
}

void race_image(Image &image, const std::string &bytes) {
	image.bytes = bytes;
	Dl_info info;
	dladdr((const void *)dlsym(image.library, "sim_module"), &info);
	image.base = (const char *)info.dli_fbase;
	dl_iterate_phdr(
	    [](dl_phdr_info *o, size_t, void *p) {
		    Image &image = *(Image *)p;
		    for (int i = 0; i < o->dlpi_phnum; i++) {
			    const ElfW(Phdr) &h = o->dlpi_phdr[i];
			    if ((const char *)o->dlpi_addr != image.base || h.p_type != PT_LOAD || !(h.p_flags & PF_W)) continue;
			    image.data = image.base + h.p_vaddr, image.data_end = image.data + h.p_memsz;
		    }
		    return 0;
	    },
	    &image);
}

RaceGrid::RaceGrid(const Launch &l, const char *dynamic) {
	if (!races()) return;
	lock = std::unique_lock<std::mutex>(uses);
	const size_t threads = l.block.x * l.block.y * l.block.z;
	begin("kernel " + std::string(l.kernel->name), l.image, (uint64_t)l.grid.x * l.grid.y * l.grid.z);
	now.run--;
	now.base = l.image->base;
	now.shared = l.image->data, now.shared_end = l.image->data_end;
	now.dynamic = dynamic, now.dynamic_end = dynamic + l.shared;
	now.clock.resize(threads), now.fenced.resize(threads), now.seen.resize(threads);
	if (now.view.size() < threads) now.view.resize(threads, std::vector<uint32_t>(32));
}
RaceGrid::~RaceGrid() = default;

void race_block() {
	if (!races()) return;
	now.run++;
	now.epoch = 0;
	std::fill(now.clock.begin(), now.clock.end(), 1);
	std::fill(now.fenced.begin(), now.fenced.end(), 0);
	for (auto &s : now.seen) s.clear();
	if (now.warps) {
		for (auto &v : now.view) std::fill(v.begin(), v.end(), 0);
	}
	now.warps = false;
	now.acquired.clear();
}

void race_barrier() {
	if (!races()) return;
	now.epoch++;
	for (uint32_t &c : now.clock) c++;
}

void race_warp(int warp, unsigned lanes) {
	if (!races()) return;
	now.warps = true;
	uint32_t known[32] = {};
	for (int i = 0; i < 32; i++) {
		if (!(lanes >> i & 1)) continue;
		const size_t t = (size_t)warp * 32 + (size_t)i;
		for (int j = 0; j < 32; j++) known[j] = std::max(known[j], now.view[t][(size_t)j]);
		known[i] = std::max(known[i], now.clock[t]);
	}
	for (int i = 0; i < 32; i++) {
		if (!(lanes >> i & 1)) continue;
		const size_t t = (size_t)warp * 32 + (size_t)i;
		std::copy(known, known + 32, now.view[t].begin());
		now.clock[t]++;
	}
}

std::string race_touch(int thread, const void *p, size_t bytes, sim_access how, const void *pc) {
	if (!races()) return ""; // the image is of a process that looked for them
	const char *const at = (const char *)p;
	const bool shared = (at >= now.shared && at < now.shared_end) || (at >= now.dynamic && at < now.dynamic_end);
	const uint32_t clock = now.clock[(size_t)thread];
	const Use me = {now.run, clock, now.epoch, (uint32_t)thread, (uint32_t)((const char *)pc - now.base) | (how == SIM_ATOMIC_ACCESS ? atomic_bit : 0)};
	const std::string race = touch((uintptr_t)p, bytes, thread, how, me, shared);
	if (how == SIM_ATOMIC_ACCESS && race.empty()) {
		std::vector<Release> &released = now.released[(uintptr_t)p];
		for (const Release &r : released) {
			if (r.run != now.run) now.seen[(size_t)thread].push_back(r);
		}
		if (now.fenced[(size_t)thread] == clock) released.push_back({now.run, clock, now.epoch, (uint32_t)thread});
	}
	return race;
}

void race_fence(int thread) {
	if (!races()) return;
	const uint32_t clock = now.fenced[(size_t)thread] = now.clock[(size_t)thread];
	for (const Release &r : now.seen[(size_t)thread]) {
		now.acquired[r.run].push_back({r, {now.run, clock, now.epoch, (uint32_t)thread, 0}});
	}
	now.seen[(size_t)thread].clear();
}
