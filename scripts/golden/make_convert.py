"""weights/convert/testdata/golden: a small network of PyTorch 2, its weights in files of several kinds, and what it computes; names and shapes of
torchvision's networks."""
import json
import os

import numpy as np
import torch
import torchvision
from torch import nn

import golden

FOLDER = os.path.join(golden.ROOT, "weights", "convert", "testdata", "golden")


class Net(nn.Module):
    """Images of 10 rows, 6 columns and 3 channels: not square, so that rows and columns cannot be taken for each other."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
                                      nn.Conv2d(4, 6, (3, 1), padding=(1, 0), groups=2), nn.ReLU())
        self.norm = nn.BatchNorm1d(6 * 5 * 3)
        self.fc1 = nn.Linear(6 * 5 * 3, 5)
        self.fc2 = nn.Linear(5, 4)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(self.norm(torch.flatten(self.features(x), 1)))))


def main():
    os.makedirs(FOLDER, exist_ok=True)
    torch.manual_seed(6)
    net = Net()
    with torch.no_grad():
        for name, b in net.named_buffers():
            if name.endswith("running_mean"):
                b.normal_(0, 0.3)
            elif name.endswith("running_var"):
                b.uniform_(0.5, 2)
        for name, p in net.named_parameters():
            if p.dim() == 1:
                p.uniform_(-0.5, 1.5)
    net.eval()
    x = torch.randn(2, 3, 10, 6)
    with torch.no_grad():
        y = net.double()(x.double())
    net.float()
    golden.write(FOLDER, "net.json", [golden.case("net", {"reference": "torch"}, {"x": x.permute(0, 2, 3, 1).contiguous().numpy(), "y": y.numpy()})])
    state = net.state_dict()
    torch.save({"epoch": 1, "state_dict": {"module." + k: v for k, v in state.items()}, "optimizer": {"state": {0: {"momentum_buffer": torch.zeros(3)}}}},
               os.path.join(FOLDER, "net.pth"))
    torch.save({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, os.path.join(FOLDER, "half.pt"))
    np.savez(os.path.join(FOLDER, "net.npz"), **{k: v.numpy() for k, v in state.items()})
    # In Keras's order and arrangement, without names: numpy.savez(file, *model.get_weights()).
    f = [p.numpy() for p in (state["features.0.weight"], state["features.4.weight"])]
    fc1 = state["fc1.weight"].reshape(5, 6, 5, 3).permute(2, 3, 1, 0).reshape(90, 5).numpy()
    flat = {k: state["norm." + k].reshape(6, 5, 3).permute(1, 2, 0).reshape(90).numpy() for k in ("weight", "bias", "running_mean", "running_var")}
    arrays = [f[0].transpose(2, 3, 1, 0)] + [state["features.1." + k].numpy() for k in flat]
    arrays += [f[1].transpose(2, 3, 1, 0), state["features.4.bias"].numpy()] + list(flat.values())
    arrays += [fc1, state["fc1.bias"].numpy(), state["fc2.weight"].numpy().T, state["fc2.bias"].numpy()]
    np.savez(os.path.join(FOLDER, "keras_order.npz"), *arrays)
    names = {}
    for name in ("resnet18", "resnet50", "wide_resnet50_2", "vgg16", "vgg11_bn", "alexnet", "mobilenet_v2"):
        with torch.device("meta"):
            names[name] = {k: list(v.shape) for k, v in getattr(torchvision.models, name)().state_dict().items()}
    golden.store(FOLDER, "torchvision.json", json.dumps(names, separators=(",", ":")).replace('],"', '],\n"'))


if __name__ == "__main__":
    main()
