// Runs grids. Blocks run one after another; the threads of a block are fibers, each of which runs until it waits for others at
// a barrier or a shuffle. STHENO_SIM_ORDER=reverse or random changes who goes first: what depends on it lacks a barrier.
#include "core.h"
#include "fiber.h"
#include "race.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

enum Status : char { NEW, READY, RUNNING, AT_BLOCK, AT_WARP, EXITED };

struct Thread {
	Status status;
	Fiber *fiber;
	int op, line, source; // what it waits for
	unsigned mask;
	unsigned long long value; // what it brings, then what it gets
};

// The one grid that runs now. Its state is plain: only one thread of the host uses it, under running.
struct Grid {
	Launch *launch;
	std::vector<Thread> threads;
	std::vector<uint3> index;
	std::vector<int> order;
	std::vector<Fiber *> free;
	std::vector<unsigned> alive; // lanes, by warp
	std::string fault;
	void *scheduler;
	std::vector<unsigned> arrived; // lanes that wait at a shuffle, by warp
	int count, live, waiting, current;
	int wait_op, wait_line; // of the barrier at which waiting threads wait
	size_t at; // in order
};
static Grid grid;
static std::mutex running;
static std::atomic<bool> inside{false}; // a kernel
static pthread_t inside_thread;

static std::string where() {
	char s[200];
	const uint3 b = *grid.launch->image->table->block, t = grid.index[(size_t)grid.current];
	snprintf(s, sizeof s, "kernel %s, block (%u, %u, %u), thread (%u, %u, %u): ", grid.launch->kernel->name, b.x, b.y, b.z, t.x, t.y, t.z);
	return s;
}

static void to_scheduler(Fiber &f) { sim_switch(&f.stack, grid.scheduler); }

// Ends the grid. The fibers stay where they are until the next grid resets them.
static void fault(const std::string &what) {
	grid.fault = where() + what;
	to_scheduler(*grid.threads[(size_t)grid.current].fiber);
}

static void become(int thread) {
	grid.current = thread;
	*grid.launch->image->table->thread = grid.index[(size_t)thread];
}

static void release_block() {
	int count = 0;
	for (const Thread &t : grid.threads) count += t.status == AT_BLOCK && t.value;
	const int all = grid.waiting;
	race_barrier();
	for (Thread &t : grid.threads) {
		if (t.status != AT_BLOCK) continue;
		t.value = t.op == SIM_AND ? count == all : t.op == SIM_OR ? count > 0 : (unsigned)count;
		t.status = READY;
	}
	grid.waiting = 0;
}

// Releases the lanes of a warp that wait with the given mask, if all of them are there.
static void release_warp(int warp, unsigned mask) {
	Thread *lanes = &grid.threads[(size_t)warp * 32];
	const unsigned wanted = mask & grid.alive[(size_t)warp];
	if ((grid.arrived[(size_t)warp] & wanted) != wanted) return;
	unsigned votes = 0;
	unsigned long long values[32];
	memset(values, 0xFF, sizeof values); // what a lane gets from one that is not there
	for (int i = 0; i < 32; i++) {
		if (!(wanted >> i & 1)) continue;
		if (lanes[i].mask != mask) return;
		values[i] = lanes[i].value;
		votes |= (unsigned)(lanes[i].value != 0) << i;
	}
	for (int i = 0; i < 32; i++) {
		if (!(wanted >> i & 1)) continue;
		Thread &t = lanes[i];
		switch (t.op) {
		case SIM_SHUFFLE: t.value = values[t.source & 31]; break;
		case SIM_BALLOT: t.value = votes; break;
		case SIM_ANY: t.value = votes != 0; break;
		case SIM_ALL: t.value = votes == wanted; break;
		}
		t.status = READY;
	}
	if (lanes[__builtin_ctz(wanted)].op == SIM_SYNCWARP) race_warp(warp, wanted);
	grid.arrived[(size_t)warp] &= ~wanted;
}

// What a thread calls at a barrier of the block.
static int at_block(sim_block_op op, int value, int line) {
	Thread &t = grid.threads[(size_t)grid.current];
	if (grid.waiting > 0 && (grid.wait_line != line || grid.wait_op != op)) {
		fault("a barrier at line " + std::to_string(line) + " while other threads of the block wait at that of line " + std::to_string(grid.wait_line));
	}
	grid.wait_line = line, grid.wait_op = op;
	t.op = op, t.value = value != 0, t.line = line;
	t.status = AT_BLOCK;
	if (++grid.waiting == grid.live) release_block();
	if (t.status == AT_BLOCK) {
		to_scheduler(*t.fiber);
	}
	t.status = RUNNING;
	return (int)t.value;
}

static const char *const warp_ops[] = {"__syncwarp", "a shuffle", "__ballot_sync", "__any_sync", "__all_sync"};

static unsigned long long at_warp(sim_warp_op op, unsigned mask, unsigned long long value, int source, int line) {
	const int warp = grid.current / 32, lane = grid.current % 32;
	if (!(mask >> lane & 1)) fault(std::string(warp_ops[op]) + " at line " + std::to_string(line) + " by a lane that its mask leaves out");
	if (const unsigned others = grid.arrived[(size_t)warp] & mask) {
		const Thread &o = grid.threads[(size_t)(warp * 32 + __builtin_ctz(others))];
		if (o.mask != mask || o.op != op) {
			fault(std::string(warp_ops[op]) + " at line " + std::to_string(line) + " while another lane waits at " + warp_ops[o.op] + " of line " + std::to_string(o.line));
		}
	}
	Thread &t = grid.threads[(size_t)grid.current];
	t.op = op, t.mask = mask, t.value = value, t.source = source, t.line = line;
	t.status = AT_WARP;
	grid.arrived[(size_t)warp] |= 1u << lane;
	release_warp(warp, mask);
	if (t.status == AT_WARP) {
		to_scheduler(*t.fiber);
	}
	t.status = RUNNING;
	return t.value;
}

static void trap(const char *what, int line) { fault(std::string(what) + " at line " + std::to_string(line)); }

static void touch(const void *p, unsigned long bytes, sim_access how, const void *pc) {
	const std::string race = race_touch(grid.current, p, bytes, how, pc);
	if (!race.empty()) fault(race);
}

static void fence() { race_fence(grid.current); }

static const sim_runtime runtime = {at_block, at_warp, trap, touch, fence};

// A thread is over; who waited for it no longer does.
static void leave() {
	const int i = grid.current, warp = i / 32;
	grid.threads[(size_t)i].status = EXITED;
	grid.live--;
	grid.alive[(size_t)warp] &= ~(1u << i % 32);
	if (grid.live > 0 && grid.waiting == grid.live) release_block();
	for (unsigned lanes = grid.arrived[(size_t)warp]; lanes; lanes &= lanes - 1) {
		release_warp(warp, grid.threads[(size_t)(warp * 32 + __builtin_ctz(lanes))].mask);
	}
}

// What a fiber runs: its thread, then as many others as follow and have not begun. Without barriers one fiber runs them all.
static void fiber_main() {
	for (;;) {
		Fiber *f = grid.threads[(size_t)grid.current].fiber;
		for (;;) {
			grid.threads[(size_t)grid.current].status = RUNNING;
			grid.launch->kernel->call(grid.launch->parameters.data());
			leave();
			if (grid.at >= grid.order.size()) break;
			const int next = grid.order[grid.at];
			if (grid.threads[(size_t)next].status != NEW) break;
			grid.at++;
			grid.threads[(size_t)next].fiber = f;
			become(next);
		}
		grid.free.push_back(f);
		to_scheduler(*f);
	}
}

static void resume(int i) {
	Thread &t = grid.threads[(size_t)i];
	if (t.status == NEW) {
		if (grid.free.empty()) {
			Fiber *f = new Fiber;
			fiber_reset(*f, fiber_main);
			grid.free.push_back(f);
		}
		t.fiber = grid.free.back();
		grid.free.pop_back();
	}
	become(i);
	sim_switch(&grid.scheduler, t.fiber->stack);
}

static std::string stuck() {
	int block = 0, warp = 0, block_line = 0, warp_line = 0;
	for (const Thread &t : grid.threads) {
		if (t.status == AT_BLOCK) block++, block_line = t.line;
		if (t.status == AT_WARP) warp++, warp_line = t.line;
	}
	std::string s = "the threads of a block wait for each other for ever:";
	if (block) s += " " + std::to_string(block) + " at the barrier of line " + std::to_string(block_line);
	if (warp) s += std::string(block ? "," : "") + " " + std::to_string(warp) + " of a warp at line " + std::to_string(warp_line);
	return s + ", the others have returned";
}

static void run_block(const std::string &how, std::mt19937 &random) {
	const int n = grid.count;
	for (Thread &t : grid.threads) t = {NEW, nullptr, 0, 0, 0, 0, 0};
	for (int w = 0; w * 32 < n; w++) grid.alive[(size_t)w] = n - w * 32 >= 32 ? ~0u : (1u << (n - w * 32)) - 1;
	for (unsigned &lanes : grid.arrived) lanes = 0;
	race_block();
	grid.live = n, grid.waiting = 0;
	while (grid.live > 0) {
		if (how == "random") {
			for (size_t i = grid.order.size() - 1; i > 0; i--) std::swap(grid.order[i], grid.order[random() % (i + 1)]);
		}
		bool moved = false;
		for (grid.at = 0; grid.at < grid.order.size();) {
			const int t = grid.order[grid.at++];
			if (grid.threads[(size_t)t].status > READY) continue;
			moved = true;
			resume(t);
			if (!grid.fault.empty()) return;
		}
		if (!moved) {
			grid.fault = where() + stuck();
			return;
		}
	}
}

static struct sigaction old_actions[NSIG];

// A signal in a kernel is a fault of the kernel; any other is whose it was before.
static void on_signal(int number, siginfo_t *info, void *context) {
	if (inside && pthread_equal(pthread_self(), inside_thread)) {
		char s[100];
		const char *what = number == SIGFPE ? "an integer division by zero" : number == SIGILL ? "an illegal instruction" : "an illegal address";
		snprintf(s, sizeof s, number == SIGFPE || number == SIGILL ? "%s" : "%s, %p", what, info->si_addr);
		fault(s);
	}
	const struct sigaction &old = old_actions[number];
	if (old.sa_flags & SA_SIGINFO) {
		old.sa_sigaction(number, info, context);
	} else if (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN) {
		old.sa_handler(number);
	} else {
		signal(number, SIG_DFL); // the instruction runs again and ends the process
	}
}

static void catch_signals() {
	static bool caught = false;
	if (!caught) {
		caught = true;
		for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
			struct sigaction a = {};
			a.sa_sigaction = on_signal;
			a.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
			sigaction(number, &a, &old_actions[number]);
		}
	}
	static thread_local char *stack = nullptr; // kept for the life of the stream's thread
	if (!stack) {
		const size_t bytes = 64 * 1024;
		stack = (char *)mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		const stack_t s = {stack, 0, bytes};
		sigaltstack(&s, nullptr);
	}
}

static void prepare(Launch &l, const std::string &how) {
	const int n = (int)(l.block.x * l.block.y * l.block.z);
	grid.launch = &l;
	grid.fault.clear();
	grid.count = n;
	grid.current = 0;
	grid.threads.resize((size_t)n);
	grid.index.clear();
	grid.order.clear();
	grid.alive.resize((size_t)(n + 31) / 32);
	grid.arrived.resize((size_t)(n + 31) / 32);
	for (unsigned z = 0; z < l.block.z; z++) {
		for (unsigned y = 0; y < l.block.y; y++) {
			for (unsigned x = 0; x < l.block.x; x++) grid.index.push_back({x, y, z});
		}
	}
	for (int i = 0; i < n; i++) grid.order.push_back(how == "reverse" ? n - 1 - i : i);
}

std::string run_grid(Launch &l) {
	std::lock_guard<std::mutex> one(running);
	const std::string how = l.order;
	std::mt19937 random(1);
	prepare(l, how);
	catch_signals();

	const sim_module_table &m = *l.image->table;
	const size_t zone = 256;
	std::vector<char> shared(l.shared + 2 * zone + 16);
	char *dynamic = (char *)(((uintptr_t)shared.data() + zone + 15) / 16 * 16);
	memset(shared.data(), 0xA5, shared.size());
	const RaceGrid race(l, dynamic);
	*m.runtime = &runtime;
	*m.block_dim = l.block, *m.grid_dim = l.grid;
	*m.dynamic_shared = dynamic;
	inside_thread = pthread_self();
	inside = true;
	const uint64_t blocks = (uint64_t)l.grid.x * l.grid.y * l.grid.z, first = how == "random" ? random() % blocks : 0;
	for (uint64_t i = 0; i < blocks && grid.fault.empty(); i++) {
		const uint64_t b = how == "reverse" ? blocks - 1 - i : (first + i) % blocks;
		*m.block = {(unsigned)(b % l.grid.x), (unsigned)(b / l.grid.x % l.grid.y), (unsigned)(b / l.grid.x / l.grid.y)};
		memset(m.shared, 0xFF, (size_t)(m.shared_end - m.shared)); // a NaN as a float: shared memory begins undefined
		memset(dynamic, 0xFF, l.shared);
		run_block(how, random);
		for (size_t k = 0; k < zone && grid.fault.empty(); k++) {
			if ((unsigned char)dynamic[l.shared + k] == 0xA5 && (unsigned char)dynamic[-1 - (ptrdiff_t)k] == 0xA5) continue;
			grid.fault = where() + "something was written outside the " + std::to_string(l.shared) + " bytes of dynamic shared memory";
		}
	}
	inside = false;
	if (!grid.fault.empty()) { // fibers that hang in a kernel begin anew
		for (Thread &t : grid.threads) {
			bool listed = t.fiber == nullptr;
			for (const Fiber *f : grid.free) listed = listed || f == t.fiber;
			if (listed) continue;
			grid.free.push_back(t.fiber);
		}
		for (Fiber *f : grid.free) fiber_reset(*f, fiber_main);
	}
	return grid.fault;
}
