// The inside of the simulated driver.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "abi.h"
#include "sim.h"

#define EXPORT extern "C" __attribute__((visibility("default"))) int

// CUresult; the numbers are CUDA's.
enum {
	SUCCESS = 0,
	INVALID_VALUE = 1,
	OUT_OF_MEMORY = 2,
	NOT_INITIALIZED = 3,
	NO_DEVICE = 100,
	INVALID_DEVICE = 101,
	INVALID_IMAGE = 200,
	INVALID_CONTEXT = 201,
	NO_BINARY_FOR_GPU = 209,
	FILE_NOT_FOUND = 301,
	OPERATING_SYSTEM = 304,
	INVALID_HANDLE = 400,
	NOT_FOUND = 500,
	NOT_READY = 600,
	ILLEGAL_ADDRESS = 700,
	LAUNCH_OUT_OF_RESOURCES = 701,
	PRIMARY_CONTEXT_ACTIVE = 708,
	CONTEXT_IS_DESTROYED = 709,
	HOST_MEMORY_ALREADY_REGISTERED = 712,
	HOST_MEMORY_NOT_REGISTERED = 713,
	LAUNCH_FAILED = 719,
	NOT_SUPPORTED = 801,
	STREAM_CAPTURE_UNSUPPORTED = 900,
	STREAM_CAPTURE_INVALIDATED = 901,
	STREAM_CAPTURE_MERGE = 902,
	STREAM_CAPTURE_UNMATCHED = 903,
	STREAM_CAPTURE_UNJOINED = 904,
	STREAM_CAPTURE_IMPLICIT = 906,
	STREAM_CAPTURE_WRONG_THREAD = 908,
	CAPTURED_EVENT = 907,
	UNKNOWN = 999,
};

// Everything a caller has a handle of. Handles are numbers that are never used twice, so that a stale one is found.
struct Context;
struct Object {
	virtual ~Object() = default;
	Context *context = nullptr;
	void *handle = nullptr;
};

typedef int Device;

struct Stream;
struct Context : Object {
	Device device = 0;
	bool primary = false;
	int references = 0;
	unsigned flags = 0;
	std::shared_ptr<Stream> null_stream;
};

// For races: how far the streams, by their numbers, have come before something.
typedef std::shared_ptr<const std::vector<uint64_t>> Past;
// For races, of a graph: behind[a][b] says that node a comes behind node b.
typedef std::shared_ptr<const std::vector<std::vector<bool>>> Behind;

// A place in the order of a stream: reached once the stream has completed that many items.
struct Mark {
	std::shared_ptr<Stream> stream;
	uint64_t item = 0;
	Past past; // of the stream
};

// For races: where work stands among other work.
struct Place {
	uint32_t stream = 0;
	uint64_t item = 0;
	int node = -1; // of a graph
	Past past;
	Behind behind; // of the graph
};
bool races(); // whether they are looked for

// Work: what a stream runs, and what a graph holds. It runs without the lock and returns a CUresult.
struct Work {
	std::string name; // of the kernel, or ""
	std::function<int()> run;
	std::function<int()> check; // the caller's turn: faults asked for by the environment; may be empty
};

struct Item {
	std::vector<Mark> waits;
	std::shared_ptr<Work> work; // null for an item that only marks a place
	std::function<void()> after; // under the lock
	Place place;
};

uint32_t fresh_stream_number(); // never the same

struct Capture;
struct Stream : Object {
	unsigned flags = 0;
	int priority = 0;
	bool started = false, closing = false;
	std::deque<Item> queue;
	uint64_t enqueued = 0, completed = 0;
	uint32_t number = fresh_stream_number();
	Past past;           // of what was put in last
	std::shared_ptr<Capture> capture;
	std::set<int> frontier; // while it captures: the nodes that the next one depends on
	bool blocking() const { return (flags & 1) == 0; } // CU_STREAM_NON_BLOCKING
};

struct Event : Object {
	unsigned flags = 0;
	bool recorded = false;
	Mark mark;
	std::shared_ptr<double> time = std::make_shared<double>(0); // ms
	std::shared_ptr<Capture> capture;                           // recorded in a stream that captures
	std::set<int> frontier;
};

// Image is a loaded library of kernels. Work in queues keeps it loaded.
struct Image {
	void *library = nullptr;
	const sim_module_table *table = nullptr;
	int architecture = 0; // 90 for compute capability 9.0
	// For races: the bytes of the library, where it was loaded, and its variables, among them all static shared memory.
	std::string bytes;
	const char *base = nullptr, *data = nullptr, *data_end = nullptr;
	~Image();
};

struct Function;
struct Module : Object {
	std::shared_ptr<Image> image;
	std::map<std::string, std::shared_ptr<Function>> functions;
	std::vector<uintptr_t> globals;
};

struct Function : Object {
	std::shared_ptr<Image> image;
	const sim_kernel *kernel = nullptr;
	int max_dynamic_shared = 48 * 1024;
};

struct Node {
	std::shared_ptr<Work> work;
	std::set<int> after;
	bool first; // of the stream that began the capture
};

struct Graph : Object {
	std::vector<Node> nodes;
};

struct Executable : Object {
	std::vector<std::pair<int, std::shared_ptr<Work>>> order; // nodes by their numbers
	Behind behind;
};

struct Capture {
	Stream *origin = nullptr;
	int mode = 0;
	unsigned long id = 0;
	void *thread = nullptr;
	bool invalid = false;
	std::vector<std::shared_ptr<Stream>> streams;
	std::shared_ptr<Graph> graph;
};

// A range of memory.
enum Kind { DEVICE_MEMORY, PINNED_MEMORY, REGISTERED_MEMORY, GLOBAL_MEMORY };
struct Range {
	char *base, *map; // map: with its red zones
	size_t bytes, map_bytes;
	Kind kind;
	Context *context;
};

struct State {
	std::mutex mutex; // of all below
	std::condition_variable changed;
	bool initialized = false;
	std::map<void *, std::shared_ptr<Object>> objects;
	std::map<uintptr_t, Range> ranges; // by base
	std::map<Device, std::shared_ptr<Context>> primary;
	std::vector<std::shared_ptr<Capture>> captures;
	uintptr_t next_handle = 0x51000000;
	int fault = 0; // sticky
	std::string message, last_kernel;
	size_t launches = 0, worked = 0; // kernels, pieces of work that have run
	size_t calls = 0;                // since STHENO_SIM_FAIL_CALL was set
};
State &state();
typedef std::unique_lock<std::mutex> Lock;

// Begins a call: the lock, the sticky fault, whether the driver is initialized, and the current context.
struct Call {
	Lock lock;
	int error;
	Context *context = nullptr;
	explicit Call(const char *function, bool needs_context = true);
};
#define ENTER                                                                                                          \
	Call call(__func__);                                                                                                         \
	if (call.error) return call.error
#define ENTER_WITHOUT_CONTEXT                                                                                          \
	Call call(__func__, false);                                                                                                  \
	if (call.error) return call.error

int devices(); // how many there are
#define ENTER_DEVICE                                                                                                   \
	ENTER_WITHOUT_CONTEXT;                                                                                             \
	if (device < 0 || device >= devices()) return INVALID_DEVICE

// Whoever calls these holds the lock.
void *add(std::shared_ptr<Object> o, Context *c);
template <class O> std::shared_ptr<O> find(void *handle) {
	const auto i = state().objects.find(handle);
	return i == state().objects.end() ? nullptr : std::dynamic_pointer_cast<O>(i->second);
}
int fail(int code, const std::string &message); // makes a fault sticky and tells it
int note(int code, const std::string &message); // tells what is wrong with a call
int unsafe_while_capturing();
std::shared_ptr<Stream> stream_of(void *handle, Context *c);
int enqueue(const std::shared_ptr<Stream> &s, std::shared_ptr<Work> w, std::function<void()> after = nullptr);
Mark mark(const std::shared_ptr<Stream> &s);
bool reached(const Mark &m);
int wait(Lock &lock, const Mark &m);
int drain(Lock &lock, Context *c);
int check_red_zones();
void repair_red_zones();
Range *range_of(const void *p, size_t bytes);
void destroy_context(Lock &lock, Context *c);
void release_ranges(Context *c);
void capture_node(Stream &s, std::shared_ptr<Work> w);

// Called by a stream's thread without the lock. Runs a grid; returns "" or what went wrong.
struct Launch {
	std::shared_ptr<Image> image;
	const sim_kernel *kernel;
	dim3 grid, block;
	unsigned shared;
	std::vector<char> bytes; // of the parameters
	std::vector<void *> parameters;
	std::string order; // of STHENO_SIM_ORDER
};
std::string run_grid(Launch &l);

size_t environment(const char *name, size_t otherwise);
