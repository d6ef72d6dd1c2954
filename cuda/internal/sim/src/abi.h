// What a compiled module and the simulated driver know of each other. NVRTC's stand-in puts this text in front of every
// program, so it includes nothing.
#ifndef STHENO_SIM_ABI
#define STHENO_SIM_ABI

struct uint3 {
	unsigned x, y, z;
};

struct dim3 {
	unsigned x, y, z;
	constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
	constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
};

// What threads of a warp do together. The lanes of a mask must all ask for the same.
enum sim_warp_op { SIM_SYNCWARP, SIM_SHUFFLE, SIM_BALLOT, SIM_ANY, SIM_ALL };

// What a barrier of the block counts besides.
enum sim_block_op { SIM_SYNC, SIM_COUNT, SIM_AND, SIM_OR };

// How a kernel uses memory. A fence is of the whole device's memory.
enum sim_access { SIM_READ, SIM_WRITE, SIM_ATOMIC_ACCESS };

// What a module asks of the driver while a kernel runs. touch and fence are for races alone.
struct sim_runtime {
	int (*block)(sim_block_op op, int value, int line);
	unsigned long long (*warp)(sim_warp_op op, unsigned mask, unsigned long long value, int source, int line);
	void (*trap)(const char *what, int line);
	void (*touch)(const void *p, unsigned long bytes, sim_access how, const void *pc);
	void (*fence)(void);
};

struct sim_kernel {
	const char *name;
	void (*call)(void **parameters);
	int parameters;
	const unsigned *sizes, *alignments;
	const bool *pointers; // which parameters are pointers
	unsigned max_threads; // of __launch_bounds__, or 0
};

// The table that a module exports as sim_module.
struct sim_module_table {
	unsigned version; // SIM_ABI_VERSION
	const sim_runtime **runtime;
	uint3 *thread, *block;
	dim3 *block_dim, *grid_dim;
	char **dynamic_shared;
	char *shared, *shared_end; // static shared memory of all kernels
	int kernels;
	const sim_kernel *kernel;
};

#define SIM_ABI_VERSION 3

#endif
