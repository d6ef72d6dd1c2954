"""nn/testdata/golden/functional.json: in which order Keras 3.15 has the layers of functional models with several inputs and outputs.

The graphs are random: layers of one or two inputs (Identity, Add; all tensors have three elements), some of them models of their own with two inputs and
two outputs. "layers" is in the order in which they are made: name, kind, and the tensors they take, "layer" or "layer:1"; "order" is Keras's. Outputs
repeat, are inputs, and leave inputs out.
"""
import os
import random

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
import json

import keras

import golden

L = keras.layers


def inner(name):
    a, b = keras.Input((3,), name=name + "_a"), keras.Input((3,), name=name + "_b")
    s = L.Add(name=name + "_sum")([b, a])
    return keras.Model([a, b], [L.Identity(name=name + "_y")(a), s], name=name)


def graph(r):
    names = ["n%03d" % i for i in r.sample(range(1000), 40)]  # so that their order says nothing
    tensors, layers, inputs = {}, [], []
    for _ in range(r.randint(1, 4)):
        name = names.pop()
        inputs.append(name)
        tensors[name] = keras.Input((3,), name=name)
        layers.append([name, "input", []])
    for _ in range(r.randint(2, 14)):
        name, kind = names.pop(), r.choice(["identity", "identity", "add", "add", "model"])
        recent = list(tensors)[-6:]
        take = [r.choice(recent) for _ in range(1 if kind == "identity" else 2)]
        x = [tensors[t] for t in take]
        layers.append([name, kind, take])
        if kind == "model":
            tensors[name], tensors[name + ":1"] = inner(name)(x)
        else:
            tensors[name] = L.Identity(name=name)(x[0]) if kind == "identity" else L.Add(name=name)(x)
    outputs = [r.choice(list(tensors)[-7:]) for _ in range(r.randint(1, 5))]
    listed = r.sample(inputs, len(inputs))
    m = keras.Model([tensors[i] for i in listed], [tensors[o] for o in outputs])
    return {"layers": layers, "inputs": listed, "outputs": outputs, "order": [l.name for l in m.layers]}


r = random.Random(5)
golden.store(golden.NN, "functional.json", "[\n" + ",\n".join(json.dumps(graph(r), separators=(",", ":")) for _ in range(60)) + "\n]\n")
