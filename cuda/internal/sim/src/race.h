// Races, looked for where STHENO_SIM_CHECK is set: two uses of the same memory, one of which writes, that nothing orders.
//
// Within a block, barriers order its threads, and __syncwarp those of its mask; a shuffle does not, as CUDA has it. Blocks of a grid
// are ordered by an atomic operation alone that a fence comes before, where one releases, or behind, where one acquires. Work of
// streams is ordered by streams, events, the nodes of a graph, and the host where it waited.
#pragma once
#include "core.h"

// The order of work. What is below is called under the state's lock.
void race_wait(Stream &s, const Mark &m); // what comes in s from now on comes behind m
void race_host(const Mark &m);            // the host has waited for m
Place race_place(Stream &s);              // of the work that is put into s now
Behind race_behind(const std::vector<Node> &nodes);
void race_changed();                           // there is new memory
void race_forget(const void *p, size_t bytes); // memory is given back

// The work that this thread of a stream does now. What is below is called without the lock.
void race_begin(const Place &p);
void race_node(int node, const Behind &behind);
const Place &race_now();
bool race_ordered(const Place &before, const Place &after);

// Work that is no kernel uses memory; "" or the race.
std::string race_range(const char *what, const void *p, size_t bytes, bool write);

// An image is new.
void race_image(Image &image, const std::string &bytes);

// A grid runs, while nothing else is looked at. Its threads call those below race_block.
struct RaceGrid {
	RaceGrid(const Launch &l, const char *dynamic);
	~RaceGrid();
	RaceGrid(const RaceGrid &) = delete;
	std::unique_lock<std::mutex> lock;
};
void race_block();
void race_barrier();
void race_warp(int warp, unsigned lanes);
std::string race_touch(int thread, const void *p, size_t bytes, sim_access how, const void *pc); // "" or the race
void race_fence(int thread);
