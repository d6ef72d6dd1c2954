// Fibers: stacks that take turns on one thread of the host.
#pragma once
#include <cstddef>

struct Fiber {
	void *stack = nullptr; // the saved stack pointer, or a ucontext_t
	char *memory = nullptr;
	int thread = -1; // of the block
};

// The largest kernel frame; below it lies a page that faults.
const size_t fiber_stack = 256 * 1024;

// Makes f ready to run entry from its beginning, whatever it did before.
void fiber_reset(Fiber &f, void (*entry)());

// Goes on in to, after saving where from stands.
extern "C" void sim_switch(void **from, void *to);
