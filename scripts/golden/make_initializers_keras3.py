"""nn/testdata/golden/initializers_keras3.json: statistics of what Keras 3's initializers draw. Keras 3.15 with TensorFlow 2.21.

Each case: shape, and of many draws mean, stddev, the quartiles and the extremes. Numbers of orthogonal and identity are those
of their matrices.
"""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np

import golden

I = keras.initializers
KERNEL, MATRIX = (3, 3, 128, 192), (300, 200)
V = I.VarianceScaling
cases = [("glorot_uniform", I.GlorotUniform), ("glorot_normal", I.GlorotNormal), ("he_uniform", I.HeUniform), ("he_normal", I.HeNormal),
         ("lecun_uniform", I.LecunUniform), ("lecun_normal", I.LecunNormal), ("random_normal", I.RandomNormal),
         ("random_uniform", I.RandomUniform), ("truncated_normal", I.TruncatedNormal), ("zeros", lambda seed: I.Zeros()),
         ("ones", lambda seed: I.Ones()), ("constant", lambda seed: I.Constant(0.3)),
         ("random_normal_args", lambda seed: I.RandomNormal(1.0, 2.0, seed=seed)),
         ("random_uniform_args", lambda seed: I.RandomUniform(-1.0, 3.0, seed=seed)),
         ("truncated_normal_args", lambda seed: I.TruncatedNormal(1.0, 2.0, seed=seed)),
         ("scaling_out_uniform", lambda seed: V(3.0, "fan_out", "uniform", seed=seed)),
         ("scaling_avg_untruncated", lambda seed: V(1.0, "fan_avg", "untruncated_normal", seed=seed)),
         ("scaling_in_truncated", lambda seed: V(2.0, "fan_in", "truncated_normal", seed=seed)),
         ("orthogonal", I.Orthogonal), ("orthogonal_gain", lambda seed: I.Orthogonal(gain=0.5, seed=seed)),
         ("identity", lambda seed: I.Identity(gain=2.0))]
out = []
for name, make in cases:
    shape = MATRIX if "orthogonal" in name or name == "identity" else KERNEL
    x = np.asarray(make(seed=11)(shape), np.float64)
    out.append(golden.case(name, {"shape": list(shape), "mean": float(x.mean()), "stddev": float(x.std()),
                                  "low": float(x.min()), "high": float(x.max()),
                                  "lower": float(np.quantile(x, 0.25)), "upper": float(np.quantile(x, 0.75))}, {}))
golden.write(golden.NN, "initializers_keras3.json", out)
