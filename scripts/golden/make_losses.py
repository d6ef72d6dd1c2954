"""nn/testdata/golden/losses*.json: Keras 3's losses, per sample and reduced, with and without sample weights, and their gradients.

Ran under Keras 3.15 with TensorFlow 2.21 on a CPU:

    ref/bin/python scripts/golden/make_losses.py
"""
from keras_layer import golden, keras, normal, np, rng, tf

from keras import losses as L


def f32(x):
    """What float32 holds of x."""
    return np.asarray(x).astype(np.float32).astype(np.float64)


def uniform(*shape):
    return f32(rng.uniform(0.05, 0.95, shape))


def one_hot(*shape):
    return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]


def distributions(*shape, axis=-1):
    """Sixty-fourths that sum to exactly 1: TensorFlow's gradient of logits takes that for granted."""
    shape = list(shape)
    n = shape.pop(axis)
    counts = 1 + rng.multinomial(64 - n, np.full(n, 1 / n), shape)
    return np.moveaxis(counts / 64, -1, axis)


def loss(name, make, predicted, target, **args):
    """One case: p, t, values, dv (upstream of the values), dp; w, and for each reduction its loss and gradient of p."""
    target = np.asarray(target)
    ints = target.dtype.kind in "iu"
    p, t = tf.constant(predicted), tf.constant(target)
    out = {"p": (predicted, "float32"), "t": target if ints else (target, "float32")}

    def run(w=None, reduction="none", up=None):
        with tf.GradientTape() as tape:
            tape.watch(p)
            y = make(reduction=reduction, **args)(t, p, sample_weight=None if w is None else tf.constant(w))
        up = up(y.shape) if up else None
        g = tape.gradient(y, p, output_gradients=None if up is None else tf.constant(up))
        return y.numpy(), np.asarray(tf.convert_to_tensor(g)), up

    out["values"], out["dp"], out["dv"] = run(up=lambda s: normal(*s))
    w = uniform(*out["values"].shape[:1]) * 2
    if out["values"].ndim > 1:
        w = w.reshape((-1,) + (1,) * (out["values"].ndim - 1))
    out["w"] = w = f32(w)
    for reduction in ["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight"]:
        for weighted in [False, True]:
            y, g, _ = run(w if weighted else None, reduction)
            key = reduction + (" weighted" if weighted else "")
            out[key] = y
            if reduction == "sum_over_batch_size":
                out["dp " + key] = g
    return golden.case(name, {"class": make.__name__, "name": make().name, "args": ", ".join("%s=%r" % i for i in args.items())}, out)


logits, wide = normal(4, 5) * 2, f32(normal(3, 5) * 30)
labels = rng.integers(0, 5, 4)
images = normal(2, 3, 2, 4) * 2
CC, SCC, CF = L.CategoricalCrossentropy, L.SparseCategoricalCrossentropy, L.CategoricalFocalCrossentropy
BC, BF = L.BinaryCrossentropy, L.BinaryFocalCrossentropy
golden.write(golden.NN, "losses_categorical.json", [
    loss("categorical logits", CC, logits, one_hot(4, 5), from_logits=True),
    loss("categorical logits wide", CC, wide, distributions(3, 5), from_logits=True),
    loss("categorical logits smooth", CC, logits, one_hot(4, 5), from_logits=True, label_smoothing=0.1),
    loss("categorical logits batch 1", CC, normal(1, 7), distributions(1, 7), from_logits=True),
    loss("categorical logits images", CC, images, distributions(2, 3, 2, 4), from_logits=True),
    loss("categorical logits axis 1", CC, images, distributions(2, 3, 2, 4, axis=1), from_logits=True, axis=1),
    loss("categorical", CC, distributions(4, 5), one_hot(4, 5)),
    loss("categorical not normalized", CC, uniform(3, 5), distributions(3, 5)),
    loss("categorical smooth", CC, distributions(4, 5), one_hot(4, 5), label_smoothing=0.25),
    loss("categorical axis 2", CC, uniform(2, 3, 2), distributions(2, 3, 2, axis=1), axis=1),
    loss("sparse logits", SCC, logits, labels, from_logits=True),
    loss("sparse logits wide", SCC, wide, rng.integers(0, 5, 3), from_logits=True),
    loss("sparse logits batch 1", SCC, normal(1, 3), [2], from_logits=True),
    loss("sparse logits images", SCC, images, rng.integers(0, 4, (2, 3, 2)), from_logits=True),
    loss("sparse", SCC, distributions(4, 5), labels),
])
bits = rng.integers(0, 2, (4, 5)).astype(np.float64)
golden.write(golden.NN, "losses_binary.json", [
    loss("binary logits", BC, logits, bits, from_logits=True),
    loss("binary logits wide", BC, wide, bits[:3], from_logits=True),
    loss("binary logits smooth", BC, logits, bits, from_logits=True, label_smoothing=0.2),
    loss("binary logits axis 1", BC, images, uniform(2, 3, 2, 4), from_logits=True, axis=1),
    loss("binary", BC, uniform(4, 5), bits),
    loss("binary smooth", BC, uniform(1, 3), bits[:1, :3], label_smoothing=0.3),
    loss("binary clipped", BC, f32([[0.5, 1e-9, 1 - 1e-5, 0.25]]), f32([[1, 0, 1, 1]])),
    loss("binary one", BC, uniform(5, 1), bits.ravel()[:5].reshape(5, 1)),
])
golden.write(golden.NN, "losses_focal.json", [
    loss("focal logits", CF, logits, one_hot(4, 5), from_logits=True),
    loss("focal logits smooth", CF, logits, one_hot(4, 5), from_logits=True, label_smoothing=0.1, alpha=0.5, gamma=1.5),
    loss("focal", CF, distributions(4, 5), one_hot(4, 5)),
    loss("focal not normalized", CF, uniform(3, 5), distributions(3, 5), gamma=1.0),
    loss("focal axis 1", CF, images, distributions(2, 3, 2, 4, axis=1), from_logits=True, axis=1, gamma=3.0),
    loss("binary focal logits", BF, logits, bits, from_logits=True),
    loss("binary focal balanced", BF, uniform(4, 5), bits, apply_class_balancing=True, alpha=0.3, gamma=1.5),
    loss("binary focal smooth", BF, uniform(3, 5), bits[:3], label_smoothing=0.1),
    loss("binary focal axis 1", BF, images, uniform(2, 3, 2, 4), from_logits=True, axis=1, gamma=1.0),
])
x, y = normal(4, 5), normal(4, 5)
signs = np.sign(normal(4, 5))
golden.write(golden.NN, "losses_regression.json", [
    loss("squared", L.MeanSquaredError, x, y),
    loss("squared images", L.MeanSquaredError, normal(2, 3, 2, 3), normal(2, 3, 2, 3)),
    loss("squared one", L.MeanSquaredError, normal(1, 1), normal(1, 1)),
    loss("absolute", L.MeanAbsoluteError, x, y),
    loss("percentage", L.MeanAbsolutePercentageError, x, y),
    loss("logarithmic", L.MeanSquaredLogarithmicError, f32(np.abs(x)), f32(np.abs(y))),
    loss("logarithmic negative", L.MeanSquaredLogarithmicError, x, y),
    loss("huber", L.Huber, x, y),
    loss("huber 0.3", L.Huber, x, y, delta=0.3),
    loss("logcosh", L.LogCosh, x, y),
    loss("logcosh wide", L.LogCosh, wide, -wide),
    loss("poisson", L.Poisson, uniform(4, 5), f32(rng.poisson(2, (4, 5)))),
    loss("kl", L.KLDivergence, distributions(4, 5), distributions(4, 5)),
    loss("kl zeros", L.KLDivergence, distributions(4, 5), one_hot(4, 5)),
    loss("cosine", L.CosineSimilarity, x, y),
    loss("cosine axis 1", L.CosineSimilarity, normal(2, 3, 4), normal(2, 3, 4), axis=1),
])
golden.write(golden.NN, "losses_hinge.json", [
    loss("hinge", L.Hinge, x, signs),
    loss("hinge binary", L.Hinge, x, bits),
    loss("hinge mixed", L.Hinge, x, y),
    loss("squared hinge", L.SquaredHinge, x, signs),
    loss("squared hinge binary", L.SquaredHinge, x, bits),
    loss("categorical hinge", L.CategoricalHinge, x, one_hot(4, 5)),
    loss("categorical hinge images", L.CategoricalHinge, images, one_hot(2, 3, 2, 4)),
])
