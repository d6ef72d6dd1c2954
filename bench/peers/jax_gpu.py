"""JAX on a GPU as a contestant: see gpu_peer.py. Each step is one compiled function.

    python jax_gpu.py --deadline 300 resnet50:32:512:train:bf16 …

fp32 and tf32 are what jax.default_matmul_precision makes of float32. In bf16, activations and what is multiplied are bfloat16;
weights, statistics of batch normalization and the optimizer are float32.
"""
import gc
import os

import gpu_peer

options = gpu_peer.arguments(["jit"])
os.environ.setdefault("JAX_PLATFORMS", options.device)

import jax
import jax.numpy as jnp
import numpy as np

import jax_nets

PRECISION = {"fp32": "float32", "tf32": "tensorfloat32", "bf16": "bfloat16"}


def place(kind):
    device = jax.devices()[0]
    return jax.sharding.SingleDeviceSharding(device, memory_kind=kind if options.device == "cuda" else None)


class Feeder:
    """Hands out a batch on the device, again and again; the next one is copied while the one before is used."""

    def __init__(self, host):
        self.host, self.to = jax.device_put(host, place("pinned_host")), place("device")
        self.next = jax.device_put(self.host, self.to)

    def __call__(self):
        ready, self.next = self.next, jax.device_put(self.host, self.to)
        return ready


def batches(case, feed):
    """A function that returns images (batch, size, size, 3) and labels (batch), on the device."""
    random = np.random.default_rng(2)
    images = random.integers(256, size=(case.batch, case.size, case.size, 3), dtype=np.uint8)
    labels = random.integers(case.classes, size=case.batch, dtype=np.int32)
    if feed == "bytes":
        return Feeder([images, labels])
    images = (images.astype(np.float32) - np.float32(127.5)) / 64
    if feed == "floats":
        return Feeder([images, labels])
    there = jax.device_put([images, labels], place("device"))
    return lambda: there


def floats(images):
    return (images.astype(jnp.float32) - 127.5) / 64 if images.dtype == jnp.uint8 else images


def train(case, net, feed, weights, state):
    key = jax.random.key(0, impl="rbg")

    def loss(weights, state, images, labels, count):
        logits = net(case.arch, floats(images), weights, state, jax.random.fold_in(key, count))
        picked = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1)
        return -picked.mean(), net.news

    def update(weights, velocity, state, count, images, labels):
        (value, state), gradient = jax.value_and_grad(loss, has_aux=True)(weights, state, images, labels, count)
        velocity = [0.9 * v + g for v, g in zip(velocity, gradient)]
        return value, [w - 1e-4 * v for w, v in zip(weights, velocity)], velocity, state, count + 1

    held = [weights, [jnp.zeros_like(w) for w in weights], state, jnp.int32(0)]
    run = jax.jit(update, donate_argnums=(0, 1, 2, 3)).lower(*held, *feed()).compile()

    def step():
        value, *held[:] = run(*held, *feed())
        return value

    return step, lambda: jax.block_until_ready(held), float, run


def inference(case, net, feed, weights, state):
    def scores(weights, state, images):
        return jax.nn.softmax(net(case.arch, floats(images), weights, state))

    run = jax.jit(scores).lower(weights, state, feed()[0]).compile()
    return lambda: np.asarray(run(weights, state, feed()[0])), lambda: None, lambda out: out[:2].tolist(), run


def footprint(run):
    """The memory that a compiled function plans for, with its arguments and results: the device's own count never falls."""
    m = run.memory_analysis()
    return m.argument_size_in_bytes + m.output_size_in_bytes - m.alias_size_in_bytes + m.temp_size_in_bytes if m else 0


def prepare(case, variant, a):
    net = jax_nets.Net(case.mode == "train", case.classes, jnp.bfloat16 if case.precision == "bf16" else jnp.float32, one_pass=True)
    weights, state = jax.tree.map(jnp.asarray, net.shaped(case.arch, (case.batch, case.size, case.size, 3)))
    with jax.default_matmul_precision(PRECISION[case.precision]):
        step, wait, look, run = (train if case.mode == "train" else inference)(case, net, batches(case, a.feed), weights, state)
    return gpu_peer.Work(step, wait, look, lambda: footprint(run), lambda: None, sum(w.size for w in weights))


def release():
    jax.clear_caches()
    gc.collect()


if __name__ == "__main__":
    gpu_peer.main(options, "JAX", jax.__version__, jax.devices()[0].device_kind, prepare, release)
