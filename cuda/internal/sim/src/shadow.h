// Who used which memory last, for races.
#pragma once
#include "core.h"

// A use of memory: by a thread in a run, which is a block's, or a piece of work's that is no kernel.
struct Use {
	uint32_t run;   // from 1 on; 0: nobody
	uint32_t clock; // the thread's, which what orders it counts up
	uint32_t epoch; // the block's barriers until then
	uint32_t thread;
	uint32_t pc; // in the library of the kernel; the highest bit says that it was atomic
};
const uint32_t atomic_bit = 1u << 31;

// The last write of some bytes, and two reads since then that nothing orders.
struct Cell {
	Use write, read[2];
};

// The cells of bytes that lie on one page; none of memory that is not the device's. Whoever calls these sees to it that nobody else does.
struct Cells {
	Cell *first, *last;
	Cell *begin() const { return first; }
	Cell *end() const { return last; }
};
const size_t shadow_page = 4096;
Cells cells_of(uintptr_t p, size_t bytes, bool shared);
void shadow_begin(); // before work: what was given back is forgotten
