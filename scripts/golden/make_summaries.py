"""nn/testdata/golden/summary-*.txt: model.summary() of the three nets as TensorFlow 2.4 and 2.5 print it.

Run under TensorFlow 2.5.3 (Python 3.9); later versions space and cut the columns differently. The two summaries of the
founding document are compared with what Keras prints, byte for byte; the one of ResNet-50 is written.
"""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf

import golden
import nets


def summary(build, **options):
    tf.keras.backend.clear_session()
    lines = []
    build(tf.keras, softmax=True, **options).summary(print_fn=lines.append)
    return "\n".join(lines) + "\n"


if not tf.__version__.startswith(("2.4.", "2.5.")):
    raise SystemExit("this is TensorFlow %s; the summaries are those of 2.4 and 2.5" % tf.__version__)
for name, build in (("summary-simple-cnn.txt", nets.simple_cnn), ("summary-vgg16-cifar100.txt", nets.vgg16)):
    with open(os.path.join(golden.NN, name), newline="") as f:
        print(name, "equal" if f.read() == summary(build) else "DIFFERENT")
golden.store(golden.NN, "summary-resnet50-cifar100.txt", summary(nets.resnet50, l2=1e-4))
