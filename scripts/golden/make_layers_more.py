"""nn/testdata/golden/layers_more.json and embedding.json: Keras 3's dense layers on more axes, reshapes and embeddings.

Ran under Keras 3.15 with TensorFlow 2.21 on a CPU:

    ref/bin/python scripts/golden/make_layers_more.py
"""
from keras_layer import golden, layer, np

from keras import layers as L

golden.write(golden.NN, "layers_more.json", [
    layer("dense", L.Dense, (3, 5), units=4, activation="tanh"),
    layer("dense sequences", L.Dense, (2, 3, 5), units=4, activation="relu"),
    layer("dense images", L.Dense, (2, 2, 3, 4), units=3, activation="softmax"),
    layer("dense one step", L.Dense, (1, 1, 4), units=2, use_bias=False),
    layer("reshape", L.Reshape, (2, 6, 2), target_shape=(3, -1, 2)),
    layer("reshape vector", L.Reshape, (2, 3, 2), target_shape=(-1,)),
    layer("permute", L.Permute, (2, 3, 2, 4), dims=(2, 3, 1)),
    layer("identity", L.Identity, (2, 3)),
])
golden.write(golden.NN, "embedding.json", [
    layer("sequences", L.Embedding, np.array([[0, 6, 3, 3], [1, 3, 0, 5]]), input_dim=7, output_dim=3),
    layer("one", L.Embedding, np.array([[2]]), input_dim=4, output_dim=5),
    layer("images", L.Embedding, np.array([[[0, 1], [1, 1]], [[2, 0], [1, 2]]]), input_dim=3, output_dim=2),
])
