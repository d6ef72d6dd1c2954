"""train/tensorboard/testdata: event files of TensorFlow, and what TensorBoard reads in ours. TensorFlow 2.21, TensorBoard 2.21.

  make_tensorboard.py              writes golden/tensorflow.tfevents with tf.summary, what writer_test.go writes too
  make_tensorboard.py read DIR     prints what TensorBoard's EventAccumulator reads in a folder, as JSON

golden/read.json is what it reads in golden/run, files of ours that "go test ./train/tensorboard -run Golden -update" writes: two files of a run
that was resumed. It stops unless TensorBoard's other reader, of its plugins, agrees.
"""
import glob
import json
import os
import shutil
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
import golden

FOLDER = os.path.join(golden.ROOT, "train", "tensorboard", "testdata", "golden")


def tensorflow():
    import numpy as np
    import tensorflow as tf

    folder = tempfile.mkdtemp()
    with tf.summary.create_file_writer(folder).as_default():
        tf.summary.scalar("epoch_loss", 2.25, step=0)
        tf.summary.scalar("epoch_loss", 0.1, step=1)
        tf.summary.scalar("nan", float("nan"), step=1 << 40)
        tf.summary.histogram("conv/kernel/histogram", np.array([-1, -0.99, 0.1, 0.125, 0.3, 0.5, 2.03125], np.float32), step=3)
        tf.summary.histogram("conv/bias/histogram", np.full(5, 0.25, np.float32), step=3)
        tf.summary.histogram("nothing", np.zeros(0, np.float32), step=3)
        tf.summary.text("about", "# A run\n\n*of* TensorFlow, größer", step=0)
        tf.summary.image("picture", np.array([[[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[0, 0, 0], [255, 255, 255], [1, 2, 3]]]], np.uint8), step=2)
    (name,) = glob.glob(folder + "/*")
    os.makedirs(FOLDER, exist_ok=True)
    shutil.copy(name, os.path.join(FOLDER, "tensorflow.tfevents"))
    shutil.rmtree(folder)
    print("tensorflow.tfevents", os.path.getsize(os.path.join(FOLDER, "tensorflow.tfevents")))


def read(folder):
    from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator
    from tensorboard.util import tensor_util

    told = []
    for module in (event_accumulator, plugin_event_accumulator):
        a = module.EventAccumulator(folder, size_guidance={module.TENSORS: 0})
        a.Reload()
        out = {}
        for tag in sorted(a.Tags()["tensors"]):
            metadata = a.SummaryMetadata(tag)
            points = []
            for e in a.Tensors(tag):
                v = tensor_util.make_ndarray(e.tensor_proto)
                if v.dtype == object:
                    v = [s.hex() for s in v.ravel()]
                else:
                    v = [float(x) for x in v.ravel()]
                points.append({"time": e.wall_time, "step": e.step, "shape": [d.size for d in e.tensor_proto.tensor_shape.dim], "value": v})
            out[tag] = {"plugin": metadata.plugin_data.plugin_name, "class": metadata.data_class, "points": points}
        told.append(out)
    classes = {tag: v.pop("class") for tag, v in told[1].items()}  # which the first does not look up
    for v in told[0].values():
        v.pop("class")
    if told[0] != told[1]:
        raise SystemExit("TensorBoard's readers do not agree")
    return json.dumps({tag: {"class": classes[tag], **v} for tag, v in told[1].items()}, separators=(",", ":"))


if sys.argv[1:2] == ["read"]:
    print(read(sys.argv[2]))
else:
    tensorflow()
    if os.path.isdir(os.path.join(FOLDER, "run")):
        golden.store(FOLDER, "read.json", read(os.path.join(FOLDER, "run")) + "\n")
