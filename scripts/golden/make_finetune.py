"""train/testdata/finetune.keras.gz and train/testdata/golden/finetune.json: what Keras 3.15 makes, in float64, of fine-tuning a model that it saved whole.

Eight images of 12×12×3, whose pixels are those of pixels(), are given to it minus 0.5 divided by 0.25; label i % 5. Three updates on all eight by
SGD with momentum 0.9. "frozen": base layers frozen, the Dense trained, learning rate 0.1. "all": everything trained, learning rate 0.01. "half":
layers c1 and n1 frozen, 0.01. Tensors: loss (3,) of the training steps, val_loss (1,) by evaluate afterwards on the same images, and all weights
at the end, by "layer/weight". The case "twostage" is "frozen" and then "all" for three more updates, compiled anew.
"""
import gzip
import os

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np

import fill
import golden

SEED = 23
L = keras.layers


def pixels():
    i, y, x, c = np.meshgrid(np.arange(8), np.arange(12), np.arange(12), np.arange(3), indexing="ij")
    return ((i * 29 + y * 17 + x * (11 + i) + c * 83 + x * y * (c + 1)) % 256).astype(np.uint8)


def build():
    i = keras.Input((12, 12, 3), name="images")
    y = L.Conv2D(4, 3, padding="same", use_bias=False, name="c1")(i)
    y = L.ReLU(name="r1")(L.BatchNormalization(name="n1")(y))
    z = L.Conv2D(6, 3, strides=2, padding="same", name="c2")(y)
    z = L.ReLU(name="r2")(L.BatchNormalization(name="n2")(z))
    z = L.GlobalAveragePooling2D(name="pool")(z)
    return keras.Model(i, L.Dense(5, activation="softmax", name="head")(z), name="small")


def values(name, shape):
    v = fill.uniform(name, SEED, 0.5, shape)
    return np.abs(v) + np.float32(0.5) if name.endswith(("variance", "gamma")) else v


def start(model):
    for l in model.layers:
        for v in l.weights:
            v.assign(values("%s/%s" % (l.name, v.name), tuple(v.shape)))
    return model


def fit(model, frozen, rate, epochs=3):
    for l in model.layers:
        l.trainable = l.name not in frozen
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), "sparse_categorical_crossentropy", jit_compile=False)
    x = (pixels().astype(np.float64) / 255 - 0.5) / 0.25
    labels = np.arange(8) % 5
    history = model.fit(x, labels, batch_size=8, epochs=epochs, shuffle=False, verbose=0)
    return history.history["loss"], x, labels


def case(name, model, losses, x, labels):
    out = {"loss": np.array(losses), "val_loss": np.array([model.evaluate(x, labels, batch_size=8, verbose=0)])}
    for l in model.layers:
        for v in l.weights:
            out["%s/%s" % (l.name, v.name)] = np.asarray(v)
    return golden.case(name, {}, out)


if __name__ == "__main__":
    path = os.path.join(golden.TRAIN, "..", "finetune.keras")
    start(build()).save(path)
    with open(path, "rb") as f, open(path + ".gz", "wb") as to:
        to.write(gzip.compress(f.read(), 9, mtime=0))
    os.remove(path)
    keras.config.set_floatx("float64")
    base = {"c1", "n1", "c2", "n2"}
    cases = []
    for name, frozen, rate in [("frozen", base, 0.1), ("all", set(), 0.01), ("half", {"c1", "n1"}, 0.01)]:
        m = start(build())
        losses, x, labels = fit(m, frozen, rate)
        cases.append(case(name, m, losses, x, labels))
    m = start(build())
    first, _, _ = fit(m, base, 0.01)
    then, x, labels = fit(m, set(), 0.01)
    cases.append(case("twostage", m, first + then, x, labels))
    golden.write(golden.TRAIN, "finetune.json", cases)
