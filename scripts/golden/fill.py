"""The counter-based generator that gives the golden nets their weights, images and labels.

It is defined in integers, so that Python and Go (internal/numtest/fill.go) agree to the bit:

    key  = seed XOR fnv1a64(name)                      fnv1a64 over the UTF-8 bytes of the name
    z(i) = mix64(key + (i+1)*0x9E3779B97F4A7C15)       mod 2**64, i = 0, 1, ... in row-major order
    mix64(z): z = (z ^ z>>30) * 0xBF58476D1CE4E5B9; z = (z ^ z>>27) * 0x94D049BB133111EB; z ^ z>>31

that is, SplitMix64 (Steele, Lea, Flood 2014) with its state set by the name. From z(i):

    uniform(limit)  float32( (((z>>40) + 0.5) * 2**-23 - 1) * limit )  strictly between -limit and limit
    unit            float32( (z>>40) * 2**-24 )                       in [0, 1), exact
    label(classes)  ((z>>32) * classes) >> 32                         in 0 ... classes-1

In uniform, the factor of limit is exact in float64; the product is rounded to float64, then to float32.
"""
import numpy as np

MASK = (1 << 64) - 1


def fnv1a64(name):
    """64-bit FNV-1a digest of the name's UTF-8 bytes."""
    h = 0xCBF29CE484222325
    for b in name.encode("utf-8"):
        h = ((h ^ b) * 0x100000001B3) & MASK
    return h


def words(name, seed, n):
    """z(0) ... z(n-1) as uint64."""
    key = (seed ^ fnv1a64(name)) & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(key) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def uniform(name, seed, limit, shape):
    """float32 values strictly between -limit and limit."""
    n = int(np.prod(shape))
    u = ((words(name, seed, n) >> np.uint64(40)).astype(np.float64) + 0.5) * 2.0**-23 - 1.0
    return (u * np.float64(limit)).astype(np.float32).reshape(shape)


def unit(name, seed, shape):
    """float32 values in [0, 1), multiples of 2**-24."""
    n = int(np.prod(shape))
    return ((words(name, seed, n) >> np.uint64(40)).astype(np.float64) * 2.0**-24).astype(np.float32).reshape(shape)


def labels(name, seed, classes, n):
    """int64 class numbers."""
    return (((words(name, seed, n) >> np.uint64(32)) * np.uint64(classes)) >> np.uint64(32)).astype(np.int64)
