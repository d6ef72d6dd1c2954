"""Summaries with nested and frozen models, and of several inputs and outputs, as late Keras 2 and Keras 3 print them.

Runs with tf_keras 2.21 ("2") or Keras 3.15 ("3"): make_summaries_nested.py 2|3
"""
import os
import sys

version = sys.argv[1]
os.environ["COLUMNS"] = "200"
if version == "2":
    import tf_keras as keras
else:
    import keras
layers = keras.layers


def chain():
    i = layers.Input((8, 8, 3), name="img")
    x = layers.Conv2D(4, 3, name="c1")(i)
    x = layers.BatchNormalization(name="b1")(x)
    base = keras.Model(i, layers.GlobalAveragePooling2D(name="gap")(x), name="base")
    base.trainable = False
    a = layers.Input((8, 8, 3), name="a")
    y = layers.Dense(1200, name="a_rather_long_name_of_a_layer_that_is_cut")(base(a))
    return keras.Model(a, layers.Dense(5, name="d")(y), name="chain")


def branches():
    j = layers.Input((8, 8, 3), name="jj")
    q = layers.Conv2D(3, 3, padding="same", name="q1")(j)
    inner = keras.Model(j, layers.Add(name="qadd")([q, j]), name="inner")
    i = layers.Input((8, 8, 3), name="img")
    x = layers.Conv2D(3, 3, padding="same", name="c1")(i)
    x = inner(layers.Add(name="add")([x, i]))
    x = layers.Flatten(name="flat")(x)
    z = layers.Dense(1, name="a_rather_long_name_of_a_layer")(x)
    w = layers.Dense(1, name="w")(x)
    m = keras.Model(i, layers.Add(name="end")([z, w, z]), name="branches")
    m.get_layer("w").trainable = False
    return m


def several():
    a, b = layers.Input((6,), name="left"), layers.Input((3, 2), name="right")
    h = layers.Dense(4, name="hidden")(a)
    pair = keras.Model([a, b], [layers.Dense(5, name="seen")(h), h, layers.Flatten(name="flat")(b)], name="pair_of_inputs")
    table = layers.Input((6,), name="table")
    spare = layers.Input((9,), name="spare")
    words = layers.Input((3,), name="words", dtype="int32")
    seen, hidden, flat = pair([table, layers.Embedding(11, 2, name="embedding")(words)])
    x = layers.Concatenate(name="all")([flat, seen, table])
    value = layers.Dense(1, name="value_of_a_rather_long_name")(x)
    return keras.Model([words, spare, table], [layers.Dense(3, name="class")(x), value, hidden, value, table], name="several")


def mixed():
    j = layers.Input((3,), name="j")
    inner = keras.Model(j, layers.Dense(2, name="e")(j), name="inner")
    a, b = layers.Input((3,), name="a", batch_size=4), layers.Input((3,), name="b")
    return keras.Model([b, a], [layers.Dense(2, name="d")(b), inner(a), layers.Add(name="s")([a, b])], name="mixed")


def chained():
    i = layers.Input((8,), name="in")
    x = layers.Dense(4, name="first")(i)
    return keras.Model(i, [layers.Dense(2, name="second")(x), x], name="chained")


folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../nn/testdata/golden")
forms = {"plain": {}, "expanded": {"expand_nested": True}, "trainable": {"show_trainable": True},
         "all": {"expand_nested": True, "show_trainable": True}, "narrow": {"line_length": 74}}
for model in (chain(), branches(), several(), mixed(), chained()):
    with open(os.path.join(folder, f"summary-keras{version}-{model.name}.txt"), "w") as f:
        for name, options in forms.items():
            lines = []
            model.summary(print_fn=lambda text, **_: lines.append(text), **options)
            f.write(f"### {name}\n" + "\n".join(lines).rstrip("\n") + "\n")
