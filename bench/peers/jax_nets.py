"""The project's nets in JAX, NHWC: package arch in Python. They return logits."""
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


class Net:
    """Makes the weights when it is called for the first time, and uses those that it is given after that. state has the running
    averages of batch normalization; news collects their new values. What is multiplied is rounded to dtype. one_pass has the
    statistics of a batch from a single pass over it. key is that of a step's dropout."""

    def __init__(self, train, classes, dtype=jnp.float32, one_pass=False):
        self.train, self.classes, self.dtype, self.one_pass = train, classes, dtype, one_pass
        self.random = np.random.default_rng(1)

    def __call__(self, arch, x, weights=None, state=None, key=None):
        self.made, self.averages, self.news, self.key = [], [], [], key
        self.weights = iter(weights) if weights is not None else None
        self.state = iter(state) if state is not None else None
        return NETS[arch](self, x.astype(self.dtype)).astype(jnp.float32)

    def shaped(self, arch, shape):
        """The weights and the averages for images of a shape, as arrays of NumPy. Nothing is computed."""
        jax.eval_shape(lambda x: self(arch, x, key=jax.random.key(0)), jax.ShapeDtypeStruct(shape, jnp.float32))
        return self.made, self.averages

    def weight(self, make):
        if self.weights is not None:
            return next(self.weights)
        self.made.append(np.asarray(make(), np.float32))
        return jnp.asarray(self.made[-1])

    def he(self, *shape):
        w = self.weight(lambda: self.random.standard_normal(shape, np.float32) * np.float32((2 / np.prod(shape[:-1])) ** 0.5))
        return w.astype(self.dtype)

    def bias(self, width):
        return self.weight(lambda: np.zeros(width))

    def conv(self, x, filters, kernel, stride=1, pad=0, bias=True):
        w = self.he(kernel, kernel, x.shape[3], filters)
        if x.shape[1] < kernel and jax.default_backend() == "cpu":
            x = convolve_small(x, w, stride, pad)
        else:
            x = lax.conv_general_dilated(x, w, (stride, stride), [(pad, pad)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return x + self.bias(filters).astype(self.dtype) if bias else x

    def dense(self, x, units):
        return x @ self.he(x.shape[1], units) + self.bias(units).astype(self.dtype)

    def pool(self, x, size=2, pad=0):
        """Maximum of windows, with stride 2. The derivative of the other way is slow where windows do not overlap."""
        if self.train and size == 2:
            rows = x.shape[1] // 2 * 2
            a, b, c, d = (x[:, i:rows:2, j:rows:2] for i in (0, 1) for j in (0, 1))
            return jnp.maximum(jnp.maximum(a, b), jnp.maximum(c, d))
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, 2, 2, 1), [(0, 0), (pad, pad), (pad, pad), (0, 0)])

    def dropout(self, x):
        if not self.train:
            return x
        self.key, key = jax.random.split(self.key)
        return jnp.where(jax.random.bernoulli(key, 0.5, x.shape), 2 * x, 0)

    def norm(self, x):
        width, x = x.shape[3], x.astype(jnp.float32)
        scale, shift = self.weight(lambda: np.ones(width)), self.bias(width)
        if self.state is not None:
            mean, variance = next(self.state)
        else:
            mean, variance = np.zeros(width, np.float32), np.ones(width, np.float32)
            self.averages.append((mean, variance))
        if self.train:
            batch_mean = x.mean((0, 1, 2))
            batch_variance = (x * x).mean((0, 1, 2)) - batch_mean ** 2 if self.one_pass else x.var((0, 1, 2))
            self.news.append((0.9 * mean + 0.1 * batch_mean, 0.9 * variance + 0.1 * batch_variance))
            mean, variance = batch_mean, batch_variance
        return ((x - mean) * (lax.rsqrt(variance + 1e-5) * scale) + shift).astype(self.dtype)


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
    return net.dense(relu(net.dense(flat(x), 256)), net.classes)


def vgg16(net, x):
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            x = relu(net.conv(x, width, 3, pad=1))
        x = net.pool(x)
    x = flat(x)
    for _ in range(2):
        x = relu(net.dense(x, 4096))
    return net.dense(x, net.classes)


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
    return net.dense(x.mean((1, 2)), net.classes)


def resnet18_cifar(net, x):
    """With the 3x3 stem that keeps the size of small images: arch.ResNet with CIFARStem."""
    x = relu(net.norm(net.conv(x, 64, 3, 1, 1, bias=False)))
    for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        for i in range(2):
            step, side = stride if i == 0 else 1, x
            x = relu(net.norm(net.conv(x, width, 3, step, 1, bias=False)))
            x = net.norm(net.conv(x, width, 3, 1, 1, bias=False))
            if step > 1:
                side = net.norm(net.conv(side, width, 1, step, bias=False))
            x = relu(x + side)
    return net.dense(x.mean((1, 2)), net.classes)


def alexnet(net, x):
    """In one tower and without response normalization, as arch.AlexNet by default."""
    if x.shape[1] < 67:
        raise ValueError(f"alexnet wants images of at least 67x67, not {x.shape[1]}x{x.shape[1]}")
    x = net.pool(relu(net.conv(x, 96, 11, 4)), 3)
    x = net.pool(relu(net.conv(x, 256, 5, pad=2)), 3)
    for width in (384, 384, 256):
        x = relu(net.conv(x, width, 3, pad=1))
    x = flat(net.pool(x, 3))
    for _ in range(2):
        x = relu(net.dense(net.dropout(x), 4096))
    return net.dense(x, net.classes)


NETS = {"simplecnn": simplecnn, "vgg16": vgg16, "resnet50": resnet50, "resnet18-cifar": resnet18_cifar, "alexnet": alexnet}
