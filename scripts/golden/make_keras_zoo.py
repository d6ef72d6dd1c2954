"""weights/keras/testdata: files of small networks of the kinds of keras.applications, and what they predict.

Ran under Keras 3.15 with TensorFlow 2.21 on a CPU:

    ref/bin/python scripts/golden/make_keras_zoo.py

zoo_NAME.keras, and of two .h5 and .weights.h5, all packed with gzip; golden/predictions_zoo.json as make_keras.py writes it.
"""
import gzip
import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import numpy as np
from keras import layers as L
from keras.src.applications import convnext, efficientnet, efficientnet_v2, inception_resnet_v2, mobilenet_v3

import fill
import golden

OUT = os.path.join(golden.ROOT, "weights", "keras", "testdata")
SMALL = {"weights": None, "classes": 3, "name": None}


def stage(kernel, repeats, strides, expand):
    return {"kernel_size": kernel, "repeats": repeats, "filters_in": 8, "filters_out": 8, "expand_ratio": expand, "id_skip": True,
            "strides": strides, "se_ratio": 0.25}


def effnet():
    return efficientnet.EfficientNet(0.01, 1, 32, blocks_args=[stage(3, 1, 1, 1), stage(5, 2, 2, 2)], input_shape=(33, 32, 3),
                                     **{**SMALL, "name": "zoo_effnet"})


def effnetv2():
    blocks = [{"kernel_size": 3, "num_repeat": 2, "input_filters": 8, "output_filters": 8, "expand_ratio": e, "se_ratio": s, "strides": 1,
               "conv_type": c} for e, s, c in ((1, 0, 1), (2, 0, 1), (2, 0.25, 0))]
    return efficientnet_v2.EfficientNetV2(0.01, 1, 32, blocks_args=blocks, input_shape=(32, 33, 3), **{**SMALL, "name": "zoo-b9"})


def mobilenetv3():
    def stack(x, kernel, activation, se_ratio):
        x = mobilenet_v3._inverted_res_block(x, 1, 8, 3, 2, se_ratio, mobilenet_v3.relu, 0)
        return mobilenet_v3._inverted_res_block(x, 2, 8, kernel, 1, se_ratio, activation, 1)

    return mobilenet_v3.MobileNetV3(stack, 8, (32, 33, 3), **{**SMALL, "name": "zoo_mobilenetv3"})


def convnexts():
    return convnext.ConvNeXt([1, 1, 2, 1], [4, 8, 8, 8], drop_path_rate=0.2, layer_scale_init_value=0.5, input_shape=(32, 36, 3),
                             **{**SMALL, "name": "zoo_convnext"})


def inception():
    i = keras.Input((8, 8, 3))
    x = L.Conv2D(4, 1)(i)
    x = inception_resnet_v2.CustomScaleLayer(0.17)([x, L.Conv2D(4, 3, padding="same")(x)])
    return keras.Model(i, L.Dense(3)(L.GlobalAveragePooling2D()(x)), name="zoo_inception")


def adapted():
    """Its Normalization is as after adapt to pixels of 0 to 255, whose means are weights."""
    i = keras.Input((8, 8, 3))
    x = L.Conv2D(4, 3)(L.Normalization()(i))
    return keras.Model(i, L.Dense(3, activation="softmax")(L.GlobalAveragePooling2D()(x)), name="zoo_adapted")


def leaves(model):
    for layer in model.layers:
        yield from leaves(layer) if hasattr(layer, "layers") else [layer]


cases = []
for make in (effnet, effnetv2, mobilenetv3, convnexts, inception, adapted):
    keras.backend.clear_session()
    model = make()
    name = "zoo_" + make.__name__
    for layer in leaves(model):
        for i, w in enumerate(layer.weights):
            kind, center = w.name.split("/")[-1], 0.0
            if kind in ("count", "seed_generator_state"):
                continue
            fan = int(np.prod(w.shape[:-1])) or 1
            if w.shape and w.shape[-1] == 1:
                fan = int(np.prod(w.shape[:2]))
            if kind in ("gamma", "moving_variance", "variance") or kind.startswith("variable"):
                center = 1.0
            if name == "zoo_adapted":
                center = {"mean": 120.0, "variance": 4000.0}.get(kind, center)
            # Numbers of eleven bits, whose files are packed to half.
            v = fill.uniform("%s/%d" % (layer.name, i), 0, (4.0 / fan) ** 0.5 if kind.endswith("kernel") else 0.3, tuple(w.shape))
            w.assign(np.round((center + v) * 1024) / 1024)
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    x = fill.unit("x/" + name, 0, (2,) + tuple(model.input_shape[1:]))
    y = np.asarray(model(x * np.float32(255 if name != "zoo_inception" else 1), training=False)).astype(np.float64)
    print(name, model.count_params(), y[0])
    cases.append(golden.case(name, {"samples": 2, "input": list(model.input_shape[1:]), "raw": int(name != "zoo_inception"), "params": model.count_params()},
                             {"y": (y, "float32")}))
    with tempfile.TemporaryDirectory() as folder:
        for form in ("keras", "h5", "weights.h5") if name in ("zoo_effnet", "zoo_convnexts") else ("keras",):
            path = os.path.join(folder, name + "." + form)
            model.save_weights(path) if form == "weights.h5" else model.save(path)
            with open(path, "rb") as f, open(os.path.join(OUT, os.path.basename(path) + ".gz"), "wb") as to:
                to.write(gzip.compress(f.read(), 9, mtime=0))
                print("%-34s %6d bytes" % (os.path.basename(path), to.tell()))
                assert to.tell() <= golden.LIMIT
golden.write(os.path.join(OUT, "golden"), "predictions_zoo.json", cases)
