// The simulated cuBLASLt: products of column-major matrices in stream order, of the types and epilogues that the engine uses.
// Anything else is CUBLAS_STATUS_NOT_SUPPORTED. cublaslt_product.cpp computes them.
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>

#include "cublaslt.h"
#include "sim.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

enum { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };

struct Preference {
	uint64_t workspace = 0;
	unsigned alignment[4] = {256, 256, 256, 256}; // of a, b, c, d
};

// An algorithm is what the heuristic promised to rely on.
struct Algorithm {
	uint64_t mark, workspace, alignment[4], number, unused;
};
static const uint64_t algorithm_mark = 0x5354484e4f474d4d;

static uint64_t workspace_of(int algorithm) { return 1024 >> algorithm; } // some, so that it must be handed on

struct Handle {};

static std::mutex mutex;
template <class X> static std::map<void *, std::shared_ptr<X>> live;

template <class X> static int create(void **out, X x) {
	if (!out) return INVALID_VALUE;
	std::lock_guard<std::mutex> lock(mutex);
	static uintptr_t next = 0x53000000;
	*out = (void *)(next += 16);
	live<X>[*out] = std::make_shared<X>(x);
	return SUCCESS;
}
template <class X> static int destroy(void *p) {
	std::lock_guard<std::mutex> lock(mutex);
	return live<X>.erase(p) ? SUCCESS : INVALID_VALUE;
}
template <class X> static std::shared_ptr<X> find(void *p) {
	std::lock_guard<std::mutex> lock(mutex);
	const auto i = live<X>.find(p);
	return i == live<X>.end() ? nullptr : i->second;
}
// Sets an attribute, if the caller's value has its size.
template <class V> static int assign(V &to, const void *value, size_t bytes) {
	if (!value || bytes != sizeof to) return INVALID_VALUE;
	memcpy(&to, value, bytes);
	return SUCCESS;
}

EXPORT size_t cublasLtGetVersion() { return 129900; } // no real one
EXPORT size_t cublasLtGetCudartVersion() { return 12080; }
EXPORT const char *cublasLtGetStatusName(int s) {
	switch (s) {
	case SUCCESS: return "CUBLAS_STATUS_SUCCESS";
	case NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
	case INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
	case EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
	case NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
	}
	return "unknown status";
}
EXPORT const char *cublasLtGetStatusString(int s) { return cublasLtGetStatusName(s); }

extern "C" int cuCtxGetCurrent(void **);
EXPORT int cublasLtCreate(void **handle) {
	void *context = nullptr;
	if (cuCtxGetCurrent(&context) || !context) return NOT_INITIALIZED;
	return create(handle, Handle());
}
EXPORT int cublasLtDestroy(void *handle) { return destroy<Handle>(handle); }

EXPORT int cublasLtMatmulDescCreate(void **desc, int compute, int scale) {
	Operation o;
	o.compute = compute, o.scale = scale;
	return create(desc, o);
}
EXPORT int cublasLtMatmulDescDestroy(void *desc) { return destroy<Operation>(desc); }
EXPORT int cublasLtMatmulDescSetAttribute(void *desc, int attribute, const void *value, size_t bytes) {
	const auto o = find<Operation>(desc);
	if (!o) return INVALID_VALUE;
	switch (attribute) {
	case 0: return assign(o->compute, value, bytes);
	case 1: return assign(o->scale, value, bytes);
	case 2: return assign(o->pointer_mode, value, bytes);
	case 3: return assign(o->trans[0], value, bytes);
	case 4: return assign(o->trans[1], value, bytes);
	case 5: return assign(o->trans[2], value, bytes);
	case 7: return assign(o->epilogue, value, bytes);
	case 8: return assign(o->bias, value, bytes);
	case 10: return assign(o->bias_stride, value, bytes);
	}
	return NOT_SUPPORTED;
}

EXPORT int cublasLtMatrixLayoutCreate(void **layout, int type, uint64_t rows, uint64_t cols, int64_t ld) {
	Layout l;
	l.type = type, l.rows = rows, l.cols = cols, l.ld = ld;
	return create(layout, l);
}
EXPORT int cublasLtMatrixLayoutDestroy(void *layout) { return destroy<Layout>(layout); }
EXPORT int cublasLtMatrixLayoutSetAttribute(void *layout, int attribute, const void *value, size_t bytes) {
	const auto l = find<Layout>(layout);
	if (!l) return INVALID_VALUE;
	switch (attribute) {
	case 0: return assign(l->type, value, bytes);
	case 1: return assign(l->order, value, bytes);
	case 2: return assign(l->rows, value, bytes);
	case 3: return assign(l->cols, value, bytes);
	case 4: return assign(l->ld, value, bytes);
	case 5: return assign(l->batch, value, bytes);
	case 6: return assign(l->stride, value, bytes);
	}
	return NOT_SUPPORTED;
}

EXPORT int cublasLtMatmulPreferenceCreate(void **preference) { return create(preference, Preference()); }
EXPORT int cublasLtMatmulPreferenceDestroy(void *preference) { return destroy<Preference>(preference); }
EXPORT int cublasLtMatmulPreferenceSetAttribute(void *preference, int attribute, const void *value, size_t bytes) {
	const auto p = find<Preference>(preference);
	if (!p) return INVALID_VALUE;
	if (attribute == 1) return assign(p->workspace, value, bytes);
	if (attribute >= 5 && attribute <= 8) return assign(p->alignment[attribute - 5], value, bytes);
	return NOT_SUPPORTED;
}

// Whether the product is one that this library computes, and its matrices fit each other.
static int check(const Operation &o, const Layout &a, const Layout &b, const Layout &c, const Layout &d) {
	const bool doubles = o.compute == COMPUTE_64F || o.compute == COMPUTE_64F_PEDANTIC;
	const bool floats = o.compute == COMPUTE_32F || o.compute == COMPUTE_32F_PEDANTIC || o.compute == FAST_16BF || o.compute == FAST_TF32;
	if (!doubles && !floats) return NOT_SUPPORTED;
	if (o.scale != (doubles ? R_64F : R_32F) || o.pointer_mode != 0 || o.trans[2] != 0) return NOT_SUPPORTED;
	if (o.trans[0] < 0 || o.trans[0] > 2 || o.trans[1] < 0 || o.trans[1] > 2) return INVALID_VALUE;
	if (o.epilogue & ~7u || (o.epilogue & 6 && o.epilogue & 1)) return NOT_SUPPORTED;
	if (doubles ? a.type != R_64F || d.type != R_64F : a.type == R_64F || d.type == R_64F) return NOT_SUPPORTED;
	if (a.type != b.type || c.type != d.type || (a.type == R_32F && d.type != R_32F)) return NOT_SUPPORTED;
	for (const Layout *l : {&a, &b, &c, &d}) {
		if (l->type != R_32F && l->type != R_64F && l->type != R_16BF) return NOT_SUPPORTED;
		if (l->order != 0) return NOT_SUPPORTED;
		if (l->rows == 0 || l->cols == 0 || l->ld < (int64_t)l->rows || l->batch != d.batch || l->batch < 1) return INVALID_VALUE;
	}
	const uint64_t m = o.trans[0] ? a.cols : a.rows, k = o.trans[0] ? a.rows : a.cols;
	const uint64_t kb = o.trans[1] ? b.cols : b.rows, n = o.trans[1] ? b.rows : b.cols;
	return k == kb && d.rows == m && d.cols == n && c.rows == m && c.cols == n ? SUCCESS : INVALID_VALUE;
}

struct Result {
	Algorithm algorithm;
	size_t workspace;
	int state;
	float waves;
	int reserved[4];
};

EXPORT int cublasLtMatmulAlgoGetHeuristic(void *handle, void *desc, void *a, void *b, void *c, void *d, void *preference, int want, Result *results, int *count) {
	const auto o = find<Operation>(desc);
	const auto la = find<Layout>(a), lb = find<Layout>(b), lc = find<Layout>(c), ld = find<Layout>(d);
	const auto p = find<Preference>(preference);
	if (!find<Handle>(handle) || !o || !la || !lb || !lc || !ld || !p || !results || !count || want < 1) return INVALID_VALUE;
	*count = 0;
	if (const int e = check(*o, *la, *lb, *lc, *ld)) return e;
	const Layout *layouts[] = {la.get(), lb.get(), lc.get(), ld.get()};
	for (int i = 0; i < 4; i++) {
		if (p->alignment[i] % element(layouts[i]->type)) return NOT_SUPPORTED;
	}
	*count = want < ALGORITHMS ? want : ALGORITHMS;
	for (int k = 0; k < *count; k++) {
		Result r = {};
		r.algorithm = {algorithm_mark, p->workspace < workspace_of(k) ? p->workspace : workspace_of(k), {}, (uint64_t)k, 0};
		for (int i = 0; i < 4; i++) r.algorithm.alignment[i] = p->alignment[i];
		r.workspace = r.algorithm.workspace;
		r.waves = 1;
		results[k] = r;
	}
	return SUCCESS;
}

EXPORT int cublasLtMatmulAlgoCheck(void *handle, void *desc, void *a, void *b, void *c, void *d, const Algorithm *algorithm, Result *result) {
	const auto o = find<Operation>(desc);
	const auto la = find<Layout>(a), lb = find<Layout>(b), lc = find<Layout>(c), ld = find<Layout>(d);
	if (!find<Handle>(handle) || !o || !la || !lb || !lc || !ld || !algorithm || !result) return INVALID_VALUE;
	if (algorithm->mark != algorithm_mark || algorithm->number >= ALGORITHMS) return NOT_SUPPORTED;
	if (const int e = check(*o, *la, *lb, *lc, *ld)) return e;
	*result = {};
	result->algorithm = *algorithm;
	result->workspace = algorithm->workspace;
	return SUCCESS;
}

EXPORT int cublasLtMatmul(void *handle, void *desc, const void *alpha, const void *a, void *la, const void *b, void *lb, const void *beta,
                          const void *c, void *lc, void *d, void *ld, const Algorithm *algorithm, void *workspace, size_t workspace_bytes, void *stream) {
	const auto o = find<Operation>(desc);
	const auto fa = find<Layout>(la), fb = find<Layout>(lb), fc = find<Layout>(lc), fd = find<Layout>(ld);
	if (!find<Handle>(handle) || !o || !fa || !fb || !fc || !fd || !alpha || !beta || !a || !b || !d) return INVALID_VALUE;
	if (const int e = check(*o, *fa, *fb, *fc, *fd)) return e;
	const bool doubles = o->scale == R_64F;
	auto p = std::make_unique<Product>(Product{*o, *fa, *fb, *fc, *fd, (const char *)a, (const char *)b, (const char *)c, (char *)d, (char *)workspace, 0,
	                           doubles ? *(const double *)alpha : *(const float *)alpha, doubles ? *(const double *)beta : *(const float *)beta, 0});
	const void *pointers[] = {a, b, c, d};
	if (algorithm) {
		if (algorithm->mark != algorithm_mark || workspace_bytes < algorithm->workspace) return INVALID_VALUE;
		for (int i = 0; i < 4; i++) {
			if (i == 2 && p->beta == 0) continue;
			if ((uintptr_t)pointers[i] % algorithm->alignment[i]) return INVALID_VALUE;
		}
		if (algorithm->number == REFUSED) return EXECUTION_FAILED;
		p->workspace_bytes = algorithm->workspace;
		p->algorithm = algorithm->number;
	}
	if (p->beta != 0 && !c) return INVALID_VALUE;
	if (o->epilogue & EPILOGUE_BIAS && !o->bias) return INVALID_VALUE;
	if (c == d && p->beta != 0 && (fc->ld != fd->ld || fc->stride != fd->stride)) return INVALID_VALUE;
	const auto drop = [](void *x) { delete (Product *)x; };
	const int e = stheno_sim_enqueue(stream, "cublasLtMatmul", multiply, drop, p.release());
	return e ? EXECUTION_FAILED : SUCCESS;
}
