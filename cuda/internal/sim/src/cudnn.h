// The inside of the simulated cuDNN: descriptors of its graph API, and the convolution that a graph of them stands for.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim.h"

// cudnnStatus_t; the numbers are cuDNN's.
enum {
	OK = 0,
	NOT_INITIALIZED = 1001,
	BAD_PARAM = 2000,
	BAD_PARAM_NULL = 2002,
	BAD_PARAM_MISALIGNED = 2003,
	BAD_PARAM_NOT_FINALIZED = 2004,
	BAD_PARAM_SHAPE = 2008,
	BAD_PARAM_TYPE = 2010,
	NOT_SUPPORTED = 3000,
	NOT_SUPPORTED_PATTERN = 3001,
	NOT_SUPPORTED_TYPE = 3003,
	EXECUTION_FAILED = 5000,
};

// cudnnBackendDescriptorType_t
enum {
	POINTWISE = 0,
	CONVOLUTION = 1,
	ENGINE = 2,
	CONFIG = 3,
	HEURISTICS = 4,
	PLAN = 5,
	KNOB_CHOICE = 7,
	FORWARD = 10,
	BACKWARD_FILTER = 11,
	BACKWARD_DATA = 12,
	POINTWISE_OP = 13,
	STATISTICS = 14,
	GRAPH = 15,
	PACK = 16,
	TENSOR = 17,
	REDUCTION = 21,
	REDUCTION_OP = 22,
	DEVICE = 38,
};

// cudnnDataType_t
enum { FLOAT = 0, DOUBLE = 1, BFLOAT16 = 9, BOOL = 11 };

// cudnnBackendNumericalNote_t
enum { TENSOR_CORE = 0, NONDETERMINISTIC = 4 };

// Records why a call fails, for cudnnGetLastErrorString, and returns status.
int refuse(int status, const std::string &why);

// How knobs of an engine are set, by their types.
typedef std::map<int, int64_t> Knobs;

struct Problem;
struct Descriptor;
typedef std::shared_ptr<Descriptor> Ref;

struct Value {
	int type;
	int64_t count;
	std::vector<char> bytes;
	std::vector<Ref> refs; // if they are descriptors
};

struct Descriptor {
	int kind;
	bool final = false;
	std::map<int, Value> values;
	std::shared_ptr<Problem> problem; // of a graph and what is made from it
	int engine = -1;                  // of an engine and what is made from it
	Knobs knobs;                      // of a configuration and what is made from it

	bool has(int name) const { return values.count(name) != 0; }
	Ref ref(int name) const { return values.at(name).refs[0]; }
	// The elements of an attribute, of type T.
	template <typename T> std::vector<T> all(int name) const {
		const Value &v = values.at(name);
		const T *p = (const T *)v.bytes.data();
		return std::vector<T>(p, p + v.count);
	}
	template <typename T> T one(int name) const { return all<T>(name)[0]; }
	template <typename T> T one(int name, T otherwise) const { return has(name) ? one<T>(name) : otherwise; }
};

struct Tensor {
	int64_t uid, alignment;
	int type;
	std::vector<int64_t> dims, strides; // batch, channel, row, column
	bool is_virtual, by_value; // by value: one number on the host

	size_t element() const { return type == DOUBLE ? 8 : type == FLOAT ? 4 : type == BOOL ? 1 : 2; }
	size_t bytes() const; // that it spans
	int64_t at(int64_t n, int64_t c, int64_t h, int64_t w) const { return n * strides[0] + c * strides[1] + h * strides[2] + w * strides[3]; }
};

struct Step { // of what follows a convolution: an addition, ReLU, ReLU's gradient, a comparison and a selection, or nothing but a copy
	bool relu, copy, propagate, mask, selects;
	Tensor operand;         // what is added, of which ReLU's gradient is, or what is compared
	Tensor bound, otherwise; // by value: what it is compared with, and what is selected where it is not greater

	bool reads() const { return !relu && !copy; }

	bool residual() const { return operand.dims[0] * operand.dims[2] * operand.dims[3] > 1; } // one for every result, not every channel
};

struct Problem {
	int pass; // FORWARD, BACKWARD_FILTER or BACKWARD_DATA
	Tensor x, w, y;
	std::vector<Step> steps;
	std::vector<Tensor> sums; // of every channel of y, and of its squares, or of x, if they are asked for
	bool ordered = false;     // those of x are the same in every run
	std::vector<int64_t> pre, post, strides, dilations;
	int64_t groups;
	bool doubles;

	Tensor &result() { return pass == FORWARD ? y : pass == BACKWARD_FILTER ? w : x; }
	std::vector<Tensor> memory() const; // what has an address on the device
	std::map<int64_t, Tensor> constants() const; // what is by value, by uid
};

// An engine: a way to compute, with cuDNN's notes about it.
struct Engine {
	std::vector<int> notes;
	int64_t workspace;
	bool rounds;  // factors to TF32
	int slowness; // see delay in cudnn_run.cpp
	std::vector<Knobs> knobs; // how they may be set: the first way is the slowest
};
extern const std::vector<Engine> engines;

struct Configuration {
	int engine;
	Knobs knobs;
};
std::vector<Configuration> proposed(const Problem &p, int mode);
bool computes(const Problem &p, int engine);

// Reads what a graph of operations stands for.
int read_graph(const Descriptor &graph, std::shared_ptr<Problem> &to);
int read_tensor(const Descriptor &d, Tensor &to);

// Starts a plan on a stream. The pointers are by uid.
int start(std::shared_ptr<Problem> p, int engine, const Knobs &knobs, std::map<int64_t, void *> pointers, void *workspace, void *stream);
