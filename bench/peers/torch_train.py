"""Times training steps of the project's nets in PyTorch on the CPU.

    python torch_train.py --threads 2 [--seconds 10] [--channels-last]

Prints one line a net: images per second, the median of several rounds. Forward, backward and SGD with momentum on fixed random
images of 32x32x3 with 100 classes: the work of `make bench`, which on ResNet-50 also has the L2
penalties. PyTorch is a reference to measure against and nothing of it is needed to build or test the project.
"""
import argparse
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


def measure(net, batch, seconds, channels_last, rounds=5):
    torch.manual_seed(1)
    x, y = torch.rand(batch, 3, 32, 32), torch.randint(100, (batch,))
    if channels_last:
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), 1e-4, 0.9)

    def step():
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()

    for _ in range(3):
        step()
    rates = []
    for _ in range(rounds):
        begin, steps = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds / rounds:
            step()
            steps += 1
        rates.append(steps * batch / (time.perf_counter() - begin))
    return statistics.median(rates)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--seconds", type=float, default=10)
    p.add_argument("--channels-last", action="store_true")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    for name, make, batch in (("simplecnn", simplecnn, 64), ("vgg16", vgg16, 32), ("resnet50", resnet50, 32)):
        rate = measure(make(), batch, a.seconds, a.channels_last)
        print(f"torch {torch.__version__} {name} batch={batch} threads={a.threads} {rate:.0f} images/s", flush=True)


main()
