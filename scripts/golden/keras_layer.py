"""One layer of Keras 3 by itself as a golden case, in float64, with TensorFlow behind it. Scripts import it before TensorFlow."""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import numpy as np
import tensorflow as tf

import golden

keras.config.set_floatx("float64")
rng = np.random.default_rng(20260608)
FIRST = {"data_format": "channels_first"}


def normal(*shape):
    """Standard normal numbers that float32 holds exactly."""
    return np.asarray(rng.standard_normal(shape)).astype(np.float32).astype(np.float64)


def layer(name, make, *xs, values=None, first=False, weights=None, without=(), **args):
    """One case. xs are the shapes of the inputs with their batch axes, or the inputs; the tensors are x, or x0, x1, …

    weights are values for the weights, in their order, in place of random ones; first is 1 for models with channels first.
    without names gradients that are not kept.
    """
    keras.backend.clear_session()
    it = make(**args)
    xs = [normal(*x) if isinstance(x, tuple) else np.asarray(x) for x in xs]
    xs = [x.astype(np.float32).astype(np.float64) for x in xs]
    many = len(xs) > 1
    inputs = [keras.Input(batch_shape=(None,) + x.shape[1:]) for x in xs]
    symbolic = it(inputs if many else inputs[0])
    out = {"x%d" % i if many else "x": x for i, x in enumerate(xs)}
    names = {id(v): v.path.split("/", 1)[-1] if "/" in v.path else v.name for v in it.weights}  # of the layers in it, too
    for i, v in enumerate(it.weights):
        v.assign(weights[i] if weights else normal(*v.shape) * 0.5 + 0.25)
        out[names[id(v)]] = v.numpy().astype(np.float32)
        v.assign(out[names[id(v)]])
    given = [tf.constant(x) for x in xs]
    with tf.GradientTape() as tape:
        tape.watch(given)
        y = it(given if many else given[0])
    dy = normal(*y.shape)
    grads = tape.gradient(y, given + [v.value for v in it.trainable_weights], output_gradients=tf.constant(dy))
    out.update({"y": y.numpy(), "dy": dy})
    for k, g in zip([k for k in out if k[0] == "x"] + [names[id(v)] for v in it.trainable_weights], grads):
        if g is not None and "d" + k not in without:  # None: of indices
            out["d" + k] = np.asarray(tf.convert_to_tensor(g))
    attrs = {"class": make.__name__, "layer": it.name, "params": int(it.count_params()), "weights": " ".join(names[id(v)] for v in it.weights),
             "shape": list(y.shape), "channels_first": int(first or args.get("data_format") == "channels_first"),
             "args": ", ".join("%s=%s" % (k, getattr(v, "__name__", repr(v))) for k, v in args.items() if k != "data_format")}
    assert tuple(symbolic.shape[1:]) == tuple(y.shape[1:]), name
    return golden.case(name, attrs, out)
