// Who used memory last, and whether something orders that before who uses it now.
#include "race.h"

#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unordered_map>

// A use of memory: by a thread in a run, which is a block's, or a piece of work's that is no kernel.
struct Use {
	uint32_t run;   // from 1 on; 0: nobody
	uint32_t clock; // the thread's, which what orders it counts up
	uint32_t epoch; // the block's barriers until then
	uint32_t thread;
	uint32_t pc; // in the library of the kernel; the highest bit says that it was atomic
};
const uint32_t atomic_bit = 1u << 31;

// The last write of some bytes, and two reads since then that nothing orders.
struct Cell {
	Use write, read[2];
};

const size_t page = 4096;
struct Page {
	int shift = 2; // bytes of a cell, as a power of 2: so few as were ever used alone
	bool device = false, known = false;
	uint64_t looked = 0; // at the ranges of memory, when there were so many changes
	std::vector<Cell> cells;
};

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

static std::mutex uses;
static std::unordered_map<uintptr_t, Page> pages;
static std::vector<Ran> ran;
static uint32_t last_run = 0;
static std::atomic<uint64_t> range_changes{1};

// Memory that was given back, whose pages go when something begins: then nobody holds the state's lock.
static std::mutex gone_lock;
static std::vector<std::pair<uintptr_t, uintptr_t>> gone;

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
	std::unordered_map<uint32_t, bool> earlier;           // whether a piece of work, by its place in ran, is ordered before this one
	uintptr_t recent[64];
	Page *recent_page[64];
} now;

static Page &page_of(uintptr_t p) {
	const uintptr_t n = p / page;
	const size_t slot = n % 64;
	if (now.recent[slot] != n || !now.recent_page[slot]) now.recent[slot] = n, now.recent_page[slot] = &pages[n];
	return *now.recent_page[slot];
}

static void look(Page &g, uintptr_t p) {
	if (g.known && (g.device || g.looked == range_changes)) return;
	const uintptr_t begin = p / page * page;
	Lock lock(state().mutex);
	g.known = true, g.looked = range_changes;
	auto i = state().ranges.lower_bound(begin + page);
	g.device = i != state().ranges.begin() && (--i)->first + i->second.bytes > begin;
}

// Makes cells so small that a use of bytes at p is made of whole ones.
static void refine(Page &g, uintptr_t p, size_t bytes) {
	if (!g.cells.empty() && !((p | bytes) & ((1u << g.shift) - 1))) return;
	int shift = 2;
	while (shift > 0 && ((p | bytes) & ((1u << shift) - 1))) shift--;
	if (g.cells.empty()) {
		g.shift = shift;
		g.cells.resize(page >> shift);
	} else if (shift < g.shift) {
		std::vector<Cell> fine(page >> shift);
		for (size_t i = 0; i < fine.size(); i++) fine[i] = g.cells[i >> (g.shift - shift)];
		g.cells.swap(fine);
		g.shift = shift;
	}
}

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
	const size_t i = ran_at(u.run);
	const auto known = now.earlier.find((uint32_t)i);
	if (known != now.earlier.end()) return known->second;
	return now.earlier[(uint32_t)i] = race_ordered(ran[i].place, ran.back().place);
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

static std::string describe(const Use &u, const char *did, const char *without) {
	const size_t i = ran_at(u.run);
	std::string who = "thread " + std::to_string(u.thread) + " of the same block", why = without;
	if (u.run != now.run) {
		who = "thread " + std::to_string(u.thread) + " of block " + std::to_string(u.run - now.first) + ", in their order", why = "atomic operation with fences";
		if (u.run < now.first) {
			who = "the earlier " + ran[i].name + " (stream " + std::to_string(ran[i].place.stream) + ", item " + std::to_string(ran[i].place.item) + ", node " +
			      std::to_string(ran[i].place.node) + ")";
			why = "stream, event or edge of a graph";
		}
	}
	return who + " " + did + lines_of(ran[i], u.pc) + ", and no " + why + " orders the two";
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
	while (bytes > 0) {
		const size_t n = std::min(bytes, page - p % page);
		Page &g = page_of(p);
		if (!shared) look(g, p);
		if (shared || g.device) {
			refine(g, p, n);
			for (size_t i = p % page >> g.shift; i < (p % page + n) >> g.shift; i++) {
				Cell &c = g.cells[i];
				if (shared && c.write.run != now.run) c.write.run = 0; // shared memory begins anew with each block
				for (Use &r : c.read) {
					if (shared && r.run != now.run) r.run = 0;
				}
				const Use *other = mark(c, thread, how, me);
				if (!other) continue;
				const Use u = *other;
				c = {};
				const char *const doing = how == SIM_READ ? "reads " : how == SIM_WRITE ? "writes " : "changes by an atomic operation ";
				const char *const did = &c.write == other ? "wrote" : "read";
				return std::string("a race: it ") + doing + std::to_string(bytes) + " bytes of " + (shared ? "shared" : "global") + " memory" +
				       lines_of(ran.back(), me.pc) + ", which " + describe(u, did, "barrier");
			}
		}
		p += n, bytes -= n;
	}
	return "";
}

static void begin(const std::string &name, std::shared_ptr<Image> image, uint64_t runs) {
	{
		std::lock_guard<std::mutex> lock(gone_lock);
		for (const auto &[from, to] : gone) {
			for (uintptr_t n = from / page; n * page < to; n++) pages.erase(n); // another's there, too: something else may come to be there
		}
		gone.clear();
	}
	ran.push_back({last_run + 1, race_now(), name, image});
	now.first = now.run = last_run + 1;
	last_run += (uint32_t)runs;
	now.earlier.clear();
	now.acquired.clear(), now.released.clear();
	now.epoch = 0;
	memset(now.recent_page, 0, sizeof now.recent_page);
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

void race_changed() { range_changes++; }
void race_forget(const void *p, size_t bytes) {
	if (!races()) return;
	range_changes++;
	std::lock_guard<std::mutex> lock(gone_lock);
	gone.push_back({(uintptr_t)p, (uintptr_t)p + bytes});
}
