"""train/testdata/golden/zoo_*.json: results and gradients of keras.applications' networks on given weights.

Ran under Keras 3.15 with TensorFlow 2.21 on a CPU, in float64:

    ref/bin/python scripts/golden/make_zoo.py [FAMILY …]

A case has the network's name (net), the shape of an image (input), batch, classes, a digest of the names and shapes of all weights, and
the probabilities y in inference. Where gradients is 1, loss is the mean cross-entropy of labels("labels") in training without any
dropout, and norms are the Euclidean norms of its gradients by the trainable weights, in Keras's order.

Weights are fill.uniform by their names around a center, as weight() says, pixels unit("x/<case>") times 255, or where the network takes
pixels of -1 to 1, times 2 minus 1.
"""
import hashlib
import os
import sys
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import numpy as np
import tensorflow as tf
from keras.src.applications import efficientnet, efficientnet_v2

import fill
import golden

keras.config.set_floatx("float64")
# Keras makes float32 numbers of the layers' before it makes them float64.
keras.layers.Rescaling.call = lambda self, x: x * tf.constant(self.scale, "float64") + tf.constant(self.offset, "float64")
tf.nn.gelu = lambda x, approximate=False: 0.5 * x * (1 + tf.math.erf(x / tf.sqrt(tf.constant(2.0, "float64"))))
by_weights = keras.layers.Normalization.call
keras.layers.Normalization.call = lambda self, x: by_weights(self, x) if self.input_mean is None else (
    x - np.asarray(self.input_mean, np.float64)) / np.sqrt(np.asarray(self.input_variance, np.float64))
SEED, CLASSES = 20261127, 10


def weight(name, shape, gain):
    """A weight by its name and shape. The gain keeps the results of many layers in a row from growing or vanishing."""
    kind = name.split("/")[-1]
    if kind == "count":
        return np.zeros(shape)
    if kind.endswith("kernel"):  # (rows, columns, channels, 1) are depthwise
        fan = np.prod(shape[:-1]) if shape[-1] > 1 else np.prod(shape[:2])
        center, limit = 0.0, (gain / fan) ** 0.5
    else:
        center, limit = (1.0, 0.3) if kind in ("gamma", "variance", "moving_variance") else (0.0, 0.1)
    return center + fill.uniform(name, SEED, limit, shape).astype(np.float64)


def leaves(model):
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from leaves(layer)
        else:
            yield layer


def weights(model):
    """The weights with their names; those that have none of their own in Keras are a LayerScale's, which is called gamma there."""
    for layer in leaves(model):
        for w in layer.weights:
            name = w.name.split("/")[-1]
            if name != "seed_generator_state":
                yield layer.name + "/" + ("gamma" if name.startswith("variable") else name), w


def case(name, net, make, input, batch, gradients=False, pixels=255.0, gain=4.0):
    keras.backend.clear_session()  # automatic names begin anew
    model = make(tuple(input))
    digest, trainable = hashlib.sha256(), []
    for key, w in weights(model):
        digest.update(("%s %s\n" % (key, list(w.shape))).encode())
        w.assign(weight(key, tuple(w.shape), gain))
        if w.trainable:
            trainable.append(w.value)
    for layer in leaves(model):
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    x = fill.unit("x/" + name, SEED, (batch,) + tuple(input)).astype(np.float64)
    x = tf.constant(x * 255 if pixels == 255.0 else x * 2 - 1)
    y = tf.nn.softmax(model(x, training=False)).numpy()
    tensors = {"y": (y, "float64")}
    attrs = {"net": net, "input": list(input), "batch": batch, "classes": CLASSES, "raw": int(pixels == 255.0), "weights": digest.hexdigest(),
             "gain": gain, "gradients": int(gradients), "reference": "tensorflow"}
    if gradients:
        labels = fill.labels("labels", SEED, CLASSES, batch)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(x, training=True)))
        norms = [float(np.sqrt((np.asarray(tf.convert_to_tensor(g)) ** 2).sum())) for g in tape.gradient(loss, trainable)]
        tensors.update({"loss": (loss.numpy(), "float64"), "norms": np.array(norms)})
        print("   loss %.4f, norms %.1e … %.1e" % (loss.numpy(), min(norms), max(norms)))
    print("  ", name, "y", np.round(y[0], 4))
    return golden.case(name, attrs, tensors)


NONE = {"weights": None, "classes": CLASSES, "classifier_activation": None}
STILL = {"dropout_rate": 0, "drop_connect_rate": 0, **NONE}


def imagenet(shape):
    """EfficientNetB0 for weights="imagenet", which has a layer more, without these, and for fewer classes."""
    with mock.patch.object(efficientnet.file_utils, "get_file", lambda *a, **k: ""), \
            mock.patch.object(keras.Model, "load_weights", lambda *a, **k: None), \
            mock.patch.object(efficientnet.imagenet_utils, "obtain_input_shape", lambda *a, **k: shape):
        model = keras.applications.EfficientNetB0(classifier_activation=None)
    return keras.Model(model.input, keras.layers.Dense(CLASSES, name="predictions")(model.get_layer("top_dropout").output))


def efficientnets():
    def still(s):
        return efficientnet.EfficientNet(1, 1, 224, input_shape=s, name="efficientnetb0", **STILL)

    yield case("b0", "efficientnetb0", still, (64, 96, 3), 3, True)
    yield case("b0 odd", "efficientnetb0", still, (37, 50, 1), 1)
    yield case("b0 imagenet", "efficientnetb0 imagenet", imagenet, (32, 32, 3), 1)
    yield case("b3", "efficientnetb3", lambda s: keras.applications.EfficientNetB3(input_shape=s, **NONE), (32, 32, 3), 1)
    yield case("v2-b0", "efficientnetv2-b0", lambda s: efficientnet_v2.EfficientNetV2(1, 1, 224, input_shape=s, name="efficientnetv2-b0", **STILL),
               (65, 64, 3), 2, True)
    yield case("v2-b2", "efficientnetv2-b2", lambda s: keras.applications.EfficientNetV2B2(input_shape=s, **NONE), (33, 35, 3), 1)
    yield case("v2-s", "efficientnetv2-s", lambda s: keras.applications.EfficientNetV2S(input_shape=s, **NONE), (32, 32, 3), 1)


def mobilenets():
    def net(name, **more):
        return lambda s: getattr(keras.applications, name)(input_shape=s, **more, **NONE)

    yield case("small", "mobilenetv3-small", net("MobileNetV3Small", dropout_rate=0), (64, 65, 3), 3, True)
    yield case("small odd", "mobilenetv3-small", net("MobileNetV3Small"), (37, 50, 1), 1)
    yield case("large", "mobilenetv3-large", net("MobileNetV3Large", dropout_rate=0), (64, 64, 3), 2, True)
    yield case("small minimalistic", "mobilenetv3-small-minimalistic", net("MobileNetV3Small", minimalistic=True), (32, 33, 3), 2)
    yield case("large minimalistic", "mobilenetv3-large-minimalistic", net("MobileNetV3Large", minimalistic=True), (32, 33, 3), 1)
    yield case("small alpha", "mobilenetv3-small alpha=0.75", net("MobileNetV3Small", alpha=0.75, include_preprocessing=False), (32, 32, 3), 1, pixels=1)


def convnexts():
    def tiny(s, **more):
        return keras.applications.ConvNeXtTiny(input_shape=s, **more, **NONE)

    yield case("tiny", "convnext-tiny", tiny, (32, 64, 3), 2, True)
    yield case("tiny odd", "convnext-tiny include_preprocessing=False", lambda s: tiny(s, include_preprocessing=False), (37, 50, 3), 1, pixels=1)


def inceptions():
    def net(name):
        return lambda s: getattr(keras.applications, name)(input_shape=s, **NONE)

    yield case("xception", "xception", net("Xception"), (75, 72, 3), 2, True, pixels=1, gain=1.5)
    yield case("xception gray", "xception", net("Xception"), (71, 71, 1), 1, pixels=1, gain=1.5)
    yield case("v3", "inceptionv3", net("InceptionV3"), (107, 110, 3), 2, True, pixels=1)
    yield case("resnet v2", "inceptionresnetv2", net("InceptionResNetV2"), (75, 77, 3), 1, pixels=1)


def nasnets():
    def net(name):
        return lambda s: getattr(keras.applications, name)(input_shape=s, **NONE)

    yield case("mobile", "nasnet-mobile", net("NASNetMobile"), (64, 66, 3), 2, True, pixels=1, gain=1.5)
    yield case("mobile odd", "nasnet-mobile", net("NASNetMobile"), (37, 50, 1), 1, pixels=1, gain=1.5)


FAMILIES = {"efficientnet": efficientnets, "mobilenetv3": mobilenets, "convnext": convnexts, "inception": inceptions, "nasnet": nasnets}

for family in sys.argv[1:] or FAMILIES:
    golden.write(golden.TRAIN, "zoo_%s.json" % family, list(FAMILIES[family]()))
