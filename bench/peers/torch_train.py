"""Times training steps of the project's nets in PyTorch.

    python torch_train.py --threads 2 [--seconds 10] [--channels-last]
    python torch_train.py --device cuda [--precision fp32|tf32|bf16] [--seconds 10] [--channels-last]

Prints one line a net: images per second, the median of several rounds. Forward, backward and SGD with momentum on fixed random
images of 32x32x3 with 100 classes: the work of `make bench`, which on ResNet-50 also has the L2
penalties. On a GPU every step copies its batch from pinned host memory, as training does, and the batches are larger; bf16 is
autocast. PyTorch is a reference to measure against and nothing of it is needed to build or test the project.
"""
import argparse
import contextlib
import statistics
import time

import torch
from torch import nn


def simplecnn():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1152, 256), nn.ReLU(), nn.Linear(256, 100))


def vgg16():
    layers, last = [], 3
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            layers += [nn.Conv2d(last, width, 3, padding=1), nn.ReLU()]
            last = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(),
                         nn.Linear(4096, 100))


class Block(nn.Module):
    """Bottleneck with the stride on the 3x3 convolution; a projection where the shape changes."""

    def __init__(self, last, width, stride):
        super().__init__()
        out = 4 * width
        self.main = nn.Sequential(
            nn.Conv2d(last, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out))
        self.side = nn.Identity() if last == out and stride == 1 else nn.Sequential(
            nn.Conv2d(last, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        return torch.relu(self.main(x) + self.side(x))


def resnet50():
    layers, last = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)], 64
    for width, depth, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for i in range(depth):
            layers.append(Block(last, width, stride if i == 0 else 1))
            last = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 100))


def measure(net, batch, seconds, device, precision, channels_last, rounds=5):
    torch.manual_seed(1)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net = net.to(device, memory_format=layout)
    x, y = torch.rand(batch, 3, 32, 32).contiguous(memory_format=layout), torch.randint(100, (batch,))
    if device == "cuda":
        x, y = x.pin_memory(), y.pin_memory()
    optimizer = torch.optim.SGD(net.parameters(), 1e-4, 0.9)
    rounded = torch.autocast(device, torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()

    def step():
        images, labels = x.to(device, non_blocking=True), y.to(device, non_blocking=True)
        optimizer.zero_grad()
        with rounded:
            loss = nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()

    def wait():
        if device == "cuda":
            torch.cuda.synchronize()

    for _ in range(10 if device == "cuda" else 3):
        step()
    rates = []
    for _ in range(rounds):
        wait()
        begin, steps = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds / rounds:
            step()
            steps += 1
            if steps % 8 == 0:
                wait()  # a queue of steps would outlast the round
        wait()
        rates.append(steps * batch / (time.perf_counter() - begin))
    return statistics.median(rates)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    p.add_argument("--precision", choices=("fp32", "tf32", "bf16"), default="fp32")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--seconds", type=float, default=10)
    p.add_argument("--channels-last", action="store_true")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    # The defaults of PyTorch differ between products and convolutions.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = a.precision == "tf32"
    torch.backends.cudnn.benchmark = True
    where = f"threads={a.threads}"
    batches = (64, 32, 32)
    if a.device == "cuda":
        where = f"{torch.cuda.get_device_name()} {a.precision}"
        batches = (1024, 512, 256)
    for name, make, batch in zip(("simplecnn", "vgg16", "resnet50"), (simplecnn, vgg16, resnet50), batches):
        rate = measure(make(), batch, a.seconds, a.device, a.precision, a.channels_last)
        print(f"torch {torch.__version__} {name} batch={batch} {where} {rate:.0f} images/s", flush=True)


main()
