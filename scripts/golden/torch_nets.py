"""The same three nets in PyTorch, as functions of a dictionary of weights named and laid out as Keras's."""
import torch
import torch.nn.functional as F

from nets import STAGES, VGG16


class Net:
    """Holds the weights (Keras layout: HWIO kernels, [in,out] dense kernels) and the running statistics."""

    def __init__(self, weights, dtype, channels_last=False):
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.p, self.buffers = {}, {}
        for name, w in weights.items():
            t = torch.tensor(w).to(dtype)
            if "/moving_" in name:
                self.buffers[name] = t
            else:
                self.p[name] = t.requires_grad_(True)

    def image(self, x, dtype):
        return torch.tensor(x).to(dtype).permute(0, 3, 1, 2).contiguous(memory_format=self.format)

    def conv(self, x, name, stride=1, pad=(0, 0, 0, 0)):
        """pad is left, right, top, bottom."""
        w = self.p[name + "/kernel"].permute(3, 2, 0, 1).contiguous(memory_format=self.format)
        b = self.p.get(name + "/bias")
        if pad[0] == pad[1] and pad[2] == pad[3]:
            return F.conv2d(x, w, b, stride, (pad[2], pad[0]))
        return F.conv2d(F.pad(x, pad), w, b, stride)

    def bn(self, x, name):
        # momentum is PyTorch's: the weight of the new value, 1 - 0.9. Running variance takes the unbiased variance.
        return F.batch_norm(x, self.buffers[name + "/moving_mean"], self.buffers[name + "/moving_variance"],
                            self.p[name + "/gamma"], self.p[name + "/beta"], True, 0.1, 1e-5)

    def dense(self, x, name):
        return x @ self.p[name + "/kernel"] + self.p[name + "/bias"]


def flatten(x):
    return x.permute(0, 2, 3, 1).flatten(1)


def simple_cnn(n, x):
    x = F.max_pool2d(F.relu(n.conv(x, "conv2d")), 2)
    x = F.max_pool2d(F.relu(n.conv(x, "conv2d_1")), 2)
    return n.dense(F.relu(n.dense(flatten(x), "dense")), "dense_1")


def vgg16(n, x):
    for b, (_, convs) in enumerate(VGG16, 1):
        for c in range(1, convs + 1):
            x = F.relu(n.conv(x, "block%d_conv%d" % (b, c), pad=(1, 1, 1, 1)))
        x = F.max_pool2d(x, 2)
    x = F.relu(n.dense(flatten(x), "fc1"))
    return n.dense(F.relu(n.dense(x, "fc2")), "predictions")


def resnet50(n, x):
    x = F.relu(n.bn(n.conv(x, "conv1", 2, (3, 3, 3, 3)), "bn_conv1"))
    # "same" for window 3, stride 2 on an even size pads bottom and right only; after ReLU zeros never win wrongly.
    x = F.max_pool2d(F.pad(x, (0, 1, 0, 1)), 3, 2)
    for stage, _, blocks in STAGES:
        for i in range(blocks):
            tag = "%d%s_branch" % (stage, "abcdef"[i])
            stride = 2 if i == 0 and stage > 2 else 1
            y = F.relu(n.bn(n.conv(x, "res" + tag + "2a"), "bn" + tag + "2a"))
            same = (0, 1, 0, 1) if stride == 2 and x.shape[2] % 2 == 0 else (1, 1, 1, 1)
            y = F.relu(n.bn(n.conv(y, "res" + tag + "2b", stride, same), "bn" + tag + "2b"))
            y = n.bn(n.conv(y, "res" + tag + "2c"), "bn" + tag + "2c")
            if i == 0:
                x = n.bn(n.conv(x, "res" + tag + "1", stride), "bn" + tag + "1")
            x = F.relu(y + x)
    return n.dense(x.mean((2, 3)), "fc1000")


def train(forward, weights, batches, steps, lr, momentum, l2, dtype, threads=2, channels_last=False):
    """Runs SGD with momentum. Returns (losses, penalties, final weights by name), in float64."""
    torch.set_num_threads(threads)
    net = Net(weights, dtype, channels_last)
    opt = torch.optim.SGD(list(net.p.values()), lr=lr, momentum=momentum)
    losses, penalties = [], []
    for step in range(steps):
        x, y = batches[step % len(batches)]
        opt.zero_grad()
        data = F.cross_entropy(forward(net, net.image(x, dtype)), torch.tensor(y))
        penalty = torch.zeros((), dtype=dtype)
        for name, p in net.p.items():
            if l2 and (name.endswith("/kernel") or name.endswith("/bias")):
                penalty = penalty + l2 * (p * p).sum()
        (data + penalty).backward()
        opt.step()
        losses.append(float(data.detach()))
        penalties.append(float(penalty.detach()))
    final = {k: v.detach().double().numpy() for k, v in {**net.p, **net.buffers}.items()}
    return losses, penalties, final
