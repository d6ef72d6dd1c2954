"""Models that Keras saves, in all its forms, and what they predict: for the tests of weights/keras.

    python scripts/golden/make_keras.py                    small ones, into weights/keras/testdata (Keras 3)
    python scripts/golden/make_keras.py --keras2           the same by tf_keras, which is Keras 2
    python scripts/golden/make_keras.py --large DIR        VGG16, ResNet50, MobileNetV2 and others of keras.applications, into DIR;
                                                           the tests look for them in the folder STHENO_KERAS_MODELS

--shared makes only the models that apply layers several times.

Small ones are kept in gzip: HDF5 files are mostly empty. Weights are random (fill.py, by the layer's name); x of a case is unit("x/NAME") and not stored. Written with Keras 3.15.1 and tf_keras
2.21.0 over TensorFlow 2.21.
"""

import gzip
import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np

import fill
import golden

OLD = "--keras2" in sys.argv
if OLD:
    import tf_keras as keras
else:
    import keras
L = keras.layers

OUT = os.path.join(golden.ROOT, "weights", "keras", "testdata")
SUFFIX = "_keras2" if OLD else ""


def chain():
    return keras.Sequential([
        keras.Input((9, 8, 3)),
        L.Conv2D(4, 3, padding="same", activation="relu", kernel_initializer="he_normal", kernel_regularizer=keras.regularizers.L2(1e-4)),
        L.BatchNormalization(momentum=0.9, epsilon=1e-5),
        L.MaxPooling2D(2),
        L.ZeroPadding2D(((0, 1), (1, 0))),
        L.Conv2D(6, (2, 3), strides=2, use_bias=False, kernel_initializer=keras.initializers.RandomNormal(stddev=0.01)),
        L.Activation("relu"),
        L.Dropout(0.5),
        L.Flatten(),
        L.Dense(8, activation="relu"),
        L.Dense(5, activation="softmax", name="predictions"),
    ], name="chain")


def graph():
    x = image = keras.Input((8, 8, 2), name="image")
    x = L.Conv2D(4, 3, strides=2, padding="same", name="stem")(x)
    x = L.BatchNormalization(name="stem_bn")(x)
    x = trunk = L.ReLU()(x)
    x = L.Conv2D(4, 3, padding="same", dilation_rate=2, groups=2, name="branch2a")(x)
    x = L.BatchNormalization(scale=False, name="branch2a_bn")(x)
    x = L.Activation("relu")(x)
    x = L.Conv2D(6, 1, name="branch2b")(x)
    y = L.AveragePooling2D(3, strides=1, padding="same")(trunk)
    y = L.Conv2D(6, 1, name="branch1")(y)
    x = L.Add()([x, y])
    x = L.GlobalAveragePooling2D()(x)
    x = L.Dense(12, name="fc")(x)
    x = L.Reshape((4, 3))(x)
    x = L.Permute((2, 1))(x)
    x = L.Flatten()(x)
    x = L.Dense(3, name="scores", use_bias=False)(x)
    return keras.Model(image, x, name="graph")


def nested():
    i = keras.Input((6, 6, 1))
    x = L.Conv2D(3, 3, name="first")(i)
    x = L.BatchNormalization(name="norm")(x)
    inner = keras.Model(i, x, name="base")
    inner.trainable = False
    head = keras.Sequential([keras.Input((4, 4, 3)), L.Flatten(), L.Dense(2, name="score")], name="head")
    i = keras.Input((6, 6, 1))
    return keras.Model(i, head(inner(i, training=False)), name="nested")


def kinds():
    """Layers of many kinds."""
    x = image = keras.Input((6, 6, 3), name="image")
    x = L.Normalization(name="adapted")(x)
    x = L.DepthwiseConv2D(3, depth_multiplier=2, padding="same", name="depthwise")(x)
    x = L.LeakyReLU(0.25)(x)
    x = L.SeparableConv2D(4, 3, depth_multiplier=2, name="separable")(x)
    x = L.PReLU(shared_axes=[1, 2], name="prelu")(x)
    x = L.Conv2DTranspose(3, 3, strides=2, padding="same", name="transpose")(x)
    x = L.ELU(0.5)(x)
    x = L.UpSampling2D((2, 1), interpolation="bilinear")(x)
    x = L.Cropping2D(((1, 2), (0, 1)))(x)
    x = L.Conv2D(4, 3, activation="gelu", name="conv")(x)
    x = L.ReLU(max_value=1.0, negative_slope=0.1)(x)
    y = L.Rescaling(0.5, 0.1)(x)
    y = L.GroupNormalization(2, epsilon=1e-5, name="groups")(y)
    x = L.Concatenate()([x, y, L.Multiply()([x, y])])
    y = L.LayerNormalization(scale=False, name="layer")(x)
    x = L.Average()([x, L.Maximum()([x, y]), L.Subtract()([x, y])])
    x = L.Conv2D(4, 1, activation="softplus", name="narrow")(x)
    x = L.Reshape((-1, 4))(x)
    x = L.Conv1D(4, 3, padding="causal", name="conv1d")(x)
    x = L.SeparableConv1D(5, 2, activation="tanh", name="separable1d")(x)
    x = L.MaxPooling1D(2)(x)
    x = L.DepthwiseConv1D(2, strides=2, name="depthwise1d")(x)
    x = L.Conv1DTranspose(3, 3, name="transpose1d")(x)
    x = L.Softmax()(x)
    x = L.AveragePooling1D(2)(x)
    x = L.GlobalMaxPooling1D()(x)
    return keras.Model(image, L.Dense(4, name="scores")(x), name="kinds")


def attention():
    x = i = keras.Input((5, 4), name="sequence")
    x = L.LayerNormalization(name="norm")(x)
    x = L.MultiHeadAttention(2, 4, name="self")(x, x)
    x = L.MultiHeadAttention(3, 4, value_dim=2, output_shape=6, use_bias=False, name="cross")(x, value=i, key=x, use_causal_mask=not OLD)
    x = L.Attention(name="dot")([x, x])
    x = L.AdditiveAttention(name="sum")([x, x, x])
    return keras.Model(i, L.Dense(3, name="scores")(L.Flatten()(x)), name="attention")


def several():
    """Inputs and outputs of all sorts, with a model of several in it."""
    a, b = keras.Input((6,), name="left"), keras.Input((3, 2), name="right")
    h = L.Dense(4, activation="tanh", name="hidden")(a)
    pair = keras.Model([b, a], [L.Dense(5, name="seen")(h), h, L.Flatten(name="flat")(b)], name="pair")
    words, table, spare = keras.Input((3,), name="words", dtype="int32"), keras.Input((6,), name="table"), keras.Input((2,), name="spare")
    seen, hidden, flat = pair([L.Embedding(11, 2, name="embedding")(words), table])
    x = L.Concatenate(name="all")([flat, seen, table])
    value = L.Dense(1, name="value")(x)
    return keras.Model([table, spare, words], [L.Dense(3, activation="softmax", name="class")(x), value, hidden, value, table], name="several")


def named():
    """Inputs and outputs that have names, which Keras sorts; the integers go through a model."""
    i = keras.Input((4,), dtype="int32", name="ids")
    text = keras.Sequential([i, L.Embedding(7, 3, name="table"), L.GlobalAveragePooling1D()], name="text")
    x, z = keras.Input((2,), name="one"), keras.Input((2,), name="two")
    pair = keras.Model({"two": z, "one": x}, {"sum": L.Add()([x, z]), "diff": L.Subtract()([x, z])}, name="pair")
    a, b, ids = keras.Input((2,), name="o"), keras.Input((2,), name="p"), keras.Input((4,), dtype="int32", name="q")
    p = pair({"one": a, "two": b})
    y = L.Concatenate()([p["sum"], text(ids), p["diff"]])
    return keras.Model({"q": ids, "p": b, "o": a}, {"v": L.Dense(2, name="v")(y), "u": L.Dense(3, name="u")(p["diff"])}, name="named")


def shared():
    """Layers and models in several places, some of which the model does not need, and nodes of which are outputs."""
    i, j = keras.Input((4,), name="i"), keras.Input((4,), name="j")
    d = L.Dense(4, activation="tanh", name="d")
    tower = keras.Model([i, j], [L.BatchNormalization(name="n")(d(i)), L.Subtract(name="diff")([d(d(i)), j])], name="tower")
    row = keras.Sequential([keras.Input((4,)), L.Dense(4, activation="tanh", name="inner")], name="row")
    words, a, b = keras.Input((3,), name="words", dtype="int32"), keras.Input((4,), name="a"), keras.Input((5,), name="b", dtype="int32")
    table, mean, e = L.Embedding(9, 4, name="table"), L.GlobalAveragePooling1D(name="mean"), L.Dense(4, name="e")
    e(a), row(a), tower([a, a])  # calls that the model has no need of, before
    one, two = mean(table(words)), mean(table(b))
    p, q = tower([e(one), row(two)])
    e(two), tower([q, p])  # and between
    r, s = tower([row(row(p)), e(e(q))])
    return keras.Model([words, a, b], [L.Concatenate(name="all")([r, p, e(a)]), s, e(s), row(s), q], name="shared")


def behind():
    """A model of images behind itself, and one layer of two sizes of them."""
    i = keras.Input((6, 6, 3), name="i")
    block = keras.Model(i, L.ReLU(name="relu")(L.Conv2D(3, 3, padding="same", name="conv")(i)), name="block")
    x, pool = keras.Input((6, 6, 3), name="x"), L.MaxPooling2D(2, name="pool")
    norm = L.BatchNormalization(name="norm")
    y = norm(pool(norm(block(block(block(x))))))
    return keras.Model(x, L.Dense(3, name="scores")(L.Flatten(name="flat")(pool(y))), name="behind")


def augmented():
    """Layers that augment, and those that give images another size. What is random does nothing in inference."""
    x = image = keras.Input((14, 11, 3), name="image")
    x = L.RandomFlip("horizontal")(x)
    x = L.RandomRotation(0.1)(x)
    x = L.RandomTranslation(0.1, 0.2, fill_mode="nearest")(x)
    x = L.RandomZoom((-0.2, 0.1), name="zoom")(x)
    x = L.RandomContrast(0.2)(x)
    x = L.RandomBrightness(0.2, value_range=(0.0, 1.0))(x)
    if not OLD:
        for layer in [L.RandomShear(0.1), L.RandomPerspective(), L.RandomErasing(), L.RandomGaussianBlur(), L.RandomHue(0.1, value_range=(0, 1)),
                      L.RandomSaturation(0.1), L.RandomGrayscale(), L.RandomInvert(), L.RandomPosterization(4), L.RandomSharpness(0.1),
                      L.RandomColorJitter(), L.RandomColorDegeneration(0.1), L.RandomElasticTransform(), L.RandAugment(), L.AugMix(), L.CutMix(), L.MixUp()]:
            x = layer(x)
    x = L.CenterCrop(11, 8)(x)
    x = L.Resizing(5, 12)(x)
    x = L.Conv2D(4, 3, name="conv")(x)
    x = L.Resizing(7, 4, interpolation="nearest", name="nearest")(x)
    x = L.Flatten()(x)
    return keras.Model(image, L.Dense(4, name="scores")(x), name="augmented")


def typed(dtype):
    return lambda: keras.Sequential([keras.Input((4,)), L.Dense(3, dtype=dtype, name="half"), L.Dense(2, dtype=dtype, name="scores")], name=dtype)


def randomize(model):
    """Weights by the names of their layers: kernels large enough that all of them count, variances around one."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            randomize(layer)
            continue
        values = []
        for i, w in enumerate(layer.weights):
            name = "%s/%d" % (layer.name, i)
            kind = w.name.split("/")[-1].split(":")[0]
            fan = int(np.prod(w.shape[:-1])) or 1
            v = fill.uniform(name, 0, (3.0 / fan) ** 0.5 if kind.endswith("kernel") else 0.3, tuple(w.shape))
            values.append(w.numpy() if kind == "count" else v + 1 if kind in ("gamma", "moving_variance", "variance") else v)
        if values:
            layer.set_weights(values)
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def predict(name, model, samples):
    x = fill.unit("x/" + name, 0, (samples,) + tuple(model.input_shape[1:]))
    y = np.asarray(model(x, training=False)).astype(np.float64)
    return golden.case(name, {"samples": samples, "input": list(model.input_shape[1:])}, {"y": (y, "float32")})


def predict_all(name, model, samples, integers):
    """Cases of several inputs and outputs, in the order in which Keras flattens them; integers are below integers[input's number]."""
    shapes = [list(x.shape[1:]) for x in model.inputs]
    x = [np.array(fill.labels("x/%s/%d" % (name, i), 0, integers[i], samples * int(np.prod(s)))).reshape([samples] + s).astype("int32") if i in integers
         else fill.unit("x/%s/%d" % (name, i), 0, [samples] + s) for i, s in enumerate(shapes)]
    named = isinstance(model.input, dict)
    y = model(dict(zip(sorted(model.input), x)) if named else x, training=False)
    y = [y[key] for key in sorted(y)] if named else y if isinstance(y, (list, tuple)) else [y]
    return golden.case(name, {"samples": samples, "integers": [integers.get(i, 0) for i in range(len(x))]},
                       {"y%d" % i: (np.asarray(v).astype(np.float64), "float32") for i, v in enumerate(y)})


def save(model, name, form):
    """Saves a model and packs the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, name + "." + form)
        # tf_keras takes every name but *.weights.h5 for the layout of Keras 1.
        model.save_weights(path) if form.endswith("weights.h5") else model.save(path)
        with open(path, "rb") as f, open(os.path.join(OUT, os.path.basename(path) + ".gz"), "wb") as to:
            to.write(gzip.compress(f.read(), 9, mtime=0))
            print("%-34s %6d bytes" % (os.path.basename(path), to.tell()))


def small():
    os.makedirs(OUT, exist_ok=True)
    cases = []
    for name, make, forms in [("chain", chain, ["keras", "h5", "weights.h5"]), ("graph", graph, ["keras", "h5", "weights.h5"]),
                              ("nested", nested, ["keras", "h5", "weights.h5"]), ("kinds", kinds, ["keras", "h5"]),
                              ("attention", attention, ["keras", "h5", "weights.h5"]),
                              ("several", several, ["keras", "h5", "weights.h5"]), ("named", named, ["keras", "h5"]),
                              ("augmented", augmented, ["keras", "h5"] if OLD else ["keras"])]:  # Keras 3 cannot save RandAugment as .h5
        keras.backend.clear_session()
        model = make()
        randomize(model)
        if name == "chain":
            model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        if name in ("several", "named"):
            cases.append(predict_all(name, model, 2, {2: 11 if name == "several" else 7}))
        else:
            cases.append(predict(name, model, 2))
        for form in forms:
            save(model, name + SUFFIX, form)
        if OLD and name == "graph":
            save(model, name + SUFFIX, "legacy_weights.h5")
    for dtype in ["float16", "bfloat16", "float64"] if not OLD else []:
        model = typed(dtype)()
        randomize(model)
        cases.append(predict(dtype, model, 2))
        save(model, dtype, "keras")
    golden.write(os.path.join(OUT, "golden"), "predictions%s.json" % SUFFIX, cases)


def places():
    cases = []
    for name, make in [("shared", shared), ("behind", behind)]:
        keras.backend.clear_session()
        model = make()
        randomize(model)
        cases.append(predict_all(name, model, 2, {0: 9, 2: 9} if name == "shared" else {}))
        for form in ["keras", "h5", "weights.h5"]:
            save(model, name + SUFFIX, form)
    golden.write(os.path.join(OUT, "golden"), "predictions_shared%s.json" % SUFFIX, cases)


def large(folder):
    os.makedirs(folder, exist_ok=True)
    A = keras.applications
    for name, make in [
            ("vgg16", lambda: A.VGG16(weights=None, input_shape=(32, 32, 3), classes=10, classifier_activation=None)),
            ("resnet50", lambda: A.ResNet50(weights=None, input_shape=(64, 64, 3), classifier_activation=None)),
            ("mobilenetv2", lambda: A.MobileNetV2(weights=None, input_shape=(64, 64, 3), classifier_activation=None)),
            ("densenet121", lambda: A.DenseNet121(weights=None, input_shape=(64, 64, 3), classifier_activation=None)),
            ("mobilenet", lambda: A.MobileNet(weights=None, input_shape=(64, 64, 3), classifier_activation=None)),
            ("efficientnetb0", lambda: A.EfficientNetB0(weights=None, input_shape=(64, 64, 3), classifier_activation=None)),
            ("resnet50v2", lambda: A.ResNet50V2(weights=None, input_shape=(64, 64, 3), classifier_activation=None)),
            ("inceptionv3", lambda: A.InceptionV3(weights=None, input_shape=(80, 80, 3), classifier_activation=None)),
            ("nasnetmobile", lambda: A.NASNetMobile(weights=None, input_shape=(64, 64, 3))),
            ("mobilenetv3", lambda: A.MobileNetV3Small(weights=None, input_shape=(64, 64, 3), classifier_activation=None)),
            ("xception", lambda: A.Xception(weights=None, input_shape=(80, 80, 3), classifier_activation=None))]:
        if os.path.exists(os.path.join(folder, name + ".keras")):
            continue
        keras.backend.clear_session()
        model = make()
        randomize(model)
        golden.write(folder, name + ".json", [predict(name, model, 2)])
        model.save(os.path.join(folder, name + ".keras"))


if "--large" in sys.argv:
    large(sys.argv[sys.argv.index("--large") + 1])
else:
    if "--shared" not in sys.argv:
        small()
    places()
