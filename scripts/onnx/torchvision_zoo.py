"""Makes test cases of torchvision's networks, for TestConformance of weights/onnx: exported by PyTorch's two exporters at several versions
of ONNX's operator set, with random weights and an open batch size, and what ONNX Runtime computes with them.

    python scripts/onnx/torchvision_zoo.py FOLDER [NAME:EXPORTER:OPSET …]
    STHENO_ONNX_TESTDATA=FOLDER go test -run TestConformance -v ./weights/onnx

EXPORTER is script (the older one) or dynamo. Needs torch, torchvision, onnx, onnxscript and onnxruntime.
"""

import collections
import os
import shutil
import sys
import warnings

import numpy
import onnx
import onnxruntime
import torch
import torchvision
from onnx import numpy_helper

warnings.filterwarnings("ignore")

DEFAULT = """resnet18:script:11 mobilenet_v2:script:13 squeezenet1_1:script:9 densenet121:script:12 shufflenet_v2_x0_5:script:11
mobilenet_v3_small:script:14 googlenet:script:12 efficientnet_b0:script:17 mnasnet0_5:script:11 regnet_y_400mf:script:16 alexnet:script:10
vgg11_bn:script:9 resnext50_32x4d:script:13 inception_v3:script:12 convnext_tiny:script:17 lraspp_mobilenet_v3_large:script:13
resnet18:dynamo:18 mobilenet_v2:dynamo:18 shufflenet_v2_x0_5:dynamo:18 densenet121:dynamo:20 efficientnet_b0:dynamo:21
mobilenet_v3_small:dynamo:18""".split()


def network(name):
    if name.startswith("lraspp"):
        inner = torchvision.models.segmentation.__dict__[name](weights=None, weights_backbone=None, num_classes=5)

        class Plain(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = inner

            def forward(self, x):
                return self.inner(x)["out"]

        net = Plain()
    elif name in ("googlenet", "inception_v3"):
        net = getattr(torchvision.models, name)(weights=None, init_weights=False)
    else:
        net = getattr(torchvision.models, name)(weights=None)
    for m in net.modules():  # statistics that are not all 0 and 1
        if isinstance(m, torch.nn.BatchNorm2d):
            m.running_mean.uniform_(-0.2, 0.2)
            m.running_var.uniform_(0.6, 1.4)
            m.weight.data.uniform_(0.6, 1.2)
            m.bias.data.uniform_(-0.2, 0.2)
    return net.eval()


def case(spec, out):
    name, exporter, opset = spec.split(":")
    size = {"alexnet": 224, "vgg11_bn": 224, "inception_v3": 299}.get(name, 64)
    net, x = network(name), torch.randn(2, 3, size, size)
    folder = f"{out}/torchvision/test_{name}_{exporter}_{opset}"
    path = folder + "/model.onnx"
    os.makedirs(folder + "/test_data_set_0", exist_ok=True)
    names = {"input_names": ["images"], "output_names": ["logits"], "opset_version": int(opset)}
    try:
        if exporter == "script":
            torch.onnx.export(net, x, path, dynamo=False, dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}}, **names)
        else:
            batch = torch.export.Dim("batch", min=1, max=64)
            torch.onnx.export(net, (x,), path, dynamo=True, dynamic_shapes=({0: batch},), external_data=False, **names)
    except Exception as e:
        print(spec, "PyTorch cannot export it:", str(e).split("\n")[0][:120])
        shutil.rmtree(folder)
        return
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    y = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
    for what, value in (("input", x.numpy()), ("output", y)):
        open(f"{folder}/test_data_set_0/{what}_0.pb", "wb").write(numpy_helper.from_array(value).SerializeToString())
    nodes = collections.Counter(n.op_type for n in onnx.load(path).graph.node)
    print(spec, y.shape, f"up to {numpy.abs(y).max():.3g};", dict(nodes), flush=True)


def main():
    torch.manual_seed(0)
    for spec in sys.argv[2:] or DEFAULT:
        case(spec, sys.argv[1])


main()
