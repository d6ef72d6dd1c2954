// What a graph of operations of the simulated cuDNN stands for: a convolution and what follows it.
#include "cudnn.h"

size_t Tensor::bytes() const {
	size_t last = 0;
	for (size_t i = 0; i < dims.size(); i++) last += (size_t)((dims[i] - 1) * strides[i]);
	return (last + 1) * element();
}

std::vector<Tensor> Problem::memory() const {
	std::vector<Tensor> all{x, w, y};
	for (const Step &s : steps) {
		if (s.reads()) all.push_back(s.operand);
	}
	all.insert(all.end(), sums.begin(), sums.end());
	return all;
}

std::map<int64_t, Tensor> Problem::constants() const {
	std::map<int64_t, Tensor> all;
	for (const Step &s : steps) {
		if (s.selects) all[s.bound.uid] = s.bound, all[s.otherwise.uid] = s.otherwise;
	}
	return all;
}

int read_tensor(const Descriptor &d, Tensor &to) {
	to = Tensor{d.one<int64_t>(906), d.one<int64_t>(900), d.one<int32_t>(901), d.all<int64_t>(902), d.all<int64_t>(903), d.one<bool>(907, false), d.one<bool>(908, false)};
	if (to.type != FLOAT && to.type != DOUBLE && to.type != BFLOAT16 && !(to.type == BOOL && to.is_virtual)) return refuse(NOT_SUPPORTED_TYPE, "a tensor's type is not simulated");
	if (to.by_value && (to.is_virtual || to.dims != std::vector<int64_t>{1, 1, 1, 1})) return refuse(BAD_PARAM, "a tensor by value is not one number, or virtual");
	if (to.alignment <= 0 || to.alignment & (to.alignment - 1) || to.alignment % (int64_t)to.element()) return refuse(BAD_PARAM, "a tensor's alignment is no power of two, or less than an element");
	for (int i = 0; i < 4; i++) {
		if (to.dims[i] <= 0 || to.strides[i] <= 0) return refuse(BAD_PARAM, "an extent or stride of a tensor is not positive");
	}
	if (to.strides[1] != 1) return refuse(NOT_SUPPORTED, "a tensor is not channels last");
	return OK;
}

static bool same(const Tensor &a, const Tensor &b) { return a.uid == b.uid && a.dims == b.dims && a.strides == b.strides && a.type == b.type && a.is_virtual == b.is_virtual && a.by_value == b.by_value; }

// Reads what statistics are wanted of the last result of a problem.
static int read_statistics(const Descriptor &d, const Tensor &last, Problem &p) {
	Tensor from;
	if (d.one<int32_t>(770) != 0) return refuse(NOT_SUPPORTED, "statistics are not sums and sums of squares");
	if (d.one<int32_t>(771) != FLOAT) return refuse(NOT_SUPPORTED_TYPE, "statistics are not computed in float");
	if (const int e = read_tensor(*d.ref(772), from)) return e;
	if (!same(from, last) || last.is_virtual) return refuse(NOT_SUPPORTED_PATTERN, "statistics are not of the result in memory");
	for (const int name : {773, 774}) {
		Tensor t;
		if (const int e = read_tensor(*d.ref(name), t)) return e;
		if (t.dims != std::vector<int64_t>{1, last.dims[1], 1, 1}) return refuse(BAD_PARAM_SHAPE, "a sum is not one of each channel");
		if (t.type != FLOAT) return refuse(NOT_SUPPORTED_TYPE, "sums are not of float");
		p.sums.push_back(t);
	}
	return OK;
}

// Reads ReLU's gradient, by which the result of a pass for x is masked.
static int read_mask(const Descriptor &d, Tensor &last, Problem &p) {
	Tensor from, result;
	Step s{};
	const Descriptor &what = *d.ref(750);
	if (what.one<int32_t>(1) != FLOAT) return refuse(NOT_SUPPORTED_TYPE, "ReLU's gradient is not computed in float");
	if (!d.has(756) || !d.has(757) || d.has(752) || d.has(753) || d.has(758)) return refuse(BAD_PARAM, "ReLU's gradient wants x, dy and dx, and nothing else");
	if (const int e = read_tensor(*d.ref(757), from)) return e;
	if (const int e = read_tensor(*d.ref(751), s.operand)) return e;
	if (const int e = read_tensor(*d.ref(756), result)) return e;
	if (!same(from, last) || !last.is_virtual) return refuse(NOT_SUPPORTED_PATTERN, "ReLU's gradient is not of the virtual result of the pass");
	if (last.type != FLOAT) return refuse(NOT_SUPPORTED_TYPE, "what ReLU's gradient is of is not float");
	if (s.operand.dims != last.dims || result.dims != last.dims) return refuse(BAD_PARAM_SHAPE, "ReLU's gradient changes the shape");
	if (s.operand.type != result.type) return refuse(NOT_SUPPORTED_TYPE, "a mask is of another type than the result");
	s.mask = true;
	p.steps.push_back(s);
	last = result;
	return OK;
}

// Reads a comparison and a selection by it, which does the same.
static int read_selection(const Descriptor &compare, const Descriptor &select, Tensor &last, Problem &p) {
	Tensor from, above, condition, result;
	Step s{};
	for (const Descriptor *d : {&compare, &select}) {
		if (d->ref(750)->one<int32_t>(1) != FLOAT) return refuse(NOT_SUPPORTED_TYPE, "a comparison or a selection is not computed in float");
		if (!d->has(752) || !d->has(753) || d->has(756) || d->has(757) || d->has(758) != (d == &select)) return refuse(BAD_PARAM, "a comparison wants x, b and y, a selection t besides");
	}
	if (const int e = read_tensor(*compare.ref(751), s.operand)) return e;
	if (const int e = read_tensor(*compare.ref(752), s.bound)) return e;
	if (const int e = read_tensor(*compare.ref(753), above)) return e;
	if (const int e = read_tensor(*select.ref(751), from)) return e;
	if (const int e = read_tensor(*select.ref(752), s.otherwise)) return e;
	if (const int e = read_tensor(*select.ref(758), condition)) return e;
	if (const int e = read_tensor(*select.ref(753), result)) return e;
	if (!same(from, last) || !last.is_virtual) return refuse(NOT_SUPPORTED_PATTERN, "a selection is not from the virtual result of the pass");
	if (last.type != FLOAT) return refuse(NOT_SUPPORTED_TYPE, "what is selected from is not float");
	if (!same(condition, above) || above.type != BOOL) return refuse(NOT_SUPPORTED_PATTERN, "a selection is not by the virtual, boolean result of the comparison");
	if (!s.bound.by_value || !s.otherwise.by_value) return refuse(NOT_SUPPORTED_PATTERN, "bounds and what is selected otherwise are by value here");
	if (s.bound.uid == s.otherwise.uid && !same(s.bound, s.otherwise)) return refuse(BAD_PARAM, "two tensors have one uid");
	if (s.operand.dims != last.dims || above.dims != last.dims || result.dims != last.dims) return refuse(BAD_PARAM_SHAPE, "a comparison or a selection changes the shape");
	if (s.operand.type != result.type) return refuse(NOT_SUPPORTED_TYPE, "a mask is of another type than the result");
	s.mask = s.selects = true;
	p.steps.push_back(s);
	last = result;
	return OK;
}

// Reads a reduction: the sums of the channels of what a pass for x ends with.
static int read_reduction(const Descriptor &d, const Tensor &last, Problem &p) {
	Tensor from, to;
	const Descriptor &what = *d.ref(1612);
	if (what.one<int32_t>(1600) != 0) return refuse(NOT_SUPPORTED, "a reduction is no sum");
	if (what.one<int32_t>(1601) != FLOAT) return refuse(NOT_SUPPORTED_TYPE, "a reduction is not computed in float");
	if (const int e = read_tensor(*d.ref(1610), from)) return e;
	if (const int e = read_tensor(*d.ref(1611), to)) return e;
	if (!same(from, last) || last.is_virtual) return refuse(NOT_SUPPORTED_PATTERN, "a reduction is not of the result in memory");
	if (to.dims != std::vector<int64_t>{1, last.dims[1], 1, 1}) return refuse(BAD_PARAM_SHAPE, "a sum is not one of each channel");
	if (to.type != FLOAT) return refuse(NOT_SUPPORTED_TYPE, "sums are not of float");
	p.sums.push_back(to);
	p.ordered = what.one<bool>(1602, false);
	return OK;
}

// Reads what follows a pass for x: ReLU's gradient, or a comparison and a selection, and then sums.
static int read_masking(const std::vector<Ref> &ops, Tensor &last, Problem &p) {
	const auto mode = [&](size_t i) { return i < ops.size() && ops[i]->kind == POINTWISE_OP ? ops[i]->ref(750)->one<int32_t>(0) : -1; };
	size_t read = 2;
	int e;
	if (mode(1) == 200) e = read_mask(*ops[1], last, p);
	else if (mode(1) == 302 && mode(2) == 601) e = read_selection(*ops[1], *ops[2], last, p), read = 3;
	else return refuse(NOT_SUPPORTED_PATTERN, "a pass for x is followed by something else than ReLU's gradient, or a comparison with a bound and a selection");
	if (e) return e;
	if (read < ops.size() && ops[read]->kind == REDUCTION_OP) {
		if ((e = read_reduction(*ops[read++], last, p))) return e;
	}
	return read == ops.size() ? (int)OK : refuse(NOT_SUPPORTED_PATTERN, "a masked pass for x is followed by something else than sums");
}

int read_graph(const Descriptor &graph, std::shared_ptr<Problem> &to) {
	const auto &ops = graph.values.at(801).refs;
	const auto p = std::make_shared<Problem>();
	const Descriptor &conv = *ops[0];
	p->pass = conv.kind;
	if (p->pass != FORWARD && p->pass != BACKWARD_DATA && p->pass != BACKWARD_FILTER) return refuse(NOT_SUPPORTED_PATTERN, "a graph does not begin with a convolution");
	// Each has its attributes in the order alpha, beta, convolution, w, x, y.
	const int names = p->pass == FORWARD ? 700 : p->pass == BACKWARD_DATA ? 706 : 712;
	const Ref tensors[3] = {conv.ref(names + 4), conv.ref(names + 3), conv.ref(names + 5)};
	Tensor *into[3] = {&p->x, &p->w, &p->y};
	for (int i = 0; i < 3; i++) {
		if (const int e = read_tensor(*tensors[i], *into[i])) return e;
	}
	for (int i = 0; i < 2; i++) {
		const double v = conv.values.at(names + i).bytes.size() == 8 ? conv.one<double>(names + i) : conv.one<float>(names + i);
		if (v != (i == 0 ? 1 : 0)) return refuse(NOT_SUPPORTED, "alpha is not 1, or beta not 0");
	}
	const Descriptor &c = *conv.ref(names + 2);
	p->dilations = c.all<int64_t>(102);
	p->strides = c.all<int64_t>(103);
	p->post = c.all<int64_t>(104);
	p->pre = c.all<int64_t>(105);
	if (c.one<int32_t>(101) != 1) return refuse(NOT_SUPPORTED, "not a cross-correlation");
	if (c.one<int64_t>(106) != 2) return refuse(NOT_SUPPORTED, "not two spatial dimensions");
	p->doubles = c.one<int32_t>(100) == DOUBLE;
	if (c.one<int32_t>(100) == BFLOAT16) return refuse(NOT_SUPPORTED_TYPE, "sums in bfloat16");

	Tensor last = p->result();
	for (size_t i = 1; i < ops.size(); i++) {
		if (p->pass == FORWARD && ops[i]->kind == STATISTICS && i + 1 == ops.size()) {
			if (const int e = read_statistics(*ops[i], last, *p)) return e;
			break;
		}
		if (p->pass == BACKWARD_DATA) {
			if (const int e = read_masking(ops, last, *p)) return e;
			break;
		}
		if (p->pass != FORWARD || ops[i]->kind != POINTWISE_OP) return refuse(NOT_SUPPORTED_PATTERN, "only pointwise operations and then statistics follow a forward convolution, and nothing follows one for w");
		Tensor from, result;
		Step s{};
		if (const int e = read_tensor(*ops[i]->ref(751), from)) return e;
		if (!ops[i]->has(753) || ops[i]->has(756) || ops[i]->has(757) || ops[i]->has(758)) return refuse(BAD_PARAM, "an operation wants y, and neither dx nor dy nor t");
		if (const int e = read_tensor(*ops[i]->ref(753), result)) return e;
		if (!same(from, last) || !last.is_virtual) return refuse(NOT_SUPPORTED_PATTERN, "an operation does not read the virtual result of the one before");
		const Descriptor &what = *ops[i]->ref(750);
		const int mode = what.one<int32_t>(0);
		s.relu = mode == 100;
		s.propagate = what.one<int32_t>(2, 0) == 1;
		s.copy = mode == 21;
		if (!s.relu && !s.copy && mode != 0) return refuse(NOT_SUPPORTED_PATTERN, "a pointwise operation is neither addition nor ReLU nor a copy");
		if ((s.relu || s.copy) == ops[i]->has(752)) return refuse(BAD_PARAM, "an addition wants two operands, ReLU and a copy one");
		if (s.reads()) {
			if (const int e = read_tensor(*ops[i]->ref(752), s.operand)) return e;
			const std::vector<int64_t> bias{1, result.dims[1], 1, 1};
			if (s.operand.is_virtual || (s.operand.dims != bias && s.operand.dims != result.dims)) return refuse(NOT_SUPPORTED_PATTERN, "what is added is neither a bias nor a residual in memory");
		}
		if (result.dims != last.dims) return refuse(BAD_PARAM_SHAPE, "a pointwise operation changes the shape");
		p->steps.push_back(s);
		last = result;
	}
	p->result() = last;
	std::map<int64_t, int> uids;
	for (const Tensor &t : p->memory()) {
		if (t.is_virtual || t.by_value) return refuse(NOT_SUPPORTED_PATTERN, "an operand or the last result is virtual, or by value");
		if (uids[t.uid]++) return refuse(BAD_PARAM, "two tensors have one uid");
	}
	for (const auto &c : p->constants()) {
		if (uids.count(c.first)) return refuse(BAD_PARAM, "two tensors have one uid");
	}
	if (p->x.type != p->w.type || p->w.type != p->y.type || p->doubles != (p->x.type == DOUBLE)) return refuse(NOT_SUPPORTED_TYPE, "the types of the tensors and of the sums do not go together");
	for (const Step &s : p->steps) {
		if (s.reads() && s.residual() && s.operand.type != p->y.type) return refuse(NOT_SUPPORTED_TYPE, "a residual is of another type than the result");
	}
	if (p->doubles && !p->sums.empty()) return refuse(NOT_SUPPORTED_TYPE, "statistics of doubles");

	if (p->x.dims[0] != p->y.dims[0] || p->w.dims[0] != p->y.dims[1] || p->x.dims[1] % p->w.dims[1]) return refuse(BAD_PARAM_SHAPE, "batch or channels do not fit");
	p->groups = p->x.dims[1] / p->w.dims[1];
	if (p->w.dims[0] % p->groups) return refuse(BAD_PARAM_SHAPE, "filters do not fall into groups");
	for (int i = 0; i < 2; i++) {
		if (p->strides[i] < 1 || p->dilations[i] < 1 || p->pre[i] < 0 || p->post[i] < 0) return refuse(BAD_PARAM, "a stride, dilation or padding");
		const int64_t room = p->x.dims[2 + i] + p->pre[i] + p->post[i] - ((p->w.dims[2 + i] - 1) * p->dilations[i] + 1);
		if (room < 0 || room / p->strides[i] + 1 != p->y.dims[2 + i]) return refuse(BAD_PARAM_SHAPE, "rows or columns do not fit");
	}
	to = p;
	return OK;
}
