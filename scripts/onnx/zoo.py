"""Makes test cases of whole networks, for TestConformance of weights/onnx: the networks that come with Python's onnx package, whose
weights are all alike, with random weights instead, and what ONNX Runtime computes with them.

    python scripts/onnx/zoo.py FOLDER [NAME …]
    STHENO_ONNX_TESTDATA=FOLDER go test -run TestConformance -v ./weights/onnx

Needs onnx and onnxruntime; the networks are of 5 to 575 MB (light_vgg19 and the like are named without light_).
"""

import glob
import math
import os
import sys

import numpy
import onnx
import onnxruntime
from onnx import numpy_helper


def weights_of(shape, use, rng):
    """Random weights with which the numbers stay about as large from layer to layer."""
    kind, index = use
    if kind == "BatchNormalization" and index == 4:
        return rng.uniform(0.5, 1.5, shape)
    if kind in ("BatchNormalization", "Mul") and len(shape) == 1 and index == 1:
        return rng.uniform(0.5, 1.5, shape)
    if len(shape) >= 2:
        return rng.standard_normal(shape) * math.sqrt(2 / max(numpy.prod(shape[1:]), 1))
    return rng.uniform(-0.1, 0.1, shape)


def case(path, folder):
    model = onnx.load(path)
    graph = model.graph
    rng = numpy.random.default_rng(0)
    uses = {}
    for node in graph.node:
        for i, name in enumerate(node.input):
            uses.setdefault(name, (node.op_type, i))
    shapes = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    random, kept = [], []
    for node in graph.node:
        if node.op_type == "ConstantOfShape" and len(shapes[node.input[0]]):
            shape = [int(d) for d in shapes[node.input[0]]]
            use = uses.get(node.output[0], ("", 0))
            if use[0] == "Unsqueeze":
                after = [n for n in graph.node if node.output[0] in n.input][0]
                use = uses.get(after.output[0], use)
            random.append(numpy_helper.from_array(weights_of(shape, use, rng).astype("float32"), node.output[0]))
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)
    used = {name for node in kept for name in node.input}
    old = [t for t in graph.initializer if t.name in used]
    del graph.initializer[:]
    graph.initializer.extend(old + random)
    names = {t.name for t in old}
    inputs = [i for i in graph.input if i.name not in shapes or i.name in names]
    del graph.input[:]
    graph.input.extend(inputs)

    x = [i for i in inputs if i.name not in names]
    feeds = {i.name: rng.standard_normal([d.dim_value for d in i.type.tensor_type.shape.dim]).astype("float32") for i in x}
    os.makedirs(folder + "/test_data_set_0", exist_ok=True)
    onnx.save(model, folder + "/model.onnx")
    session = onnxruntime.InferenceSession(folder + "/model.onnx", providers=["CPUExecutionProvider"])
    for i, (name, value) in enumerate(feeds.items()):
        open(f"{folder}/test_data_set_0/input_{i}.pb", "wb").write(numpy_helper.from_array(value, name).SerializeToString())
    for i, value in enumerate(session.run(None, feeds)):
        open(f"{folder}/test_data_set_0/output_{i}.pb", "wb").write(numpy_helper.from_array(value).SerializeToString())
        print(os.path.basename(folder), value.shape, "from", value.min(), "to", value.max())


def main():
    out, names = sys.argv[1], sys.argv[2:]
    light = os.path.join(os.path.dirname(onnx.__file__), "backend/test/data/light")
    for path in sorted(glob.glob(light + "/light_*.onnx")):
        name = os.path.basename(path)[len("light_"):-len(".onnx")]
        if not names or name in names:
            case(path, f"{out}/zoo/test_{name}")


main()
