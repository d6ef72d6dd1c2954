"""Models that apply layers, and models, several times with the same weights, as late Keras 2 and Keras 3 have them.

Runs with tf_keras 2.21 ("2") or Keras 3.15 ("3"): make_shared.py 2|3. Both write nn/testdata/golden/summary-keras<version>-<model>.txt. Keras 3 also writes

- nn/…/shared.json: of each model in training mode, in float64: inputs x0, x1, …, weights "w/<name>", output y, dy, gradients dx0, … and "dw/<name>" of the
  trainable ones, and the other weights as "after/<name>" behind the call: running averages that moved in each place, one after another;
- nn/…/functional_shared.json: random graphs of layers of which some are applied several times, as make_functional.py's; a tensor is "layer", or
  "layer[2]" of a third place; "order" is Keras's of the layers, "calls" that in which Keras computes their places;
- train/…/fit_shared.json: losses of model.fit, "loss" and "val_loss" (epochs,), and "predicted" after it, as make_fit.py's.
"""
import json
import os
import random
import sys

version = sys.argv[1]
os.environ["COLUMNS"] = "200"
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
if version == "2":
    import tf_keras as keras
else:
    import keras
import numpy as np

L = keras.layers
SEED = 11


def siamese():
    """Two inputs, one row of layers, and how alike what becomes of both is."""
    x, y = L.Input((5,), name="left"), L.Input((5,), name="right")
    hidden = L.Dense(6, activation="tanh", kernel_regularizer=keras.regularizers.L2(0.01), name="hidden")
    embed = L.Dense(4, name="embed")
    a, b = embed(hidden(x)), embed(hidden(y))
    return keras.Model([x, y], L.Dense(1, activation="sigmoid", name="same")(L.Dot(1, normalize=True, name="cosine")([a, b])), name="siamese")


def towers():
    """Convolution and batch normalization on images of two sizes, and once more on their own result."""
    x, y = L.Input((6, 6, 2), name="large"), L.Input((4, 4, 2), name="small")
    conv, norm = L.Conv2D(2, 3, padding="same", use_bias=False, name="conv"), L.BatchNormalization(momentum=0.75, name="norm")
    gap = L.GlobalAveragePooling2D(name="gap")
    one = norm(conv(x))
    two = norm(conv(one))
    end = L.Concatenate(name="end")([gap(two), gap(norm(conv(y)))])
    return keras.Model([x, y], L.Dense(1, name="out")(end), name="towers")


def words():
    """One table of vectors for two inputs."""
    x, y = L.Input((3,), name="question", dtype="int32"), L.Input((4,), name="answer", dtype="int32")
    table = L.Embedding(7, 3, name="table")
    mean = L.GlobalAveragePooling1D(name="mean")
    return keras.Model([x, y], L.Dense(1, name="score")(L.Multiply(name="both")([mean(table(x)), mean(table(y))])), name="words")


def nested():
    """A model that is a layer in three places, one of them behind another, and has a frozen layer."""
    i = L.Input((4,), name="i")
    tower = keras.Model(i, L.BatchNormalization(momentum=0.5, name="n")(L.Dense(4, activation="tanh", name="d")(i)), name="tower")
    x, y = L.Input((4,), name="x"), L.Input((4,), name="y")
    frozen = L.Dense(4, name="frozen")
    frozen.trainable = False
    a, b = tower(x), tower(frozen(y))
    return keras.Model([x, y], [L.Dense(2, name="end")(L.Concatenate(name="all")([tower(frozen(a)), b, a])), b], name="nested")


def stack():
    """A row in which one layer follows itself: no sequence for summaries."""
    x = L.Input((4,), name="x")
    d = L.Dense(4, activation="tanh", name="d")
    return keras.Model(x, L.Dense(2, name="end")(d(d(d(x)))), name="stack")


models = [siamese, towers, words, nested, stack]


def summaries():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../nn/testdata/golden")
    forms = {"plain": {}, "expanded": {"expand_nested": True}, "trainable": {"show_trainable": True},
             "all": {"expand_nested": True, "show_trainable": True}, "narrow": {"line_length": 74}}
    for make in models:
        model = make()
        with open(os.path.join(folder, f"summary-keras{version}-{model.name}.txt"), "w") as f:
            for name, options in forms.items():
                lines = []
                model.summary(print_fn=lambda text, **_: lines.append(text), **options)
                f.write(f"### {name}\n" + "\n".join(lines).rstrip("\n") + "\n")


summaries()
if version == "2":
    raise SystemExit

import tensorflow as tf

import fill
import golden

keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")


def leaves(model):
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from leaves(layer)
        else:
            yield layer


def weights(model):
    return {f"{l.name}/{v.name}": v for l in leaves(model) for v in l.weights}


def uniform(name, *shape, limit=1):
    return fill.uniform(name, SEED, limit, shape).astype(np.float64)


def start(model):
    for name, v in weights(model).items():
        v.assign(np.abs(uniform("w0/" + name, *v.shape, limit=0.5)) + 0.5 if name.endswith("variance") else uniform("w0/" + name, *v.shape, limit=0.5))
    return model


def inputs(model, n, prefix):
    return [fill.labels(f"{prefix}{i}", SEED, 7, n * x.shape[1]).reshape(n, -1) if x.dtype == "int32" else uniform(f"{prefix}{i}", n, *x.shape[1:])
            for i, x in enumerate(model.inputs)]


def numbers(make):
    model = start(make())
    x = inputs(model, 3, "x")
    given = [tf.constant(v) for v in x]
    named = weights(model)
    tensors = {f"x{i}": v for i, v in enumerate(x)}
    tensors.update({"w/" + k: v.numpy() for k, v in named.items()})
    with tf.GradientTape() as tape:
        tape.watch([v for v in given if v.dtype == tf.float64])
        y = model(given, training=True)
        y = y if isinstance(y, list) else [y]
        dy = [uniform(f"dy{i}", *v.shape) for i, v in enumerate(y)]
        sum = tf.add_n([tf.reduce_sum(a * b) for a, b in zip(y, dy)])
    trained = {k: v for k, v in named.items() if any(v is w for w in model.trainable_weights)}
    grads = tape.gradient(sum, given + [v.value for v in trained.values()])
    for i, v in enumerate(y):
        tensors.update({f"y{i}": v.numpy(), f"dy{i}": dy[i]})
    for k, g in zip([f"dx{i}" for i in range(len(x))] + ["dw/" + k for k in trained], grads):
        if g is not None:
            tensors[k] = np.asarray(tf.convert_to_tensor(g))
    for k, v in named.items():
        if "moving" in k:
            tensors["after/" + k] = v.numpy()
    return golden.case(model.name, {"weights": " ".join(named)}, tensors)


golden.write(golden.NN, "shared.json", [numbers(make) for make in models])


def graph(r):
    names = ["n%03d" % i for i in r.sample(range(1000), 40)]  # so that their order says nothing
    tensors, layers, ins, made = {}, [], [], {}
    for _ in range(r.randint(1, 3)):
        name = names.pop()
        ins.append(name)
        tensors[name] = keras.Input((3,), name=name)
        layers.append([name, "input", []])
    for _ in range(r.randint(3, 16)):
        again = made and r.random() < 0.5
        name = r.choice(list(made)) if again else names.pop()
        kind = made[name][0] if again else r.choice(["identity", "identity", "add", "model"])
        if not again:
            if kind == "model":
                j = keras.Input((3,), name=name + "_j")
                made[name] = [kind, keras.Model(j, L.Identity(name=name + "_y")(j), name=name), 0]
            else:
                made[name] = [kind, (L.Identity if kind == "identity" else L.Add)(name=name), 0]
        recent = list(tensors)[-6:]
        take = [r.choice(recent) for _ in range(2 if kind == "add" else 1)]
        x = [tensors[t] for t in take]
        layers.append([name, kind, take])
        number = made[name][2]
        made[name][2] += 1
        tensors[name if number == 0 else f"{name}[{number}]"] = made[name][1](x if kind == "add" else x[0])
    outputs = [r.choice(list(tensors)[-7:]) for _ in range(r.randint(1, 4))]
    listed = r.sample(ins, len(ins))
    m = keras.Model([tensors[i] for i in listed], [tensors[o] for o in outputs])
    calls = [f"{n.operation.name}[{n.operation._inbound_nodes.index(n)}]" for d in sorted(m._nodes_by_depth, reverse=True) for n in m._nodes_by_depth[d]]
    return {"layers": layers, "inputs": listed, "outputs": outputs, "order": [l.name for l in m.layers], "calls": calls}


r = random.Random(7)
golden.store(golden.NN, "functional_shared.json", "[\n" + ",\n".join(json.dumps(graph(r), separators=(",", ":")) for _ in range(60)) + "\n]\n")


def contrastive(truth, predicted):
    """What is alike is to have an output of 0, what is not one of 1 or more."""
    return truth * keras.ops.square(predicted) + (1 - truth) * keras.ops.square(keras.ops.maximum(1 - predicted, 0))


def fit(make, loss):
    """Training with Adam, but for words: the gradient of an Embedding is sparse in TensorFlow, and Keras's Adam makes another step of it than of the
    same gradient as a whole matrix."""
    model = start(make())
    model.compile(keras.optimizers.SGD(0.1) if make is words else keras.optimizers.Adam(0.02), loss)
    x, v = inputs(model, 16, "fit/x"), inputs(model, 8, "fit/v")
    several = len(model.outputs)
    y = [uniform(f"fit/y{i}", 16, *o.shape[1:]) for i, o in enumerate(model.outputs)]
    t = [uniform(f"fit/t{i}", 8, *o.shape[1:]) for i, o in enumerate(model.outputs)]
    if loss is contrastive:
        y, t = [(a > 0).astype(np.float64) for a in y], [(a > 0).astype(np.float64) for a in t]
    h = model.fit(x, y if several > 1 else y[0], batch_size=8, epochs=3, shuffle=False, verbose=0, validation_data=(v, t if several > 1 else t[0]),
                  validation_batch_size=8)
    out = model.predict(v, batch_size=8, verbose=0)
    out = out if isinstance(out, list) else [out]
    tensors = {"loss": np.array(h.history["loss"]), "val_loss": np.array(h.history["val_loss"])}
    tensors.update({f"predicted/{i}": o for i, o in enumerate(out)})
    return golden.case(model.name, {}, tensors)


golden.write(golden.TRAIN, "fit_shared.json", [fit(siamese, contrastive)] + [fit(make, "mean_squared_error") for make in models[1:]])
