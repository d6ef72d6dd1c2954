// Capture of streams, graphs and their launches. A graph is launched as one piece of work, whose nodes run one after another
// in an order that the captured dependencies allow.
#include "race.h"

#include <cstdlib>
#include <cstring>
#include <random>

static thread_local char thread_identity;
static thread_local int thread_mode = 0; // CU_STREAM_CAPTURE_MODE_GLOBAL

// Calls such as cuMemAlloc are refused, and break the capture, while a stream captures in a mode that forbids them.
int unsafe_while_capturing() {
	int error = SUCCESS;
	for (const auto &c : state().captures) {
		const bool own = c->thread == &thread_identity;
		if (thread_mode == 2 || c->mode == 2 || ((c->mode == 1 || thread_mode == 1) && !own)) continue;
		c->invalid = true;
		error = STREAM_CAPTURE_UNSUPPORTED;
	}
	return error;
}

void capture_node(Stream &s, std::shared_ptr<Work> w) {
	Graph &g = *s.capture->graph;
	g.nodes.push_back({std::move(w), s.frontier, s.capture->origin == &s});
	s.frontier = {(int)g.nodes.size() - 1};
}

#define ENTER_STREAM                                                                                                   \
	ENTER;                                                                                                             \
	const auto s = stream_of(stream, call.context);                                                                    \
	if (!s) return INVALID_HANDLE

EXPORT cuStreamBeginCapture_v2(void *stream, int mode) {
	ENTER_STREAM;
	if (mode < 0 || mode > 2) return INVALID_VALUE;
	if (s == call.context->null_stream) return STREAM_CAPTURE_UNSUPPORTED;
	if (s->capture) return INVALID_VALUE;
	static unsigned long ids = 0;
	const auto c = std::make_shared<Capture>();
	c->origin = s.get();
	c->mode = mode;
	c->id = ++ids;
	c->thread = &thread_identity;
	c->streams = {s};
	c->graph = std::make_shared<Graph>();
	s->capture = c;
	s->frontier.clear();
	state().captures.push_back(c);
	return SUCCESS;
}
EXPORT cuStreamBeginCapture(void *stream) { return cuStreamBeginCapture_v2(stream, 0); }

EXPORT cuStreamEndCapture(void *stream, void **graph) {
	ENTER_STREAM;
	if (!graph) return INVALID_VALUE;
	*graph = nullptr;
	const auto c = s->capture;
	if (!c) return INVALID_VALUE;
	if (c->origin != s.get()) {
		c->invalid = true;
		return STREAM_CAPTURE_UNMATCHED;
	}
	if (c->mode != 2 && c->thread != &thread_identity) return STREAM_CAPTURE_WRONG_THREAD;

	// Every node must come before the end of the stream that began.
	std::set<int> joined, todo = s->frontier;
	while (!todo.empty()) {
		const int n = *todo.begin();
		todo.erase(todo.begin());
		if (joined.insert(n).second) todo.insert(c->graph->nodes[n].after.begin(), c->graph->nodes[n].after.end());
	}
	for (const auto &t : c->streams) {
		t->capture = nullptr;
		t->frontier.clear();
	}
	c->origin = nullptr;
	auto &all = state().captures;
	for (size_t i = 0; i < all.size(); i++) {
		if (all[i] == c) all.erase(all.begin() + (long)i);
	}
	if (c->invalid) return STREAM_CAPTURE_INVALIDATED;
	if (joined.size() != c->graph->nodes.size()) return STREAM_CAPTURE_UNJOINED;
	*graph = add(c->graph, call.context);
	return SUCCESS;
}

EXPORT cuStreamIsCapturing(void *stream, int *status) {
	ENTER_STREAM;
	if (!status) return INVALID_VALUE;
	*status = !s->capture ? 0 : s->capture->invalid ? 2 : 1;
	return SUCCESS;
}

EXPORT cuStreamGetCaptureInfo_v2(void *stream, int *status, uint64_t *id, void **graph, const void ***nodes, size_t *count) {
	ENTER_STREAM;
	if (!status || graph || nodes || count) return status ? NOT_SUPPORTED : INVALID_VALUE;
	*status = !s->capture ? 0 : s->capture->invalid ? 2 : 1;
	if (id) *id = s->capture ? s->capture->id : 0;
	return SUCCESS;
}
EXPORT cuStreamGetCaptureInfo(void *stream, int *status, uint64_t *id) {
	return cuStreamGetCaptureInfo_v2(stream, status, id, nullptr, nullptr, nullptr);
}

EXPORT cuThreadExchangeStreamCaptureMode(int *mode) {
	ENTER_WITHOUT_CONTEXT;
	if (!mode || *mode < 0 || *mode > 2) return INVALID_VALUE;
	std::swap(*mode, thread_mode);
	return SUCCESS;
}

EXPORT cuGraphDestroy(void *graph) {
	ENTER_WITHOUT_CONTEXT;
	if (!find<Graph>(graph)) return INVALID_HANDLE;
	state().objects.erase(graph);
	return SUCCESS;
}

EXPORT cuGraphGetNodes(void *graph, void **nodes, size_t *count) {
	ENTER_WITHOUT_CONTEXT;
	const auto g = find<Graph>(graph);
	if (!g) return INVALID_HANDLE;
	if (!count) return INVALID_VALUE;
	if (nodes) return NOT_SUPPORTED; // nodes have no handles here
	*count = g->nodes.size();
	return SUCCESS;
}

// An order of the nodes that their dependencies allow. STHENO_SIM_ORDER picks which: a dependency that was forgotten then shows.
static std::vector<std::pair<int, std::shared_ptr<Work>>> order(const Graph &g) {
	const char *v = getenv("STHENO_SIM_ORDER");
	const std::string how = v ? v : "";
	std::mt19937 random(1);
	std::vector<std::pair<int, std::shared_ptr<Work>>> r;
	std::set<int> done, open;
	for (size_t i = 0; i < g.nodes.size(); i++) open.insert((int)i);
	while (!open.empty()) {
		std::vector<int> ready;
		for (const int n : open) {
			bool all = true;
			for (const int d : g.nodes[n].after) all = all && done.count(d);
			if (!all) continue;
			ready.push_back(n);
			if (how.empty()) break;
		}
		if (how == "first" || how == "other") { // the stream that began goes on as long as it can, or the others do
			const bool wanted = how == "first";
			for (size_t i = 1; i < ready.size(); i++) {
				if (g.nodes[ready[0]].first != wanted && g.nodes[ready[i]].first == wanted) std::swap(ready[0], ready[i]);
			}
		}
		const int n = how == "random" ? ready[random() % ready.size()] : how == "reverse" ? ready.back() : ready.front();
		r.push_back({n, g.nodes[n].work});
		done.insert(n);
		open.erase(n);
	}
	return r;
}

EXPORT cuGraphInstantiateWithFlags(void **executable, void *graph, unsigned long long) {
	ENTER;
	const auto g = find<Graph>(graph);
	if (!g) return INVALID_HANDLE;
	if (!executable) return INVALID_VALUE;
	const auto x = std::make_shared<Executable>();
	x->order = order(*g);
	x->behind = race_behind(g->nodes);
	*executable = add(x, call.context);
	return SUCCESS;
}
EXPORT cuGraphInstantiate(void **executable, void *graph, void **, char *, size_t) {
	return cuGraphInstantiateWithFlags(executable, graph, 0);
}
EXPORT cuGraphInstantiate_v2(void **executable, void *graph, void **, char *, size_t) {
	return cuGraphInstantiateWithFlags(executable, graph, 0);
}

EXPORT cuGraphExecDestroy(void *executable) {
	ENTER_WITHOUT_CONTEXT;
	if (!find<Executable>(executable)) return INVALID_HANDLE;
	state().objects.erase(executable);
	return SUCCESS;
}

EXPORT cuGraphUpload(void *executable, void *stream) {
	ENTER_STREAM;
	return find<Executable>(executable) ? SUCCESS : INVALID_HANDLE;
}

EXPORT cuGraphLaunch(void *executable, void *stream) {
	ENTER_STREAM;
	const auto x = find<Executable>(executable);
	if (!x) return INVALID_HANDLE;
	const auto w = std::make_shared<Work>();
	w->name = "graph";
	w->check = [x] {
		for (const auto &[node, n] : x->order) {
			if (!n->check) continue;
			if (const int e = n->check()) return e;
		}
		return (int)SUCCESS;
	};
	w->run = [x] {
		for (const auto &[node, n] : x->order) {
			race_node(node, x->behind);
			if (const int e = n->run()) return e;
		}
		return (int)SUCCESS;
	};
	return enqueue(s, w);
}
