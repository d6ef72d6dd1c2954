"""ONNX Runtime on the CPU as a contestant, for inference: see peer.py. The nets are those of package arch, with random weights."""
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

import peer


class Graph:
    """Collects the nodes and the weights of a net, NCHW."""

    def __init__(self):
        self.nodes, self.weights, self.random = [], [], np.random.default_rng(1)

    def add(self, op, *inputs, **attributes):
        out = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [out], **attributes))
        return out

    def weight(self, value):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value.astype(np.float32), name))
        return name

    def he(self, *shape):
        return self.weight(self.random.standard_normal(shape) * (2 / np.prod(shape[1:])) ** 0.5)

    def conv(self, x, last, filters, kernel, stride=1, pad=0, bias=True):
        weights = [self.he(filters, last, kernel, kernel)] + ([self.weight(np.zeros(filters))] if bias else [])
        return self.add("Conv", x, *weights, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)

    def relu(self, x):
        return self.add("Relu", x)

    def pool(self, x, size=2, stride=2, pad=0):
        return self.add("MaxPool", x, kernel_shape=[size] * 2, strides=[stride] * 2, pads=[pad] * 4)

    def norm(self, x, channels):
        # The scales are small: nothing normalizes the sums of random blocks, and they should not grow.
        values = [self.weight(self.random.uniform(*span, channels)) for span in ((0.2, 0.5), (-0.1, 0.1), (-0.1, 0.1), (0.5, 1.5))]
        return self.add("BatchNormalization", x, *values, epsilon=1e-5)

    def dense(self, x, last, units):
        return self.add("Gemm", x, self.he(units, last), self.weight(np.zeros(units)), transB=1)


def simplecnn(g, x, size):
    x = g.pool(g.relu(g.conv(x, 3, 16, 3)))
    x = g.pool(g.relu(g.conv(x, 16, 32, 3)))
    side = ((size - 2) // 2 - 2) // 2
    x = g.relu(g.dense(g.add("Flatten", x), 32 * side * side, 256))
    return g.dense(x, 256, peer.CLASSES)


def vgg16(g, x, size):
    last = 3
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            x, last = g.relu(g.conv(x, last, width, 3, pad=1)), width
        x = g.pool(x)
    x, last = g.add("Flatten", x), 512 * (size // 32) ** 2
    for _ in range(2):
        x, last = g.relu(g.dense(x, last, 4096)), 4096
    return g.dense(x, 4096, peer.CLASSES)


def resnet50(g, x, size):
    x = g.pool(g.relu(g.norm(g.conv(x, 3, 64, 7, 2, 3, bias=False), 64)), 3, 2, 1)
    last = 64
    for width, depth, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for i in range(depth):
            step, out, side = stride if i == 0 else 1, 4 * width, x
            x = g.relu(g.norm(g.conv(x, last, width, 1, bias=False), width))
            x = g.relu(g.norm(g.conv(x, width, width, 3, step, 1, bias=False), width))
            x = g.norm(g.conv(x, width, out, 1, bias=False), out)
            if i == 0:
                side = g.norm(g.conv(side, last, out, 1, step, bias=False), out)
            x, last = g.relu(g.add("Add", x, side)), out
    return g.dense(g.add("Flatten", g.add("GlobalAveragePool", x)), 2048, peer.CLASSES)


NETS = {"simplecnn": simplecnn, "vgg16": vgg16, "resnet50": resnet50}


def exported(a):
    """The net of torch_nets.py, as PyTorch exports it."""
    try:
        import io
        import torch
        import torch_nets
        import torch_peer
    except ImportError as e:
        peer.cannot(f"{a.arch} is exported by PyTorch, which is not installed beside ONNX Runtime: {e}")
    if a.arch not in torch_nets.NETS:
        peer.cannot(f"there is no net {a.arch!r}")
    torch.manual_seed(1)
    net, x = torch_nets.make(a.arch, a.size), torch.rand(a.batch, 3, a.size, a.size)
    torch_peer.settle(net, x[:2] if a.batch > 1 else torch.rand(2, 3, a.size, a.size))
    file = io.BytesIO()
    torch.onnx.export(torch.nn.Sequential(net, torch.nn.Softmax(1)).eval(), x, file, input_names=["image"], opset_version=17, dynamo=False)
    return file.getvalue()


def model(a):
    if a.arch not in NETS:
        return exported(a)
    g = Graph()
    logits = NETS[a.arch](g, "image", a.size)
    out = g.add("Softmax", logits, axis=1)
    shape = [a.batch, 3, a.size, a.size]
    graph = helper.make_graph(
        g.nodes, a.arch, [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(out, TensorProto.FLOAT, [a.batch, peer.CLASSES])], g.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def prepare(a, config):
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = a.threads, 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(model(a), options, providers=["CPUExecutionProvider"])
    image = np.random.default_rng(2).random((a.batch, 3, a.size, a.size), np.float32)
    # Input and output are bound once: no copies are made of them.
    binding = session.io_binding()
    binding.bind_cpu_input("image", image)
    binding.bind_output(session.get_outputs()[0].name, "cpu")

    def step():
        session.run_with_iobinding(binding)

    return step, lambda _: binding.copy_outputs_to_cpu()[0][:2].tolist()


def configs(a):
    if a.mode == "train":
        peer.cannot("ONNX Runtime's package is for inference")
    return ["all optimizations"]


if __name__ == "__main__":
    peer.main("ONNX Runtime", ort.__version__, configs, prepare)
