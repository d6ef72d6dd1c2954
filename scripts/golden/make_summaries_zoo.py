"""Summaries of keras.applications' networks with random weights, as late Keras 2 and Keras 3 print them.

Runs with tf_keras 2.21 ("2") or Keras 3.15 ("3"): make_summaries_zoo.py 2|3 [FAMILY …]
One gzipped JSON object a family, name of the network -> text, because the texts are long and much alike. Where they are too long
all the same, the texts of the larger networks are "sha256 " and a digest.
"""
import contextlib
import gzip
import hashlib
import json
import os
import sys
from unittest import mock

version = sys.argv[1]
os.environ["COLUMNS"] = "200"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if version == "2":
    import tf_keras as keras
else:
    import keras

# Families of networks; "" are those of the first file. A name may have arguments behind it.
FAMILIES = {
    "": ["VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152", "ResNet50V2", "ResNet101V2", "ResNet152V2",
         "MobileNet", "MobileNetV2", "DenseNet121", "DenseNet169", "DenseNet201"],
    "efficientnet": ["EfficientNetB%d" % i for i in range(8)] + ["EfficientNetB0 imagenet"]
    + ["EfficientNetV2" + v for v in ("B0", "B1", "B2", "B3", "S", "M", "L")] + ["EfficientNetV2B0 include_preprocessing=False"],
    "mobilenetv3": ["MobileNetV3Small input_shape=(224,224,3)", "MobileNetV3Large input_shape=(224,224,3)",
                    "MobileNetV3Small input_shape=(224,224,3) minimalistic=True", "MobileNetV3Large input_shape=(224,224,3) minimalistic=True",
                    "MobileNetV3Small input_shape=(224,224,3) alpha=0.75", "MobileNetV3Large input_shape=(224,224,3) alpha=1.25",
                    "MobileNetV3Small input_shape=(224,224,3) include_preprocessing=False"],
    "convnext": ["ConvNeXt" + v for v in ("Tiny", "Small", "Base", "Large", "XLarge")] + ["ConvNeXtTiny include_preprocessing=False"],
    "inception": ["Xception", "InceptionV3", "InceptionResNetV2"],
    "nasnet": ["NASNetMobile", "NASNetLarge"],
}
# Keras 2 has other layers there, which are no Keras layers: the operators of TensorFlow that Keras calls TFOpLambda.
ONLY_3 = ["EfficientNetB0 imagenet"] + FAMILIES["mobilenetv3"] + FAMILIES["convnext"]
WHOLE = 80_000  # characters of a text that is stored whole, but in the first file


@contextlib.contextmanager
def without_files():
    """weights="imagenet" changes EfficientNet, whose weights are not wanted here."""
    with contextlib.ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            for tools in ("file_utils", "data_utils"):
                if name.endswith(".applications.efficientnet") and hasattr(module, tools):
                    stack.enter_context(mock.patch.object(getattr(module, tools), "get_file", lambda *a, **k: ""))
        stack.enter_context(mock.patch.object(keras.Model, "load_weights", lambda *a, **k: None))
        yield


def make(name):
    net, *arguments = name.split()
    args = {"weights": None}
    for a in arguments:
        if a == "imagenet":
            args["weights"] = a
        else:
            key, value = a.split("=")
            args[key] = eval(value)
    with without_files():
        return getattr(keras.applications, net)(**args)


def summary(name):
    keras.backend.clear_session()
    model = make(name)
    lines = []
    model.summary(print_fn=lambda text, **_: lines.append(text))
    return "\n".join(lines).rstrip("\n") + "\n"


folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../arch/testdata/golden")
os.makedirs(folder, exist_ok=True)
for family in sys.argv[2:] or FAMILIES:
    texts = {}
    names = [name for name in FAMILIES[family] if version == "3" or name not in ONLY_3]
    if not names:
        continue
    for name in names:
        text = summary(name)
        whole = not family or len(text) <= WHOLE
        texts[name] = text if whole else "sha256 " + hashlib.sha256(text.encode()).hexdigest()
        print(name, len(text))
    file = f"summaries-{family + '-' if family else ''}keras{version}.json.gz"
    with open(os.path.join(folder, file), "wb") as f:
        with gzip.GzipFile(filename="", mode="wb", fileobj=f, mtime=0) as z:
            z.write(json.dumps(texts, ensure_ascii=False, sort_keys=True).encode())
    size = os.path.getsize(os.path.join(folder, file))
    print(file, size)
    assert size <= 50_000
