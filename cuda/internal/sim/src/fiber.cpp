#include "fiber.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

static void reserve(Fiber &f) {
	if (f.memory) return;
	const size_t page = 4096;
	f.memory = (char *)mmap(nullptr, fiber_stack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (f.memory == MAP_FAILED || mprotect(f.memory, page, PROT_NONE)) {
		fprintf(stderr, "simulated CUDA: no memory for the stack of a thread\n");
		abort();
	}
}

#ifdef __x86_64__

// The registers that a function must keep go onto the old stack and come from the new one.
asm(R"(
	.text
	.globl sim_switch
	.hidden sim_switch
	.type sim_switch, @function
sim_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
	.size sim_switch, . - sim_switch
)");

void fiber_reset(Fiber &f, void (*entry)()) {
	reserve(f);
	void **top = (void **)(f.memory + fiber_stack); // aligned to 16
	*--top = nullptr; // where entry would return to; it never does. The stack is 8 bytes off the alignment, as after a call
	*--top = (void *)entry;
	for (int i = 0; i < 6; i++) *--top = nullptr;
	f.stack = top;
}

#else
#include <ucontext.h>

void fiber_reset(Fiber &f, void (*entry)()) {
	reserve(f);
	ucontext_t *c = (ucontext_t *)(f.stack ? f.stack : malloc(sizeof(ucontext_t)));
	getcontext(c);
	c->uc_stack.ss_sp = f.memory;
	c->uc_stack.ss_size = fiber_stack;
	c->uc_link = nullptr;
	makecontext(c, entry, 0);
	f.stack = c;
}

extern "C" void sim_switch(void **from, void *to) {
	if (!*from) *from = malloc(sizeof(ucontext_t));
	swapcontext((ucontext_t *)*from, (ucontext_t *)to);
}
#endif
