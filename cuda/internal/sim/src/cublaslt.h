// The inside of the simulated cuBLASLt: a product and its matrices.
#pragma once
#include <cstddef>
#include <cstdint>

enum { R_32F = 0, R_64F = 1, R_16BF = 14 };
enum { COMPUTE_32F = 68, COMPUTE_32F_PEDANTIC = 69, COMPUTE_64F = 70, COMPUTE_64F_PEDANTIC = 71, FAST_16BF = 75, FAST_TF32 = 77 };
enum { EPILOGUE_DEFAULT = 1, EPILOGUE_RELU = 2, EPILOGUE_BIAS = 4 };

struct Layout {
	int type = 0, order = 0, batch = 1;
	uint64_t rows = 0, cols = 0;
	int64_t ld = 0, stride = 0;
};

struct Operation {
	int compute = 0, scale = 0, pointer_mode = 0, trans[3] = {0, 0, 0};
	unsigned epilogue = EPILOGUE_DEFAULT;
	void *bias = nullptr;
	int64_t bias_stride = 0;
};

// The algorithms differ in what they take, in time and working memory: milliseconds as a part of STHENO_SIM_LIBRARY_DELAY. The last
// is refused when it is to run.
enum { ALGORITHMS = 4, REFUSED = 3 };

// Bytes of an element.
inline size_t element(int type) { return type == R_64F ? 8 : type == R_32F ? 4 : 2; }

// A product that waits for its turn.
struct Product {
	Operation o;
	Layout a, b, c, d;
	const char *pa, *pb, *pc;
	char *pd, *workspace;
	size_t workspace_bytes;
	double alpha, beta;
	uint64_t algorithm;
};

// Computes the Product that argument points to, as the work of a stream.
int multiply(void *argument);
