"""PyTorch on the CPU as a contestant: see peer.py.

A configuration is a layout and what is done besides: foreach or fused (SGD over all parameters at once), frozen (TorchScript),
optimized (TorchScript with weights in oneDNN's layouts), compile (torch.compile, for inference with frozen weights).
"""
import warnings

warnings.simplefilter("ignore")  # that TorchScript is old

import torch
from torch import nn

import peer
import torch_nets

MODERN = int(torch.__version__.split(".")[0]) >= 2


def configs(a):
    layouts = "contiguous", "channels-last"
    if a.mode == "train":
        if MODERN:
            return [layout + "+fused" for layout in layouts] + ["channels-last+fused+compile"]
        return [layout + way for layout in layouts for way in ("", "+foreach")]
    return [layout + way for layout in layouts for way in ("+frozen", "+optimized", "+compile")[:3 if MODERN else 2]]


def train(net, x, words):
    labels = torch.randint(peer.CLASSES, (len(x),))
    options = {word: True for word in ("foreach", "fused") if word in words}
    optimizer = torch.optim.SGD(net.parameters(), 1e-4, 0.9, **options)
    forward = torch.compile(net) if "compile" in words else net

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(forward(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    return step, lambda loss: loss.item()


def settle(net, x):
    """Makes the running averages those of x: with the initial ones the numbers of a deep net vanish or grow."""
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1
    with torch.no_grad():
        net.train()(x)


def inference(net, x, words):
    settle(net, torch.rand(2, *x.shape[1:]))
    net = nn.Sequential(net, nn.Softmax(1)).eval()
    with torch.inference_mode():
        want = net(x)
    if "compile" in words:
        from torch._inductor import config as inductor
        inductor.freezing = True
        fast = torch.compile(net)
    else:
        with torch.no_grad():
            fast = torch.jit.freeze(torch.jit.trace(net, x))
            if "optimized" in words:
                fast = torch.jit.optimize_for_inference(fast)

    # Frozen weights are folded under no_grad: inference tensors would not be let in.
    guard = torch.no_grad if "compile" in words else torch.inference_mode

    def step():
        with guard():
            return fast(x)

    step()
    if not torch.allclose(step().contiguous(), want, atol=1e-4):
        raise SystemExit("the frozen net computes something else")
    return step, lambda out: out[:2].tolist()


def prepare(a, config):
    torch.manual_seed(1)
    torch.set_num_threads(a.threads)
    words = config.split("+")
    layout = torch.channels_last if "channels-last" in words else torch.contiguous_format
    net = torch_nets.make(a.arch, a.size).to(memory_format=layout)
    x = torch.rand(a.batch, 3, a.size, a.size).contiguous(memory_format=layout)
    return (train if a.mode == "train" else inference)(net, x, words)


if __name__ == "__main__":
    peer.main("PyTorch", torch.__version__, configs, prepare)
