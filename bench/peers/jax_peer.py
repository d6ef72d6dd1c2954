"""JAX on the CPU (XLA) as a contestant: see peer.py. Each step is one compiled function.

XLA's threads are as many as the processors that the process may use: the driver binds it to as many as it shall have.
"""
import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np

import jax_nets
import peer


def prepare(a, config):
    if a.arch not in jax_nets.NETS:
        peer.cannot(f"jax_nets.py has no net {a.arch!r}")
    random = np.random.default_rng(2)
    x = jnp.asarray(random.random((a.batch, a.size, a.size, 3)), jnp.float32)
    net = jax_nets.Net(a.mode == "train", peer.CLASSES)
    weights, state = jax.tree.map(jnp.asarray, net.shaped(a.arch, x.shape))
    if a.mode == "inference":
        # Weights are constants of the compiled function, which lets XLA prepare them.
        run = jax.jit(lambda x: jax.nn.softmax(net(a.arch, x, weights, state)))
        return lambda: run(x).block_until_ready(), lambda out: np.asarray(out[:2], np.float64).tolist()

    labels = jnp.asarray(random.integers(peer.CLASSES, size=a.batch))

    def loss(weights, state):
        logits = net(a.arch, x, weights, state)
        picked = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1)
        return -picked.mean(), net.news

    def update(weights, velocity, state):
        (value, state), gradient = jax.value_and_grad(loss, has_aux=True)(weights, state)
        velocity = [0.9 * v + g for v, g in zip(velocity, gradient)]
        return value, [w - 1e-4 * v for w, v in zip(weights, velocity)], velocity, state

    run = jax.jit(update, donate_argnums=(0, 1, 2))
    run_state = [weights, [jnp.zeros_like(w) for w in weights], state]

    def step():
        value, *run_state[:] = run(*run_state)
        return value.block_until_ready()

    return step, float


if __name__ == "__main__":
    peer.main("JAX", jax.__version__, lambda a: ["jit, NHWC"], prepare)
