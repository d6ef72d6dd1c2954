"""Running one function in TensorFlow and PyTorch, in float64 on float32 inputs, and comparing the two."""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf
import torch

rng = np.random.default_rng(20260101)


def normal(*shape):
    """Standard normal numbers that float32 holds exactly, as float64: what Go reads from the file is what ran here."""
    return rng.standard_normal(shape).astype(np.float32).astype(np.float64)


def with_tf(f, inputs, dy):
    """y and the gradients of sum(dy*y) by TensorFlow; dy may be a function of y's shape."""
    xs = {k: tf.constant(v, tf.float64) for k, v in inputs.items()}
    with tf.GradientTape() as tape:
        tape.watch(list(xs.values()))
        y = f(**xs)
    dy = dy(y.shape) if callable(dy) else dy
    grads = tape.gradient(y, list(xs.values()), output_gradients=tf.constant(dy, tf.float64))
    return finish(y.numpy(), dy, {k: g.numpy() for k, g in zip(xs, grads)})


def with_torch(f, inputs, dy):
    """The same by PyTorch. f takes and returns tensors in the layout of the file."""
    xs = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in inputs.items()}
    y = f(**xs)
    dy = dy(y.shape) if callable(dy) else dy
    y.backward(torch.tensor(np.asarray(dy, np.float64)))
    return finish(y.detach().numpy(), dy, {k: x.grad.numpy() for k, x in xs.items()})


def finish(y, dy, grads):
    out = {"y": y, "dy": dy}
    out.update({"d" + k: g for k, g in grads.items()})
    return out


def agree(a, b, what):
    """Stops the script when the two references differ by more than float64 rounding."""
    for k in a:
        if not np.allclose(a[k], b[k], rtol=1e-11, atol=1e-12, equal_nan=True):
            raise SystemExit("%s: TensorFlow and PyTorch differ in %s by %g" % (what, k, np.abs(a[k] - b[k]).max()))


def same_pads(n, k, s, d=1):
    """(before, after) of Keras's "same" padding."""
    total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
    return total // 2, total - total // 2


def pads_of(padding, hw, kernel, strides, dilations=(1, 1)):
    """top, bottom, left, right for padding "same", "valid" or the four numbers themselves."""
    if padding == "same":
        return [p for i in (0, 1) for p in same_pads(hw[i], kernel[i], strides[i], dilations[i])]
    return [0, 0, 0, 0] if padding == "valid" else list(padding)


def name_of(padding):
    return padding if isinstance(padding, str) else "explicit"
