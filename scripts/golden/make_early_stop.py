"""train/testdata/golden/early_stop.json: after which epoch Keras 3's EarlyStopping ends training, and which weights it leaves.

Under Keras 3.15 (TensorFlow 2.21). "metric" is what each epoch brings; attributes: the arguments; "epochs", how many were done; "restored", the
epoch, from 1, whose weights are the model's in the end with restore_best_weights, 0 where that is the last.
"""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
import keras
import numpy as np

import golden

rng = np.random.default_rng(20261127)


class Model:
    """As much of a model as the callback looks at; its weights are the epoch."""

    def __init__(self):
        self.weights, self.metrics, self.stop_training = 0, [], False

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.restored = weights


def case(name, metric, **args):
    mode = args.get("mode", "min")
    callback = keras.callbacks.EarlyStopping(monitor="val_loss", restore_best_weights=True, **{**args, "mode": mode})
    model = Model()
    model.restored = 0
    callback.set_model(model)
    callback.on_train_begin()
    done = 0
    for i, m in enumerate(metric):
        done = model.weights = i + 1
        callback.on_epoch_end(i, {"val_loss": float(m)})
        if model.stop_training:
            break
    callback.on_train_end()
    attrs = {"patience": args.get("patience", 0), "min_delta": args.get("min_delta", 0), "start": args.get("start_from_epoch", 0), "larger": int(mode == "max"),
             "epochs": done, "restored": model.restored}
    if "baseline" in args:
        attrs["baseline"] = args["baseline"]
    return golden.case(name, attrs, {"metric": (np.array(metric), "float64")})


falling = [1, 0.8, 0.9, 0.7, 0.7, 0.75, 0.72, 0.71, 0.5, 0.6, 0.65, 0.8]
cases = [case("at_once", falling), case("patience_1", falling, patience=1), case("patience_2", falling, patience=2), case("patience_4", falling, patience=4),
         case("patience_5", falling, patience=5), case("never", falling, patience=50), case("delta", falling, patience=3, min_delta=0.15),
         case("delta_reached", [1, 0.75, 0.5, 0.25, 0.1, 0], patience=1, min_delta=0.25), case("start", falling, patience=1, start_from_epoch=4),
         case("start_late", falling, patience=1, start_from_epoch=20), case("one", [1]), case("rising", [1, 2, 3, 4]),
         case("baseline", falling, patience=3, baseline=0.85), case("baseline_never", [5, 4, 3, 2, 2.5, 2.6], patience=3, baseline=0.5),
         case("baseline_while_better", [5, 4, 3, 2, 1], patience=3, baseline=0.5), case("larger", [0.1, 0.3, 0.2, 0.25, 0.4, 0.41, 0.41, 0.4], patience=2, mode="max"),
         case("larger_delta", [0.1, 0.3, 0.35, 0.39, 0.44, 0.5, 0.5], patience=2, min_delta=0.1, mode="max")]
for i in range(6):
    walk = np.round(1 / (1 + np.arange(40) / 4) + rng.normal(0, 0.05, 40), 3)
    cases.append(case("walk_%d" % i, walk, patience=2 + i, min_delta=0.01 * (i % 3), start_from_epoch=3 * (i % 2)))
golden.write(golden.TRAIN, "early_stop.json", cases)
