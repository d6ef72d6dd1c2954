"""Times depthwise and grouped convolutions in PyTorch, forward and both gradients: the cases of BenchmarkGroupedConvs of package cpu. It
prints a line for each: its name, and the milliseconds of the faster of the two memory formats.

    python3 torch_convs.py [threads]
"""
import statistics
import sys
import time

import torch

# size, channels, filters, stride, groups
SHAPES = [(112, 32, 32, 1, 32), (112, 64, 64, 2, 64), (56, 128, 128, 1, 128), (28, 256, 256, 1, 256), (14, 512, 512, 1, 512),
          (56, 128, 128, 1, 32), (14, 512, 512, 1, 32)]


def seconds(run):
    run()
    took, begin = [], time.perf_counter()
    while len(took) < 3 or time.perf_counter() - begin < 0.06:
        start = time.perf_counter()
        run()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def main():
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
    back = torch.ops.aten.convolution_backward
    for size, c, f, stride, groups in SHAPES:
        for batch in (1, 16):
            best = {}
            for form in (torch.contiguous_format, torch.channels_last):
                x = torch.randn(batch, c, size, size).contiguous(memory_format=form)
                w = torch.randn(f, c // groups, 3, 3).contiguous(memory_format=form)
                with torch.no_grad():
                    y = torch.conv2d(x, w, None, stride, 1, 1, groups)
                    dy = torch.randn(y.shape).contiguous(memory_format=form)
                    grad = lambda mask: back(dy, x, w, None, [stride, stride], [1, 1], [1, 1], False, [0, 0], groups, mask)
                    for name, run in (("forward", lambda: torch.conv2d(x, w, None, stride, 1, 1, groups)),
                                      ("input", lambda: grad([True, False, False])), ("filter", lambda: grad([False, True, False]))):
                        best[name] = min(best.get(name, 1e9), seconds(run))
            for name, s in best.items():
                print(f"{size}x{size}x{c}/{stride} groups {groups}, batch {batch}, {name}\t{1e3 * s:.4f}", flush=True)


main()
