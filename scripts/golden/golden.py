"""Writing golden files: compact JSON, floats in the shortest form that reads back to the same bits."""
import json
import os

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OPS = os.path.join(ROOT, "graph", "op", "testdata", "golden")
NN = os.path.join(ROOT, "nn", "testdata", "golden")
TRAIN = os.path.join(ROOT, "train", "testdata", "golden")
LIMIT = 50 * 1000


def number(v):
    """One number as JSON text. NaN and infinities, which JSON lacks, become strings."""
    if isinstance(v, (bool, np.bool_)):
        return "1" if v else "0"
    if isinstance(v, (int, np.integer)):
        return str(int(v))
    if np.isnan(v):
        return '"NaN"'
    if np.isinf(v):
        return '"Inf"' if v > 0 else '"-Inf"'
    text = str(v) if isinstance(v, np.floating) else repr(float(v))
    return text[:-2] if text.endswith(".0") else text


def tensor(a, dtype=None):
    """{"dtype", "shape", "data"} of an array; float64 arrays are rounded to float32 unless dtype says otherwise."""
    a = np.asarray(a)
    if dtype is None:
        dtype = "float32" if a.dtype.kind == "f" else "int"
    if dtype == "float32":
        a = a.astype(np.float32)
    if dtype == "float64":
        a = a.astype(np.float64)
    shape = json.dumps(list(a.shape), separators=(",", ":"))
    data = ",".join(number(v) for v in a.ravel())
    return '{"dtype":"%s","shape":%s,"data":[%s]}' % (dtype, shape, data)


def case(name, attrs, tensors):
    """One case as JSON text; tensors are arrays, or (array, dtype)."""
    ts = ",\n   ".join(
        '"%s":%s' % (k, tensor(*v) if isinstance(v, tuple) else tensor(v)) for k, v in tensors.items())
    return ' {"name":"%s",\n  "attrs":%s,\n  "tensors":{\n   %s}}' % (
        name, json.dumps(attrs, separators=(",", ":")), ts)


def write(folder, name, cases):
    """Writes a file of cases and refuses one above the size the repository allows."""
    text = '{"cases":[\n%s\n]}\n' % ",\n".join(cases)
    store(folder, name, text)


def store(folder, name, text):
    json.loads(text) if name.endswith(".json") else None
    if len(text) > LIMIT:
        raise SystemExit("%s has %d bytes, more than %d: use smaller shapes or split it" % (name, len(text), LIMIT))
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "w", newline="\n") as f:
        f.write(text)
    print("%-34s %6d bytes" % (name, len(text)))
