// What orders the work of streams, for races: for everything that begins, how far each stream had come that it waits for.
#include "race.h"

#include <cstdlib>
#include <cstring>

bool races() {
	static const bool on = [] {
		const char *v = getenv("STHENO_SIM_CHECK");
		return v && *v && strcmp(v, "0");
	}();
	return on;
}

// The later of two pasts, stream by stream.
static Past join(const Past &a, const Past &b) {
	if (!a || a == b) return b;
	if (!b) return a;
	std::vector<uint64_t> r = *a;
	if (b->size() > r.size()) r.resize(b->size());
	for (size_t i = 0; i < b->size(); i++) r[i] = std::max(r[i], (*b)[i]);
	return r == *a ? a : std::make_shared<const std::vector<uint64_t>>(std::move(r));
}

// All that lies before a mark, which is reached when its stream has done as many items.
static Past before(const Mark &m) {
	if (!m.stream || !m.item) return m.past;
	std::vector<uint64_t> r = m.past ? *m.past : std::vector<uint64_t>();
	if (r.size() <= m.stream->number) r.resize(m.stream->number + 1);
	r[m.stream->number] = std::max(r[m.stream->number], m.item);
	return std::make_shared<const std::vector<uint64_t>>(std::move(r));
}

static bool covers(const Past &p, uint32_t stream, uint64_t item) { return p && p->size() > stream && (*p)[stream] >= item; }

void race_wait(Stream &s, const Mark &m) {
	if (!races() || !m.stream || m.stream.get() == &s) return;
	if (covers(s.past, m.stream->number, m.item)) return;
	s.past = join(s.past, before(m));
}

static Past host; // what the program has waited for; threads of it count as one

void race_host(const Mark &m) {
	if (!races() || !m.stream || covers(host, m.stream->number, m.item)) return;
	host = join(host, before(m));
}

Place race_place(Stream &s) {
	Place p;
	if (!races()) return p;
	s.past = join(s.past, host);
	p.stream = s.number, p.item = s.enqueued + 1, p.past = s.past;
	return p;
}

// A node is captured behind those that it depends on.
Behind race_behind(const std::vector<Node> &nodes) {
	if (!races()) return nullptr;
	std::vector<std::vector<bool>> behind;
	for (const Node &n : nodes) {
		std::vector<bool> b(nodes.size());
		for (const int d : n.after) {
			b[(size_t)d] = true;
			for (size_t i = 0; i < behind[(size_t)d].size(); i++) b[i] = b[i] || behind[(size_t)d][i];
		}
		behind.push_back(std::move(b));
	}
	return std::make_shared<const std::vector<std::vector<bool>>>(std::move(behind));
}

static thread_local Place now;
void race_begin(const Place &p) { now = p; }
void race_node(int node, const Behind &behind) { now.node = node, now.behind = behind; }
const Place &race_now() { return now; }

bool race_ordered(const Place &a, const Place &b) {
	if (a.stream != b.stream) return covers(b.past, a.stream, a.item);
	if (a.item != b.item) return a.item < b.item;
	return a.node == b.node || (b.behind && (*b.behind)[(size_t)b.node][(size_t)a.node]);
}
