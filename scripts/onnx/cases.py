"""Writes the test cases of operations that come with Python's onnx package, at the newest operator set, for TestConformance of weights/onnx.

    python scripts/onnx/cases.py FOLDER
    STHENO_ONNX_TESTDATA=FOLDER go test -run TestConformance -v ./weights/onnx
"""

import os
import sys

import numpy
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases


def main():
    written = 0
    for case in collect_testcases(None):
        folder = f"{sys.argv[1]}/node/{case.name}"
        sets = [(i, o) for i, o in case.data_sets or []]
        if not all(isinstance(v, (numpy.ndarray, numpy.generic)) for s in sets for side in s for v in side):
            continue  # sequences, maps and the like
        for n, sides in enumerate(sets):
            os.makedirs(f"{folder}/test_data_set_{n}", exist_ok=True)
            for what, values in zip(("input", "output"), sides):
                for i, v in enumerate(values):
                    open(f"{folder}/test_data_set_{n}/{what}_{i}.pb", "wb").write(numpy_helper.from_array(numpy.asarray(v)).SerializeToString())
        onnx.save(case.model, folder + "/model.onnx")
        written += 1
    print(written, "cases at operator set", onnx.defs.onnx_opset_version())


main()
