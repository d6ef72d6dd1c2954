// The graph API of the simulated cuDNN: descriptors as maps of attributes. It is stricter than cuDNN: whatever is not known,
// missing, of the wrong type or number, or used too early or too late is refused with a reason.
#include "cudnn.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <set>

#define EXPORT extern "C" __attribute__((visibility("default")))

extern "C" int cuCtxGetCurrent(void **context);

static thread_local std::string reason;

int refuse(int status, const std::string &why) {
	reason = why;
	return status;
}

// cudnnBackendAttributeType_t, and the size of an element.
enum { HANDLE = 0, DATA_TYPE, BOOLEAN, INT64, T_FLOAT, T_DOUBLE, POINTER, CONV_MODE, HEUR_MODE, KNOB_TYPE, NAN_MODE = 10, NOTE, POINTWISE_MODE = 14, DESCRIPTOR, STATISTICS_MODE, REDUCTION_MODE = 18, CHAR = 24 };
static size_t size_of(int type) {
	switch (type) {
	case BOOLEAN:
	case CHAR: return 1;
	case HANDLE:
	case INT64:
	case T_DOUBLE:
	case POINTER:
	case DESCRIPTOR: return 8;
	}
	return 4;
}

// What an attribute of a descriptor takes.
enum { ANY_OPERATION = -1 };
struct Rule {
	int kind, name, type, least, most;
	bool required;
	int sub; // kind of a descriptor
};
static const Rule rules[] = {
	{POINTWISE, 0, POINTWISE_MODE, 1, 1, true, 0},
	{POINTWISE, 1, DATA_TYPE, 1, 1, true, 0},
	{POINTWISE, 2, NAN_MODE, 1, 1, false, 0},
	{CONVOLUTION, 100, DATA_TYPE, 1, 1, true, 0},
	{CONVOLUTION, 101, CONV_MODE, 1, 1, true, 0},
	{CONVOLUTION, 102, INT64, 2, 2, true, 0},
	{CONVOLUTION, 103, INT64, 2, 2, true, 0},
	{CONVOLUTION, 104, INT64, 2, 2, true, 0},
	{CONVOLUTION, 105, INT64, 2, 2, true, 0},
	{CONVOLUTION, 106, INT64, 1, 1, true, 0},
	{HEURISTICS, 200, HEUR_MODE, 1, 1, true, 0},
	{HEURISTICS, 201, DESCRIPTOR, 1, 1, true, GRAPH},
	{HEURISTICS, 204, DESCRIPTOR, 1, 1, false, DEVICE},
	{ENGINE, 1300, DESCRIPTOR, 1, 1, true, GRAPH},
	{ENGINE, 1301, INT64, 1, 1, true, 0},
	{ENGINE, 1307, DESCRIPTOR, 1, 1, false, DEVICE},
	{KNOB_CHOICE, 600, KNOB_TYPE, 1, 1, true, 0},
	{KNOB_CHOICE, 601, INT64, 1, 1, true, 0},
	{CONFIG, 300, DESCRIPTOR, 1, 1, true, ENGINE},
	{CONFIG, 302, DESCRIPTOR, 1, 8, false, KNOB_CHOICE},
	{PLAN, 400, HANDLE, 1, 1, false, 0},
	{PLAN, 401, DESCRIPTOR, 1, 1, true, CONFIG},
	{PLAN, 407, DESCRIPTOR, 1, 1, false, DEVICE},
	{FORWARD, 700, T_FLOAT, 1, 1, true, 0},
	{FORWARD, 701, T_FLOAT, 1, 1, true, 0},
	{FORWARD, 702, DESCRIPTOR, 1, 1, true, CONVOLUTION},
	{FORWARD, 703, DESCRIPTOR, 1, 1, true, TENSOR},
	{FORWARD, 704, DESCRIPTOR, 1, 1, true, TENSOR},
	{FORWARD, 705, DESCRIPTOR, 1, 1, true, TENSOR},
	{BACKWARD_DATA, 706, T_FLOAT, 1, 1, true, 0},
	{BACKWARD_DATA, 707, T_FLOAT, 1, 1, true, 0},
	{BACKWARD_DATA, 708, DESCRIPTOR, 1, 1, true, CONVOLUTION},
	{BACKWARD_DATA, 709, DESCRIPTOR, 1, 1, true, TENSOR},
	{BACKWARD_DATA, 710, DESCRIPTOR, 1, 1, true, TENSOR},
	{BACKWARD_DATA, 711, DESCRIPTOR, 1, 1, true, TENSOR},
	{BACKWARD_FILTER, 712, T_FLOAT, 1, 1, true, 0},
	{BACKWARD_FILTER, 713, T_FLOAT, 1, 1, true, 0},
	{BACKWARD_FILTER, 714, DESCRIPTOR, 1, 1, true, CONVOLUTION},
	{BACKWARD_FILTER, 715, DESCRIPTOR, 1, 1, true, TENSOR},
	{BACKWARD_FILTER, 716, DESCRIPTOR, 1, 1, true, TENSOR},
	{BACKWARD_FILTER, 717, DESCRIPTOR, 1, 1, true, TENSOR},
	{POINTWISE_OP, 750, DESCRIPTOR, 1, 1, true, POINTWISE},
	{POINTWISE_OP, 751, DESCRIPTOR, 1, 1, true, TENSOR},
	{POINTWISE_OP, 752, DESCRIPTOR, 1, 1, false, TENSOR},
	{POINTWISE_OP, 753, DESCRIPTOR, 1, 1, false, TENSOR},
	{POINTWISE_OP, 756, DESCRIPTOR, 1, 1, false, TENSOR},
	{POINTWISE_OP, 757, DESCRIPTOR, 1, 1, false, TENSOR},
	{POINTWISE_OP, 758, DESCRIPTOR, 1, 1, false, TENSOR},
	{REDUCTION, 1600, REDUCTION_MODE, 1, 1, true, 0},
	{REDUCTION, 1601, DATA_TYPE, 1, 1, true, 0},
	{REDUCTION, 1602, BOOLEAN, 1, 1, false, 0},
	{REDUCTION_OP, 1610, DESCRIPTOR, 1, 1, true, TENSOR},
	{REDUCTION_OP, 1611, DESCRIPTOR, 1, 1, true, TENSOR},
	{REDUCTION_OP, 1612, DESCRIPTOR, 1, 1, true, REDUCTION},
	{STATISTICS, 770, STATISTICS_MODE, 1, 1, true, 0},
	{STATISTICS, 771, DATA_TYPE, 1, 1, true, 0},
	{STATISTICS, 772, DESCRIPTOR, 1, 1, true, TENSOR},
	{STATISTICS, 773, DESCRIPTOR, 1, 1, true, TENSOR},
	{STATISTICS, 774, DESCRIPTOR, 1, 1, true, TENSOR},
	{GRAPH, 800, HANDLE, 1, 1, false, 0},
	{GRAPH, 801, DESCRIPTOR, 1, 8, true, ANY_OPERATION},
	{PACK, 1000, INT64, 1, 16, true, 0},
	{PACK, 1001, POINTER, 1, 16, true, 0},
	{PACK, 1003, POINTER, 1, 1, true, 0},
	{TENSOR, 900, INT64, 1, 1, true, 0},
	{TENSOR, 901, DATA_TYPE, 1, 1, true, 0},
	{TENSOR, 902, INT64, 4, 4, true, 0},
	{TENSOR, 903, INT64, 4, 4, true, 0},
	{TENSOR, 906, INT64, 1, 1, true, 0},
	{TENSOR, 907, BOOLEAN, 1, 1, false, 0},
	{TENSOR, 908, BOOLEAN, 1, 1, false, 0},
	{DEVICE, 2702, CHAR, 1, 1 << 20, true, 0},
};

struct Handle {
	void *stream = nullptr;
};

static std::mutex mutex;
static std::map<void *, Ref> descriptors; // that are alive
static std::set<Handle *> handles;

static Ref find(void *d) {
	const auto i = descriptors.find(d);
	return i == descriptors.end() ? nullptr : i->second;
}
static bool is_operation(int kind) { return kind == FORWARD || kind == BACKWARD_DATA || kind == BACKWARD_FILTER || kind == POINTWISE_OP || kind == STATISTICS || kind == REDUCTION_OP; }
static std::string text(const char *what, int a, int b = 0) {
	char s[200];
	snprintf(s, sizeof s, what, a, b);
	return s;
}

EXPORT int stheno_sim_cudnn() { return 1; } // by which tests know it
EXPORT size_t cudnnGetVersion() { return 91000; }
EXPORT const char *cudnnGetErrorString(int status) {
	switch (status) {
	case OK: return "CUDNN_STATUS_SUCCESS";
	case NOT_INITIALIZED: return "CUDNN_STATUS_NOT_INITIALIZED";
	case BAD_PARAM: return "CUDNN_STATUS_BAD_PARAM";
	case BAD_PARAM_NULL: return "CUDNN_STATUS_BAD_PARAM_NULL_POINTER";
	case BAD_PARAM_MISALIGNED: return "CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER";
	case BAD_PARAM_NOT_FINALIZED: return "CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED";
	case BAD_PARAM_SHAPE: return "CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH";
	case BAD_PARAM_TYPE: return "CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE";
	case NOT_SUPPORTED: return "CUDNN_STATUS_NOT_SUPPORTED";
	case NOT_SUPPORTED_PATTERN: return "CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN";
	case NOT_SUPPORTED_TYPE: return "CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE";
	case EXECUTION_FAILED: return "CUDNN_STATUS_EXECUTION_FAILED";
	}
	return "CUDNN_STATUS_UNKNOWN";
}
EXPORT void cudnnGetLastErrorString(char *to, size_t n) {
	if (n) snprintf(to, n, "%s", reason.c_str());
	reason.clear();
}

EXPORT int cudnnCreate(void **out) {
	void *context = nullptr;
	if (cuCtxGetCurrent(&context) || !context) return refuse(NOT_INITIALIZED, "no context is current");
	std::lock_guard<std::mutex> lock(mutex);
	Handle *h = new Handle;
	handles.insert(h);
	*out = h;
	return OK;
}
EXPORT int cudnnDestroy(void *handle) {
	std::lock_guard<std::mutex> lock(mutex);
	if (!handles.erase((Handle *)handle)) return refuse(BAD_PARAM, "not a handle, or destroyed before");
	delete (Handle *)handle;
	return OK;
}
EXPORT int cudnnSetStream(void *handle, void *stream) {
	std::lock_guard<std::mutex> lock(mutex);
	if (!handles.count((Handle *)handle)) return refuse(BAD_PARAM, "not a handle");
	((Handle *)handle)->stream = stream;
	return OK;
}

EXPORT int cudnnBackendCreateDescriptor(int kind, void **out) {
	bool known = false;
	for (const Rule &r : rules) known = known || r.kind == kind;
	if (!known) return refuse(NOT_SUPPORTED, text("descriptors of kind %d are not simulated", kind));
	std::lock_guard<std::mutex> lock(mutex);
	const auto d = std::make_shared<Descriptor>();
	d->kind = kind;
	descriptors[d.get()] = d;
	*out = d.get();
	return OK;
}
EXPORT int cudnnBackendDestroyDescriptor(void *descriptor) {
	std::lock_guard<std::mutex> lock(mutex);
	return descriptors.erase(descriptor) ? OK : refuse(BAD_PARAM, "not a descriptor, or destroyed before");
}

EXPORT int cudnnBackendSetAttribute(void *descriptor, int name, int type, int64_t count, const void *elements) {
	std::lock_guard<std::mutex> lock(mutex);
	const Ref d = find(descriptor);
	if (!d) return refuse(BAD_PARAM, "not a descriptor, or destroyed before");
	if (d->final) return refuse(BAD_PARAM, text("attribute %d is set on a finalized descriptor of kind %d", name, d->kind));
	for (const Rule &r : rules) {
		if (r.kind != d->kind || r.name != name) continue;
		const bool scale = r.type == T_FLOAT && type == T_DOUBLE; // alpha and beta are either
		if (type != r.type && !scale) return refuse(BAD_PARAM_TYPE, text("attribute %d is of another type than %d", name, type));
		if (count < r.least || count > r.most) return refuse(BAD_PARAM, text("attribute %d does not take %d elements", name, (int)count));
		if (!elements) return refuse(BAD_PARAM_NULL, text("no elements for attribute %d", name));
		Value v{type, count, std::vector<char>((const char *)elements, (const char *)elements + (size_t)count * size_of(type)), {}};
		for (int64_t i = 0; type == DESCRIPTOR && i < count; i++) {
			const Ref sub = find(((void *const *)elements)[i]);
			if (!sub) return refuse(BAD_PARAM, text("attribute %d: not a descriptor", name));
			if (!sub->final) return refuse(BAD_PARAM_NOT_FINALIZED, text("attribute %d: a descriptor of kind %d is not finalized", name, sub->kind));
			if (r.sub == ANY_OPERATION ? !is_operation(sub->kind) : sub->kind != r.sub) return refuse(BAD_PARAM, text("attribute %d: a descriptor of kind %d", name, sub->kind));
			v.refs.push_back(sub);
		}
		if (type == HANDLE && !handles.count(*(Handle *const *)elements)) return refuse(BAD_PARAM, text("attribute %d: not a handle", name));
		d->values[name] = std::move(v);
		return OK;
	}
	return refuse(BAD_PARAM, text("a descriptor of kind %d has no attribute %d to set", d->kind, name));
}

EXPORT int cudnnBackendFinalize(void *descriptor) {
	std::lock_guard<std::mutex> lock(mutex);
	const Ref d = find(descriptor);
	if (!d) return refuse(BAD_PARAM, "not a descriptor, or destroyed before");
	if (d->final) return refuse(BAD_PARAM, text("a descriptor of kind %d is finalized twice", d->kind));
	for (const Rule &r : rules) {
		if (r.kind == d->kind && r.required && !d->has(r.name)) return refuse(BAD_PARAM, text("a descriptor of kind %d lacks attribute %d", d->kind, r.name));
	}
	int e = OK;
	Tensor tensor;
	switch (d->kind) {
	case TENSOR: e = read_tensor(*d, tensor); break;
	case GRAPH: e = read_graph(*d, d->problem); break;
	case HEURISTICS: d->problem = d->ref(201)->problem; break;
	case PLAN:
		if (d->has(400) == d->has(407)) e = refuse(BAD_PARAM, "a plan wants a handle or a device");
		d->problem = d->ref(401)->problem;
		d->engine = d->ref(401)->engine;
		d->knobs = d->ref(401)->knobs;
		break;
	case ENGINE: {
		const int64_t index = d->one<int64_t>(1301);
		d->problem = d->ref(1300)->problem;
		if (index < 0 || index >= (int64_t)engines.size() || !computes(*d->problem, (int)index)) e = refuse(NOT_SUPPORTED, text("engine %d does not compute this", (int)index));
		d->engine = (int)index;
		break;
	}
	case CONFIG: {
		d->problem = d->ref(300)->problem;
		d->engine = d->ref(300)->engine;
		if (d->has(302)) {
			for (const Ref &k : d->values.at(302).refs) {
				if (!d->knobs.emplace(k->one<int32_t>(600), k->one<int64_t>(601)).second) e = refuse(BAD_PARAM, "a knob is set twice");
			}
		}
		const auto &may = engines[d->engine].knobs;
		if (!d->knobs.empty() && std::find(may.begin(), may.end(), d->knobs) == may.end()) e = refuse(NOT_SUPPORTED, "an engine has no such knobs, or not this way");
		break;
	}
	case PACK:
		if (d->values[1000].count != d->values[1001].count) e = refuse(BAD_PARAM, "a variant pack has other numbers of uids and pointers");
		break;
	case DEVICE: {
		const auto json = d->all<char>(2702);
		if (std::string(json.begin(), json.end()).find("\"maxThreadsPerSM\"") == std::string::npos) e = refuse(BAD_PARAM, "properties of a device are missing");
	}
	}
	d->final = e == OK;
	return e;
}

EXPORT int cudnnBackendGetAttribute(void *descriptor, int name, int type, int64_t wanted, int64_t *have, void *elements) {
	std::lock_guard<std::mutex> lock(mutex);
	const Ref d = find(descriptor);
	if (!d) return refuse(BAD_PARAM, "not a descriptor, or destroyed before");
	if (!d->final) return refuse(BAD_PARAM_NOT_FINALIZED, text("attribute %d is read of a descriptor that is not finalized", name));
	// Descriptors are filled in that the caller has made.
	const auto fill = [&](int kind, const std::vector<Configuration> &found) {
		if (type != DESCRIPTOR) return refuse(BAD_PARAM_TYPE, "want descriptors");
		if (have) *have = (int64_t)found.size();
		for (size_t i = 0; i < found.size() && (int64_t)i < wanted; i++) {
			const Ref to = find(((void **)elements)[i]);
			if (!to || to->kind != kind || to->final) return refuse(BAD_PARAM, text("attribute %d wants fresh descriptors of kind %d", name, kind));
			to->problem = d->problem;
			to->engine = found[i].engine;
			to->knobs = found[i].knobs;
			to->final = true;
		}
		return (int)OK;
	};
	std::vector<Configuration> knobs; // one each
	for (const auto &k : d->knobs) knobs.push_back({d->engine, {k}});
	std::vector<int> notes;
	const bool readable = d->kind == HEURISTICS || d->kind == CONFIG || d->kind == ENGINE || d->kind == PLAN || d->kind == KNOB_CHOICE;
	switch (readable ? name : -1) {
	case 202: return fill(CONFIG, proposed(*d->problem, d->one<int32_t>(200)));
	case 300: return fill(ENGINE, {{d->engine, {}}});
	case 302: // asked for none, cuDNN says that there are none
		if (wanted == 0) knobs.clear();
		return fill(KNOB_CHOICE, knobs);
	case 600:
		if (type != KNOB_TYPE || wanted < 1) return refuse(BAD_PARAM_TYPE, "attribute 600 is the type of a knob");
		*(int32_t *)elements = d->knobs.empty() ? d->one<int32_t>(600) : d->knobs.begin()->first;
		if (have) *have = 1;
		return OK;
	case 601:
		if (type != INT64 || wanted < 1) return refuse(BAD_PARAM_TYPE, "attribute 601 is an int64");
		*(int64_t *)elements = d->knobs.empty() ? d->one<int64_t>(601) : d->knobs.begin()->second;
		if (have) *have = 1;
		return OK;
	case 402:
	case 1301:
		if (type != INT64 || wanted < 1) return refuse(BAD_PARAM_TYPE, text("attribute %d is an int64", name));
		*(int64_t *)elements = name == 402 ? engines[d->engine].workspace : d->engine;
		if (have) *have = 1;
		return OK;
	case 1303:
		if (type != NOTE) return refuse(BAD_PARAM_TYPE, "want numerical notes");
		notes = engines[d->engine].notes;
		if (have) *have = (int64_t)notes.size();
		for (size_t i = 0; i < notes.size() && (int64_t)i < wanted; i++) ((int32_t *)elements)[i] = notes[i];
		return OK;
	}
	return refuse(BAD_PARAM, text("attribute %d of a descriptor of kind %d cannot be read", name, d->kind));
}

EXPORT int cudnnBackendExecute(void *handle, void *plan, void *pack) {
	std::shared_ptr<Problem> problem;
	std::map<int64_t, void *> pointers;
	void *workspace, *stream;
	int engine;
	Knobs knobs;
	{
		std::lock_guard<std::mutex> lock(mutex);
		const Ref p = find(plan), v = find(pack);
		if (!handles.count((Handle *)handle)) return refuse(BAD_PARAM, "not a handle");
		if (!p || p->kind != PLAN || !p->final) return refuse(BAD_PARAM_NOT_FINALIZED, "not a finalized plan");
		if (!v || v->kind != PACK || !v->final) return refuse(BAD_PARAM_NOT_FINALIZED, "not a finalized variant pack");
		if (!p->has(400)) return refuse(BAD_PARAM, "the plan is for a device that is not there");
		const auto uids = v->all<int64_t>(1000);
		const auto at = v->all<void *>(1001);
		for (size_t i = 0; i < uids.size(); i++) {
			if (!pointers.emplace(uids[i], at[i]).second) return refuse(BAD_PARAM, text("uid %d is given twice", (int)uids[i]));
		}
		problem = p->problem;
		engine = p->engine;
		knobs = p->knobs;
		workspace = v->one<void *>(1003);
		stream = ((Handle *)handle)->stream;
	}
	return start(problem, engine, knobs, pointers, workspace, stream);
}
