"""nn/testdata/golden/layers_*.json: layers with windows and those that change shapes, by Keras 3 with TensorFlow.

Each case is a layer by itself: name, class and arguments of Keras's layer, its input x, weights, result y, upstream gradient dy,
and gradients. Ran under Keras 3.15 with TensorFlow 2.21 on a CPU:

    ref/bin/python scripts/golden/make_layers_conv.py
"""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import numpy as np
import tensorflow as tf
from keras import layers as L

import golden

keras.config.set_floatx("float64")
# Channels first: no case has as many filters as its last axis is long, since there Keras 3.15 with TensorFlow adds the bias along
# the last axis (keras.ops.add takes the reshaped bias for a vector).
rng = np.random.default_rng(20260607)
FIRST = {"data_format": "channels_first"}


def normal(*shape):
    """Standard normal numbers that float32 holds exactly."""
    return rng.standard_normal(shape).astype(np.float32).astype(np.float64)


def layer(name, make, x, x_values=None, **args):
    """One case. x is the shape of the input with its batch axis."""
    keras.backend.clear_session()
    it = make(**args)
    inp = keras.Input(batch_shape=(None,) + x[1:])
    symbolic = it(inp)
    values = {"x": normal(*x) if x_values is None else x_values}
    for v in it.weights:
        v.assign(normal(*v.shape) * 0.5)
        values[v.name] = v.numpy()
    it_x = tf.constant(values["x"])

    # TensorFlow has kernels for channels first, groups and dilated gradients on a CPU only through its compiler.
    @tf.function(jit_compile=True)
    def forward(x):
        return it(x)

    @tf.function(jit_compile=True)
    def both(x, dy):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = it(x)
        return tape.gradient(y, [x] + [v.value for v in it.trainable_weights], output_gradients=dy)

    y = forward(it_x).numpy()
    dy = normal(*y.shape)
    grads = both(it_x, tf.constant(dy))
    out = {"y": y, "dy": dy, "dx": grads[0].numpy()}
    for v, g in zip(it.trainable_weights, grads[1:]):
        out["d" + v.name] = g.numpy()
    assert not ("channels_first" in str(args) and y.shape[1] == y.shape[-1] and it.weights), name
    assert tuple(symbolic.shape[1:]) == y.shape[1:]
    attrs = {"class": make.__name__, "layer": it.name, "params": int(it.count_params()), "weights": " ".join(v.name for v in it.weights),
             "shape": list(y.shape), "channels_first": int(args.get("data_format") == "channels_first"),
             "args": ", ".join("%s=%r" % (k, v) for k, v in args.items() if k != "data_format")}
    return golden.case(name, attrs, {**values, **out})


def bilinear(name, x, size, first=False):
    """UpSampling2D with interpolation. TensorFlow computes it in float32, and its gradient wrongly when compiled in float64: here
    in float64 by the rule itself, which Keras in float32 must agree with."""
    values = normal(*x)

    def matrix(n, factor):
        m = np.zeros((n * factor, n))
        for i in range(n * factor):
            at = (i + 0.5) / factor - 0.5
            low = int(np.floor(at))
            for j, share in ((low, 1 - (at - low)), (low + 1, at - low)):
                m[i, min(max(j, 0), n - 1)] += share
        return m

    rows, columns = (2, 3) if first else (1, 2)
    a, b = matrix(x[rows], size[0]), matrix(x[columns], size[1])
    rule, back = ("ri,cj,nfij->nfrc", "ri,cj,nfrc->nfij") if first else ("ri,cj,nijf->nrcf", "ri,cj,nrcf->nijf")
    y = np.einsum(rule, a, b, values)
    dy = normal(*y.shape)
    dx = np.einsum(back, a, b, dy)

    keras.backend.clear_session()
    it = L.UpSampling2D(size, interpolation="bilinear", dtype="float32", **(FIRST if first else {}))
    it_x = tf.constant(values, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(it_x)
        it_y = it(it_x)
    np.testing.assert_allclose(y, it_y.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dx, tape.gradient(it_y, it_x, output_gradients=tf.constant(dy, tf.float32)).numpy(), rtol=1e-5, atol=1e-5)
    attrs = {"class": "UpSampling2D", "layer": it.name, "params": 0, "weights": "", "shape": list(y.shape), "channels_first": int(first),
             "args": "size=%r, interpolation='bilinear'" % (size,)}
    return golden.case(name, attrs, {"x": values, "y": y, "dy": dy, "dx": dx})


golden.write(golden.NN, "layers_conv1d.json", [
    layer("conv1d", L.Conv1D, (2, 7, 3), filters=4, kernel_size=3),
    layer("conv1d_same_strided", L.Conv1D, (1, 8, 2), filters=3, kernel_size=4, strides=3, padding="same", activation="relu"),
    layer("conv1d_same_dilated_even", L.Conv1D, (2, 9, 2), filters=2, kernel_size=2, dilation_rate=3, padding="same"),
    layer("conv1d_causal", L.Conv1D, (1, 6, 2), filters=3, kernel_size=3, dilation_rate=2, padding="causal"),
    layer("conv1d_groups", L.Conv1D, (2, 5, 6), filters=4, kernel_size=3, groups=2, use_bias=False),
    layer("conv1d_first", L.Conv1D, (2, 3, 7), filters=5, kernel_size=3, strides=2, padding="same", **FIRST),
    layer("conv1d_causal_first", L.Conv1D, (1, 2, 6), filters=4, kernel_size=3, strides=2, padding="causal", **FIRST),
    layer("depthwise_conv1d", L.DepthwiseConv1D, (2, 7, 3), kernel_size=3, depth_multiplier=2, padding="same"),
    layer("depthwise_conv1d_strided", L.DepthwiseConv1D, (1, 8, 5), kernel_size=4, strides=2, activation="relu"),
    layer("depthwise_conv1d_first", L.DepthwiseConv1D, (2, 3, 7), kernel_size=3, depth_multiplier=2, **FIRST),
    layer("separable_conv1d", L.SeparableConv1D, (2, 7, 3), filters=4, kernel_size=3, padding="same"),
    layer("separable_conv1d_multiplier", L.SeparableConv1D, (1, 9, 3), filters=2, kernel_size=4, depth_multiplier=2, strides=2,
          activation="relu", use_bias=False),
    layer("separable_conv1d_first", L.SeparableConv1D, (2, 3, 7), filters=4, kernel_size=3, dilation_rate=2, **FIRST),
    layer("conv1d_transpose", L.Conv1DTranspose, (2, 4, 3), filters=2, kernel_size=3, strides=2),
    layer("conv1d_transpose_same", L.Conv1DTranspose, (1, 5, 2), filters=3, kernel_size=4, strides=3, padding="same", activation="relu"),
    layer("conv1d_transpose_first", L.Conv1DTranspose, (2, 3, 4), filters=2, kernel_size=3, strides=2, output_padding=1, **FIRST),
])
golden.write(golden.NN, "layers_depthwise.json", [
    layer("depthwise", L.DepthwiseConv2D, (2, 5, 4, 3), kernel_size=3),
    layer("depthwise_same_strided_even", L.DepthwiseConv2D, (1, 6, 6, 4), kernel_size=3, strides=2, padding="same", activation="relu"),
    layer("depthwise_multiplier", L.DepthwiseConv2D, (2, 5, 4, 3), kernel_size=(3, 2), depth_multiplier=3, padding="same"),
    layer("depthwise_dilated", L.DepthwiseConv2D, (1, 7, 6, 2), kernel_size=3, dilation_rate=2, padding="same", use_bias=False),
    layer("depthwise_first", L.DepthwiseConv2D, (2, 3, 5, 4), kernel_size=3, depth_multiplier=2, padding="same", **FIRST),
])
golden.write(golden.NN, "layers_separable.json", [
    layer("separable", L.SeparableConv2D, (2, 5, 4, 3), filters=4, kernel_size=3),
    layer("separable_strided", L.SeparableConv2D, (1, 7, 6, 3), filters=5, kernel_size=3, strides=2, depth_multiplier=2,
          padding="same", activation="relu"),
    layer("separable_dilated", L.SeparableConv2D, (1, 7, 8, 2), filters=3, kernel_size=(2, 3), dilation_rate=2, use_bias=False),
    layer("separable_first", L.SeparableConv2D, (2, 3, 5, 4), filters=2, kernel_size=3, padding="same", **FIRST),
])
golden.write(golden.NN, "layers_transpose.json", [
    layer("valid", L.Conv2DTranspose, (2, 2, 3, 3), filters=2, kernel_size=3),
    layer("valid_strided", L.Conv2DTranspose, (1, 3, 4, 2), filters=3, kernel_size=(3, 2), strides=2, activation="relu"),
    layer("valid_stride_beyond_kernel", L.Conv2DTranspose, (2, 3, 2, 2), filters=3, kernel_size=(1, 2), strides=(3, 4)),
    layer("valid_output_padding", L.Conv2DTranspose, (1, 3, 2, 2), filters=2, kernel_size=3, strides=(3, 2), output_padding=(2, 1)),
    layer("same", L.Conv2DTranspose, (1, 4, 3, 2), filters=3, kernel_size=3, strides=2, padding="same"),
    layer("same_even", L.Conv2DTranspose, (1, 3, 4, 3), filters=2, kernel_size=4, strides=(2, 1), padding="same", use_bias=False),
    layer("same_output_padding", L.Conv2DTranspose, (1, 3, 2, 2), filters=2, kernel_size=(3, 2), strides=(3, 2), padding="same",
          output_padding=(0, 1)),
    layer("dilated", L.Conv2DTranspose, (1, 3, 2, 2), filters=2, kernel_size=(3, 2), dilation_rate=(2, 3)),
    layer("same_dilated", L.Conv2DTranspose, (1, 5, 4, 2), filters=2, kernel_size=3, dilation_rate=2, padding="same"),
    layer("first", L.Conv2DTranspose, (1, 3, 3, 4), filters=2, kernel_size=3, strides=2, padding="same", **FIRST),
])
golden.write(golden.NN, "layers_pool.json", [
    layer("max1d", L.MaxPooling1D, (2, 7, 3)),
    layer("max1d_same", L.MaxPooling1D, (1, 8, 2), pool_size=3, strides=2, padding="same"),
    layer("max1d_first", L.MaxPooling1D, (2, 3, 7), pool_size=3, strides=1, **FIRST),
    layer("average1d", L.AveragePooling1D, (2, 7, 3), pool_size=2),
    layer("average1d_same", L.AveragePooling1D, (1, 8, 2), pool_size=3, strides=2, padding="same"),
    layer("average1d_first", L.AveragePooling1D, (2, 3, 7), pool_size=3, strides=1, padding="same", **FIRST),
    layer("global_max1d", L.GlobalMaxPooling1D, (2, 7, 3)),
    layer("global_max1d_keepdims", L.GlobalMaxPooling1D, (1, 3, 5), keepdims=True, **FIRST),
    layer("global_max2d", L.GlobalMaxPooling2D, (2, 3, 5, 2)),
    layer("global_max2d_ties", L.GlobalMaxPooling2D, (1, 3, 4, 3), x_values=rng.integers(0, 3, (1, 3, 4, 3)).astype(np.float64)),
    layer("global_max2d_keepdims_first", L.GlobalMaxPooling2D, (2, 2, 3, 5), keepdims=True, **FIRST),
    layer("global_average1d", L.GlobalAveragePooling1D, (2, 7, 3)),
    layer("global_average1d_keepdims", L.GlobalAveragePooling1D, (1, 3, 5), keepdims=True, **FIRST),
    layer("global_average2d_keepdims", L.GlobalAveragePooling2D, (2, 3, 5, 2), keepdims=True),
    layer("global_average2d_keepdims_first", L.GlobalAveragePooling2D, (2, 2, 3, 5), keepdims=True, **FIRST),
])
golden.write(golden.NN, "layers_border.json", [
    layer("pad1d", L.ZeroPadding1D, (2, 3, 2)),
    layer("pad1d_uneven_first", L.ZeroPadding1D, (1, 2, 3), padding=(0, 2), **FIRST),
    layer("pad2d_uneven", L.ZeroPadding2D, (2, 3, 2, 2), padding=((0, 1), (2, 0))),
    layer("pad2d_first", L.ZeroPadding2D, (1, 2, 3, 4), padding=(1, 2), **FIRST),
    layer("crop1d", L.Cropping1D, (2, 5, 2)),
    layer("crop1d_uneven", L.Cropping1D, (1, 6, 3), cropping=(0, 2)),
    layer("crop2d_none", L.Cropping2D, (1, 3, 4, 2)),
    layer("crop2d_uneven", L.Cropping2D, (2, 5, 6, 2), cropping=((0, 1), (2, 3))),
    layer("crop2d_first", L.Cropping2D, (1, 2, 5, 4), cropping=(2, 1), **FIRST),
])
golden.write(golden.NN, "layers_upsampling.json", [
    layer("nearest1d", L.UpSampling1D, (2, 3, 2)),
    layer("nearest1d_times3", L.UpSampling1D, (1, 4, 3), size=3),
    layer("nearest2d", L.UpSampling2D, (2, 2, 3, 2)),
    layer("nearest2d_uneven", L.UpSampling2D, (1, 2, 3, 3), size=(3, 1)),
    layer("nearest2d_first", L.UpSampling2D, (1, 2, 3, 2), size=(1, 4), **FIRST),
    bilinear("bilinear", (1, 3, 4, 2), (2, 2)),
    bilinear("bilinear_uneven", (2, 2, 3, 1), (3, 4)),
    bilinear("bilinear_one_row", (1, 1, 3, 2), (2, 5)),
    bilinear("bilinear_first", (1, 2, 3, 4), (2, 2), first=True),
    layer("repeat_vector", L.RepeatVector, (2, 3), n=4),
])
golden.write(golden.NN, "layers_conv3d.json", [
    layer("valid", L.Conv3D, (1, 3, 4, 3, 2), filters=2, kernel_size=(2, 3, 2)),
    layer("same_strided", L.Conv3D, (1, 4, 3, 4, 2), filters=2, kernel_size=3, strides=(2, 1, 2), padding="same", activation="relu"),
    layer("same_even", L.Conv3D, (2, 3, 2, 3, 1), filters=2, kernel_size=2, padding="same"),
    layer("one_deep", L.Conv3D, (2, 2, 3, 3, 2), filters=3, kernel_size=(1, 2, 2), use_bias=False),
    layer("strided_beyond_kernel", L.Conv3D, (1, 5, 3, 3, 2), filters=2, kernel_size=(1, 1, 2), strides=(3, 2, 1)),
    layer("dilated", L.Conv3D, (1, 5, 4, 3, 2), filters=2, kernel_size=(2, 2, 1), dilation_rate=(3, 2, 1)),
    layer("groups", L.Conv3D, (1, 3, 3, 2, 4), filters=6, kernel_size=2, groups=2, padding="same"),
    layer("first", L.Conv3D, (1, 2, 3, 4, 3), filters=2, kernel_size=2, padding="same", activation="relu", **FIRST),
])
