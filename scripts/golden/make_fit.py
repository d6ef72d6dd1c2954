"""train/testdata/golden/fit.json: what keras.Model.fit, evaluate and predict come to (Keras 3.15, in float64, any backend) with samples in their
order: regression with sample weights and a penalty, several labels, tokens with class weights, two inputs and two outputs, one model of several in
another one with an output that has no loss, and EarlyStopping that restores the best weights.

Samples "x", "y", … and weights come from fill.py with seed 11: kernels, embeddings and biases uniform with limit 0.5, by the names of
their layers. "loss" and "val_loss" (epochs,), those of outputs with "/<n>" behind (with PyTorch: with TensorFlow, Keras counts a smaller last batch fully there);
"predicted/<n>" after training, "evaluated" the loss of a last evaluate.
"""
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
import keras
import numpy as np

import fill
import golden

keras.config.set_floatx("float64")
SEED = 11
L = keras.layers


def x(name, *shape, limit=1):
    return fill.uniform(name, SEED, limit, shape).astype(np.float64)


def labels(name, classes, n):
    return np.array(fill.labels(name, SEED, classes, n))


def start(model):
    for layer in model.layers:
        if hasattr(layer, "layers"):
            start(layer)
            continue
        for v in layer.weights:
            v.assign(x("w0/%s/%s" % (layer.name, v.name), *v.shape, limit=0.5))
    return model


def case(name, model, inputs, history, evaluated, outputs=()):
    out = model.predict(inputs, batch_size=8, verbose=0)
    out = out if isinstance(out, list) else [out]
    tensors = {"loss": np.array(history.history["loss"]), "evaluated": np.array([evaluated])}
    if "val_loss" in history.history:
        tensors["val_loss"] = np.array(history.history["val_loss"])
    for i, o in enumerate(outputs):
        for key in ["", "val_"]:
            tensors["%sloss/%d" % (key, i)] = np.array(history.history["%s%s_loss" % (key, o)])
    tensors.update({"predicted/%d" % i: np.asarray(o) for i, o in enumerate(out)})
    return golden.case(name, {}, tensors)


def fit(model, x, y, epochs=3, **more):
    return model.fit(x, y, batch_size=8, epochs=epochs, shuffle=False, verbose=0, **more)


def regression():
    i = keras.Input((3,))
    h = L.Dense(6, activation="tanh", name="hidden", kernel_regularizer=keras.regularizers.L2(0.01))(i)
    m = start(keras.Model(i, L.Dense(2, name="out")(h)))
    m.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mean_squared_error")
    a, b, w = x("x", 20, 3), x("y", 20, 2), x("weight", 20) + 1
    h = fit(m, a, b, sample_weight=w, validation_data=(x("vx", 11, 3), x("vy", 11, 2), x("vweight", 11) + 1))
    return case("regression", m, a, h, m.evaluate(a, b, batch_size=8, verbose=0))


def multilabel():
    i = keras.Input((4,))
    m = start(keras.Model(i, L.Dense(3, activation="sigmoid", name="out")(L.Dense(5, activation="relu", name="hidden")(i))))
    m.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
    a, b = x("x", 21, 4), labels("y", 2, 63).reshape(21, 3).astype(np.float64)
    return case("multilabel", m, a, fit(m, a, b), m.evaluate(a, b, batch_size=8, verbose=0))


def tokens():
    i = keras.Input((7,), dtype="int64")
    h = L.Conv1D(5, 3, activation="relu", name="conv")(L.Embedding(12, 4, name="embedding")(i))
    m = start(keras.Model(i, L.Dense(3, activation="softmax", name="out")(L.GlobalMaxPooling1D()(h))))
    m.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    a, b = labels("x", 12, 19 * 7).reshape(19, 7), labels("y", 3, 19)
    h = fit(m, a, b, class_weight={0: 1.0, 1: 0.25, 2: 3.0}, validation_data=(a[:9], b[:9]))
    return case("tokens", m, a, h, m.evaluate(a, b, batch_size=8, verbose=0))


def two():
    image, table = keras.Input((6, 6, 1)), keras.Input((5,))
    a = L.GlobalAveragePooling2D()(L.Conv2D(3, 3, activation="tanh", name="conv")(image))
    h = L.Concatenate()([a, L.Dense(4, activation="tanh", name="table")(table)])
    m = start(keras.Model([image, table], [L.Dense(3, activation="softmax", name="class")(h), L.Dense(1, name="value")(h)]))
    m.compile(keras.optimizers.Adam(0.03), ["sparse_categorical_crossentropy", "huber"], loss_weights=[1.0, 0.5])
    ins, outs = [x("image", 18, 6, 6, 1), x("table", 18, 5)], [labels("class", 3, 18), x("value", 18, 1)]
    return case("two", m, ins, fit(m, ins, outs), m.evaluate(ins, outs, batch_size=8, verbose=0)[0])


def functional():
    words, table, spare = keras.Input((5,), dtype="int64"), keras.Input((4,)), keras.Input((2,))
    j = keras.Input((4,))
    deep = L.Dense(3, activation="tanh", name="deep")(j)
    deep, aux = keras.Model(j, [deep, L.Dense(2, name="aux")(deep)], name="inner")(table)
    h = L.Concatenate()([L.GlobalAveragePooling1D()(L.Embedding(9, 3, name="embedding")(words)), deep])
    m = start(keras.Model([words, table, spare], [
        L.Dense(3, activation="softmax", name="class")(h), L.Dense(1, name="value", kernel_regularizer=keras.regularizers.L2(0.01))(h),
        L.Dense(2, name="free")(h), aux]))
    m.compile(keras.optimizers.Adam(0.03), ["sparse_categorical_crossentropy", "huber", None, "mean_squared_error"], loss_weights=[1.0, 0.5, None, 2.0])
    a = [labels("words", 9, 22 * 5).reshape(22, 5), x("table", 22, 4), x("spare", 22, 2)]
    b = [labels("class", 3, 22), x("value", 22, 1), None, x("aux", 22, 2)]
    w = x("weight", 22) + 1
    h = fit(m, a, b, sample_weight=w, validation_data=([v[:13] for v in a], [v if v is None else v[:13] for v in b]))
    first = case("functional", m, a, h, m.evaluate(a, b, batch_size=8, verbose=0)[0], ["class", "value", "inner"])
    w = [w, np.ones(22), np.ones(22), x("aux_weight", 22) + 1]
    return [first, golden.case("functional_weights", {}, {"evaluated": np.array(m.evaluate(a, b, batch_size=8, verbose=0, sample_weight=w))})]


def stopping():
    i = keras.Input((3,))
    m = start(keras.Model(i, L.Dense(1, name="out")(L.Dense(6, activation="tanh", name="hidden")(i))))
    m.compile(keras.optimizers.Adam(0.2), "mean_absolute_error")
    a, b, va, vb = x("x", 24, 3), x("y", 24, 1), x("vx", 10, 3), x("vy", 10, 1)
    stop = keras.callbacks.EarlyStopping(patience=2, min_delta=1e-3, restore_best_weights=True)
    h = fit(m, a, b, epochs=40, validation_data=(va, vb), callbacks=[stop])
    assert len(h.history["loss"]) < 40, "it did not stop"
    return case("stopping", m, a, h, m.evaluate(va, vb, batch_size=8, verbose=0))


if __name__ == "__main__":
    golden.write(golden.TRAIN, "fit.json", [regression(), multilabel(), tokens(), two(), stopping(), *functional()])
