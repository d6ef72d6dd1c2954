"""nn/testdata/golden/activations*.json: Keras 3's activation functions and the layers that take their numbers.

Ran under Keras 3.15 with TensorFlow 2.21 on a CPU:

    ref/bin/python scripts/golden/make_activations.py
"""
from keras_layer import golden, keras, layer, normal, np, tf

from keras import layers as L

A = keras.activations
# The kinks of all functions, and what exponentials are large and small of.
KINKS = np.array([[0, 0.5, -0.5, 1, -1, 3, -3, 6], [-6, 7, -8, 2, 12, -12, -20, 1e-3]])
NAMES = ["linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "sigmoid", "log_sigmoid", "silu", "swish", "mish", "tanh",
         "softplus", "softsign", "squareplus", "exponential", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "hard_shrink",
         "soft_shrink", "tanh_shrink", "sparse_plus", "sparse_sigmoid", "softmax", "log_softmax"]


def leaky_relu(x, negative_slope=0.2):
    """In float64, TensorFlow's kernel rounds the slope to float32; this does not."""
    return tf.where(x > 0, x, negative_slope * x)


keras.src.backend.nn.leaky_relu = leaky_relu


# Keras's gelu, but for its constants, which TensorFlow rounds to float32.
def gelu(x):
    y = 0.5 * x * (1 + tf.math.erf(x / np.sqrt(2)))
    assert np.allclose(y, A.gelu(x), rtol=1e-6, atol=1e-7)
    return y


def gelu_approximate(x):
    y = 0.5 * x * (1 + tf.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    assert np.allclose(y, A.gelu(x, approximate=True), rtol=1e-6, atol=1e-7)
    return y


def at_kinks(name):
    x = KINKS.copy()
    if name == "celu":
        x[0, 0] = 0.25  # its derivative at 0 is 2 in Keras 3.15, the sum of both sides'
    return x


FUNCTIONS = [(n, n) for n in NAMES] + [("gelu", gelu), ("gelu_approximate", gelu_approximate)]
golden.write(golden.NN, "activations_vectors.json", [layer(n, L.Activation, at_kinks(n), activation=f) for n, f in FUNCTIONS])
golden.write(golden.NN, "activations_images.json", [layer(n, L.Activation, normal(1, 2, 3, 4) * 2, activation=f) for n, f in FUNCTIONS])

golden.write(golden.NN, "activation_layers.json", [
    layer("relu", L.ReLU, KINKS),
    layer("relu max 6", L.ReLU, KINKS, max_value=6),
    layer("relu max 3", L.ReLU, KINKS, max_value=3),
    layer("relu slope", L.ReLU, KINKS, negative_slope=0.5),
    layer("relu threshold", L.ReLU, KINKS, threshold=1),
    layer("relu slope max", L.ReLU, KINKS, negative_slope=0.125, max_value=6),
    layer("relu slope threshold", L.ReLU, normal(3, 5) * 3, negative_slope=0.25, threshold=0.75),
    layer("relu all", L.ReLU, normal(2, 3, 2) * 3, negative_slope=0.25, threshold=0.75, max_value=2),
    layer("relu steep", L.ReLU, KINKS, negative_slope=2),
    layer("leaky", L.LeakyReLU, KINKS),
    layer("leaky 0.1", L.LeakyReLU, (2, 3, 2, 2), negative_slope=0.1),
    layer("elu", L.ELU, KINKS),
    layer("elu 0.5", L.ELU, KINKS, alpha=0.5),
    layer("prelu", L.PReLU, (3, 5)),
    layer("prelu images", L.PReLU, (2, 2, 3, 2)),
    layer("prelu shared", L.PReLU, (2, 3, 2, 4), shared_axes=[1, 2]),
    layer("prelu shared last", L.PReLU, (1, 3, 2), shared_axes=[2]),
    layer("softmax", L.Softmax, (3, 5)),
    layer("softmax images", L.Softmax, (2, 3, 2, 4)),
    layer("softmax axis 1", L.Softmax, (2, 3, 2, 4), axis=1),
    layer("softmax axis 2", L.Softmax, (1, 3, 5, 2), axis=2),
    layer("softmax axis -2", L.Softmax, (2, 3, 2), axis=-2),
])
