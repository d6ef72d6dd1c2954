"""nn/testdata/golden/applications.json: the layers of keras.applications' own, but those that draw random numbers.

Ran under Keras 3.15 with TensorFlow 2.21 on a CPU:

    ref/bin/python scripts/golden/make_applications.py
"""
from keras_layer import golden, keras, layer

from keras.src.applications import convnext, inception_resnet_v2


class LayerScale(convnext.LayerScale):
    """With a name for its weight, which Keras numbers."""

    def build(self, _):
        self.gamma = self.add_weight(name="gamma", shape=(self.projection_dim,), initializer=keras.initializers.Constant(self.init_values))


golden.write(golden.NN, "applications.json", [
    layer("layer scale", LayerScale, (2, 3, 2, 4), init_values=0.1, projection_dim=4),
    layer("layer scale vectors", LayerScale, (3, 5), init_values=0.1, projection_dim=5),
    layer("custom scale", inception_resnet_v2.CustomScaleLayer, (2, 3, 2, 4), (2, 3, 2, 4), scale=0.17),
    layer("custom scale one", inception_resnet_v2.CustomScaleLayer, (1, 3), (1, 3), scale=1.0),
])
