"""graph/op/testdata/golden/: batch_norm.json, activations.json, cross_entropy.json, dense.json, l2.json, in_top_k.json."""
from both import agree, normal, np, tf, torch, with_tf, with_torch

import torch.nn.functional as F

import golden


def batch_norm(name, x, eps, momentum, layout="NHWC", spread=1.0):
    """Training and inference on the same input. The channel is the last axis, or axis 1 for NCHW."""
    inputs = {"x": normal(*x) * spread + 0.5, "gamma": normal(x[-1]), "beta": normal(x[-1])}
    inputs["x"] = inputs["x"].astype(np.float32).astype(np.float64)
    mm, mv = normal(x[-1]), np.float32(0.5) + np.abs(normal(x[-1]))
    mv = mv.astype(np.float32).astype(np.float64)
    axes = tuple(range(len(x) - 1))
    dy = normal(*x)

    def train(x, gamma, beta):
        m, v = tf.nn.moments(x, axes)
        return tf.nn.batch_normalization(x, m, v, beta, gamma, eps)

    def infer(x, gamma, beta):
        return tf.nn.batch_normalization(x, mm, mv, beta, gamma, eps)

    def torch_bn(training):
        def f(x, gamma, beta):
            y = F.batch_norm(x.movedim(-1, 1), torch.tensor(mm), torch.tensor(mv), gamma, beta, training, 0.0, eps)
            return y.movedim(1, -1)
        return f

    out = with_tf(train, inputs, dy)
    agree(with_torch(torch_bn(True), inputs, dy), out, name)
    inf = with_tf(infer, inputs, dy)
    agree(with_torch(torch_bn(False), inputs, dy), inf, name)
    count = np.prod(x[:-1])
    mean, var = inputs["x"].mean(axes), inputs["x"].var(axes)
    unbiased = var * count / (count - 1)
    tensors = {
        **inputs, "moving_mean": mm, "moving_variance": mv, **out,
        "mean": mean, "variance": var,
        "new_moving_mean": momentum * mm + (1 - momentum) * mean,
        "new_moving_variance": momentum * mv + (1 - momentum) * var,
        "new_moving_variance_unbiased": momentum * mv + (1 - momentum) * unbiased,
    }
    tensors.update({"inference_" + k: v for k, v in inf.items() if k != "dy"})
    if layout == "NCHW":
        tensors = {k: np.moveaxis(v, -1, 1) if v.ndim == 4 else v for k, v in tensors.items()}
    attrs = dict(layout=layout, epsilon=eps, momentum=momentum, reference="tensorflow+torch")
    return golden.case(name, attrs, tensors)


golden.write(golden.OPS, "batch_norm.json", [
    batch_norm("keras_defaults", (2, 3, 5, 4), 1e-3, 0.99), batch_norm("resnet", (3, 5, 3, 2), 1e-5, 0.9),
    batch_norm("batch_1", (1, 4, 3, 3), 1e-3, 0.99), batch_norm("one_by_one", (4, 1, 1, 5), 1e-5, 0.9),
    batch_norm("dense", (7, 3), 1e-3, 0.99), batch_norm("nchw", (2, 3, 4, 3), 1e-5, 0.9, "NCHW"),
    batch_norm("wide_range", (2, 4, 4, 2), 1e-3, 0.9, spread=100.0)])


def relu(name, x):
    """dx is TensorFlow's; dx_torch is there when PyTorch's differs (its NaN lets the gradient through)."""
    out = with_tf(lambda x: tf.nn.relu(x), {"x": x}, lambda s: normal(*s))
    other = with_torch(lambda x: F.relu(x), {"x": x}, out["dy"])
    if not np.array_equal(out["y"], other["y"], equal_nan=True):
        raise SystemExit("relu: y differs")
    if not np.array_equal(out["dx"], other["dx"], equal_nan=True):
        print("  %s: dx differs, TensorFlow %s, PyTorch %s" % (name, out["dx"], other["dx"]))
        out["dx_torch"] = other["dx"]
    return golden.case(name, dict(op="relu", reference="tensorflow+torch"), {"x": x, **out})


def softmax(name, x):
    """Over the last axis."""
    out = with_tf(lambda x: tf.nn.softmax(x), {"x": x}, lambda s: normal(*s))
    agree(with_torch(lambda x: F.softmax(x, -1), {"x": x}, out["dy"]), out, name)
    return golden.case(name, dict(op="softmax", reference="tensorflow+torch"), {"x": x, **out})


special = np.array([0.0, -0.0, 1.5, -1.5, 1e-40, -1e-40, 3e38, -3e38, np.inf, -np.inf]).astype(np.float32)
extreme = np.array([[1e4, -1e4, 0, 5], [-1e4, -1e4, -1e4, -1e4], [1e4, 1e4, -1e4, 1e4], [88.8, 89, 710, 709],
                    [1e38, -1e38, 0, 1e38], [1e-30, 0, -1e-30, 0]]).astype(np.float32).astype(np.float64)
golden.write(golden.OPS, "activations.json", [
    relu("relu", normal(3, 5, 7)), relu("relu_special", special.astype(np.float64)),
    relu("relu_nan", np.array([np.nan, 1.0, np.nan, -1.0])),
    softmax("softmax", normal(3, 7) * 4), softmax("softmax_one_class", normal(4, 1)),
    softmax("softmax_batch_1", normal(1, 100)), softmax("softmax_rank_3", normal(2, 3, 5)),
    softmax("softmax_extreme", extreme)])


def cross_entropy(name, x, labels):
    """Sparse softmax cross-entropy: y per example with upstream dy, and the mean over the batch with upstream 1."""
    labels = np.asarray(labels)
    out = with_tf(lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(labels, x), {"x": x}, lambda s: normal(*s))
    agree(with_torch(lambda x: F.cross_entropy(x, torch.tensor(labels), reduction="none"), {"x": x}, out["dy"]), out, name)
    mean = with_tf(lambda x: tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, x)), {"x": x}, 1.0)
    return golden.case(name, dict(reference="tensorflow+torch"), {
        "x": x, "labels": labels, **out, "mean": mean["y"], "dx_mean": mean["dx"]})


golden.write(golden.OPS, "cross_entropy.json", [
    cross_entropy("odd", normal(5, 7) * 3, [0, 6, 3, 3, 1]), cross_entropy("batch_1", normal(1, 11), [10]),
    cross_entropy("hundred", normal(3, 100), [99, 0, 50]), cross_entropy("one_class", normal(2, 1), [0, 0]),
    cross_entropy("extreme_right", extreme, [0, 2, 3, 2, 0, 1]), cross_entropy("extreme_wrong", extreme, [1, 0, 2, 0, 1, 0])])


def dense(name, n, i, o, bias=True):
    inputs = {"x": normal(n, i), "w": normal(i, o)}
    if bias:
        inputs["b"] = normal(o)
    f = lambda x, w, b=0.0: x @ w + b
    out = with_tf(f, inputs, lambda s: normal(*s))
    agree(with_torch(f, inputs, out["dy"]), out, name)
    return golden.case(name, dict(reference="tensorflow+torch"), {**inputs, **out})


golden.write(golden.OPS, "dense.json", [
    dense("odd", 5, 7, 3), dense("batch_1", 1, 13, 5), dense("one_output", 4, 9, 1), dense("one_input", 3, 1, 6),
    dense("no_bias", 3, 17, 4, False), dense("wide", 2, 33, 19)])


def l2(name, shape, factor):
    """tf.keras.regularizers.l2: factor * sum(w*w), upstream 1."""
    inputs = {"w": normal(*shape)}
    out = with_tf(lambda w: tf.cast(factor, tf.float64) * tf.reduce_sum(tf.square(w)), inputs, 1.0)
    keras = float(tf.keras.regularizers.l2(factor)(tf.constant(inputs["w"], tf.float32)))
    if abs(keras - out["y"]) > 1e-5 * abs(keras):
        raise SystemExit("l2: Keras says %r" % keras)
    return golden.case(name, dict(factor=factor, reference="tensorflow"), {**inputs, "y": out["y"], "dw": out["dw"]})


golden.write(golden.OPS, "l2.json", [l2("kernel", (3, 3, 2, 5), 1e-4), l2("bias", (7,), 0.01), l2("one", (1,), 0.5)])


def in_top_k(name, x, labels, k):
    """y[i] is 1 when fewer than k classes of row i are strictly greater than the label's."""
    labels = np.asarray(labels)
    y = tf.math.in_top_k(labels, tf.constant(x, tf.float32), k).numpy()
    keras = tf.keras.metrics.sparse_top_k_categorical_accuracy(labels, tf.constant(x, tf.float32), k).numpy()
    if not np.array_equal(y, keras.astype(bool)):
        print("  in_top_k %s: tf.math %s, Keras %s" % (name, y, keras))
    return golden.case(name, dict(k=k, reference="tensorflow"), {"x": x, "labels": labels, "y": y, "accuracy": y.mean()})


tied = np.array([[1, 1, 1, 1, 1, 1, 1], [3, 2, 2, 2, 1, 0, 0], [0, 5, 5, 4, 4, 4, 3], [7, 6, 5, 4, 3, 2, 1]], np.float64)
odd = np.array([[np.nan, 1, 2, 3, 4, 5, 6], [0, np.nan, 2, 3, 4, 5, 6], [np.inf, 1, 2, 3, 4, 5, -np.inf],
                [np.inf, np.inf, 2, 3, 4, 5, -np.inf]])
scores = normal(9, 7)
ranks = [int(np.argsort(-row)[i % 7]) for i, row in enumerate(scores)]
golden.write(golden.OPS, "in_top_k.json", [
    case for k in (1, 5, 7) for case in (
        in_top_k("random_k%d" % k, scores, ranks, k), in_top_k("ties_first_k%d" % k, tied, [0, 1, 3, 4], k),
        in_top_k("ties_last_k%d" % k, tied, [6, 3, 5, 5], k), in_top_k("not_finite_k%d" % k, odd, [0, 6, 0, 1], k))])
