"""nn/testdata/golden/resizing.json: Keras 3's Resizing and CenterCrop, with gradients.

Ran under Keras 3.15 with TensorFlow 2.21 on a CPU. TensorFlow resizes in float32: here in float64 by the rule itself, which Keras in float32
must agree with.
"""
from keras_layer import FIRST, golden, keras, layer, normal, np, tf

from keras import layers as L


def matrix(n, to, how):
    m = np.zeros((to, n))
    scale = np.float32(n) / np.float32(to)
    for i in range(to):
        at = np.float32(np.float32(i) + np.float32(0.5)) * scale
        if how == "nearest":
            m[i, min(int(at), n - 1)] = 1
            continue
        at = np.float64(at - np.float32(0.5))
        low = int(np.floor(at))
        for j, share in ((low, 1 - (at - low)), (low + 1, at - low)):
            m[i, min(max(j, 0), n - 1)] += share
    return m


def middle(n, to):
    """The rows that cut to out of the middle of n."""
    return np.eye(n)[(n - to) // 2:][:to]


def resizing(name, x, to, how="bilinear", first=False, crop=False, make=None):
    values = normal(*x)
    rows, columns = (2, 3) if first else (1, 2)
    h, w = x[rows], x[columns]
    ch, cw = (max(min(h, w * to[0] // to[1]), 1), max(min(w, h * to[1] // to[0]), 1)) if crop else (h, w)
    a, b = matrix(ch, to[0], how) @ middle(h, ch), matrix(cw, to[1], how) @ middle(w, cw)
    rule, back = ("ri,cj,nfij->nfrc", "ri,cj,nfrc->nfij") if first else ("ri,cj,nijf->nrcf", "ri,cj,nrcf->nijf")
    y = np.einsum(rule, a, b, values)
    dy = normal(*y.shape)
    dx = np.einsum(back, a, b, dy)

    keras.backend.clear_session()
    more = {} if make else {"interpolation": how, "crop_to_aspect_ratio": crop}
    it = (make or L.Resizing)(*to, dtype="float32", **more, **(FIRST if first else {}))
    it_x = tf.constant(values, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(it_x)
        it_y = it(it_x)
    np.testing.assert_allclose(y, it_y.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dx, tape.gradient(it_y, it_x, output_gradients=tf.constant(dy, tf.float32)).numpy(), rtol=1e-5, atol=1e-5)
    attrs = {"class": type(it).__name__, "layer": it.name, "params": 0, "weights": "", "shape": list(y.shape), "channels_first": int(first),
             "args": "%r, interpolation=%r, crop_to_aspect_ratio=%r" % (to, how, crop)}
    return golden.case(name, attrs, {"x": values, "y": y, "dy": dy, "dx": dx})


golden.write(golden.NN, "resizing.json", [
    resizing("larger", (2, 3, 4, 2), (5, 9)),
    resizing("smaller", (1, 11, 9, 2), (4, 3)),
    resizing("one way", (1, 5, 6, 3), (7, 6)),
    resizing("to one", (2, 4, 5, 1), (1, 1)),
    resizing("from one", (1, 1, 1, 3), (3, 2)),
    resizing("first", (1, 2, 7, 4), (3, 6), first=True),
    resizing("nearest", (2, 3, 7, 2), (7, 3), "nearest"),
    resizing("nearest first", (1, 2, 5, 4), (3, 9), "nearest", first=True),
    resizing("ratio high", (1, 9, 4, 2), (3, 2), crop=True),
    resizing("ratio wide first", (1, 2, 3, 8), (4, 5), first=True, crop=True),
    resizing("ratio nearest", (1, 5, 7, 2), (7, 2), "nearest", crop=True),
    resizing("crop of less", (1, 3, 8, 2), (4, 5), crop=True, make=L.CenterCrop),
    resizing("crop of a line", (1, 1, 9, 1), (5, 2), crop=True, make=L.CenterCrop),
    layer("crop", L.CenterCrop, (2, 7, 6, 2), height=4, width=3),
    layer("crop rows", L.CenterCrop, (1, 6, 3, 2), height=3, width=3),
    layer("crop nothing", L.CenterCrop, (1, 3, 2, 2), height=3, width=2),
    layer("crop first", L.CenterCrop, (1, 2, 5, 6), height=2, width=5, **FIRST),
])
