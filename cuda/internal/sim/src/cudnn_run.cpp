// The engines of the simulated cuDNN, and the loops that they all run.
#include "cudnn.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

// The first that heuristics propose do not suit everyone, as cuDNN's do not: a caller must read the notes and the workspace.
// Only a caller that times them finds the last one, the fastest by far where delay() is on.
const std::vector<Engine> engines = {
	{{NONDETERMINISTIC}, 0, false, 0, {}},                // not to be used by us unless it is asked for: it fails when it runs
	{{TENSOR_CORE}, (int64_t)1 << 50, true, 1, {}},       // no device has so much memory
	{{TENSOR_CORE}, 512, true, 8, {}},
	{{}, 4096, false, 8, {}},
	{{}, 64, false, 0, {}},                               // is refused when it is to run
	{{}, 1024, false, 6, {{{3, 0}, {7, 16}}, {{3, 1}, {7, 32}}}},
};

bool computes(const Problem &p, int engine) { return !p.doubles || engine == 3; }

std::vector<Configuration> proposed(const Problem &p, int mode) {
	enum { B = 1, A = 3 }; // CUDNN_HEUR_MODE_B, CUDNN_HEUR_MODE_A
	if (p.doubles && !p.steps.empty()) return {}; // nor does cuDNN have any
	if (p.doubles || (mode != A && mode != B)) return {{3, {}}};
	const std::vector<Configuration> a = {{0, {}}, {1, {}}, {2, {}}, {3, {}}, {4, {}}, {5, engines[5].knobs[0]}};
	return mode == A ? a : std::vector<Configuration>{{3, {}}, {5, engines[5].knobs[1]}};
}

// delay lets an engine take its time, by the events: the unit is the milliseconds in STHENO_SIM_LIBRARY_DELAY, of what masks x those in
// STHENO_SIM_MASK_DELAY if it is set: one number, or three with commas of a selection, one with sums, and ReLU's gradient. The last of several
// ways to set knobs takes one unit.
static void delay(const Problem &p, const Engine &e, const Knobs &knobs) {
	const char *unit = getenv("STHENO_SIM_LIBRARY_DELAY"), *masked = getenv("STHENO_SIM_MASK_DELAY");
	if (masked && *masked && !p.steps.empty() && p.steps[0].mask) {
		unit = masked;
		for (int i = !p.steps[0].selects ? 2 : p.sums.empty() ? 0 : 1; i > 0 && strchr(unit, ','); i--) unit = strchr(unit, ',') + 1;
	}
	if (!unit || !*unit) return;
	const bool last = !e.knobs.empty() && knobs == e.knobs.back();
	stheno_sim_pass(atof(unit) * (last ? 1 : e.slowness));
}

static float bits(uint32_t u) {
	float f;
	memcpy(&f, &u, 4);
	return f;
}
static uint32_t bits(float f) {
	uint32_t u;
	memcpy(&u, &f, 4);
	return u;
}
// x with fewer bits of mantissa, rounded to nearest, ties to even.
static float rounded(float x, int dropped) {
	uint32_t u = bits(x);
	if ((u & 0x7fffffff) >= 0x7f800000) return x;
	u += (((uint32_t)1 << (dropped - 1)) - 1) + (u >> dropped & 1);
	return bits(u >> dropped << dropped);
}

static double load(const Tensor &t, const void *at, int64_t i) {
	switch (t.type) {
	case DOUBLE: return ((const double *)at)[i];
	case FLOAT: return ((const float *)at)[i];
	}
	return bits((uint32_t)((const uint16_t *)at)[i] << 16);
}
static void store(const Tensor &t, void *at, int64_t i, double v) {
	switch (t.type) {
	case DOUBLE: ((double *)at)[i] = v; return;
	case FLOAT: ((float *)at)[i] = (float)v; return;
	}
	const float f = rounded((float)v, 16);
	((uint16_t *)at)[i] = (uint16_t)((bits(f) >> 16) | (f != f ? 0x40 : 0));
}

// STHENO_SIM_CUDNN says how cuDNN misbehaves.
static bool says(const char *what) {
	const char *how = getenv("STHENO_SIM_CUDNN");
	return how && !strcmp(how, what);
}

struct Job {
	std::shared_ptr<Problem> problem;
	int engine;
	Knobs knobs;
	std::map<int64_t, void *> pointers;
	std::map<int64_t, double> values; // of what is by value
	void *workspace;
};

static std::atomic<int> backwards{0}; // runs that add in any order

// Sums are of type S, in the order of the loops.
template <typename S> struct Loops {
	const Problem &p;
	const void *x, *w, *y;
	const std::map<int64_t, double> &values;
	bool rounds;

	S factor(const Tensor &t, const void *at, int64_t i) const {
		const double v = load(t, at, i);
		return rounds ? (S)rounded((float)v, 13) : (S)v;
	}
	// The place in x of tap k of place o of y along an axis; -1 is in the padding.
	int64_t place(int axis, int64_t o, int64_t k) const {
		const int64_t i = o * p.strides[axis] - p.pre[axis] + k * p.dilations[axis];
		return i < 0 || i >= p.x.dims[2 + axis] ? -1 : i;
	}
	int64_t channels() const { return p.w.dims[1]; }              // of a group of x
	int64_t filters() const { return p.w.dims[0] / p.groups; }    // of a group

	S forward(int64_t n, int64_t k, int64_t oh, int64_t ow) const {
		S sum = 0;
		for (int64_t r = 0; r < p.w.dims[2]; r++) {
			for (int64_t s = 0; s < p.w.dims[3]; s++) {
				const int64_t h = place(0, oh, r), v = place(1, ow, s);
				if (h < 0 || v < 0) continue;
				for (int64_t c = 0; c < channels(); c++) sum += factor(p.x, x, p.x.at(n, k / filters() * channels() + c, h, v)) * factor(p.w, w, p.w.at(k, c, r, s));
			}
		}
		return sum;
	}
	S backward_data(int64_t n, int64_t c, int64_t h, int64_t v) const {
		S sum = 0;
		const int64_t group = c / channels();
		for (int64_t r = 0; r < p.w.dims[2]; r++) {
			for (int64_t s = 0; s < p.w.dims[3]; s++) {
				const int64_t a = h + p.pre[0] - r * p.dilations[0], b = v + p.pre[1] - s * p.dilations[1];
				if (a < 0 || b < 0 || a % p.strides[0] || b % p.strides[1]) continue;
				const int64_t oh = a / p.strides[0], ow = b / p.strides[1];
				if (oh >= p.y.dims[2] || ow >= p.y.dims[3]) continue;
				for (int64_t k = group * filters(); k < (group + 1) * filters(); k++) sum += factor(p.y, y, p.y.at(n, k, oh, ow)) * factor(p.w, w, p.w.at(k, c % channels(), r, s));
			}
		}
		return sum;
	}
	S backward_filter(int64_t k, int64_t c, int64_t r, int64_t s) const {
		S sum = 0;
		for (int64_t n = 0; n < p.x.dims[0]; n++) {
			for (int64_t oh = 0; oh < p.y.dims[2]; oh++) {
				for (int64_t ow = 0; ow < p.y.dims[3]; ow++) {
					const int64_t h = place(0, oh, r), v = place(1, ow, s);
					if (h >= 0 && v >= 0) sum += factor(p.y, y, p.y.at(n, k, oh, ow)) * factor(p.x, x, p.x.at(n, k / filters() * channels() + c, h, v));
				}
			}
		}
		return sum;
	}
	void run(const std::map<int64_t, void *> &pointers) const {
		Tensor t = const_cast<Problem &>(p).result();
		void *to = pointers.at(t.uid);
		const bool passes = says("nan"), selects = says("select");
		std::vector<float> sum((size_t)t.dims[1]), squares((size_t)t.dims[1]);
		for (int64_t a = 0; a < t.dims[0]; a++) {
			for (int64_t c = 0; c < t.dims[2]; c++) {
				for (int64_t d = 0; d < t.dims[3]; d++) {
					for (int64_t b = 0; b < t.dims[1]; b++) {
						S v = p.pass == FORWARD ? forward(a, b, c, d) : p.pass == BACKWARD_DATA ? backward_data(a, b, c, d) : backward_filter(a, b, c, d);
						for (const Step &s : p.steps) {
							if (s.copy) continue;
							if (s.mask) {
								const double y = load(s.operand, pointers.at(s.operand.uid), s.operand.at(a, b, c, d));
								if (s.selects) v = y > values.at(s.bound.uid) || (passes && y != y) ? v : (S)values.at(s.otherwise.uid);
								else if (selects) v = y > 0 ? v : 0;
								else v *= (S)(y > 0 || (passes && y != y));
							} else if (!s.relu) v += (S)load(s.operand, pointers.at(s.operand.uid), s.residual() ? s.operand.at(a, b, c, d) : s.operand.at(0, b, 0, 0));
							else if (!(v > 0)) v = v != v && s.propagate ? v : 0;
						}
						store(t, to, t.at(a, b, c, d), (double)v);
						const float stored = (float)load(t, to, t.at(a, b, c, d));
						sum[(size_t)b] += stored;
						squares[(size_t)b] += stored * stored;
					}
				}
			}
		}
		if (p.pass == BACKWARD_DATA && !p.sums.empty() && !p.ordered && ++backwards % 2 == 0) { // what may be added in any order is
			std::fill(sum.begin(), sum.end(), 0);
			for (int64_t i = t.dims[0] * t.dims[2] * t.dims[3] - 1; i >= 0; i--) {
				for (int64_t b = 0; b < t.dims[1]; b++) sum[(size_t)b] += (float)load(t, to, t.at(i / (t.dims[2] * t.dims[3]), b, i / t.dims[3] % t.dims[2], i % t.dims[3]));
			}
		}
		for (size_t i = 0; i < p.sums.size(); i++) {
			for (int64_t b = 0; b < t.dims[1]; b++) store(p.sums[i], pointers.at(p.sums[i].uid), p.sums[i].at(0, b, 0, 0), (i ? squares : sum)[(size_t)b]);
		}
	}
};

// STHENO_SIM_CUDNN=wrong spoils every result, =open lets every second run end with other bits. With =nan a gradient passes where y is NaN. ReLU's
// gradient is multiplied by 0 where it does not pass, which leaves NaN; with =select it becomes 0.
static void spoil(const Problem &p, const std::map<int64_t, void *> &pointers) {
	static std::atomic<int> runs{0};
	const bool wrong = says("wrong");
	if (!wrong && (!says("open") || ++runs % 2)) return;
	const Tensor t = const_cast<Problem &>(p).result();
	void *to = pointers.at(t.uid);
	for (int64_t i = 0; i < t.dims[0] * t.dims[1] * t.dims[2] * t.dims[3]; i++) store(t, to, i, load(t, to, i) * (wrong ? 1.125 : 1.0078125));
}

static int work(void *arg) {
	const Job &j = *(Job *)arg;
	const Problem &p = *j.problem;
	const Engine &e = engines[j.engine];
	if (j.engine == 0 && !getenv("STHENO_SIM_OPEN_ORDER")) {
		fprintf(stderr, "simulated CUDA: this engine of cuDNN is not deterministic, and fails on purpose unless STHENO_SIM_OPEN_ORDER=1\n");
		return 719; // CUDA_ERROR_LAUNCH_FAILED
	}
	delay(p, e, j.knobs);
	const auto writes = [&](const Tensor &t) {
		for (const Tensor &s : p.sums) {
			if (s.uid == t.uid) return true;
		}
		return t.uid == const_cast<Problem &>(p).result().uid;
	};
	for (const Tensor &t : p.memory()) {
		if (const int e = stheno_sim_use("cudnn", j.pointers.at(t.uid), t.bytes(), writes(t))) return e;
	}
	if (e.workspace) {
		if (const int e2 = stheno_sim_use("cudnn", j.workspace, (size_t)e.workspace, true)) return e2;
	}
	if (e.workspace) memset(j.workspace, 0xff, (size_t)e.workspace); // NaN, to whoever keeps something there
	const void *x = j.pointers.at(p.x.uid), *w = j.pointers.at(p.w.uid), *y = j.pointers.at(p.y.uid);
	if (p.doubles) Loops<double>{p, x, w, y, j.values, false}.run(j.pointers);
	else Loops<float>{p, x, w, y, j.values, e.rounds}.run(j.pointers);
	spoil(p, j.pointers);
	return 0;
}

int start(std::shared_ptr<Problem> p, int engine, const Knobs &knobs, std::map<int64_t, void *> pointers, void *workspace, void *stream) {
	if (engine == 4) return refuse(EXECUTION_FAILED, "this engine computes nothing");
	const auto memory = p->memory();
	const auto constants = p->constants();
	if (pointers.size() != memory.size() + constants.size()) return refuse(BAD_PARAM, "a variant pack has more tensors than the graph, or fewer");
	for (const Tensor &t : memory) {
		const auto at = pointers.find(t.uid);
		if (at == pointers.end()) return refuse(BAD_PARAM, "a variant pack lacks a tensor of the graph");
		if (!at->second) return refuse(BAD_PARAM_NULL, "a tensor has no memory");
		if ((uintptr_t)at->second % (uintptr_t)t.alignment) return refuse(BAD_PARAM_MISALIGNED, "a tensor is less aligned than its descriptor says");
	}
	std::map<int64_t, double> values; // are read now
	for (const auto &c : constants) {
		const auto at = pointers.find(c.first);
		if (at == pointers.end() || !at->second) return refuse(BAD_PARAM_NULL, "a tensor by value has no memory");
		if (stheno_sim_contains(at->second, c.second.element())) return refuse(BAD_PARAM, "a tensor by value lies on the device");
		values[c.first] = load(c.second, at->second, 0);
	}
	// That a result may be written over what is read, cuDNN does not say.
	const Tensor result = p->result();
	const char *to = (const char *)pointers.at(result.uid);
	for (const Tensor &t : memory) {
		const char *at = (const char *)pointers.at(t.uid);
		if (t.uid != result.uid && at < to + result.bytes() && to < at + t.bytes()) return refuse(BAD_PARAM, "the result lies in the memory of another tensor");
	}
	if (engines[engine].workspace && !workspace) return refuse(BAD_PARAM_NULL, "there is no working memory");
	const int e = stheno_sim_enqueue(stream, "cudnn", work, [](void *arg) { delete (Job *)arg; }, new Job{p, engine, knobs, pointers, values, workspace});
	return e ? refuse(EXECUTION_FAILED, "CUresult " + std::to_string(e)) : (int)OK;
}
