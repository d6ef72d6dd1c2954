"""PyTorch on a GPU as a contestant: see gpu_peer.py.

    python torch_gpu.py --variants eager,compile,max-autotune --deadline 300 resnet50:32:512:train:bf16 …

All variants have channels-last layout, cuDNN's measured choice of algorithms, and SGD over all parameters at once. compile is
torch.compile as it is by default, reduce-overhead adds CUDA graphs, max-autotune those and measured kernels; in inference with frozen
weights. fp32 has TF32 off; bf16 is autocast in training, and in inference a net of bfloat16.
"""
import contextlib
import gc
import warnings

import gpu_peer

VARIANTS = ["eager", "compile", "reduce-overhead", "max-autotune"]
options = gpu_peer.arguments(VARIANTS)

import torch
from torch import nn

import torch_nets

GPU = options.device == "cuda"


class Feeder:
    """Hands out a batch on the device, again and again. It has two copies of it there, one of which is written while the other is used."""

    def __init__(self, host):
        self.host = [t.pin_memory() for t in host] if GPU else host
        self.device = [[torch.empty_like(t, device=options.device) for t in host] for _ in range(2)]
        self.stream = torch.cuda.Stream() if GPU else None
        self.turn = 0
        self.copy()

    def copy(self):
        with torch.cuda.stream(self.stream) if GPU else contextlib.nullcontext():
            for to, of in zip(self.device[self.turn], self.host):
                to.copy_(of, non_blocking=True)

    def __call__(self):
        ready = self.device[self.turn]
        self.turn = 1 - self.turn
        if GPU:
            torch.cuda.current_stream().wait_stream(self.stream)
            self.stream.wait_stream(torch.cuda.current_stream())  # the step before, which had the other copy
        self.copy()
        return ready


def batches(case, feed):
    """A function that returns images (batch, size, size, 3) and labels (batch), on the device."""
    shape = case.batch, case.size, case.size, 3
    images, labels = torch.randint(256, shape, dtype=torch.uint8), torch.randint(case.classes, (case.batch,))
    if feed == "bytes":
        return Feeder([images, labels])
    images = torch.sub(images, 127.5).mul_(1 / 64)
    if feed == "floats":
        return Feeder([images, labels])
    there = [images.to(options.device), labels.to(options.device)]
    return lambda: there


def planes(images):
    """(batch, 3, size, size) in channels-last layout, as floats."""
    images = images.permute(0, 3, 1, 2)
    return torch.sub(images, 127.5).mul_(1 / 64) if images.dtype == torch.uint8 else images


def settings(case):
    torch.manual_seed(1)
    # The defaults of PyTorch differ between products and convolutions.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = case.precision != "fp32"
    torch.backends.cudnn.benchmark = True


def compiled(f, variant):
    if variant == "eager":
        return f
    return torch.compile(f) if variant == "compile" else torch.compile(f, mode=variant)


def train(case, net, feed, variant):
    optimizer = torch.optim.SGD(net.parameters(), 1e-4, 0.9, fused=True)
    rounded = torch.autocast(options.device, torch.bfloat16, enabled=case.precision == "bf16")

    def loss_of(images, labels):
        with rounded:
            return nn.functional.cross_entropy(net(planes(images)), labels)

    forward = compiled(loss_of, variant)

    def step():
        images, labels = feed()
        torch.compiler.cudagraph_mark_step_begin()
        optimizer.zero_grad(set_to_none=True)
        loss = forward(images, labels)
        loss.backward()
        optimizer.step()
        return loss

    return step, lambda loss: loss.item()


def inference(case, net, feed, variant):
    from torch._inductor import config as inductor

    net.eval()
    dtype = torch.bfloat16 if case.precision == "bf16" else torch.float32
    net.to(dtype)
    host = torch.empty(case.batch, case.classes)
    host = host.pin_memory() if GPU else host

    def scores(images):
        return net(planes(images).to(dtype)).float().softmax(1)

    def made():
        forward = compiled(scores, variant)
        # Frozen weights are folded under no_grad: inference tensors would not be let in.
        guard = torch.inference_mode if variant == "eager" else torch.no_grad

        def step():
            with guard():
                torch.compiler.cudagraph_mark_step_begin()
                host.copy_(forward(feed()[0]), non_blocking=True)
            wait()
            return host

        step()
        return step

    inductor.freezing = variant != "eager"
    try:
        step = made()
    except Exception as e:
        if not inductor.freezing or isinstance(e, torch.OutOfMemoryError):
            raise
        torch._dynamo.reset()
        inductor.freezing = False
        step = made()
    return step, lambda out: out[:2].tolist()


def wait():
    if GPU:
        torch.cuda.synchronize()


def memory():
    return torch.cuda.max_memory_allocated() if GPU else 0


def forget():
    if GPU:
        torch.cuda.reset_peak_memory_stats()


def prepare(case, variant, a):
    settings(case)
    net = torch_nets.make(case.arch, case.size, case.classes).to(options.device, memory_format=torch.channels_last)
    parameters = sum(p.numel() for p in net.parameters())
    step, look = (train if case.mode == "train" else inference)(case, net, batches(case, a.feed), variant)
    return gpu_peer.Work(step, wait, look, memory, forget, parameters)


def release():
    torch._dynamo.reset()
    gc.collect()
    if GPU:
        torch.cuda.empty_cache()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if GPU and not torch.cuda.is_available():
        raise SystemExit(f"PyTorch {torch.__version__} finds no GPU; --device cpu tries the program without one")
    version, name = torch.__version__, "cpu"
    if GPU:
        version += f", CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
        name = torch.cuda.get_device_name()
    gpu_peer.main(options, "PyTorch", version, name, prepare, release)
