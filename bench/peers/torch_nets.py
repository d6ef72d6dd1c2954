"""The project's nets in PyTorch: package arch in Python. They return logits."""
import torch
from torch import nn


def simplecnn(size=32, classes=100):
    side = ((size - 2) // 2 - 2) // 2
    return nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * side * side, 256), nn.ReLU(), nn.Linear(256, classes))


def vgg16(size=32, classes=100):
    layers, last = [], 3
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            layers += [nn.Conv2d(last, width, 3, padding=1), nn.ReLU()]
            last = width
        layers.append(nn.MaxPool2d(2))
    side = size // 32
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512 * side * side, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(),
                         nn.Linear(4096, classes))


class Block(nn.Module):
    """Residual block: a bottleneck with the stride on the 3x3 convolution, as in arch.ResNet50, or two 3x3 convolutions; a
    projection where the shape changes."""

    def __init__(self, last, width, stride, bottleneck=True):
        super().__init__()
        norm, relu, conv = nn.BatchNorm2d, nn.ReLU, lambda *a: nn.Conv2d(*a, bias=False)
        if bottleneck:
            out = 4 * width
            self.main = nn.Sequential(
                conv(last, width, 1), norm(width), relu(), conv(width, width, 3, stride, 1), norm(width), relu(), conv(width, out, 1), norm(out))
        else:
            out = width
            self.main = nn.Sequential(conv(last, width, 3, stride, 1), norm(width), relu(), conv(width, width, 3, 1, 1), norm(width))
        self.side = nn.Identity() if last == out and stride == 1 else nn.Sequential(conv(last, out, 1, stride), norm(out))

    def forward(self, x):
        return torch.relu(self.main(x) + self.side(x))


def residual(stem, depths, bottleneck, classes):
    layers, last = stem, 64
    for width, depth, stride in zip((64, 128, 256, 512), depths, (1, 2, 2, 2)):
        for i in range(depth):
            layers.append(Block(last, width, stride if i == 0 else 1, bottleneck))
            last = 4 * width if bottleneck else width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, classes))


def resnet50(size=32, classes=100):
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    return residual(stem, (3, 4, 6, 3), True, classes)


def resnet18_cifar(size=32, classes=100):
    """With the 3x3 stem that keeps the size of small images: arch.ResNet with CIFARStem."""
    stem = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    return residual(stem, (2, 2, 2, 2), False, classes)


def alexnet(size=224, classes=1000):
    """In one tower and without response normalization, as arch.AlexNet by default."""
    relu, pool = nn.ReLU, lambda: nn.MaxPool2d(3, 2)
    if size < 67:
        raise ValueError(f"alexnet wants images of at least 67x67, not {size}x{size}")
    side = (size - 11) // 4 + 1
    for _ in range(3):
        side = (side - 3) // 2 + 1
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, 4), relu(), pool(), nn.Conv2d(96, 256, 5, padding=2), relu(), pool(), nn.Conv2d(256, 384, 3, padding=1), relu(),
        nn.Conv2d(384, 384, 3, padding=1), relu(), nn.Conv2d(384, 256, 3, padding=1), relu(), pool(), nn.Flatten(),
        nn.Dropout(), nn.Linear(256 * side * side, 4096), relu(), nn.Dropout(), nn.Linear(4096, 4096), relu(), nn.Linear(4096, classes))


def of_torchvision(name, **options):
    """The net of torchvision's with this name; its parameters are as many as ours."""

    def net(size=224, classes=100):
        import torchvision  # only these nets need it
        return getattr(torchvision.models, name)(num_classes=classes, **options)

    return net


def vit(patch, width, depth=12):
    """A vision transformer of torchvision's with heads of 64."""

    def net(size=224, classes=100):
        from torchvision.models import VisionTransformer
        return VisionTransformer(size, patch, depth, width // 64, width, 4 * width, num_classes=classes)

    return net


NETS = {
    "simplecnn": simplecnn, "vgg16": vgg16, "resnet50": resnet50, "resnet18-cifar": resnet18_cifar, "alexnet": alexnet,
    "mobilenetv2": of_torchvision("mobilenet_v2"), "mobilenetv3-large": of_torchvision("mobilenet_v3_large"),
    "efficientnetb0": of_torchvision("efficientnet_b0"), "convnext-tiny": of_torchvision("convnext_tiny"),
    "densenet121": of_torchvision("densenet121"), "resnext50-32x4d": of_torchvision("resnext50_32x4d"),
    "inceptionv3": of_torchvision("inception_v3", aux_logits=False, init_weights=False),
    "vit-ti4": vit(4, 192), "vit-s16": vit(16, 384), "vit-b16": vit(16, 768),
}


def make(arch, size=32, classes=100):
    """The net, with He's weights, which train."""
    net = NETS[arch](size, classes)
    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return net
