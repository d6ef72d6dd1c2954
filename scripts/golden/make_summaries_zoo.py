"""Summaries of keras.applications' networks with random weights, as late Keras 2 and Keras 3 print them.

Runs with tf_keras 2.21 ("2") or Keras 3.15 ("3"): make_summaries_zoo.py 2|3
One gzipped JSON object, name of the network -> text, because the texts are long and much alike.
"""
import gzip
import json
import os
import sys

version = sys.argv[1]
os.environ["COLUMNS"] = "200"
if version == "2":
    import tf_keras as keras
else:
    import keras

names = ["VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152", "ResNet50V2", "ResNet101V2", "ResNet152V2",
         "MobileNet", "MobileNetV2", "DenseNet121", "DenseNet169", "DenseNet201"]
texts = {}
for name in names:
    keras.backend.clear_session()
    model = getattr(keras.applications, name)(weights=None)
    lines = []
    model.summary(print_fn=lambda text, **_: lines.append(text))
    texts[name] = "\n".join(lines).rstrip("\n") + "\n"
folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../arch/testdata/golden")
os.makedirs(folder, exist_ok=True)
with open(os.path.join(folder, f"summaries-keras{version}.json.gz"), "wb") as f:
    with gzip.GzipFile(filename="", mode="wb", fileobj=f, mtime=0) as z:
        z.write(json.dumps(texts, ensure_ascii=False, sort_keys=True).encode())
