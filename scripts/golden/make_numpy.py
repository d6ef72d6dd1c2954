"""weights/numpy/testdata/golden: files of numpy.save and numpy.savez (NumPy 2). Element i of each array, counted row by row, is (7·i mod 61) - 30, or
its absolute value where the type has no sign; of bool, whether that is positive."""
import os

import numpy as np

import golden

FOLDER = os.path.join(golden.ROOT, "weights", "numpy", "testdata", "golden")


def numbers(dtype, *shape):
    a = (np.arange(int(np.prod(shape)), dtype=np.int64) * 7) % 61 - 30
    a = a > 0 if dtype == "?" else np.abs(a) if "u" in dtype else a
    return a.astype(dtype).reshape(shape)


def main():
    os.makedirs(FOLDER, exist_ok=True)
    arrays = {"conv2d/kernel": numbers("<f4", 3, 3, 2, 4), "scalar": numbers("<f4"), "empty": numbers("<f4", 0, 3), "vector": numbers("<f8", 7),
              "fortran": np.asfortranarray(numbers("<f4", 3, 4, 5)), "fortran_big": np.asfortranarray(numbers(">f8", 3, 4)),
              "one": np.asfortranarray(numbers("<i8", 5))}
    for d in ("<f2", "<f4", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", ">f2", ">f4", ">f8", ">i2", ">i4", ">i8", ">u2", ">u4", ">u8"):
        arrays["of " + d[1:] + (" big" if d[0] == ">" else "")] = numbers(d, 2, 3)
    arrays["of b1"] = numbers("?", 2, 3)
    np.savez(os.path.join(FOLDER, "stored.npz"), **arrays)
    np.savez_compressed(os.path.join(FOLDER, "deflated.npz"), **arrays)
    np.savez(os.path.join(FOLDER, "odd.npz"), a=numbers("<f4", 3), text=np.array(["x", "yy"]), complex=np.zeros(2, "c8"),
             structure=np.zeros(2, [("a", "f4"), ("b", "i4")]), objects=np.array([None, {}], dtype=object))
    np.save(os.path.join(FOLDER, "matrix.npy"), numbers("<f4", 4, 6))
    with open(os.path.join(FOLDER, "version2.npy"), "wb") as f:
        np.lib.format.write_array(f, numbers("<f4", 4, 6), version=(2, 0))
    with open(os.path.join(FOLDER, "version3.npy"), "wb") as f:
        np.lib.format.write_array(f, np.asfortranarray(numbers("<f4", 4, 6)), version=(3, 0))


if __name__ == "__main__":
    main()
