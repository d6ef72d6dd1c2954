"""nn/testdata/golden/attention.json: Keras 3's layers of attention.

Keras rounds 1/sqrt(key_dim) to float32, even in float64; it is exact where key_dim is a power of 4. A bias of the keys changes no score against the
others, so its gradient is 0; what Keras computes is what rounding leaves of it, and is not kept.

Ran under Keras 3.15 with TensorFlow 2.21 on a CPU:

    ref/bin/python scripts/golden/make_attention.py
"""
import keras_layer
from keras_layer import golden, layer

from keras import layers as L


class MultiHeadAttention(L.MultiHeadAttention):
    """Takes its inputs as a list, as the other layers do."""

    def __init__(self, causal=False, **args):
        super().__init__(flash_attention=False, **args)
        self.causal = causal

    def build(self, shapes):
        super().build(*shapes)

    def compute_output_spec(self, inputs):
        return super().compute_output_spec(*inputs)

    def call(self, inputs):
        return super().call(*inputs, use_causal_mask=self.causal)


def causal(base):
    class It(base):
        def call(self, inputs):
            return super().call(inputs, use_causal_mask=True)

    It.__name__ = base.__name__
    return It


Q, V, K = (2, 3, 4), (2, 5, 6), (2, 5, 4)
KEY_BIAS = ["dkey/bias"]
golden.write(golden.NN, "attention.json", [
    layer("attention", L.Attention, Q, K),
    layer("attention with keys", L.Attention, Q, V, K),
    layer("attention of one", L.Attention, (1, 1, 3), (1, 1, 3)),
    layer("attention causal", causal(L.Attention), (2, 4, 3), (2, 4, 3)),
    layer("additive", L.AdditiveAttention, Q, K),
    layer("additive with keys", L.AdditiveAttention, Q, V, K, use_scale=False),
    layer("additive causal", causal(L.AdditiveAttention), (1, 3, 2), (1, 5, 2)),
    layer("heads", MultiHeadAttention, Q, V, num_heads=2, key_dim=4, without=KEY_BIAS),
    layer("heads with keys", MultiHeadAttention, Q, V, (2, 5, 3), num_heads=3, key_dim=4, value_dim=2, output_shape=5, use_bias=False),
    layer("heads causal", MultiHeadAttention, (2, 4, 3), (2, 4, 3), num_heads=2, key_dim=4, causal=True, without=KEY_BIAS),
    layer("one head", MultiHeadAttention, (1, 1, 2), (1, 3, 2), num_heads=1, key_dim=1, without=KEY_BIAS),
])
