"""Checks models that were written by weights/onnx with ONNX's own checker and with ONNX Runtime.

    STHENO_ONNX_EXPORT=FOLDER go test -run TestExportForRuntimes ./weights/onnx
    python scripts/onnx/check.py FOLDER

For each model in FOLDER: onnx.checker (with full shape inference) accepts it, and ONNX Runtime's results differ from ours by at most
1e-5, relative to the largest. Needs onnx and onnxruntime.
"""

import glob
import os
import sys

import numpy
import onnx
import onnxruntime


def load(path):
    t = onnx.TensorProto()
    t.ParseFromString(open(path, "rb").read())
    return onnx.numpy_helper.to_array(t)


def main():
    bad = 0
    for path in sorted(glob.glob(sys.argv[1] + "/*/model.onnx")):
        folder = os.path.dirname(path)
        onnx.checker.check_model(path, full_check=True)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        inputs, outputs = session.get_inputs(), session.get_outputs()
        for batch in (4, 1):
            x = {x.name: load(f"{folder}/test_data_set_0/input_{i}.pb")[:batch] for i, x in enumerate(inputs)}
            error, shapes = 0, True
            for i, got in enumerate(session.run([y.name for y in outputs], x)):
                want = load(f"{folder}/test_data_set_0/output_{i}.pb")[:batch]
                error = max(error, abs(got - want).max() / abs(want).max())
                shapes = shapes and got.shape == want.shape
            verdict = "ok" if error <= 1e-5 and shapes else "WRONG"
            bad += verdict != "ok"
            print(f"{os.path.basename(folder):28} {verdict}  batch {batch}: {error:.1e}  inputs", *(f"{x.name} {x.shape}" for x in inputs))
    sys.exit(bad > 0)


main()
