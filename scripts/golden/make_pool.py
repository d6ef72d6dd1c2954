"""graph/op/testdata/golden/maxpool.json, avgpool.json, global_average_pool.json, zero_padding.json."""
from both import agree, name_of, normal, np, pads_of, tf, torch, with_tf, with_torch

import torch.nn.functional as F

import golden


def windows(x, pads, window, strides, fill):
    """N,oh,ow,C,kh*kw views of the padded input."""
    t, b, l, r = pads
    x = F.pad(x.permute(0, 3, 1, 2), (l, r, t, b), value=fill)
    x = x.unfold(2, window[0], strides[0]).unfold(3, window[1], strides[1])
    return x.flatten(4).permute(0, 2, 3, 1, 4)


def pool(kind, name, x, window, strides, padding="valid", layout="NHWC", ties=False):
    """x is N,H,W,C; in layout NCHW the file holds everything transposed."""
    pads = pads_of(padding, x[1:3], window, strides)
    data = normal(*x)
    if ties:
        data = np.maximum(np.round(data * 2) / 2, 0)

    def by_torch(x):
        if kind == "max":
            # F.max_pool2d breaks ties as PyTorch does; padding with -inf never wins.
            t, b, l, r = pads
            p = F.pad(x.permute(0, 3, 1, 2), (l, r, t, b), value=-np.inf)
            return F.max_pool2d(p, window, strides).permute(0, 2, 3, 1)
        count = windows(torch.ones_like(x), pads, window, strides, 0.0).sum(-1)
        return windows(x, pads, window, strides, 0.0).sum(-1) / count

    def by_tf(x):
        return (tf.nn.max_pool2d if kind == "max" else tf.nn.avg_pool2d)(x, window, strides, padding.upper())

    out, reference = with_torch(by_torch, {"x": data}, lambda s: normal(*s)), "torch"
    if isinstance(padding, str):
        other = with_tf(by_tf, {"x": data}, out["dy"])
        reference = "tensorflow+torch"
        if ties and not np.array_equal(other["dx"], out["dx"]):
            reference = "tensorflow"
            print("  %s: TensorFlow and PyTorch send the gradient of ties to different elements" % name)
            out = {**other, "dx_torch": out["dx"]}
        else:
            agree(other, out, name)
    tensors = {"x": data, **out}
    if layout == "NCHW":
        tensors = {k: v.transpose(0, 3, 1, 2) for k, v in tensors.items()}
    attrs = dict(layout=layout, window=list(window), strides=list(strides), padding=name_of(padding), pads=pads,
                 ties=int(ties), reference=reference)
    return golden.case(name, attrs, tensors)


def cases(kind):
    return [
        pool(kind, "k2_s2_valid_odd", (2, 7, 5, 3), (2, 2), (2, 2)),
        pool(kind, "k2_s2_same_odd", (2, 7, 5, 3), (2, 2), (2, 2), "same"),
        pool(kind, "k3_s2_valid", (1, 7, 8, 2), (3, 3), (2, 2)),
        pool(kind, "k3_s2_same_even", (1, 8, 6, 2), (3, 3), (2, 2), "same"),
        pool(kind, "k3_s2_same_odd", (1, 7, 5, 2), (3, 3), (2, 2), "same"),
        pool(kind, "k3_s1_same", (1, 5, 4, 3), (3, 3), (1, 1), "same"),
        pool(kind, "k3x2_s2x1_same", (1, 6, 5, 2), (3, 2), (2, 1), "same"),
        pool(kind, "k1_s2_valid_gap", (1, 5, 4, 2), (1, 1), (2, 2)),
        pool(kind, "k3_s2_explicit", (1, 6, 7, 2), (3, 3), (2, 2), (0, 1, 1, 2)),
        pool(kind, "k3_s2_explicit_symmetric", (1, 6, 7, 2), (3, 3), (2, 2), (1, 1, 1, 1)),
        pool(kind, "k3_same_on_1x1", (2, 1, 1, 3), (3, 3), (2, 2), "same"),
        pool(kind, "k3_s2_same_nchw", (1, 6, 5, 3), (3, 3), (2, 2), "same", layout="NCHW"),
        pool(kind, "k2_s2_explicit_nchw", (1, 5, 4, 2), (2, 2), (2, 2), (1, 0, 0, 1), layout="NCHW"),
    ]


golden.write(golden.OPS, "maxpool.json", cases("max") + [
    pool("max", "k3_s2_same_ties", (2, 8, 7, 2), (3, 3), (2, 2), "same", ties=True),
    pool("max", "k2_s2_valid_ties", (2, 6, 7, 2), (2, 2), (2, 2), ties=True),
    pool("max", "k3_s1_valid_ties", (1, 6, 6, 2), (3, 3), (1, 1), ties=True),
])
golden.write(golden.OPS, "avgpool.json", cases("avg"))


def global_average(name, x, layout="NHWC"):
    axes = (1, 2) if layout == "NHWC" else (2, 3)
    inputs = {"x": normal(*x)}
    out = with_tf(lambda x: tf.reduce_mean(x, axes), inputs, lambda s: normal(*s))
    agree(with_torch(lambda x: x.mean(axes), inputs, out["dy"]), out, name)
    return golden.case(name, dict(layout=layout, reference="tensorflow+torch"), {**inputs, **out})


golden.write(golden.OPS, "global_average_pool.json", [
    global_average("odd", (3, 5, 7, 4)), global_average("one_by_one", (2, 1, 1, 5)),
    global_average("batch_1", (1, 4, 3, 17)), global_average("nchw", (2, 3, 5, 4), "NCHW")])


def zero_padding(name, x, pads, layout="NHWC"):
    t, b, l, r = pads
    spec = ((0, 0), (t, b), (l, r), (0, 0)) if layout == "NHWC" else ((0, 0), (0, 0), (t, b), (l, r))
    flat = [p for pair in reversed(spec) for p in pair]
    inputs = {"x": normal(*x)}
    out = with_tf(lambda x: tf.pad(x, spec), inputs, lambda s: normal(*s))
    agree(with_torch(lambda x: F.pad(x, flat), inputs, out["dy"]), out, name)
    return golden.case(name, dict(layout=layout, pads=list(pads), reference="tensorflow+torch"), {**inputs, **out})


golden.write(golden.OPS, "zero_padding.json", [
    zero_padding("symmetric", (2, 3, 4, 2), (3, 3, 3, 3)), zero_padding("all_different", (1, 3, 2, 3), (0, 1, 3, 2)),
    zero_padding("none", (1, 2, 3, 2), (0, 0, 0, 0)), zero_padding("nchw", (1, 2, 3, 4), (1, 0, 0, 2), "NCHW")])
