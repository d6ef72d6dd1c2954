"""Prints which variance Keras's BatchNormalization moves its running variance by: run it under each version of Keras."""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf

print("tensorflow", tf.__version__, "keras", getattr(tf.keras, "__version__", None) or tf.keras.version())
for shape in ((2, 2, 3, 4), (6, 4), (1, 1, 1, 3)):
    for how, kw in (("default", {}), ("fused=False", {"fused": False}), ("float64", {"dtype": "float64"})):
        try:
            layer = tf.keras.layers.BatchNormalization(momentum=0.9, **kw)
        except (TypeError, ValueError):
            continue
        dtype = np.float64 if how == "float64" else np.float32
        x = np.random.default_rng(1).standard_normal(shape).astype(dtype)
        layer(x, training=True)
        axes = tuple(range(len(shape) - 1))
        n = int(np.prod(shape[:-1]))
        got = (np.asarray(layer.moving_variance) - 0.9) / 0.1
        biased = x.var(axes)
        unbiased = biased * n / max(n - 1, 1)
        near = [k for k, v in (("biased", biased), ("unbiased", unbiased)) if np.allclose(got, v, rtol=1e-4, atol=1e-6)]
        print("%-14s %-12s -> %s" % (shape, how, " = ".join(near) or got))
