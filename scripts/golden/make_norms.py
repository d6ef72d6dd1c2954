"""nn/testdata/golden/norms.json: Keras 3's normalizations by sample, and those by fixed numbers.

Ran under Keras 3.15 with TensorFlow 2.21 on a CPU:

    ref/bin/python scripts/golden/make_norms.py
"""
from keras_layer import golden, layer

from keras import layers as L

golden.write(golden.NN, "norms.json", [
    layer("layer", L.LayerNormalization, (3, 5)),
    layer("layer images", L.LayerNormalization, (1, 2, 3, 4), epsilon=1e-5),
    layer("layer axes", L.LayerNormalization, (2, 2, 2, 3), axis=[1, 2, 3]),
    layer("layer axis 1", L.LayerNormalization, (2, 3, 4), axis=1, center=False),
    layer("layer plain", L.LayerNormalization, (2, 3, 2), axis=[-2, -1], center=False, scale=False),
    layer("rms", L.RMSNormalization, (3, 5)),
    layer("rms axes", L.RMSNormalization, (2, 3, 2, 2), axis=[-2, -1], epsilon=0.01),
    layer("unit", L.UnitNormalization, (3, 5)),
    layer("unit axes", L.UnitNormalization, (2, 2, 3, 2), axis=[1, 2]),
    layer("group", L.GroupNormalization, (1, 1, 2, 32)),
    layer("group 2", L.GroupNormalization, (2, 3, 2, 6), groups=2, epsilon=1e-5),
    layer("group instances", L.GroupNormalization, (2, 3, 2, 3), groups=-1),
    layer("group one", L.GroupNormalization, (1, 2, 4), groups=1, center=False),
    layer("group vectors", L.GroupNormalization, (2, 6), groups=3, scale=False),
    layer("group first", L.GroupNormalization, (2, 6, 2, 3), first=True, groups=2, axis=1),
    layer("group axis 2", L.GroupNormalization, (2, 3, 4, 2), groups=2, axis=2),
    layer("normalization", L.Normalization, (2, 2, 2, 3), mean=[0.5, -0.25, 0.125], variance=[4, 0.25, 0]),
    layer("normalization one", L.Normalization, (2, 3), axis=None, mean=0.5, variance=4),
    layer("normalization axis 1", L.Normalization, (2, 3, 2), axis=1, mean=[0.5, -0.25, 0.125], variance=[4, 0.25, 1]),
    layer("normalization invert", L.Normalization, (2, 3), mean=[0.5, -0.25, 0.125], variance=[4, 0.25, 1], invert=True),
    layer("rescaling", L.Rescaling, (2, 2, 2, 3), scale=0.0078125, offset=-1),
    layer("rescaling lists", L.Rescaling, (2, 2, 3), scale=[0.5, 2, -4], offset=[1, 0, 0.25]),
    layer("rescaling scale", L.Rescaling, (3, 2), scale=0.125),
])
