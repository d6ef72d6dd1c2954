"""Writes the HDF5 files that the tests of weights/internal/hdf5 read, one for each way in which the library stores things.

    python scripts/golden/make_hdf5.py

Element i of every dataset of numbers is (7·i mod 101) − 50, or without the −50 where the type has no sign; the Go tests
know this and the names, types and shapes. The new form has times in it, so bytes differ from run to run. Written with h5py 3.14 over HDF5 1.14.6.
"""

import os

import h5py
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "..", "weights", "internal", "hdf5", "testdata")


def values(dtype, *shape):
    n = int(np.prod(shape, dtype=int))
    v = np.arange(n) * 7 % 101
    if np.dtype(dtype).kind != "u":
        v = v - 50
    return v.astype(dtype).reshape(shape)


TYPES = ["<f2", "<f4", "<f8", ">f4", ">f8", "<i1", "<i2", "<i4", "<i8", ">i4", "<u1", "<u2", "<u4", "<u8"]


def typed(f):
    types = f.create_group("types")
    for t in TYPES:
        types[t] = values(t, 3, 5)
    types["bool"] = np.array([True, False, True])
    types["enum"] = values("<i2", 4).astype(h5py.enum_dtype({"RED": 1, "BLUE": 2}, basetype="<i2"))
    types["opaque"] = np.array([b"\x80\x3f", b"\x00\x40"], dtype="V2")
    bf16 = h5py.h5t.IEEE_F32LE.copy()
    bf16.set_fields(15, 7, 8, 0, 7)
    bf16.set_precision(16)
    bf16.set_size(2)
    bf16.set_ebias(127)
    space = h5py.h5s.create_simple((2,))
    d = h5py.h5d.create(types.id, b"bfloat16", bf16, space)
    d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([1.0, 2.0], "<f4"))
    types["fixed"] = np.array([b"one", b"", b"three"], dtype="S5")
    types["variable"] = np.array(["one", "", "drei \u00fc"], dtype=h5py.string_dtype())
    types["scalar"] = np.float32(-50)
    types["empty"] = np.zeros((0, 3), "<f4")
    types["null"] = h5py.Empty("<f4")


def stored(f):
    stores = f.create_group("stores")
    compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    compact.set_layout(h5py.h5d.COMPACT)
    d = h5py.h5d.create(stores.id, b"compact", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((2, 3)), compact)
    d.write(h5py.h5s.ALL, h5py.h5s.ALL, values("<f4", 2, 3))
    stores.create_dataset("chunked", data=values("<f4", 5, 7, 3), chunks=(2, 3, 2))
    stores.create_dataset("single", data=values("<f4", 5, 7), chunks=(5, 7))
    stores.create_dataset("single_gzip", data=values("<f4", 5, 7), chunks=(5, 7), compression="gzip")
    stores.create_dataset("gzip", data=values("<f4", 11, 13), chunks=(4, 8), compression="gzip")
    stores.create_dataset("shuffle", data=values("<f8", 11, 13), chunks=(4, 8), shuffle=True)
    stores.create_dataset("fletcher", data=values("<i2", 11, 13), chunks=(4, 5), fletcher32=True)
    stores.create_dataset("all", data=values("<i4", 11, 13), chunks=(4, 5), compression="gzip", compression_opts=9,
                          shuffle=True, fletcher32=True)
    stores.create_dataset("unwritten", (3, 4), "<f4", fillvalue=2.5)
    stores.create_dataset("unwritten_chunks", (30, 4), "<f4", chunks=(3, 4), fillvalue=2.5)
    d = stores.create_dataset("part", (6, 4), "<f4", chunks=(3, 4), fillvalue=-1)
    d[3:] = values("<f4", 3, 4)
    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    early.set_chunk((2, 3))
    early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    d = h5py.h5d.create(stores.id, b"implicit", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((5, 7)), early)
    d.write(h5py.h5s.ALL, h5py.h5s.ALL, values("<f4", 5, 7))
    stores.create_dataset("many", data=values("<i1", 1300), chunks=(1,) if f.libver[0] != "earliest" else (13,))
    d = stores.create_dataset("pages", (2100,), "<i1", chunks=(1,))
    if f.libver[0] != "earliest":
        d[2048:2050] = values("<i1", 2)


def attributes(o):
    o.attrs["text"] = "v\u00e4rs"
    o.attrs["bytes"] = np.bytes_(b"fixed")
    o.attrs["names"] = [b"one", b"two", b"three"]
    o.attrs["variable"] = np.array(["one", "two", ""], dtype=object)
    o.attrs["none"] = np.array([])
    o.attrs["number"] = np.int64(7)
    o.attrs["matrix"] = values("<f4", 2, 3)
    o.attrs["null"] = h5py.Empty("<f4")


def odd(f):
    """What is not read."""
    refused = f.create_group("refused")
    refused["compound"] = np.zeros(2, [("a", "<f4"), ("b", "<i4")])
    refused.create_dataset("lists", (2,), h5py.vlen_dtype("<i4"))
    refused.create_dataset("lzf", data=values("<f4", 64), chunks=(64,), compression="lzf")
    refused.create_dataset("grows", data=values("<f4", 4), chunks=(2,), maxshape=(None,))
    refused["committed"] = np.dtype("<f4")
    refused.create_dataset("of_committed", (2,), refused["committed"])
    refused.create_dataset("external", (4,), "<f4", external=[("elsewhere", 0, 16)])
    refused.create_dataset("huge", (1 << 40,), "<f4", chunks=(1 << 20,))
    links = f.create_group("links")
    f["x"] = values("<f4", 4)
    links["soft"] = h5py.SoftLink("/types")
    links["elsewhere"] = h5py.ExternalLink("other.h5", "/x")
    links["hard"] = f["x"]
    links["up"] = f


def groups(f, latest=False):
    """Groups of many members, objects of many attributes: continued headers, B-trees of two levels, heaps of one block."""
    f["x"] = np.float32(1)
    for n in [0, 8, 9] + [60] * latest:
        g = f.create_group(f"g{n}")
        for i in range(n):
            g[f"member{i}"] = f["x"]
    for i in range(120):
        f["g9"].attrs[f"a{i}"] = np.float32(i)
    g = f.create_group("many")
    for i in range(300):
        g[f"{i:03}"] = f["x"]


def long(f):
    """Heaps of several blocks: long names."""
    f["x"] = np.float32(1)
    g = f.create_group("g")
    for i in range(130):
        g[f"member{i}_" + "n" * 200] = f["x"]


def tiny(f):
    """Files small enough to be mutated well: of everything one."""
    f.attrs["a"] = [b"x"]
    f.create_dataset("d", data=values("<f4", 3), chunks=(2,), compression="gzip", fletcher32=True)


def texts(f):
    f.attrs["v"] = "x"


def dense(f):
    for i in range(9):
        f[f"{i}"] = h5py.SoftLink("/")
        f.attrs[f"{i}"] = np.int8(i)


def write(name, libver, *parts, **options):
    path = os.path.join(OUT, name)
    with h5py.File(path, "w", libver=libver, **options) as f:
        for part in parts:
            part(f)
    print(name, os.path.getsize(path))


os.makedirs(OUT, exist_ok=True)
write("types_old.h5", "earliest", attributes, typed)
write("types_new.h5", "latest", attributes, typed)
write("types_block.h5", ("earliest", "v108"), attributes, typed, userblock_size=512)
write("types_ordered.h5", "earliest", attributes, typed, track_order=True)
write("stores_old.h5", "earliest", stored)
write("stores_new.h5", "latest", stored)
write("odd_old.h5", "earliest", odd)
write("odd_new.h5", "latest", odd)
write("groups_old.h5", "earliest", groups)
write("groups_new.h5", "latest", lambda f: groups(f, True))
write("groups_ordered.h5", "earliest", groups, track_order=True)
write("long_new.h5", "latest", long)
write("tiny_old.h5", "earliest", tiny)
write("tiny_new.h5", "latest", tiny)
write("tiny_heap.h5", "latest", texts)
write("tiny_dense.h5", "latest", dense)
