"""JAX on the CPU (XLA) as a contestant: see peer.py. The nets are those of package arch, NHWC, each step one compiled function.

XLA's threads are as many as the processors that the process may use: the driver binds it to as many as it shall have.
"""
import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import peer


class Net:
    """Makes the weights when it is called for the first time, and uses those that it is given after that. state has the running
    averages of batch normalization; news collects their new values."""

    def __init__(self, train):
        self.train, self.random = train, np.random.default_rng(1)

    def __call__(self, arch, size, x, weights=None, state=None):
        self.made, self.averages, self.news = [], [], []
        self.weights = iter(weights) if weights is not None else None
        self.state = iter(state) if state is not None else None
        return {"simplecnn": simplecnn, "vgg16": vgg16, "resnet50": resnet50}[arch](self, x)

    def weight(self, make):
        if self.weights is not None:
            return next(self.weights)
        self.made.append(jnp.asarray(make(), jnp.float32))
        return self.made[-1]

    def he(self, *shape):
        return self.weight(lambda: self.random.standard_normal(shape) * (2 / np.prod(shape[:-1])) ** 0.5)

    def bias(self, width):
        return self.weight(lambda: np.zeros(width))

    def conv(self, x, filters, kernel, stride=1, pad=0, bias=True):
        w = self.he(kernel, kernel, x.shape[3], filters)
        if x.shape[1] < kernel:
            x = convolve_small(x, w, stride, pad)
        else:
            x = lax.conv_general_dilated(x, w, (stride, stride), [(pad, pad)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return x + self.bias(filters) if bias else x

    def dense(self, x, units):
        return x @ self.he(x.shape[1], units) + self.bias(units)

    def pool(self, x, size=2, pad=0):
        """Maximum of windows, with stride 2. The derivative of the other way is slow where windows do not overlap."""
        if self.train and size == 2:
            rows = x.shape[1] // 2 * 2
            a, b, c, d = (x[:, i:rows:2, j:rows:2] for i in (0, 1) for j in (0, 1))
            return jnp.maximum(jnp.maximum(a, b), jnp.maximum(c, d))
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, 2, 2, 1), [(0, 0), (pad, pad), (pad, pad), (0, 0)])

    def norm(self, x):
        width = x.shape[3]
        scale, shift = self.weight(lambda: np.ones(width)), self.bias(width)
        if self.state is not None:
            mean, variance = next(self.state)
        else:
            mean, variance = jnp.zeros(width), jnp.ones(width)
            self.averages.append((mean, variance))
        if self.train:
            batch_mean, batch_variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
            self.news.append((0.9 * mean + 0.1 * batch_mean, 0.9 * variance + 0.1 * batch_variance))
            mean, variance = batch_mean, batch_variance
        return (x - mean) * (lax.rsqrt(variance + 1e-5) * scale) + shift


def convolve_small(x, w, stride, pad):
    """Convolves images smaller than the filter as one product of patches: XLA has a hundred times slower loops for these."""
    rows, taps = x.shape[1], w.shape[0]
    out = (rows + 2 * pad - taps) // stride + 1
    padded = jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    inside = [i for i in range(taps) if any(0 <= i + stride * o - pad < rows for o in range(out))]
    span = stride * (out - 1) + 1
    patches = [padded[:, i:i + span:stride, j:j + span:stride] for i in inside for j in inside]
    first, last = inside[0], inside[-1] + 1
    return jnp.concatenate(patches, 3) @ w[first:last, first:last].reshape(-1, w.shape[3])


def relu(x):
    return jnp.maximum(x, 0)


def flat(x):
    return x.reshape(x.shape[0], -1)


def simplecnn(net, x):
    x = net.pool(relu(net.conv(x, 16, 3)))
    x = net.pool(relu(net.conv(x, 32, 3)))
    return net.dense(relu(net.dense(flat(x), 256)), peer.CLASSES)


def vgg16(net, x):
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            x = relu(net.conv(x, width, 3, pad=1))
        x = net.pool(x)
    x = flat(x)
    for _ in range(2):
        x = relu(net.dense(x, 4096))
    return net.dense(x, peer.CLASSES)


def resnet50(net, x):
    x = net.pool(relu(net.norm(net.conv(x, 64, 7, 2, 3, bias=False))), 3, 1)
    for width, depth, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for i in range(depth):
            step, side = stride if i == 0 else 1, x
            x = relu(net.norm(net.conv(x, width, 1, bias=False)))
            x = relu(net.norm(net.conv(x, width, 3, step, 1, bias=False)))
            x = net.norm(net.conv(x, 4 * width, 1, bias=False))
            if i == 0:
                side = net.norm(net.conv(side, 4 * width, 1, step, bias=False))
            x = relu(x + side)
    return net.dense(x.mean((1, 2)), peer.CLASSES)


def prepare(a, config):
    random = np.random.default_rng(2)
    x = jnp.asarray(random.random((a.batch, a.size, a.size, 3)), jnp.float32)
    net = Net(a.mode == "train")
    jax.eval_shape(lambda: net(a.arch, a.size, x))
    net(a.arch, a.size, x[:1])
    weights, state = net.made, net.averages
    if a.mode == "inference":
        # Weights are constants of the compiled function, which lets XLA prepare them.
        run = jax.jit(lambda x: jax.nn.softmax(net(a.arch, a.size, x, weights, state)))
        return lambda: run(x).block_until_ready(), lambda out: np.asarray(out[:2], np.float64).tolist()

    labels = jnp.asarray(random.integers(peer.CLASSES, size=a.batch))

    def loss(weights, state):
        logits = net(a.arch, a.size, x, weights, state)
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
