// product CASE: matrix products of the simulated cuBLASLt.
#include "drive.h"

#include <cmath>
#include <map>

extern "C" {
int cublasLtCreate(void **);
int cublasLtDestroy(void *);
int cublasLtMatmulDescCreate(void **, int, int);
int cublasLtMatmulDescDestroy(void *);
int cublasLtMatmulDescSetAttribute(void *, int, const void *, size_t);
int cublasLtMatrixLayoutCreate(void **, int, uint64_t, uint64_t, int64_t);
int cublasLtMatrixLayoutDestroy(void *);
int cublasLtMatrixLayoutSetAttribute(void *, int, const void *, size_t);
int cublasLtMatmulPreferenceCreate(void **);
int cublasLtMatmulPreferenceDestroy(void *);
int cublasLtMatmulPreferenceSetAttribute(void *, int, const void *, size_t);
int cublasLtMatmulAlgoGetHeuristic(void *, void *, void *, void *, void *, void *, void *, int, void *, int *);
int cublasLtMatmul(void *, void *, const void *, const void *, void *, const void *, void *, const void *, const void *, void *, void *, void *, const void *, void *, size_t, void *);
}

static const int f32 = 0, f64 = 1, bf16 = 14;

// d ← α·op(a)·op(b) + β·c, with c in d's memory. All are column-major; ld: more than the rows by 1.
struct Case {
	int type, compute, m, n, k, ta, tb, batch;
	unsigned epilogue;
	double beta;
	int drop; // bits of the factors' mantissas that are rounded away
};

static float rounded(float x, int drop) {
	const int exponent = std::ilogb(x);
	return x == 0 || drop == 0 ? x : (float)std::ldexp(std::nearbyint(std::ldexp((double)x, 23 - drop - exponent)), exponent - 23 + drop);
}

template <class V> static V to(float x) { return (V)x; }
template <> uint16_t to<uint16_t>(float x) { // x has no more than 7 bits of mantissa here
	uint32_t u;
	memcpy(&u, &x, 4);
	return (uint16_t)(u >> 16);
}

template <class V> static std::vector<V> numbers(size_t n, float step, std::vector<double> &wide, int drop) {
	std::vector<V> v(n);
	for (size_t i = 0; i < n; i++) {
		const float x = rounded((float)((int)(i * 7 % 23) - 11) * step, sizeof(V) == 2 ? 16 : 0);
		v[i] = to<V>(x);
		wide.push_back(sizeof(V) == 8 ? (double)x : rounded(x, drop));
	}
	return v;
}

template <class V> static void product(const Case &c) {
	const int ar = c.ta ? c.k : c.m, ac = c.ta ? c.m : c.k, br = c.tb ? c.n : c.k, bc = c.tb ? c.k : c.n;
	const int64_t la = ar + 1, lb = br + 1, ld = c.m + 1, sa = la * ac, sb = lb * bc, sd = ld * c.n;
	std::vector<double> a, b, d, bias;
	char *pa = upload(numbers<V>((size_t)(sa * c.batch), 0.37f, a, c.drop)), *pb = upload(numbers<V>((size_t)(sb * c.batch), 0.21f, b, c.drop));
	char *pd = upload(numbers<V>((size_t)(sd * c.batch), 1, d, 0)), *pbias = upload(numbers<V>((size_t)c.m, 0.5f, bias, 0));

	void *handle, *desc, *A, *B, *D, *preference;
	ok(cublasLtCreate(&handle));
	ok(cublasLtMatmulDescCreate(&desc, c.compute, c.type == f64 ? f64 : f32));
	ok(cublasLtMatmulDescSetAttribute(desc, 3, &c.ta, 4));
	ok(cublasLtMatmulDescSetAttribute(desc, 4, &c.tb, 4));
	ok(cublasLtMatmulDescSetAttribute(desc, 7, &c.epilogue, 4));
	ok(cublasLtMatmulDescSetAttribute(desc, 8, &pbias, 8));
	ok(cublasLtMatrixLayoutCreate(&A, c.type, ar, ac, la));
	ok(cublasLtMatrixLayoutCreate(&B, c.type, br, bc, lb));
	ok(cublasLtMatrixLayoutCreate(&D, c.type, c.m, c.n, ld));
	struct { void *layout; int64_t stride; } all[] = {{A, sa}, {B, sb}, {D, sd}};
	for (auto &l : all) {
		ok(cublasLtMatrixLayoutSetAttribute(l.layout, 5, &c.batch, 4));
		ok(cublasLtMatrixLayoutSetAttribute(l.layout, 6, &l.stride, 8));
	}
	ok(cublasLtMatmulPreferenceCreate(&preference));
	const uint64_t workspace = 4096;
	ok(cublasLtMatmulPreferenceSetAttribute(preference, 1, &workspace, 8));
	struct { uint64_t algorithm[8]; size_t bytes; int state; float waves; int reserved[4]; } found;
	int count = 0;
	ok(cublasLtMatmulAlgoGetHeuristic(handle, desc, A, B, D, D, preference, 1, &found, &count));
	require(count == 1 && found.state == 0 && found.bytes <= workspace);
	char *scratch = allocate(workspace);
	const double alpha = 1.5, beta = c.beta;
	const float alphaf = 1.5f, betaf = (float)c.beta;
	const bool doubles = c.type == f64;
	const void *pointer_alpha = doubles ? (const void *)&alpha : &alphaf, *pointer_beta = doubles ? (const void *)&beta : &betaf;
	want(cublasLtMatmul(handle, desc, pointer_alpha, pa, A, pb, B, pointer_beta, pd, D, pd, D, found.algorithm, nullptr, 0, nullptr), 7);
	ok(cublasLtMatmul(handle, desc, pointer_alpha, pa, A, pb, B, pointer_beta, pd, D, pd, D, found.algorithm, scratch, found.bytes, nullptr));
	const auto got = download<V>(pd, (size_t)(sd * c.batch));

	for (int x = 0; x < c.batch; x++) {
		for (int j = 0; j < c.n; j++) {
			for (int i = 0; i < c.m; i++) {
				double y = 0;
				for (int l = 0; l < c.k; l++) y += a[x * sa + (c.ta ? l + i * la : i + l * la)] * b[x * sb + (c.tb ? j + l * lb : l + j * lb)];
				y = alpha * y + (beta == 0 ? 0 : beta * d[x * sd + i + j * ld]) + (c.epilogue & 4 ? bias[i] : 0);
				if (c.epilogue & 2 && y < 0) y = 0;
				double is = (double)got[x * sd + i + j * ld];
				if (sizeof(V) == 2) {
					const uint32_t u = (uint32_t)got[x * sd + i + j * ld] << 16;
					float f;
					memcpy(&f, &u, 4);
					is = f;
				}
				const double bound = (c.type == f64 ? 1e-13 : c.type == f32 ? 1e-6 : 1e-2) * (1 + fabs(y));
				if (!(fabs(is - y) <= bound)) printf("%d %d %d: %g, want %g\n", x, i, j, is, y), exit(1);
			}
		}
	}
	for (void *l : {A, B, D}) ok(cublasLtMatrixLayoutDestroy(l));
	ok(cublasLtMatmulPreferenceDestroy(preference));
	ok(cublasLtMatmulDescDestroy(desc));
	ok(cublasLtDestroy(handle));
	for (char *p : {pa, pb, pd, pbias, scratch}) ok(cuMemFree_v2(p));
}

static void products() {
	open_device();
	for (const int ta : {0, 1}) {
		for (const int tb : {0, 1}) {
			product<float>({f32, 68, 5, 7, 9, ta, tb, 1, 1, 0, 0});
			product<float>({f32, 77, 5, 3, 4, ta, tb, 3, 4, 0, 13});
			product<float>({f32, 75, 2, 6, 4, ta, tb, 1, 6, 0.5, 16});
			product<double>({f64, 70, 4, 4, 8, ta, tb, 2, 2, 2, 0});
			product<uint16_t>({bf16, 68, 3, 5, 2, ta, tb, 1, 4, 0, 0});
		}
	}
}

static void refused() {
	void *handle, *desc, *a, *b, *preference;
	ok(cuInit(0));
	want(cublasLtCreate(&handle), 1); // no context
	open_device();
	ok(cublasLtCreate(&handle));
	ok(cublasLtMatmulDescCreate(&desc, 64, 2)); // half precision
	ok(cublasLtMatrixLayoutCreate(&a, f32, 4, 4, 4));
	ok(cublasLtMatrixLayoutCreate(&b, f32, 5, 4, 5));
	ok(cublasLtMatmulPreferenceCreate(&preference));
	struct { uint64_t words[14]; } found;
	int count;
	want(cublasLtMatmulAlgoGetHeuristic(handle, desc, a, a, a, a, preference, 1, &found, &count), 15);
	ok(cublasLtMatmulDescDestroy(desc));
	want(cublasLtMatmulAlgoGetHeuristic(handle, desc, a, a, a, a, preference, 1, &found, &count), 7);
	ok(cublasLtMatmulDescCreate(&desc, 68, f32));
	want(cublasLtMatmulAlgoGetHeuristic(handle, desc, a, b, a, a, preference, 1, &found, &count), 7); // 4×4 by 5×4
	const float one = 1, zero = 0;
	char *p = allocate(64);
	want(cublasLtMatmulDescSetAttribute(desc, 7, &one, 8), 7);
	ok(cublasLtMatmul(handle, desc, &one, p, a, p + 4, a, &zero, p, a, p, a, nullptr, nullptr, 0, nullptr)); // b is 4 bytes too long
	want(cuCtxSynchronize(), 700);
	require(told("leaves its allocation"));
}

int main(int count, char **arguments) {
	const std::map<std::string, void (*)()> cases = {{"products", products}, {"refused", refused}};
	if (count != 2 || !cases.count(arguments[1])) return 2;
	cases.at(arguments[1])();
	return 0;
}
