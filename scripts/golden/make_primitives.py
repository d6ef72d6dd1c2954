"""graph/op/testdata/golden/primitives_*.json: the primitives of package op by PyTorch 2 (2.15), in float64 on float32 inputs.

Ties and the bounds of clip, where the two differ, are left to TestTies, which has TensorFlow's.
Needs torch and numpy alone: both.py wants TensorFlow, too, and the two have no common environment for these versions.
"""
import numpy as np
import torch

import golden

rng = np.random.default_rng(20261126)


def normal(*shape):
    return np.asarray(rng.standard_normal(shape)).astype(np.float32).astype(np.float64)


def positive(*shape):
    return (0.25 + np.abs(normal(*shape))).astype(np.float32).astype(np.float64)


def case(name, f, attrs, inputs, ints=None):
    """y and the gradients of sum(dy*y) by the float inputs; ints are other operands."""
    xs = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in inputs.items()}
    ints = ints or {}
    y = f(*xs.values(), *(torch.tensor(v) for v in ints.values()))
    dy = normal(*y.shape)
    y.backward(torch.tensor(dy))
    out = {**inputs, **{k: np.asarray(v) for k, v in ints.items()}, "y": y.detach().numpy(), "dy": dy}
    out.update({"d" + k: np.zeros_like(inputs[k]) if x.grad is None else x.grad.numpy() for k, x in xs.items()})
    return golden.case(name, dict(attrs, reference="torch"), out)


UNARY = {
    "abs": torch.abs, "sin": torch.sin, "cos": torch.cos, "exp": torch.exp, "log": torch.log, "log2": torch.log2, "neg": torch.neg,
    "square": torch.square, "sqrt": torch.sqrt, "inverse": torch.reciprocal, "inverseSqrt": torch.rsqrt, "cube": lambda x: x ** 3,
    "tanh": torch.tanh, "sigmoid": torch.sigmoid, "log1p": torch.log1p, "expm1": torch.expm1, "softplus": torch.nn.functional.softplus,
    "erf": torch.erf,
}
NEEDS_POSITIVE = ("log", "log2", "sqrt", "inverse", "inverseSqrt", "log1p")
golden.write(golden.OPS, "primitives_unary.json", [
    case(name, f, dict(fn=name), {"x": positive(3, 5) if name in NEEDS_POSITIVE else normal(3, 5) * 2}) for name, f in UNARY.items()])

BINARY = {"+": torch.add, "-": torch.sub, "*": torch.mul, "/": torch.div, "pow": torch.pow, "min": torch.minimum, "max": torch.maximum,
          "reluGrad": lambda a, b: torch.where(a > 0, b, torch.zeros_like(b))}
SHAPES = [((3, 5), (3, 5)), ((2, 3, 5), (5,)), ((3, 1), (1, 5)), ((), (3, 2)), ((3, 1), (2, 1, 4)), ((), ())]
golden.write(golden.OPS, "primitives_binary.json", [
    case("%s %s %s" % (name, a, b), f, dict(fn=name),
         {"a": positive(*a), "b": positive(*b)} if name in ("/", "pow") else {"a": normal(*a), "b": normal(*b)})
    for name, f in BINARY.items() for a, b in SHAPES])

REDUCE = {"sum": torch.sum, "mean": torch.mean, "max": torch.amax, "min": torch.amin}
golden.write(golden.OPS, "primitives_reduce.json", [
    case("%s %s %d" % (name, axes, keep), lambda x, f=f, axes=axes, keep=keep: f(x, dim=axes, keepdim=keep),
         dict(fn=name, axes=axes, keep=int(keep)), {"x": normal(3, 2, 5)})
    for name, f in REDUCE.items() for axes in ([0], [-1], [0, 2], [1, 2], [0, 1, 2]) for keep in (False, True)])


def reversed_slice(x):
    return torch.flip(x, (1,))[:, ::2, 1:6:3]


golden.write(golden.OPS, "primitives_move.json", [
    case("join", lambda a, b, c: torch.cat((a, b, c), 1), {}, {"a": normal(2, 3, 4), "b": normal(2, 1, 4), "c": normal(2, 2, 4)}),
    case("stack", lambda a, b: torch.stack((a, b), -1), {}, {"a": normal(2, 3), "b": normal(2, 3)}),
    case("slice", lambda x: x[1:3, :-1, 0:6:3], {}, {"x": normal(4, 3, 7)}),
    case("reversed", reversed_slice, {}, {"x": normal(2, 5, 7)}),
    case("broadcast", lambda x: x.broadcast_to(2, 3, 5), {}, {"x": normal(3, 1)}),
    case("embedding", lambda x, indices: torch.nn.functional.embedding(indices, x), {}, {"x": normal(7, 3)},
         {"indices": [[0, 6, 3, 3], [1, 3, 0, 5]]}),
    case("take", lambda x, indices: torch.index_select(x, 1, indices), {}, {"x": normal(3, 4, 2)}, {"indices": [3, 0, 3, 1, 1]}),
    case("clip", lambda x: torch.clamp(x, -0.5, 0.75), {}, {"x": normal(5, 5)}),
    case("where", lambda x, a, b: torch.where(x > 0, a, b), {}, {"x": normal(3, 5), "a": normal(5), "b": normal(3, 1)}),
    case("gelu", lambda x: torch.nn.functional.gelu(x), {}, {"x": normal(4, 5) * 2}),
])


def products(a, b, trans_a, trans_b):
    return torch.matmul(a.mT if trans_a else a, b.mT if trans_b else b)


golden.write(golden.OPS, "primitives_products.json", [
    case("matmul %s %s %d %d" % (a, b, ta, tb), lambda x, y, ta=ta, tb=tb: products(x, y, ta, tb), dict(trans_a=ta, trans_b=tb),
         {"a": normal(*a), "b": normal(*b)})
    for a, b, ta, tb in (((2, 3, 4), (2, 4, 5), 0, 0), ((2, 4, 3), (2, 4, 5), 1, 0), ((2, 1, 3, 4), (2, 1, 5, 4), 0, 1), ((3, 4, 1), (3, 2, 4), 1, 1),
                         ((1, 1, 1), (1, 1, 1), 0, 0))])
