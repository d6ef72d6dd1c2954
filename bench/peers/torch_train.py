"""Times training steps of the project's nets in PyTorch, on the CPU.

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

import torch_nets


def measure(net, batch, seconds, channels_last, rounds=5):
    torch.manual_seed(1)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net = net.to(memory_format=layout)
    x, y = torch.rand(batch, 3, 32, 32).contiguous(memory_format=layout), torch.randint(100, (batch,))
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
    for name, batch in (("simplecnn", 64), ("vgg16", 32), ("resnet50", 32)):
        rate = measure(torch_nets.NETS[name](), batch, a.seconds, a.channels_last)
        print(f"torch {torch.__version__} {name} batch={batch} threads={a.threads} {rate:.0f} images/s", flush=True)


main()
