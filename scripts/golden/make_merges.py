"""nn/testdata/golden/merges.json: Keras 3's layers of several inputs.

Ran under Keras 3.15 with TensorFlow 2.21 on a CPU:

    ref/bin/python scripts/golden/make_merges.py
"""
from keras_layer import golden, layer, normal, np

from keras import layers as L

IMAGE, LINE, POINT, VECTOR = (2, 2, 3, 4), (2, 1, 3, 1), (2, 1, 1, 4), (2, 4)
TIES = np.array([[1, 2, 3, -1], [0, 0, -5, 5.0]]), np.array([[1, 1, 3, 0], [0, 1, -5, 6.0]]), np.array([[1, 2, 4, 0], [0, 1, -5, 5.0]])

golden.write(golden.NN, "merges.json", [
    case for name, make in (("add", L.Add), ("multiply", L.Multiply), ("average", L.Average), ("maximum", L.Maximum), ("minimum", L.Minimum))
    for case in (layer(name, make, VECTOR, VECTOR, VECTOR), layer(name + " stretched", make, LINE, IMAGE, POINT, VECTOR))] + [
    layer("subtract", L.Subtract, (1, 5), (1, 5)),
    layer("subtract stretched", L.Subtract, VECTOR, IMAGE),
    layer("maximum ties", L.Maximum, *TIES),
    layer("minimum ties", L.Minimum, *TIES),
    layer("concatenate", L.Concatenate, (2, 3), (2, 1), (2, 4)),
    layer("concatenate images", L.Concatenate, (1, 3, 2, 2), (1, 3, 2, 5)),
    layer("concatenate first", L.Concatenate, (2, 2, 3, 2), (2, 1, 3, 2), first=True, axis=1),
    layer("concatenate axis 2", L.Concatenate, (2, 3, 2, 2), (2, 3, 1, 2), (2, 3, 2, 2), axis=2),
    layer("concatenate axis -2", L.Concatenate, (2, 3, 2), (2, 1, 2), axis=-2),
    layer("dot", L.Dot, (3, 4), (3, 4), axes=1),
    layer("dot normalized", L.Dot, (3, 4), (3, 4), axes=1, normalize=True),
    layer("dot matrices", L.Dot, (2, 3, 4), (2, 4, 5), axes=(2, 1)),
    layer("dot matrix and vector", L.Dot, (2, 3, 4), (2, 3), axes=1),
    layer("dot last", L.Dot, (2, 3, 4), (2, 5, 4), axes=-1, normalize=True),
])
