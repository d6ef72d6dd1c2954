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

import torch_nets


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
