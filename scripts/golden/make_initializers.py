"""nn/testdata/golden/initializers.json: what Keras's initializers draw from, for kernels of several shapes.

Per case: fan_in, fan_out, and for each initializer the bound of its values ("..._limit") and their standard deviation
("..._stddev"), from the definition. A truncated normal is cut at two scales; its scale is the standard deviation over
0.87962566103423978, the standard deviation of a unit normal cut at +-2. The script draws from Keras and stops when a
sample breaks a limit or misses the standard deviation.
"""
from both import np, tf

import math

import golden
from keras.initializers.initializers import _compute_fans

CUT = 0.87962566103423978
K = tf.keras.initializers




def check(name, make, shape, limit, stddev):

    draws = np.concatenate([np.asarray(make()(shape)).ravel() for _ in range(max(1, min(300, 20000 // int(np.prod(shape)))))])
    if np.abs(draws).max() > limit * (1 + 1e-6) or abs(draws.std() / stddev - 1) > 4 / math.sqrt(len(draws)):
        raise SystemExit("%s %s: limit %g against %g, stddev %g against %g" % (
            name, shape, np.abs(draws).max(), limit, draws.std(), stddev))


def case(name, shape):
    fan_in, fan_out = _compute_fans(shape)
    mean = (fan_in + fan_out) / 2
    attrs = dict(shape=list(shape), fan_in=int(fan_in), fan_out=int(fan_out), truncated_normal_scale=CUT, reference="keras")
    for key, make, variance, kind in (
            ("glorot_uniform", K.GlorotUniform, 1 / mean, "uniform"), ("he_uniform", K.HeUniform, 2 / fan_in, "uniform"),
            ("glorot_normal", K.GlorotNormal, 1 / mean, "normal"), ("he_normal", K.HeNormal, 2 / fan_in, "normal")):
        stddev = math.sqrt(variance)
        limit = math.sqrt(3 * variance) if kind == "uniform" else 2 * stddev / CUT
        check(key, make, shape, limit, stddev)
        attrs[key + "_limit"], attrs[key + "_stddev"] = limit, stddev
    return golden.case(name, attrs, {})


golden.write(golden.NN, "initializers.json", [
    case("conv_3x3", (3, 3, 16, 32)), case("conv_7x7_rgb", (7, 7, 3, 64)), case("conv_1x1", (1, 1, 64, 256)),
    case("conv_3x1", (3, 1, 5, 7)), case("conv_grouped", (3, 3, 2, 6)), case("conv_depthwise", (3, 3, 1, 8)),
    case("dense", (512, 100)), case("dense_odd", (7, 3)), case("vector", (11,))])
