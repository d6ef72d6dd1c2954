"""nn/testdata/golden/regularizers.json and constraints.json: Keras 3's penalties with their gradients, and its projections.

Ran under Keras 3.15 with TensorFlow 2.21 on a CPU:

    ref/bin/python scripts/golden/make_regularizers.py
"""
from keras_layer import golden, keras, normal, np, tf

R, C = keras.regularizers, keras.constraints


def orthogonal(factor=0.01, **args):
    of = R.OrthogonalRegularizer(factor, **args)
    of.factor = tf.constant(factor, tf.float64)  # Keras's is float32, which takes no float64 weights
    return of


def penalty(name, of, shape):
    w = normal(*shape)
    with tf.GradientTape() as tape:
        x = tf.constant(w)
        tape.watch(x)
        y = of(x)
    return golden.case(name, {"args": str(of.get_config())}, {"w": w, "y": y.numpy(), "dw": tape.gradient(y, x).numpy()})


def projection(name, of, shape):
    w = normal(*shape)
    w[..., 0] = 0
    w[..., 1] *= 0.125
    return golden.case(name, {"args": str(of.get_config())}, {"w": w, "y": np.asarray(of(tf.constant(w)))})


golden.write(golden.NN, "regularizers.json", [
    penalty("l1", R.L1(0.25), (3, 4)), penalty("l2", R.L2(0.125), (5,)), penalty("l1_l2", R.L1L2(0.25, 0.125), (2, 3, 2, 4)),
    penalty("l1_l2 of l1", R.L1L2(l1=0.5), (7,)), penalty("orthogonal rows", orthogonal(), (4, 6)),
    penalty("orthogonal columns", orthogonal(0.5, mode="columns"), (5, 3)),
])
golden.write(golden.NN, "constraints.json", [
    projection("max_norm", C.MaxNorm(), (5, 4)), projection("max_norm filters", C.MaxNorm(1.5, axis=[0, 1, 2]), (2, 3, 2, 4)),
    projection("max_norm rows", C.MaxNorm(0.5, axis=1), (3, 4)), projection("non_neg", C.NonNeg(), (4, 3)),
    projection("unit_norm", C.UnitNorm(), (3, 4)), projection("unit_norm filters", C.UnitNorm(axis=[0, 1, 2]), (2, 2, 1, 3)),
    projection("min_max_norm", C.MinMaxNorm(), (4, 3)), projection("min_max_norm rate", C.MinMaxNorm(0.5, 1.5, 0.25, axis=1), (4, 3)),
])
