"""graph/op/testdata/golden/conv2d_*.json: convolutions and their gradients. See README.md for the names used."""
from both import agree, name_of, normal, pads_of, tf, torch, with_tf, with_torch

import torch.nn.functional as F

import golden


def conv(name, x, w, strides=(1, 1), dilations=(1, 1), groups=1, padding="valid", bias=False, layout="NHWC"):
    """x is N,H,W,C; w is kh,kw,C/groups,F. In layout NCHW the file holds x, y and their gradients transposed."""
    n, h, wd, c = x
    pads = pads_of(padding, (h, wd), w[:2], strides, dilations)
    t, b, l, r = pads
    inputs = {"x": normal(*x) if layout == "NHWC" else normal(n, c, h, wd), "w": normal(*w)}
    if bias:
        inputs["b"] = normal(w[3])

    def by_torch(x, w, b=None):
        x = x.permute(0, 3, 1, 2) if layout == "NHWC" else x
        y = F.conv2d(F.pad(x, (l, r, t, pads[1])), w.permute(3, 2, 0, 1), b, strides, 0, dilations, groups)
        return y.permute(0, 2, 3, 1) if layout == "NHWC" else y

    def by_tf(x, w, b=None):
        if isinstance(padding, str):
            y = tf.nn.convolution(x, w, strides, padding.upper(), dilations=dilations)
        else:
            y = tf.nn.convolution(tf.pad(x, ((0, 0), pads[:2], pads[2:], (0, 0))), w, strides, "VALID", dilations=dilations)
        return y if b is None else y + b

    out, reference = with_torch(by_torch, inputs, lambda s: normal(*s)), "torch"
    # TensorFlow on a CPU has no grouped, no NCHW and no dilated strided convolution.
    if groups == 1 and layout == "NHWC" and not (max(strides) > 1 and max(dilations) > 1):
        agree(with_tf(by_tf, inputs, out["dy"]), out, name)
        reference = "tensorflow+torch"
    attrs = dict(layout=layout, padding=name_of(padding), pads=pads, strides=list(strides), dilations=list(dilations),
                 groups=groups, reference=reference)
    return golden.case(name, attrs, {**inputs, **out})


golden.write(golden.OPS, "conv2d_same.json", [
    conv("k3_s1", (2, 5, 4, 3), (3, 3, 3, 4), padding="same", bias=True),
    conv("k1_s1", (2, 3, 5, 4), (1, 1, 4, 5), padding="same", bias=True),
    conv("k2_s1", (1, 5, 4, 2), (2, 2, 2, 3), padding="same"),
    conv("k5_s1", (1, 6, 7, 2), (5, 5, 2, 2), padding="same"),
    conv("k3x1_s1", (1, 5, 4, 2), (3, 1, 2, 3), padding="same"),
    conv("k3_d2", (1, 7, 6, 2), (3, 3, 2, 2), dilations=(2, 2), padding="same"),
    conv("k3_on_1x1", (3, 1, 1, 4), (3, 3, 4, 2), padding="same"),
])
golden.write(golden.OPS, "conv2d_same_strided.json", [
    conv("k3_s2_even", (1, 6, 6, 2), (3, 3, 2, 3), (2, 2), padding="same"),
    conv("k3_s2_odd", (2, 7, 5, 2), (3, 3, 2, 3), (2, 2), padding="same"),
    conv("k3_s2x1", (1, 6, 5, 2), (3, 3, 2, 3), (2, 1), padding="same", bias=True),
    conv("k1_s2", (1, 6, 7, 3), (1, 1, 3, 2), (2, 2), padding="same"),
    conv("k2_s2", (1, 5, 4, 2), (2, 2, 2, 3), (2, 2), padding="same"),
    conv("k5_s2", (1, 8, 7, 2), (5, 5, 2, 2), (2, 2), padding="same"),
    conv("k7_s2", (1, 9, 8, 1), (7, 7, 1, 2), (2, 2), padding="same"),
    conv("k1_s3_gap", (1, 7, 7, 2), (1, 1, 2, 2), (3, 3), padding="same"),
])
golden.write(golden.OPS, "conv2d_valid.json", [
    conv("k3_s1", (2, 5, 6, 3), (3, 3, 3, 4), bias=True),
    conv("k5_s1", (1, 6, 5, 2), (5, 5, 2, 2)),
    conv("k3x1_s1", (1, 5, 3, 2), (3, 1, 2, 3)),
    conv("k3_d2", (1, 7, 6, 2), (3, 3, 2, 2), dilations=(2, 2)),
    conv("k3_whole_image", (2, 3, 3, 5), (3, 3, 5, 3)),
    conv("k1_dense_like", (1, 1, 1, 7), (1, 1, 7, 5), bias=True),
    conv("k3_17_channels", (1, 4, 3, 17), (3, 3, 17, 2)),
])
golden.write(golden.OPS, "conv2d_valid_strided.json", [
    conv("k3_s2_even", (1, 6, 8, 2), (3, 3, 2, 3), (2, 2)),
    conv("k3_s2_odd", (1, 7, 5, 2), (3, 3, 2, 3), (2, 2)),
    conv("k1_s2", (2, 5, 4, 3), (1, 1, 3, 2), (2, 2)),
    conv("k2_s2x1", (1, 5, 4, 2), (2, 2, 2, 3), (2, 1), bias=True),
    conv("k7_s2", (1, 9, 10, 1), (7, 7, 1, 2), (2, 2)),
    conv("k3_d2x1_s2", (1, 9, 6, 2), (3, 3, 2, 2), (2, 2), (2, 1)),
])
golden.write(golden.OPS, "conv2d_explicit.json", [
    conv("k3_s2_bottom_right", (1, 6, 6, 2), (3, 3, 2, 3), (2, 2), padding=(0, 1, 0, 1)),
    conv("k3_s1_all_different", (2, 4, 5, 2), (3, 3, 2, 3), padding=(2, 0, 1, 3), bias=True),
    conv("k7_s2_conv1_pad", (1, 8, 8, 3), (7, 7, 3, 2), (2, 2), padding=(3, 3, 3, 3)),
    conv("k5_s2x1_wide", (1, 5, 6, 1), (5, 5, 1, 2), (2, 1), padding=(4, 3, 0, 2)),
    conv("k2_s1_top_left", (1, 4, 5, 2), (2, 2, 2, 2), padding=(1, 0, 1, 0)),
    conv("k3_d2_s2", (1, 7, 6, 2), (3, 3, 2, 2), (2, 2), (2, 2), padding=(1, 2, 2, 1)),
    conv("k1_padded", (1, 3, 3, 2), (1, 1, 2, 2), padding=(1, 1, 0, 2), bias=True),
])
golden.write(golden.OPS, "conv2d_groups.json", [
    conv("g2_k3_same", (2, 5, 4, 4), (3, 3, 2, 6), groups=2, padding="same", bias=True),
    conv("g2_k3_s2_same_even", (1, 6, 6, 4), (3, 3, 2, 4), (2, 2), groups=2, padding="same"),
    conv("g3_k1_valid", (1, 3, 4, 6), (1, 1, 2, 3), groups=3),
    conv("g2_d2_explicit", (1, 6, 5, 4), (3, 3, 2, 2), (1, 1), (2, 2), 2, (2, 1, 3, 0)),
    conv("depthwise_k3", (2, 5, 5, 5), (3, 3, 1, 5), groups=5, padding="same"),
    conv("depthwise_x2_k3_s2", (1, 6, 7, 3), (3, 3, 1, 6), (2, 2), groups=3, padding="same", bias=True),
])
golden.write(golden.OPS, "conv2d_nchw.json", [
    conv("k3_same", (2, 5, 4, 3), (3, 3, 3, 4), padding="same", bias=True, layout="NCHW"),
    conv("k3_s2_same_even", (1, 6, 6, 2), (3, 3, 2, 3), (2, 2), padding="same", layout="NCHW"),
    conv("k5_s2x1_valid", (1, 7, 6, 2), (5, 5, 2, 2), (2, 1), layout="NCHW"),
    conv("k3_explicit", (1, 4, 5, 2), (3, 3, 2, 3), padding=(2, 0, 1, 3), layout="NCHW"),
    conv("g2_k3_same", (2, 4, 5, 4), (3, 3, 2, 4), groups=2, padding="same", bias=True, layout="NCHW"),
    conv("k1_s2", (1, 6, 5, 3), (1, 1, 3, 2), (2, 2), layout="NCHW"),
])
