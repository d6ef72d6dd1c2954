// check CASE: with STHENO_SIM_CHECK=1, what is ordered and what races. Ends with 0 if all was found, and nothing else.
#include "drive.h"

#include <map>

static const char *const kernels = R"(
#define KERNEL extern "C" __global__ void
KERNEL mirrored(float *y, int barrier, int warp, unsigned lanes) {
	__shared__ float cell[64];
	cell[threadIdx.x] = threadIdx.x;
	if (barrier) __syncthreads();
	if (warp && (lanes >> threadIdx.x % 32 & 1)) __syncwarp(lanes);
	y[threadIdx.x] = cell[threadIdx.x ^ 1];
}
KERNEL shuffled(float *y) {
	DYNAMIC_SHARED(float, cell);
	cell[threadIdx.x] = threadIdx.x;
	const float v = __shfl_xor_sync(~0u, 1.f, 1);
	y[threadIdx.x] = cell[threadIdx.x ^ 1] * v;
}
KERNEL across(float *y, int warp) {
	__shared__ float cell[64];
	cell[threadIdx.x] = 1;
	if (warp) __syncwarp();
	y[threadIdx.x] = cell[(threadIdx.x + 32) % 64];
}
KERNEL again(float *y, int barrier) { // a loop whose last reads and next writes meet
	__shared__ float cell[64];
	for (int i = 0; i < 3; i++) {
		cell[threadIdx.x] = i;
		__syncthreads();
		y[threadIdx.x] = cell[63 - threadIdx.x];
		if (barrier) __syncthreads();
	}
}
template <int n> __device__ float *cells() {
	__shared__ float cell[n];
	return cell;
}
KERNEL inside_a_template(float *y) {
	cells<64>()[threadIdx.x] = 1;
	y[threadIdx.x] = cells<64>()[63 - threadIdx.x];
}
KERNEL bytes(unsigned char *y, int beside) { y[threadIdx.x + beside * blockIdx.x * 64] = blockIdx.x; }
KERNEL widely(float4 *y) { y[threadIdx.x] = float4{1, 2, 3, 4}; }
KERNEL total(float *y, float *parts, unsigned *counter, int before, int behind, int barrier) {
	__shared__ bool last;
	parts[blockIdx.x * 64 + threadIdx.x] = 1;
	if (barrier) __syncthreads();
	if (threadIdx.x == 0) {
		if (before) __threadfence();
		last = atomicInc(counter, gridDim.x - 1) == gridDim.x - 1;
		if (behind) __threadfence();
	}
	__syncthreads();
	if (!last) return;
	float v = 0;
	for (int i = 0; i < (int)gridDim.x; i++) v += parts[i * 64 + threadIdx.x];
	y[threadIdx.x] = v;
}
KERNEL counted(int *n, int plainly) {
	if (plainly) n[0]++;
	else atomicAdd(n, 1);
}
KERNEL undefined(float *y, int at, int by) {
	float local[4] = {1, 2, 3, 4};
	if (at < 0) y[0] = local[-at];
	else if (by == 1) y[0] = (int)y[1];
	else if (by == 2) y[0] = at + 0x7fffffff;
	else if (by) y[0] = 1 << by;
	else *(float4 *)&y[at] = float4{1, 2, 3, 4};
}
KERNEL add(float *y, const float *x) { y[threadIdx.x] += x[threadIdx.x]; }
)";

static void *module;
static char *x, *y, *z;
static unsigned *pinned;
static void *f(const char *name) { return function(module, name); }
static void open_all() {
	open_device();
	module = load(compile(kernels));
	x = allocate(4096), y = allocate(4096), z = allocate(4096);
	for (char *p : {x, y, z}) ok(cuMemsetD32_v2(p, 0, 1024));
	ok(cuMemAllocHost_v2((void **)&pinned, 4096));
	ok(cuCtxSynchronize());
}

// What was queued races, and it is told how; or it does not.
static void races(int line, const std::vector<const char *> &how) {
	const int e = cuCtxSynchronize();
	if (how.empty()) return require_at(line, "no race", e == 0);
	require_at(line, "a race", e == 700 && told("a race"));
	for (const char *text : how) require_at(line, text, told(text));
	stheno_sim_reset();
}
#define want_race(...) races(__LINE__, {__VA_ARGS__})
#define want_none() races(__LINE__, {})

static void blocks() {
	open_all();
	const Shape two = {1, 64, 256, nullptr};
	ok(launch(f("mirrored"), two, y, 1, 0, 0u));
	want_none();
	ok(launch(f("mirrored"), two, y, 0, 1, ~0u));
	want_none();
	ok(launch(f("mirrored"), two, y, 0, 0, 0u));
	want_race("mirrored", "shared memory at test.cu", "of the same block", "no barrier");
	ok(launch(f("mirrored"), two, y, 0, 1, 0xffffu)); // the upper lanes do not wait
	want_race("mirrored", "thread (17, 0, 0)", "thread 16 of the same block");
	ok(launch(f("shuffled"), two, y)); // orders no memory
	want_race("shuffled", "shared memory");
	ok(launch(f("across"), two, y, 1)); // one warp does not wait for another
	want_race("across", "thread 3");
	ok(launch(f("again"), two, y, 1));
	want_none();
	ok(launch(f("again"), two, y, 0));
	want_race("again", "no barrier");
	ok(launch(f("inside_a_template"), two, y));
	want_race("inside_a_template", "shared memory");
}

static void grids() {
	open_all();
	const Shape four = {4, 64, 0, nullptr};
	ok(launch(f("bytes"), four, y, 1));
	ok(launch(f("widely"), {1, 64, 0, nullptr}, y)); // after the one before
	want_none();
	ok(launch(f("bytes"), four, y, 0));
	want_race("bytes", "global memory", "thread 0 of block 0", "atomic");
	ok(launch(f("widely"), {2, 64, 0, nullptr}, y));
	want_race("widely");
	ok(launch(f("total"), four, y, x, z, 1, 1, 1));
	ok(launch(f("total"), four, y, x, z, 1, 1, 1));
	want_none();
	require(download<float>(y, 1)[0] == 4);
	ok(launch(f("total"), four, y, x, z, 0, 1, 1));
	want_race("total", "reads 4 bytes of global", "wrote at");
	ok(launch(f("total"), four, y, x, z, 1, 0, 1));
	want_race("total", "reads 4 bytes of global");
	ok(launch(f("total"), four, y, x, z, 1, 1, 0)); // of thread 0 alone is it known what it wrote
	want_race("total", "thread (63, 0, 0)");
	ok(cuMemsetD32_v2(z, 0, 1));
	ok(launch(f("counted"), four, z, 0));
	want_none();
	ok(launch(f("counted"), four, z, 1));
	want_race("counted");
}

// Faults that are no races.
static void misuse(int line, const char *how) {
	require_at(line, "a fault", cuCtxSynchronize() == 700);
	require_at(line, how, told(how));
	stheno_sim_reset();
}
#define want_misuse(how) misuse(__LINE__, how)

static void undefined() {
	open_all();
	const Shape one = {1, 1, 0, nullptr};
	ok(launch(f("undefined"), one, y, 4, 0));
	ok(launch(f("undefined"), one, y, 0, 30));
	ok(launch(f("undefined"), one, y, -3, 0));
	want_none();
	ok(launch(f("undefined"), one, y, 5, 0));
	want_misuse("not aligned to 16 bytes at line 66");
	ok(launch(f("undefined"), one, y, 0, 40));
	want_misuse("a shift by more than there are bits at line 65");
	ok(launch(f("undefined"), one, y, -4, 0));
	want_misuse("an index outside of its array at line 62");
	ok(launch(f("undefined"), one, y, 3, 2));
	want_misuse("an integer that is too large at line 64");
	ok(cuMemsetD32_v2(y + 4, 0x7f800000, 1)); // infinity
	ok(launch(f("undefined"), one, y, 0, 1));
	want_misuse("does not hold at line 63");
}

static void streams() {
	open_all();
	void *a, *b, *event;
	for (void **s : {&a, &b}) ok(cuStreamCreate(s, 1));
	ok(cuEventCreate(&event, 2));
	const Shape in_a = {1, 64, 0, a}, in_b = {1, 64, 0, b};
	ok(launch(f("add"), in_a, y, x)); // two may read the same
	ok(launch(f("add"), in_b, z, x));
	want_none();
	ok(launch(f("add"), in_a, y, x));
	ok(launch(f("add"), in_b, y, x));
	want_race("add", "kernel add (stream", "no stream, event or edge");
	ok(launch(f("add"), in_a, y, x));
	ok(launch(f("add"), in_b, x, z));
	want_race("add");
	for (int reached = 0; reached < 2; reached++) {
		ok(launch(f("add"), in_a, y, x));
		ok(cuEventRecord(event, a));
		while (reached && cuEventQuery(event) == 600) {
		}
		ok(cuStreamWaitEvent(b, event, 0));
		ok(launch(f("add"), in_b, y, x));
		want_none();
	}
	ok(launch(f("add"), in_a, y, x)); // the event was earlier
	ok(cuStreamWaitEvent(b, event, 0));
	ok(launch(f("add"), in_b, y, x));
	want_race("add");
	ok(launch(f("add"), in_a, y, x)); // the host waits
	ok(cuStreamSynchronize(a));
	ok(launch(f("add"), in_b, y, x));
	want_none();
	ok(launch(f("add"), in_a, y, x));
	ok(cuMemcpyDtoHAsync_v2(pinned, y, 256, b));
	want_race("a copy", "kernel add");
	ok(launch(f("add"), in_a, y, x));
	ok(cuMemsetD32Async(y, 0, 4, b));
	want_race("a fill");
	ok(cuMemcpyHtoDAsync_v2(y, pinned, 256, a));
	ok(launch(f("add"), in_b, y, x));
	want_race("kernel add", "a copy");
	ok(cuMemFree_v2(y)); // memory that is given back has no past
	y = allocate(4096);
	ok(launch(f("add"), in_b, y, x));
	want_none();
}

static void graphs() {
	open_all();
	void *a, *b, *fork, *join, *graph, *executable;
	for (void **s : {&a, &b}) ok(cuStreamCreate(s, 1));
	for (void **e : {&fork, &join}) ok(cuEventCreate(e, 2));
	const Shape in_a = {1, 64, 0, a}, in_b = {1, 64, 0, b};
	for (int apart = 0; apart < 2; apart++) { // whether the two branches use different memory
		ok(cuStreamBeginCapture_v2(a, 0));
		ok(launch(f("add"), in_a, x, z));
		ok(cuEventRecord(fork, a));
		ok(cuStreamWaitEvent(b, fork, 0));
		ok(launch(f("add"), in_b, y, x));
		ok(launch(f("add"), in_a, apart ? z : y, x));
		ok(cuEventRecord(join, b));
		ok(cuStreamWaitEvent(a, join, 0));
		ok(launch(f("add"), in_a, y, z));
		ok(cuStreamEndCapture(a, &graph));
		ok(cuGraphInstantiateWithFlags(&executable, graph, 0));
		for (int i = 0; i < 2; i++) ok(cuGraphLaunch(executable, a));
		if (!apart) {
			want_race("add", "edge of a graph");
			continue;
		}
		want_none();
		ok(cuGraphLaunch(executable, a));
		ok(launch(f("add"), in_b, x, z)); // a whole graph, and what does not wait for it
		want_race("add");
	}
}

int main(int count, char **arguments) {
	const std::map<std::string, void (*)()> cases = {{"blocks", blocks}, {"grids", grids}, {"undefined", undefined}, {"streams", streams}, {"graphs", graphs}};
	if (count != 2 || !cases.count(arguments[1])) {
		for (const auto &[name, run] : cases) printf("%s\n", name.c_str());
		return 2;
	}
	cases.at(arguments[1])();
	return 0;
}
