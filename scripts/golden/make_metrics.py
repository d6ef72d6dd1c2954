"""metrics/testdata/golden/metrics.json, values.json: what Keras 3's metrics say of given scores. Keras 3.15 (TensorFlow 2.21).

metrics.json: "scores" (n, classes), "labels" (n), "weights" (n) where examples have any; attributes are the results, per class as tensors.
values.json: "predicted" and "targets" (n, outputs), "weights" (n); "r2" is of every output, "threshold", "precision", "recall", "f1" and "f2"
of labels that are 0 or 1.
"""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
import keras
import numpy as np

import golden

M = keras.metrics
rng = np.random.default_rng(20261127)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True)).astype(np.float32)


def result(metric, *batches):
    for b in batches:
        metric.update_state(*b)
    return np.asarray(metric.result(), np.float64)


def halves(true, scores, weights):
    """The data in two batches."""
    k = len(true) // 2 + 1
    cut = lambda a: [a[:k], a[k:]] if a is not None else [None, None]
    return [(t, s) if w is None else (t, s, w) for t, s, w in zip(cut(true), cut(scores), cut(weights)) if len(t)]


def many(name, n, classes, weighted=False, missing=False):
    labels = rng.integers(0, classes - int(missing), n)
    scores = rng.standard_normal((n, classes))
    scores[np.arange(n), labels] += 1.2
    if missing:
        scores[:, -1] -= 100  # a class that is never right and never predicted
    scores = softmax(scores)
    scores[n // 2, :] = 1.0 / classes  # equal scores
    weights = rng.integers(0, 4, n).astype(np.float32) / 2 if weighted else None
    hot = np.eye(classes, dtype=np.float32)[labels]
    sparse, dense = halves(labels, scores, weights), halves(hot, scores, weights)
    predicted = halves(labels, scores.argmax(-1), weights)
    attrs = {"accuracy": float(result(M.SparseCategoricalAccuracy(), *sparse)), "mean_iou": float(result(M.MeanIoU(classes, dtype="float32"), *predicted))}
    for k in (1, 2, 5):
        attrs["top%d" % k] = float(result(M.SparseTopKCategoricalAccuracy(k), *sparse))
    first = np.eye(classes, dtype=np.float32)[scores.argmax(-1)]  # F1Score counts all equal maxima; the first alone is meant here
    ones = halves(hot, first, weights)
    for average in ("micro", "macro", "weighted"):
        attrs["f1_" + average] = float(result(M.F1Score(average=average), *ones))
    for curve in ("ROC", "PR"):
        for how in ("interpolation", "minoring", "majoring"):
            attrs["auc_%s_%s" % (curve, how)] = float(result(M.AUC(curve=curve, summation_method=how), *[(b[0], b[1]) + ((b[2][:, None],) if weighted else ()) for b in dense]))
    if not weighted:
        for curve in ("ROC", "PR"):
            attrs["auc_multi_" + curve] = float(result(M.AUC(curve=curve, multi_label=True, num_labels=classes), *dense))
        attrs["auc_multi_weighted"] = float(result(M.AUC(multi_label=True, num_labels=classes, label_weights=list(range(1, classes + 1))), *dense))
        attrs["auc_few"] = float(result(M.AUC(num_thresholds=7), *dense))
    tensors = {"scores": scores, "labels": labels,
               "precision": np.array([result(M.Precision(class_id=i, top_k=1), *ones) for i in range(classes)]),
               "recall": np.array([result(M.Recall(class_id=i, top_k=1), *ones) for i in range(classes)]),
               "f1": result(M.F1Score(), *ones), "f2": result(M.FBetaScore(beta=2.0), *ones),
               "matrix": np.asarray(keras.ops.convert_to_numpy(keras.src.metrics.metrics_utils.confusion_matrix(
                   labels, scores.argmax(-1), classes, weights, dtype="float32")))}
    if weighted:
        tensors["weights"] = weights
    return golden.case(name, attrs, tensors)


def two(name, n, weighted=False, coarse=False):
    labels = rng.integers(0, 2, n)
    scores = 1 / (1 + np.exp(-(rng.standard_normal(n) + 1.5 * labels - 0.7)))
    if coarse:
        scores = np.round(scores * 199) / 199  # scores that are thresholds
    scores = scores.astype(np.float32)
    weights = rng.integers(0, 4, n).astype(np.float32) / 2 if weighted else None
    b = halves(labels.astype(np.float32), scores, weights)
    attrs = {"accuracy": float(result(M.BinaryAccuracy(), *[tuple(v[:, None] if i < 2 else v for i, v in enumerate(x)) for x in b]))}
    for curve in ("ROC", "PR"):
        for how in ("interpolation", "minoring", "majoring"):
            attrs["auc_%s_%s" % (curve, how)] = float(result(M.AUC(curve=curve, summation_method=how), *b))
    tensors = {"scores": scores[:, None], "labels": labels}
    if weighted:
        tensors["weights"] = weights
    return golden.case(name, attrs, tensors)


golden.write(os.path.join(golden.ROOT, "metrics", "testdata", "golden"), "metrics.json", [
    many("three", 41, 3), many("seven", 67, 7), many("seven_weighted", 67, 7, weighted=True), many("missing", 30, 4, missing=True), many("one", 1, 5),
    two("binary", 97), two("binary_weighted", 97, weighted=True), two("binary_coarse", 60, coarse=True)])


def values(name, n, outputs, weighted=False, spread=1.0, offset=0.0):
    """Regressions."""
    t = (values_rng.standard_normal((n, outputs)) * spread + offset).astype(np.float32)
    p = (t + values_rng.standard_normal((n, outputs)) * 0.3 * spread * np.arange(1, outputs + 1)).astype(np.float32)
    t[0, 0] = 0  # whose percentage is of 1e-7
    p[n // 2] = t[n // 2]
    weights = values_rng.integers(0, 4, n).astype(np.float32) / 2 if weighted else None
    if weighted:
        weights[0] = 0  # the percentage would drown all others
    b = halves(t, p, weights)
    attrs = {}
    for cls in (M.MeanAbsoluteError, M.MeanSquaredError, M.RootMeanSquaredError, M.MeanAbsolutePercentageError, M.MeanSquaredLogarithmicError,
                M.LogCoshError, M.CosineSimilarity):
        attrs[cls.__name__] = float(result(cls(), *b))
    attrs["r2_uniform"] = float(result(M.R2Score(), *b))
    attrs["r2_variance"] = float(result(M.R2Score(class_aggregation="variance_weighted_average"), *b))
    attrs["r2_adjusted"] = float(result(M.R2Score(num_regressors=3), *b))
    attrs["r2_too_many"] = float(result(M.R2Score(num_regressors=n * outputs), *b))
    tensors = {"predicted": p, "targets": t, "r2": result(M.R2Score(class_aggregation=None), *b)}
    if weighted:
        tensors["weights"] = weights
    return golden.case(name, attrs, tensors)


def labels(name, n, count, threshold=0.5, weighted=False):
    """Labels of which an example may have several. The last is one that no example has, and that none is said to have."""
    t = (values_rng.random((n, count)) < np.linspace(0.1, 0.8, count)).astype(np.float32)
    s = 1 / (1 + np.exp(-(values_rng.standard_normal((n, count)) + 2 * t - 1)))
    t[:, -1], s[:, -1] = 0, 0.01
    s = s.astype(np.float32)
    s[0, 0] = threshold  # which is not above it
    weights = values_rng.integers(0, 4, n).astype(np.float32) / 2 if weighted else None
    b = halves(t, s, weights)
    attrs = {"threshold": threshold, "accuracy": float(result(M.BinaryAccuracy(threshold=threshold), *b)),
             "precision_micro": float(result(M.Precision(thresholds=threshold), *b)), "recall_micro": float(result(M.Recall(thresholds=threshold), *b))}
    for average in ("micro", "macro", "weighted"):
        attrs["f1_" + average] = float(result(M.F1Score(average=average, threshold=threshold), *b))
    tensors = {"predicted": s, "targets": t,
               "precision": np.array([result(M.Precision(thresholds=threshold, class_id=i), *b) for i in range(count)]),
               "recall": np.array([result(M.Recall(thresholds=threshold, class_id=i), *b) for i in range(count)]),
               "f1": result(M.F1Score(threshold=threshold), *b), "f2": result(M.FBetaScore(beta=2.0, threshold=threshold), *b)}
    if weighted:
        tensors["weights"] = weights
    return golden.case(name, attrs, tensors)


values_rng = np.random.default_rng(20261128)
golden.write(os.path.join(golden.ROOT, "metrics", "testdata", "golden"), "values.json", [
    values("values_one", 37, 1), values("values_three", 25, 3), values("values_three_weighted", 25, 3, weighted=True),
    values("values_large", 30, 2, spread=40.0, offset=100.0), labels("labels_four", 31, 4), labels("labels_four_weighted", 31, 4, weighted=True),
    labels("labels_low", 40, 3, threshold=0.25), labels("labels_one", 3, 2)])
