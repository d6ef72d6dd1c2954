"""graph/op/testdata/golden/affine_transform.json and nn/testdata/golden/geometry.json: Keras 3's affine_transform and the layers made of it.

Ran under Keras 3.15 with TensorFlow 2.21 on a CPU. TensorFlow's wrap takes no mean of the last pixel and the first, as Keras's other backends do: those
cases are SciPy 1.17's map_coordinates.
"""
from keras_layer import golden, keras, normal, np, tf

from keras import layers as L
from scipy.ndimage import map_coordinates


def by_scipy(x, transforms, order, mode, fill):
    y = np.empty_like(x)
    rows, columns = np.indices(x.shape[1:3]).astype(np.float64)
    for n, (a0, a1, a2, b0, b1, b2, c0, c1) in enumerate(transforms.astype(np.float64)):
        k = c0 * columns + c1 * rows + 1
        at = [(b0 * columns + b1 * rows + b2) / k, (a0 * columns + a1 * rows + a2) / k]
        for c in range(x.shape[3]):
            y[n, :, :, c] = map_coordinates(x[n, :, :, c], at, order=order, mode=mode, cval=fill)
    return y


def transform(name, shape, how, mode, far=0.4, fill=0.0):
    x = normal(*shape)
    t = normal(shape[0], 8) * far
    t[:, [0, 4]] += 1
    t[:, 2] *= shape[2]
    t[:, 5] *= shape[1]
    t[:, 6] /= 20 * shape[2]
    t[:, 7] /= 20 * shape[1]
    t = t.astype(np.float32)
    tensors = {"x": x, "transforms": t}
    if mode == "wrap":
        tensors["y"] = by_scipy(x, t, 1 if how == "bilinear" else 0, "grid-wrap", fill)
    else:
        tensors["y"] = keras.ops.image.affine_transform(tf.constant(x), tf.constant(t), interpolation=how, fill_mode=mode, fill_value=fill).numpy()
        theirs = {"constant": "grid-constant", "reflect": "reflect", "nearest": "nearest"}[mode]
        np.testing.assert_allclose(tensors["y"], by_scipy(x, t, 1 if how == "bilinear" else 0, theirs, fill), rtol=1e-4, atol=1e-4)
    return golden.case(name, {"nearest": int(how == "nearest"), "border": mode, "fill": fill}, tensors)


golden.write(golden.OPS, "affine_transform.json", [
    transform("%s %s %s" % (how, mode, "x".join(map(str, shape))), shape, how, mode, fill=0.5 if mode == "constant" else 0.0)
    for how in ("bilinear", "nearest") for mode in ("constant", "reflect", "wrap", "nearest") for shape in ((2, 5, 6, 2), (2, 1, 9, 1))
])


def layer(name, make, shape, **args):
    """One transformation: both ends of all factors are one. Shears have a random sign: y is with the one, opposite with the other."""
    keras.backend.clear_session()
    x = np.asarray(normal(*shape)).astype(np.float32)
    it = make(dtype="float32", **args)
    tensors = {"x": x}
    if make is L.RandomShear:
        for key, sign in (("y", 1), ("opposite", -1)):
            factors = np.array([[it.x_factor[0], it.y_factor[0]]] * shape[0], np.float32) * sign
            tensors[key] = it.transform_images(tf.constant(x), {"shear_factor": tf.constant(factors), "input_shape": shape}).numpy()
        y = it(tf.constant(x), training=True).numpy()
        assert all(min(abs(y[i] - tensors[k][i]).max() for k in ("y", "opposite")) < 1e-5 for i in range(shape[0]))
    else:
        tensors["y"] = it(tf.constant(x), training=True).numpy()
    return golden.case(name, {"class": make.__name__, "first": int("data_format" in args), "signs": int("opposite" in tensors)}, tensors)


keras.config.set_floatx("float32")  # the layers' matrices
SHAPE = (2, 6, 7, 2)
golden.write(golden.NN, "geometry.json", [
    layer("rotation", L.RandomRotation, SHAPE, factor=(0.1, 0.1)),
    layer("rotation back", L.RandomRotation, SHAPE, factor=(-0.3, -0.3), fill_mode="constant", fill_value=0.25),
    layer("rotation first", L.RandomRotation, (2, 2, 5, 6), factor=(0.1, 0.1), fill_mode="nearest", interpolation="nearest", data_format="channels_first"),
    layer("translation", L.RandomTranslation, SHAPE, height_factor=(0.2, 0.2), width_factor=(-0.3, -0.3)),
    layer("translation first", L.RandomTranslation, (2, 2, 5, 6), height_factor=(0.1, 0.1), width_factor=(0.35, 0.35), fill_mode="constant",
          data_format="channels_first"),
    layer("zoom", L.RandomZoom, SHAPE, height_factor=(0.3, 0.3)),
    layer("zoom in", L.RandomZoom, SHAPE, height_factor=(-0.4, -0.4), width_factor=(0.15, 0.15), fill_mode="nearest"),
    layer("zoom of rows", L.RandomZoom, SHAPE, height_factor=(-0.4, -0.4), width_factor=0.0),
    layer("shear", L.RandomShear, SHAPE, x_factor=(0.2, 0.2), y_factor=(0.3, 0.3), fill_mode="constant"),
    layer("shear of columns", L.RandomShear, SHAPE, x_factor=(0.4, 0.4), y_factor=(0.0, 0.0)),
])
