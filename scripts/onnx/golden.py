"""Makes weights/onnx/testdata/golden: small models, an input, what ONNX Runtime computes, and PyTorch's gradients.

    STHENO_ONNX_EXPORT=FOLDER go test -run TestExportForRuntimes ./weights/onnx
    python scripts/onnx/golden.py FOLDER weights/onnx/testdata/golden

From the models that Go wrote into FOLDER it takes "small", "wide" and "attention", with ONNX Runtime's results, and "several", of several inputs
and outputs, into OUT_several. The others are networks of PyTorch,
exported at several versions of the operator set, with the gradients of Σ dy·y by every parameter. Needs torch, onnx and onnxruntime;
made with PyTorch 2.15, onnx 1.23 and ONNX Runtime 1.32.
"""

import os
import shutil
import sys
import warnings

import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")


class Shapes(nn.Module):
    """Sizes that are computed from the input's, and layers with attributes that changed from version to version."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, (3, 2), padding=(1, 0), bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.slope = nn.PReLU(8)
        self.depthwise = nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8)
        self.up = nn.ConvTranspose2d(8, 6, 3, stride=2, output_padding=1)
        self.dense = nn.Linear(6, 5)
        with torch.no_grad():
            for p in (self.norm.running_mean, self.norm.bias, self.slope.weight):
                p.uniform_(-0.4, 0.4)
            for p in (self.norm.running_var, self.norm.weight):
                p.uniform_(0.6, 1.4)

    def forward(self, x):
        x = self.slope(self.norm(self.conv(x)))
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)  # ShuffleNet's shuffle
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        x = F.hardtanh(self.depthwise(x), -1.5, 2.0)
        left, right = torch.split(x, [3, 5], 1)
        x = torch.cat([F.elu(right), left * torch.sigmoid(left)], 1)
        x = F.avg_pool2d(F.pad(x, (1, 0, 2, 1)), 3, 2, ceil_mode=True)
        x = F.leaky_relu(self.up(x), 0.1)
        x = F.local_response_norm(x, 3)
        x = x.mean([2, 3]) + x.amax([2, 3]) * 0.5
        return F.log_softmax(self.dense(x.view(x.size(0), -1)), 1)


def save(path, value):
    open(path, "wb").write(numpy_helper.from_array(value).SerializeToString())


def outcome(folder, x):
    session = onnxruntime.InferenceSession(folder + "/model.onnx", providers=["CPUExecutionProvider"])
    save(folder + "/output.pb", session.run(None, {session.get_inputs()[0].name: x})[0])
    save(folder + "/input.pb", x)
    size = sum(os.path.getsize(f"{folder}/{f}") for f in os.listdir(folder))
    print(f"{folder}: {size} bytes")
    assert all(os.path.getsize(f"{folder}/{f}") <= 50_000 for f in os.listdir(folder))


def main():
    ours, out = sys.argv[1:]
    for name in ("small", "wide", "attention"):
        folder = f"{out}/{name}"
        os.makedirs(folder, exist_ok=True)
        shutil.copy(f"{ours}/{name}/model.onnx", folder)
        t = onnx.TensorProto()
        t.ParseFromString(open(f"{ours}/{name}/test_data_set_0/input_0.pb", "rb").read())
        outcome(folder, numpy_helper.to_array(t))
    folder = out.rstrip("/") + "_several"
    os.makedirs(folder, exist_ok=True)
    shutil.copy(f"{ours}/several/model.onnx", folder)
    session, feed = onnxruntime.InferenceSession(folder + "/model.onnx", providers=["CPUExecutionProvider"]), {}
    for i, x in enumerate(session.get_inputs()):
        t = onnx.TensorProto()
        t.ParseFromString(open(f"{ours}/several/test_data_set_0/input_{i}.pb", "rb").read())
        feed[x.name] = numpy_helper.to_array(t)
        save(f"{folder}/input_{i}.pb", feed[x.name])
    for i, y in enumerate(session.run([y.name for y in session.get_outputs()], feed)):
        save(f"{folder}/output_{i}.pb", y)
    for opset in (9, 11, 13, 17):
        torch.manual_seed(opset)
        net, x = Shapes().eval(), torch.randn(2, 3, 7, 6)
        folder = f"{out}/shapes_{opset}"
        os.makedirs(folder, exist_ok=True)
        torch.onnx.export(net, x, folder + "/model.onnx", dynamo=False, opset_version=opset, training=torch.onnx.TrainingMode.PRESERVE,
                          do_constant_folding=False, input_names=["images"], output_names=["scores"],
                          dynamic_axes={"images": {0: "batch"}, "scores": {0: "batch"}})
        y = net(x)
        dy = torch.randn_like(y)
        (y * dy).sum().backward()
        save(folder + "/dy.pb", dy.numpy())
        for name, p in net.named_parameters():
            save(f"{folder}/d_{name}.pb", p.grad.numpy())
        outcome(folder, x.numpy())


main()
