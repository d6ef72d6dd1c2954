// The products of the simulated cuBLASLt. Sums are made in double.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "cublaslt.h"
#include "sim.h"

static const double slowness[ALGORITHMS] = {8, 6, 1, 0};

static double load(const char *p, int type, int64_t i) {
	if (type == R_64F) return ((const double *)p)[i];
	if (type == R_32F) return ((const float *)p)[i];
	const uint32_t bits = (uint32_t)((const uint16_t *)p)[i] << 16;
	float f;
	memcpy(&f, &bits, 4);
	return f;
}

// x with the bits of its mantissa that a matrix unit keeps, rounded to nearest.
static float keep(float x, int bits) {
	if (!std::isfinite(x)) return x;
	uint32_t u;
	memcpy(&u, &x, 4);
	const int drop = 23 - bits;
	u = (u + (1u << (drop - 1)) - 1 + (u >> drop & 1)) & ~((1u << drop) - 1);
	memcpy(&x, &u, 4);
	return x;
}

static double factor(double x, int compute) {
	return compute == FAST_TF32 ? keep((float)x, 10) : compute == FAST_16BF ? keep((float)x, 7) : x;
}

static void store(char *p, int type, int64_t i, double x) {
	if (type == R_64F) {
		((double *)p)[i] = x;
	} else if (type == R_32F) {
		((float *)p)[i] = (float)x;
	} else {
		const float y = std::isnan(x) ? (float)x : keep((float)x, 7);
		uint32_t u;
		memcpy(&u, &y, 4);
		((uint16_t *)p)[i] = (uint16_t)(u >> 16 | (std::isnan(x) ? 0x40 : 0));
	}
}

static size_t extent(const Layout &l) {
	return ((size_t)l.stride * (size_t)(l.batch - 1) + (size_t)l.ld * (l.cols - 1) + l.rows) * element(l.type);
}

// What lies between the columns of a matrix may be another's.
static int use(const Layout &l, const void *p, bool writes) {
	const size_t es = element(l.type), column = l.rows * es;
	const bool dense = (size_t)l.ld == l.rows && (l.batch == 1 || (size_t)l.stride == l.rows * l.cols);
	if (dense) return stheno_sim_use("cublasLtMatmul", p, extent(l), writes);
	for (int64_t b = 0; b < l.batch; b++) {
		for (size_t j = 0; j < l.cols; j++) {
			const size_t at = ((size_t)l.stride * (size_t)b + (size_t)l.ld * j) * es;
			if (const int e = stheno_sim_use("cublasLtMatmul", (const char *)p + at, column, writes)) return e;
		}
	}
	return 0;
}

int multiply(void *argument) {
	const Product &p = *(Product *)argument;
	const Operation &o = p.o;
	const bool biased = o.epilogue & EPILOGUE_BIAS;
	const size_t es = element(p.d.type), bias_bytes = ((size_t)o.bias_stride * (size_t)(p.d.batch - 1) + p.d.rows) * es;
	int e = use(p.a, p.pa, false);
	if (!e) e = use(p.b, p.pb, false);
	if (!e && p.beta != 0) e = use(p.c, p.pc, false);
	if (!e && biased) e = stheno_sim_use("cublasLtMatmul", o.bias, bias_bytes, false);
	if (!e && p.workspace_bytes) e = stheno_sim_use("cublasLtMatmul", p.workspace, p.workspace_bytes, true);
	if (!e) e = use(p.d, p.pd, true);
	if (e) return e;
	const char *unit = getenv("STHENO_SIM_CUBLASLT_DELAY");
	if (!unit || !*unit) unit = getenv("STHENO_SIM_LIBRARY_DELAY");
	if (unit) stheno_sim_pass(atof(unit) * slowness[p.algorithm]);
	if (p.workspace_bytes) memset(p.workspace, 0xFF, p.workspace_bytes);
	const int64_t m = (int64_t)p.d.rows, n = (int64_t)p.d.cols, k = (int64_t)(o.trans[0] ? p.a.rows : p.a.cols);
	std::vector<double> a((size_t)(m * k)), sum((size_t)m); // a: column-major
	for (int64_t batch = 0; batch < p.d.batch; batch++) {
		const int64_t oa = batch * p.a.stride, ob = batch * p.b.stride, oc = batch * p.c.stride, od = batch * p.d.stride;
		for (int64_t l = 0; l < k; l++) {
			for (int64_t i = 0; i < m; i++) {
				a[(size_t)(l * m + i)] = factor(load(p.pa, p.a.type, oa + (o.trans[0] ? l + i * p.a.ld : i + l * p.a.ld)), o.compute);
			}
		}
		for (int64_t j = 0; j < n; j++) {
			std::fill(sum.begin(), sum.end(), 0.0);
			for (int64_t l = 0; l < k; l++) {
				const double b = factor(load(p.pb, p.b.type, ob + (o.trans[1] ? j + l * p.b.ld : l + j * p.b.ld)), o.compute);
				const double *column = &a[(size_t)(l * m)];
				for (int64_t i = 0; i < m; i++) sum[(size_t)i] += column[i] * b;
			}
			for (int64_t i = 0; i < m; i++) {
				double y = p.alpha * sum[(size_t)i];
				if (p.beta != 0) y += p.beta * load(p.pc, p.c.type, oc + i + j * p.c.ld);
				if (biased) y += load((const char *)o.bias, p.d.type, batch * o.bias_stride + i);
				if (o.epilogue & EPILOGUE_RELU && y < 0) y = 0;
				store(p.pd, p.d.type, od + i + j * p.d.ld, y);
			}
		}
	}
	return 0;
}
