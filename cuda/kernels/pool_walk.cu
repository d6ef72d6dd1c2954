#include "pool.cuh"
#include "pool_walk.cuh"

// dx ← the gradients dy of the windows whose first maximum an element is.
KERNEL __launch_bounds__(WALK_THREADS, WALK_BLOCKS) max_pool_grad_walk(SDX *dx, const SX *x, const SDY *dy, const Pool p) {
	FOR_EACH(n, p.threads) { walk_down(dx, x, dy, place(n, p), p, Unmasked{}); }
}
