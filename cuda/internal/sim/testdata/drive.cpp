// drive CASE: one use or misuse of the simulated CUDA. Ends with 0 if all was as CUDA has it.
#include "drive.h"

#include <unistd.h>

#include <map>

static const char *const kernels = R"(
typedef long long i64;
#define KERNEL extern "C" __global__ void
struct Pair { float scale; double shift; int n; };
__constant__ float weights[4];
__device__ float drops[1] = {0};
KERNEL set(float *y, float v, i64 n) { for (i64 i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) y[i] = v; }
KERNEL random(float *y, const float *x, Pair p) { int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < p.n) y[i] = x[i] * p.scale + (float)p.shift; }
KERNEL total(float *y, const float *x, i64 n) {
	__shared__ float parts[32];
	float v = 0;
	for (i64 i = threadIdx.x; i < n; i += blockDim.x) v += x[i];
	for (int o = 16; o > 0; o /= 2) v += __shfl_xor_sync(~0u, v, o);
	if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = v;
	__syncthreads();
	if (threadIdx.x < 32) {
		v = threadIdx.x < blockDim.x / 32 ? parts[threadIdx.x] : 0;
		for (int o = 16; o > 0; o /= 2) v += __shfl_down_sync(~0u, v, o);
		if (threadIdx.x == 0) y[0] = v;
	}
}
KERNEL lanes(int *y) {
	const int i = threadIdx.x;
	y[i] = __shfl_sync(~0u, i, 3, 8);
	y[32 + i] = __shfl_up_sync(~0u, i, 2, 16);
	y[64 + i] = __shfl_down_sync(~0u, i, 5, 16);
	y[96 + i] = (int)__ballot_sync(~0u, i % 3 == 0);
	y[128 + i] = __any_sync(~0u, i == 7) * 2 + __all_sync(~0u, i < 31);
	y[160 + i] = i < 16 ? (int)__shfl_xor_sync(0xffffu, (i64)i << 40, 1) + (int)(__shfl_xor_sync(0xffffu, (i64)i << 40, 1) >> 40) : -1;
}
KERNEL votes(int *y) {
	const int c = __syncthreads_count(threadIdx.x % 2), a = __syncthreads_and(threadIdx.x < 100), o = __syncthreads_or(threadIdx.x == 9);
	y[threadIdx.x] = c * 4 + a * 2 + o;
}
KERNEL reversed(float *y) {
	DYNAMIC_SHARED(float, tile);
	tile[threadIdx.x] = y[threadIdx.x];
	__syncthreads();
	y[threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];
}
KERNEL unordered(float *y) {
	__shared__ float cell[64];
	cell[threadIdx.x] = threadIdx.x;
	y[threadIdx.x] = cell[threadIdx.x ^ 1]; // a barrier is missing
}
KERNEL count(unsigned *n, int *most) { atomicAdd(n, 1u); atomicMax(most, (int)(blockIdx.x * blockDim.x + threadIdx.x)); }
KERNEL weigh(float *y) { y[threadIdx.x] = weights[threadIdx.x] * 2; }
KERNEL beyond(float *y, i64 at) { if (threadIdx.x == 1) y[at] = 1; }
KERNEL stuck(int *y) { if (threadIdx.x < 16) y[0] = __shfl_sync(~0u, 1, 0); else __syncthreads(); }
KERNEL apart(int *y) {
	if (threadIdx.x < 32) __syncthreads();
	else __syncthreads();
}
KERNEL divided(int *y, int by) { y[0] = 7 / by; }
KERNEL spill(int *y) { DYNAMIC_SHARED(int, s); s[threadIdx.x + 1] = 1; }
KERNEL __launch_bounds__(64) narrow(int *y) { y[0] = 1; }
)";

static void *module;
static void *f(const char *name) { return function(module, name); }
static void open_kernels() {
	open_device();
	module = load(compile(kernels));
}

static void copies() {
	want(cuCtxSynchronize(), 3); // not initialized
	ok(cuInit(0));
	char *p;
	want(cuMemAlloc_v2(&p, 16), 201); // no context
	open_device();
	p = allocate(1000);
	require(download<unsigned char>(p, 1000) == std::vector<unsigned char>(1000, 0xFF));
	std::vector<float> x = {1, 2, 3, 4, 5};
	ok(cuMemcpyHtoD_v2(p + 100, x.data(), 20));
	ok(cuMemcpyDtoD_v2(p + 200, p + 100, 20));
	require(download<float>(p + 200, 5) == x);
	ok(cuMemsetD8_v2(p, 1, 3));
	ok(cuMemsetD16_v2(p + 4, 0x203, 2));
	ok(cuMemsetD32_v2(p + 8, 0x4050607, 2));
	require(download<uint32_t>(p, 4) == (std::vector<uint32_t>{0xFF010101, 0x02030203, 0x4050607, 0x4050607}));
	want(cuMemsetD32_v2(p + 2, 0, 1), 1);
	want(cuMemcpyHtoD_v2(p + 990, x.data(), 20), 1);
	want(cuMemcpyDtoH_v2(x.data(), (char *)x.data(), 20), 1);
	want(cuMemFree_v2(p + 4), 1);
	ok(cuMemFree_v2(p));
	want(cuMemFree_v2(p), 1);
	void *s;
	ok(cuStreamCreate(&s, 1));
	ok(cuStreamDestroy_v2(s));
	want(cuStreamSynchronize(s), 400);
	want(cuEventRecord(s, nullptr), 400);
	void *here = nullptr;
	int status = -1;
	ok(cuGetProcAddress_v2("cuMemAlloc", &here, 12080, 0, &status));
	require(here == (void *)cuMemAlloc_v2 && status == 0);
}

// STHENO_SIM_DELAY makes every piece of work late.
static void ordering() {
	open_kernels();
	void *a, *b, *event;
	ok(cuStreamCreate(&a, 1));
	ok(cuStreamCreate(&b, 1));
	ok(cuEventCreate(&event, 0));
	char *p = upload(std::vector<float>(64, 1));
	float *pinned;
	ok(cuMemAllocHost_v2((void **)&pinned, 256));
	for (int i = 0; i < 40; i++) ok(launch(f("set"), {1, 64, 0, a}, p, 2.f, 64ll)); // 40 delays ahead of a busy machine
	ok(launch(f("set"), {1, 64, 0, a}, p, 3.f, 64ll));
	ok(cuEventRecord(event, a));
	want(cuEventQuery(event), 600);
	want(cuStreamQuery(a), 600);
	ok(cuMemcpyDtoHAsync_v2(pinned, p, 4, b)); // nothing orders it behind the kernels
	ok(cuStreamSynchronize(b));
	require(pinned[0] != 3);
	ok(cuStreamWaitEvent(b, event, 0));
	ok(cuMemcpyDtoHAsync_v2(pinned, p, 256, b));
	require(pinned[63] != 3); // asynchronous
	ok(cuStreamSynchronize(b));
	require(pinned[0] == 3 && pinned[63] == 3);
	ok(cuEventQuery(event));

	float pageable[64]; // copies of pageable memory: staged on the way there, synchronous on the way back
	for (float &x : pageable) x = 7;
	ok(cuMemcpyHtoDAsync_v2(p, pageable, 256, a));
	pageable[5] = 8;
	ok(cuMemcpyDtoHAsync_v2(pageable, p, 256, a));
	require(pageable[5] == 7);
	pinned[0] = 9; // pinned memory is read when its turn comes
	ok(cuMemcpyHtoDAsync_v2(p, pinned, 4, a));
	pinned[0] = 10;
	ok(cuStreamSynchronize(a));
	require(download<float>(p, 1)[0] == 10);

	void *blocking, *end; // the null stream waits for it, and it for the null stream
	ok(cuStreamCreate(&blocking, 0));
	ok(cuEventCreate(&end, 0));
	ok(launch(f("set"), {1, 64, 0, blocking}, p, 4.f, 64ll));
	require(download<float>(p, 1)[0] == 4);
	ok(cuMemsetD32_v2(p, 0, 1));
	ok(cuMemcpyDtoHAsync_v2(pinned, p, 4, blocking));
	ok(cuEventRecord(end, blocking));
	ok(cuEventSynchronize(end));
	require(pinned[0] == 0);
	float ms = 0;
	ok(cuEventElapsedTime(&ms, event, end));
	require(ms > 10);
}

static void running() {
	open_kernels();
	std::vector<float> x(1000);
	for (int i = 0; i < 1000; i++) x[i] = (float)(i % 10);
	char *dx = upload(x), *y = allocate(4096);
	ok(launch(f("total"), {1, 256, 0, nullptr}, y, dx, 1000ll));
	require(download<float>(y, 1)[0] == 4500);
	ok(launch(f("lanes"), {1, 32, 0, nullptr}, y));
	const auto l = download<int>(y, 192);
	for (int i = 0; i < 32; i++) {
		require(l[i] == i / 8 * 8 + 3);
		require(l[32 + i] == (i % 16 < 2 ? i : i - 2));
		require(l[64 + i] == (i % 16 > 10 ? i : i + 5));
		require(l[96 + i] == 0x49249249);
		require(l[128 + i] == 2);
		require(l[160 + i] == (i < 16 ? i ^ 1 : -1));
	}
	ok(launch(f("votes"), {1, 128, 0, nullptr}, y));
	require(download<int>(y, 128) == std::vector<int>(128, 64 * 4 + 1));
	ok(cuMemcpyHtoD_v2(y, x.data(), 400));
	ok(launch(f("reversed"), {1, 100, 400, nullptr}, y));
	require(download<float>(y, 100)[0] == 9 && download<float>(y, 100)[98] == 1);
	struct { float scale; double shift; int n; } pair = {2, 0.5, 10};
	ok(launch(f("random"), {2, 8, 0, nullptr}, y, dx, pair)); // a name of the C library
	require(download<float>(y, 11)[9] == 18.5 && download<float>(y, 11)[10] != 20.5);
	ok(cuMemsetD32_v2(y, 0, 2));
	ok(launch(f("count"), {7, 33, 0, nullptr}, y, y + 4));
	require(download<int>(y, 2) == (std::vector<int>{231, 230}));
	char *global;
	size_t bytes;
	ok(cuModuleGetGlobal_v2(&global, &bytes, module, "weights"));
	require(bytes == 16);
	ok(cuMemcpyHtoD_v2(global, x.data() + 1, 16));
	ok(launch(f("weigh"), {1, 4, 0, nullptr}, y));
	require(download<float>(y, 4) == (std::vector<float>{2, 4, 6, 8}));
	ok(launch(f("unordered"), {1, 64, 0, nullptr}, y));
	for (const float v : download<float>(y, 64)) printf("%g ", v); // differs between orders
	printf("\n");
}

static void refused() { // launches
	open_kernels();
	char *y = allocate(64);
	void *set = f("set"), *none = nullptr;
	const auto raw = [&](unsigned gx, unsigned gy, unsigned bx, unsigned bz, unsigned shared) {
		float v = 1;
		long long n = 1;
		void *parameters[] = {&y, &v, &n};
		return cuLaunchKernel(set, gx, gy, 1, bx, 1, bz, shared, nullptr, parameters, nullptr);
	};
	ok(raw(1, 1, 1, 1, 0));
	want(raw(0, 1, 1, 1, 0), 1);
	want(raw(1, 65536, 1, 1, 0), 1);
	want(raw(1, 1, 1025, 1, 0), 1);
	want(raw(1, 1, 32, 64, 0), 1);
	want(raw(1, 1, 1, 1, 48 * 1024 + 1), 1);
	ok(cuFuncSetAttribute(set, 8, 200000));
	ok(raw(1, 1, 1, 1, 200000));
	want(cuFuncSetAttribute(set, 8, 300000), 1);
	want(launch(f("narrow"), {1, 65, 0, nullptr}, y), 701);
	want(cuLaunchKernel(set, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr), 1);
	want(cuModuleGetFunction(&none, module, "missing"), 500);
	ok(cuModuleUnload(module));
	want(raw(1, 1, 1, 1, 0), 400);
}

static void graphs() {
	open_kernels();
	void *a, *b, *fork, *join, *graph, *executable;
	for (void **s : {&a, &b}) ok(cuStreamCreate(s, 1));
	for (void **e : {&fork, &join}) ok(cuEventCreate(e, 2));
	char *p = allocate(16), *q = allocate(16);
	float *pinned;
	ok(cuMemAllocHost_v2((void **)&pinned, 16));
	void *set = f("set");

	ok(cuStreamBeginCapture_v2(a, 0));
	ok(cuMemcpyHtoDAsync_v2(p, pinned, 4, a));
	ok(cuEventRecord(fork, a));
	ok(cuStreamWaitEvent(b, fork, 0));
	int status;
	ok(cuStreamIsCapturing(b, &status));
	require(status == 1);
	ok(launch(set, {1, 32, 0, b}, q, 5.f, 1ll));
	ok(cuEventRecord(join, b));
	ok(cuMemsetD32Async(p + 4, 0, 1, a));
	ok(cuStreamWaitEvent(a, join, 0));
	ok(cuStreamEndCapture(a, &graph));
	ok(cuGraphInstantiateWithFlags(&executable, graph, 0));
	ok(cuGraphDestroy(graph));
	for (const float v : {1.f, 2.f}) {
		ok(cuMemsetD32_v2(q, 0, 1));
		ok(cuCtxSynchronize());
		pinned[0] = v;
		ok(cuGraphLaunch(executable, a));
		ok(cuStreamSynchronize(a));
		require(download<float>(p, 2) == (std::vector<float>{v, 0}) && download<float>(q, 1)[0] == 5);
	}
	stheno_sim_counts c;
	stheno_sim_live(&c);
	require(c.executables == 1 && c.graphs == 0 && c.launches == 2);
	ok(cuGraphExecDestroy(executable));
	want(cuGraphLaunch(executable, a), 400);

	ok(cuStreamBeginCapture_v2(a, 0)); // a branch that does not come back
	ok(cuEventRecord(fork, a));
	ok(cuStreamWaitEvent(b, fork, 0));
	ok(launch(set, {1, 32, 0, b}, q, 5.f, 1ll));
	want(cuStreamEndCapture(a, &graph), 904);
	char *r;
	ok(cuStreamBeginCapture_v2(a, 0)); // calls that a capture does not take
	want(cuMemAlloc_v2(&r, 16), 900);
	want(cuStreamEndCapture(a, &graph), 901);
	ok(cuStreamBeginCapture_v2(a, 0));
	want(cuStreamSynchronize(a), 900);
	want(launch(set, {1, 32, 0, a}, q, 5.f, 1ll), 901);
	want(cuStreamEndCapture(a, &graph), 901);
	ok(cuStreamBeginCapture_v2(a, 2)); // no mode lets anybody wait for the context
	want(cuCtxSynchronize(), 900);
	want(cuStreamEndCapture(a, &graph), 901);
	ok(cuStreamSynchronize(a));
}

static void memory() { // with STHENO_SIM_MEMORY=1000000
	open_device();
	char *p = allocate(600000), *q;
	want(cuMemAlloc_v2(&q, 400001), 2);
	size_t free, total;
	ok(cuMemGetInfo_v2(&free, &total));
	require(free == 400000 && total == 1000000);
	ok(cuMemFree_v2(p));
	q = allocate(1000000);
	ok(cuMemFree_v2(q));
	want(cuMemAlloc_v2(&q, 0), 1);
	setenv("STHENO_SIM_FAIL_ALLOC", "2", 1);
	ok(cuMemAlloc_v2(&p, 8));
	want(cuMemAlloc_v2(&q, 8), 2);
	ok(cuMemAlloc_v2(&q, 8));
	std::vector<char> host(100);
	ok(cuMemHostRegister_v2(host.data(), 100, 0));
	want(cuMemHostRegister_v2(host.data() + 50, 10, 0), 712);
	ok(cuMemHostUnregister(host.data()));
	want(cuMemHostUnregister(host.data()), 713);
}

// A kernel that does wrong is found, its name told, and the fault stays.
static void fault(const char *kernel, int line, const char *message) {
	require_at(line, kernel, cuCtxSynchronize() == 700 && told(kernel) && told(message));
	char *p;
	want(cuMemAlloc_v2(&p, 8), 700);
	want(cuStreamSynchronize(nullptr), 700);
	stheno_sim_reset();
}
#define want_fault(kernel, message) fault(kernel, __LINE__, message)

static void faults() {
	open_kernels();
	char *y = allocate(100), *gone = allocate(64);
	ok(cuMemFree_v2(gone));
	ok(launch(f("beyond"), {1, 32, 0, nullptr}, y, 25ll));
	want_fault("beyond", "0 bytes behind an allocation of 100 bytes");
	ok(launch(f("beyond"), {1, 32, 0, nullptr}, y, 100000ll));
	want_fault("beyond", "thread (1, 0, 0): an illegal address, 0x");
	ok(launch(f("beyond"), {1, 32, 0, nullptr}, gone, 0ll));
	want_fault("beyond", "parameter 0 points into no live allocation");
	ok(launch(f("stuck"), {1, 32, 0, nullptr}, y));
	want_fault("stuck", "wait for each other for ever");
	ok(launch(f("apart"), {1, 64, 0, nullptr}, y));
	want_fault("apart", "while other threads of the block wait at that of line");
	ok(launch(f("divided"), {1, 1, 0, nullptr}, y, 0));
	want_fault("divided", "division by zero");
	ok(launch(f("spill"), {1, 4, 16, nullptr}, y));
	want_fault("spill", "outside the 16 bytes of dynamic shared memory");
	setenv("STHENO_SIM_FAULT", "set:2", 1);
	ok(launch(f("set"), {1, 32, 0, nullptr}, y, 1.f, 1ll));
	ok(cuCtxSynchronize());
	ok(launch(f("set"), {1, 32, 0, nullptr}, y, 1.f, 1ll));
	want_fault("set", "STHENO_SIM_FAULT");
	ok(launch(f("set"), {1, 32, 0, nullptr}, y, 1.f, 1ll));
	require(download<float>(y, 1)[0] == 1); // and the device still runs
}

static void images() {
	open_device();
	std::string log;
	const std::string bad = "__global__ int x;\nextern \"C\" __global__ void k(float *y) {\n\ty[0] = nothing;\n}\n";
	require(compile(bad, "sm_90", &log).empty());
	require(log.find("test.cu:3:") != std::string::npos && log.find("nothing") != std::string::npos && log.find("table of kernels") == std::string::npos);
	compile("extern \"C\" __global__ void k() {}", "sm_12", &log);
	require(log.find("sm_12") != std::string::npos);
	const std::string text = "extern \"C\" __global__ void k(int *y) { y[0] = __CUDA_ARCH__; }";
	void *m;
	require(compile(text, "sm_80").size() > 1000);
	want(cuModuleLoadData(&m, compile(text, "sm_80").data()), 209); // machine code of another GPU
	m = load(compile(text, "compute_80"));                          // but PTX of an older one
	char *y = allocate(4);
	ok(launch(function(m, "k"), {1, 1, 0, nullptr}, y));
	require(download<int>(y, 1)[0] == 800);
	std::string image = compile(text);
	ok(cuModuleUnload(load(image)));
	image[image.size() / 2] ^= 1;
	want(cuModuleLoadData(&m, image.data()), 200);
	want(cuModuleLoadData(&m, std::string(100, 'x').data()), 200);
}

static void leaks() {
	open_kernels();
	stheno_sim_counts c;
	char *p = allocate(100);
	void *pinned, *s, *e;
	ok(cuMemAllocHost_v2(&pinned, 10));
	ok(cuStreamCreate(&s, 1));
	ok(cuEventCreate(&e, 0));
	stheno_sim_live(&c);
	require(c.bytes == 100 && c.allocations == 1 && c.pinned == 1 && c.streams == 1 && c.events == 1 && c.modules == 1 && c.contexts == 1);
	ok(cuMemFree_v2(p));
	ok(cuMemFreeHost(pinned));
	ok(cuStreamDestroy_v2(s));
	ok(cuEventDestroy_v2(e));
	ok(cuModuleUnload(module));
	stheno_sim_live(&c);
	require(c.bytes == 0 && c.allocations == 0 && c.pinned == 0 && c.streams == 0 && c.events == 0 && c.modules == 0);
	allocate(100);
	ok(cuDevicePrimaryCtxRelease_v2(0)); // takes with it what it owns
	stheno_sim_live(&c);
	require(c.contexts == 0 && c.allocations == 0);
	want(cuCtxSynchronize(), 709);
}

int main(int count, char **arguments) {
	const std::map<std::string, void (*)()> cases = {{"copies", copies}, {"ordering", ordering}, {"running", running}, {"refused", refused}, {"graphs", graphs},
	                                                 {"memory", memory}, {"faults", faults}, {"images", images}, {"leaks", leaks}};
	if (count != 2 || !cases.count(arguments[1])) {
		for (const auto &[name, run] : cases) printf("%s\n", name.c_str());
		return 2;
	}
	cases.at(arguments[1])();
	fflush(stdout);
	return 0;
}
