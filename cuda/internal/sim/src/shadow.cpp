#include "shadow.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <unordered_map>

#include "race.h"

const size_t page = shadow_page;
struct Page {
	int shift = 2; // bytes of a cell, as a power of 2: so few as were ever used alone
	bool device = false, known = false;
	uint64_t looked = 0; // at the ranges of memory, when there were so many changes
	Cell all = {}; // what all cells are, as long as there are none
	std::vector<Cell> cells;
};

static std::unordered_map<uintptr_t, Page> pages;
static uintptr_t recent[64];
static Page *recent_page[64];

static std::atomic<uint64_t> range_changes{1};

// Memory that was given back, whose pages go when something begins: then nobody holds the state's lock.
static std::mutex gone_lock;
static std::vector<std::pair<uintptr_t, uintptr_t>> gone;

void race_changed() { range_changes++; }
void race_forget(const void *p, size_t bytes) {
	if (!races()) return;
	range_changes++;
	std::lock_guard<std::mutex> lock(gone_lock);
	gone.push_back({(uintptr_t)p, (uintptr_t)p + bytes});
}

void shadow_begin() {
	std::lock_guard<std::mutex> lock(gone_lock);
	for (const auto &[from, to] : gone) {
		for (uintptr_t n = from / page; n * page < to; n++) pages.erase(n); // another's there, too: something else may come to be there
	}
	gone.clear();
	for (Page *&p : recent_page) p = nullptr;
}

static Page &page_of(uintptr_t p) {
	const uintptr_t n = p / page;
	const size_t slot = n % 64;
	if (recent[slot] != n || !recent_page[slot]) recent[slot] = n, recent_page[slot] = &pages[n];
	return *recent_page[slot];
}

static void look(Page &g, uintptr_t p) {
	if (g.known && (g.device || g.looked == range_changes)) return;
	const uintptr_t begin = p / page * page;
	Lock lock(state().mutex);
	g.known = true, g.looked = range_changes;
	auto i = state().ranges.lower_bound(begin + page);
	g.device = i != state().ranges.begin() && (--i)->first + i->second.bytes > begin;
}

// Makes cells so small that a use of bytes at p is made of whole ones.
static void refine(Page &g, uintptr_t p, size_t bytes) {
	if (!g.cells.empty() && !((p | bytes) & ((1u << g.shift) - 1))) return;
	int shift = 2;
	while (shift > 0 && ((p | bytes) & ((1u << shift) - 1))) shift--;
	if (g.cells.empty()) {
		g.shift = shift;
		g.cells.assign(page >> shift, g.all);
	} else if (shift < g.shift) {
		std::vector<Cell> fine(page >> shift);
		for (size_t i = 0; i < fine.size(); i++) fine[i] = g.cells[i >> (g.shift - shift)];
		g.cells.swap(fine);
		g.shift = shift;
	}
}

Cells cells_of(uintptr_t p, size_t bytes, bool shared) {
	Page &g = page_of(p);
	if (!shared) look(g, p);
	if (!shared && !g.device) return {};
	if (bytes == page) {
		const bool written = !g.cells.empty() && std::all_of(g.cells.begin(), g.cells.end(), [&](const Cell &c) { return !memcmp(&c, &g.cells[0], sizeof c); });
		if (written) g.all = g.cells[0], g.cells.clear();
		if (g.cells.empty()) return {&g.all, &g.all + 1};
	}
	refine(g, p, bytes);
	Cell *const first = g.cells.data() + (p % page >> g.shift);
	return {first, first + (bytes >> g.shift)};
}
