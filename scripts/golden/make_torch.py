"""weights/torch/testdata/golden: files of torch.save and what they hold (PyTorch 2); pickles for weights/internal/pickle."""
import collections
import json
import os
import pickle

import numpy as np
import torch

import golden

FOLDER = os.path.join(golden.ROOT, "weights", "torch", "testdata", "golden")
PICKLES = os.path.join(golden.ROOT, "weights", "internal", "pickle", "testdata", "golden")
NAMES = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32",
         torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL", torch.uint16: "U16", torch.uint32: "U32",
         torch.uint64: "U64", torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2"}


def describe(name, t):
    """A tensor as Go sees it; halves and smaller floats as their bits."""
    t = t.detach()
    bits = {torch.float16: torch.int16, torch.bfloat16: torch.int16, torch.float8_e4m3fn: torch.uint8, torch.float8_e5m2: torch.uint8}.get(t.dtype)
    if bits is not None:
        t8 = t.contiguous()
        a = t8.view(bits).numpy()
        a = a.view(np.uint16) if bits == torch.int16 else a
    else:
        a = t.numpy()
    return {"name": name, "dtype": NAMES[t.dtype], "shape": list(t.shape), "data": [float(v) for v in a.ravel()]}


def numbers(*shape):
    """Different numbers, exact in all types that have a sign."""
    n = int(np.prod(shape))
    return ((torch.arange(n) * 7) % 61 - 30).to(torch.float32).reshape(shape)


def state(small=True):
    """Tensors of many kinds, by name."""
    base = numbers(4, 5, 6)
    s = collections.OrderedDict()
    s["module.conv1.weight"] = numbers(3, 2, 3, 3)
    s["module.conv1.bias"] = torch.nn.Parameter(numbers(3))
    s["module.bn1.num_batches_tracked"] = torch.tensor(17)
    s["channels_last"] = numbers(2, 3, 4, 5).to(memory_format=torch.channels_last)
    s["transposed"] = base.transpose(0, 2)
    s["slice"] = base[1:3, ::2, 1:]
    s["shared"] = base
    s["tail"] = base.reshape(-1)[100:]
    s["every third"] = base.reshape(-1)[2::3]
    s["scalar"] = torch.tensor(2.5)
    s["empty"] = torch.zeros(0, 3)
    for dtype in (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8):
        s["of." + NAMES[dtype]] = numbers(3, 5).to(dtype)
    s["of.U8"] = numbers(3, 5).abs().to(torch.uint8)
    s["of.BOOL"] = numbers(3, 5) > 0
    s["odd floats"] = torch.tensor([0.1, 1e-45, 3e38, -0.0])
    return s


def late(s):
    """Types that came later, without classes of storages."""
    for dtype in (torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2):
        s["of." + NAMES[dtype]] = numbers(3, 5).abs().to(dtype)
    return s


def checkpoint(s):
    return {"epoch": 3, "best_acc": np.float64(91.5), "arch": "net", "state_dict": s,
            "optimizer": {"state": {0: {"momentum_buffer": numbers(2, 2)}}, "param_groups": [{"lr": 0.1, "params": [0], "betas": (0.9, 0.99)}]},
            "lists": [numbers(2), (numbers(1), None)], "counts": collections.defaultdict(int, a=1)}


def flat(prefix, v, out):
    if isinstance(v, torch.Tensor):
        out.append(describe(prefix, v))
    elif isinstance(v, dict):
        for k, w in v.items():
            flat(prefix + "." * bool(prefix) + str(k), w, out)
    elif isinstance(v, (list, tuple)):
        for k, w in enumerate(v):
            flat(prefix + "." * bool(prefix) + str(k), w, out)
    return out


def save(name, v, **options):
    path = os.path.join(FOLDER, name)
    torch.save(v, path, **options)
    size = os.path.getsize(path)
    if size > golden.LIMIT:
        raise SystemExit("%s has %d bytes" % (name, size))
    return flat("", v, []) if not isinstance(v, torch.Tensor) else [describe("tensor", v)]


class Attack:
    def __reduce__(self):
        return os.system, ("true",)


def values():
    """What pickle.go's test expects, in all protocols."""
    shared = [1, 2]
    return {"none": None, "yes": True, "no": False, "ints": [0, 1, 255, 256, 65535, 65536, -1, -129, 2**31 - 1, -2**31, 2**40, -2**63],
            "big": 2**70, "negative": -2**70, "floats": [0.5, -1e300], "text": "caf\u00e9 \u20ac \U0001f600", "quote": "it's \"x\"\\n\n",
            "bytes": b"\x00\xffabc", "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)], "shared": [shared, shared],
            "ordered": collections.OrderedDict([("b", 1), ("a", 2)]), "set": {7}, "long": "x" * 300, "empty": [{}, [], ""]}


def main():
    os.makedirs(FOLDER, exist_ok=True)
    os.makedirs(PICKLES, exist_ok=True)
    torch.manual_seed(1)
    expected = {}
    expected["zip.pt"] = save("zip.pt", checkpoint(late(state())))
    expected["legacy.pt"] = save("legacy.pt", checkpoint(state()), _use_new_zipfile_serialization=False)
    expected["protocol5.pt"] = save("protocol5.pt", {"a": numbers(2, 3), "b": numbers(3).double()}, pickle_protocol=5)
    expected["legacy4.pt"] = save("legacy4.pt", {"a": numbers(2, 3), "b": numbers(3).double()}, pickle_protocol=4, _use_new_zipfile_serialization=False)
    expected["tensor.pt"] = save("tensor.pt", numbers(2, 3))
    expected["list.pt"] = save("list.pt", [numbers(2), numbers(3)])
    golden.store(FOLDER, "expected.json", json.dumps(expected, separators=(",", ":")).replace('{"name"', '\n{"name"'))
    save("module.pt", torch.nn.Linear(2, 3))
    save("legacy_module.pt", torch.nn.Linear(2, 3), _use_new_zipfile_serialization=False)
    torch.save(Attack(), os.path.join(FOLDER, "attack.pt"))
    torch.save({"a": torch.zeros(3, dtype=torch.complex64)}, os.path.join(FOLDER, "complex.pt"))
    torch.save({"a": torch.eye(3).to_sparse()}, os.path.join(FOLDER, "sparse.pt"))
    torch.save({"a": torch.zeros(1).expand(100)}, os.path.join(FOLDER, "expanded.pt"))
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 3)), os.path.join(FOLDER, "script.pt"))
    for protocol in range(6):
        with open(os.path.join(PICKLES, "values%d.pkl" % protocol), "wb") as f:
            pickle.dump(values(), f, protocol)
        with open(os.path.join(PICKLES, "attack%d.pkl" % protocol), "wb") as f:
            pickle.dump({"a": Attack()}, f, protocol)
    arrays = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "f": np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)),
              "big": np.arange(3, dtype=">i4"), "number": np.float32(1.5)}
    for protocol in (2, 4, 5):
        with open(os.path.join(FOLDER, "arrays%d.pkl" % protocol), "wb") as f:
            pickle.dump(arrays, f, protocol)
    with open(os.path.join(FOLDER, "tensors.pkl"), "wb") as f:
        pickle.dump({"a": numbers(2)}, f)


if __name__ == "__main__":
    main()
