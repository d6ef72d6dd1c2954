"""nn/testdata/golden/response_norm.json and response_norm_torch.json: local response normalization.

TensorFlow's kernel is for float32 alone; the cases are its formula in float64, and the script stops where the kernel differs by more
than float32's rounding. Ran under TensorFlow 2.21 with Keras 3.15, then under PyTorch 2.15:

    ref/bin/python scripts/golden/make_response_norm.py
    torch/bin/python scripts/golden/make_response_norm.py torch
"""
import sys

if sys.argv[1:] == ["torch"]:
    import numpy as np
    import torch

    import golden

    rng = np.random.default_rng(20260609)

    def case(name, shape, **args):
        x = (rng.standard_normal(shape) * 3).astype(np.float32)
        t = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        y = torch.nn.LocalResponseNorm(**args)(t)
        dy = rng.standard_normal(shape).astype(np.float32)
        y.backward(torch.tensor(dy, dtype=torch.float64))
        return golden.case(name, {**args, "reference": "torch"}, {"x": x, "y": y.detach().numpy(), "dy": dy, "dx": t.grad.numpy()})

    golden.write(golden.NN, "response_norm_torch.json", [
        case("alexnet", (1, 7, 2, 3), size=5, alpha=5e-4, beta=0.75, k=2.0),
        case("defaults", (2, 4, 3, 2), size=3, alpha=1e-4, beta=0.75, k=1.0),
        case("strong", (2, 5, 2, 2), size=5, alpha=0.5, beta=0.6, k=0.5),
    ])
    sys.exit()

from keras_layer import golden, keras, layer, normal, np, tf


class LocalResponseNormalization(keras.layers.Layer):
    def __init__(self, **args):
        super().__init__()
        self.args = args

    def call(self, x):
        return self.formula(x, **self.args)

    def formula(self, x, depth_radius=5, bias=1, alpha=1, beta=0.5):
        padded = tf.pad(x, [[0, 0]] * 3 + [[depth_radius, depth_radius]])
        sums = tf.add_n([padded[..., i:i + x.shape[-1]]**2 for i in range(2 * depth_radius + 1)])
        return x / (bias + alpha * sums)**beta


def case(name, shape, **args):
    x = normal(*shape)
    with tf.GradientTape(persistent=True) as tape:
        a, b = tf.constant(x, tf.float32), tf.constant(x, tf.float64)
        tape.watch([a, b])
        kernel, formula = tf.nn.local_response_normalization(a, **args), LocalResponseNormalization(**args)(b)
    assert np.allclose(kernel, formula, rtol=1e-5, atol=1e-6)
    assert np.allclose(tape.gradient(kernel, a), tape.gradient(formula, b), rtol=1e-4, atol=1e-5)
    return layer(name, LocalResponseNormalization, x, **args)


golden.write(golden.NN, "response_norm.json", [
    case("defaults", (2, 2, 3, 13)),
    case("alexnet", (1, 3, 2, 8), depth_radius=2, bias=2, alpha=1e-4, beta=0.75),
    case("strong", (2, 2, 1, 5), depth_radius=1, bias=0.5, alpha=2, beta=1),
    case("power", (3, 1, 2, 4), depth_radius=7, bias=3, alpha=0.25, beta=0.3),
])
