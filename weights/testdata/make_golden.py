"""Writes golden.safetensors with the reference implementation of the format.

    python make_golden.py                   # writes golden.safetensors beside this file
    python make_golden.py --check OURS      # reads a file that Go wrote and compares

Needs `pip install numpy safetensors`. The golden file was written by safetensors
0.8.0 with numpy 2.4.6. The way back was checked with the same versions:
`STHENO_SAFETENSORS_OUT=ours.safetensors go test -run TestGoldenRoundTrip ./weights`
leaves what our writer makes of the golden file's content in another order, and
`--check ours.safetensors` read it and found every tensor and the metadata equal.
"""

import os
import sys

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

HERE = os.path.dirname(os.path.abspath(__file__))

METADATA = {"note": 'quotes " \\ tab\t newline\n <html> & é 例'}


def tensors():
    """Every numeric dtype, odd sizes, a scalar, an empty tensor, NaN and -0."""
    out = {
        "f32": np.array([[1.5, -0.0, np.inf], [np.nan, 1e-45, 3.4028235e38]], dtype=np.float32),
        "f64": np.array([0.1, -1e300, 5e-324], dtype=np.float64),
        "f16": np.array([1.0, -2.5, 65504.0, 6e-8, np.inf, -0.0, 6.1e-5], dtype=np.float16),
        "i64": np.array([[-(2**63)], [2**63 - 1]], dtype=np.int64),
        "i32": np.array([-(2**31), 7, 2**31 - 1], dtype=np.int32),
        "i16": np.array([-32768, 32767], dtype=np.int16),
        "i8": np.array([[[-128, 0, 127]]], dtype=np.int8),
        "u64": np.array([2**64 - 1], dtype=np.uint64),
        "u32": np.array([2**32 - 1], dtype=np.uint32),
        "u16": np.array([65535, 1], dtype=np.uint16),
        "u8": np.arange(5, dtype=np.uint8),
        "bool": np.array([True, False, True]),
        "scalar": np.array(42.0, dtype=np.float32),
        "empty": np.zeros((0, 3), dtype=np.float32),
        "model/block1_conv1/kernel": np.arange(3 * 3 * 3 * 2, dtype=np.float32).reshape(3, 3, 3, 2),
    }
    return out


def check(path):
    got, want = load_file(path), tensors()
    assert got.keys() == want.keys(), sorted(got.keys() ^ want.keys())
    for name, w in want.items():
        g = got[name]
        assert g.dtype == w.dtype and g.shape == w.shape, name
        assert g.tobytes() == w.tobytes(), name
    with safe_open(path, framework="numpy") as f:
        assert f.metadata() == METADATA, f.metadata()
    print(f"{path}: {len(got)} tensors and the metadata are equal")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        check(sys.argv[2])
    else:
        save_file(tensors(), os.path.join(HERE, "golden.safetensors"), METADATA)
