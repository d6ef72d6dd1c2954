"""train/testdata/golden/schedules.json: learning rates of Keras 3's schedules, and what ReduceLROnPlateau does.

Under Keras 3.15 (TensorFlow 2.21). Schedules run in float64; "rate" are the rates of "steps". Of a plateau, "metric" is
what each epoch brings and "rate" (float32, as Keras keeps it) is the rate after it.
"""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
import keras
import numpy as np

import golden

S, F = keras.optimizers.schedules, np.float64  # TensorFlow makes float32 of plain Python numbers
STEPS = [0, 1, 2, 3, 5, 7, 8, 9, 10, 11, 14, 19, 20, 21, 25, 29, 30, 31, 40, 59, 61, 69, 71, 100, 150]


def case(name, schedule, **attrs):
    rates = np.array([float(schedule(s)) for s in STEPS])
    return golden.case(name, attrs, {"steps": np.array(STEPS), "rate": (rates, "float64")})


class Model:
    """As much of a model as the callback looks at."""

    def __init__(self, rate):
        self.optimizer = keras.optimizers.SGD(rate)
        self.metrics = []
        self.stop_training = False


def plateau(name, metric, rate, **args):
    callback = keras.callbacks.ReduceLROnPlateau(monitor="val_loss" if args.get("mode") != "max" else "val_top1", **args)
    model = Model(rate)
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for i, m in enumerate(metric):
        callback.on_epoch_end(i, {callback.monitor: m})
        rates.append(float(model.optimizer.learning_rate))
    attrs = {k: v for k, v in args.items() if k != "mode"}
    attrs.update(learning_rate=rate, larger=int(args.get("mode") == "max"))
    return golden.case(name, attrs, {"metric": (np.array(metric), "float64"), "rate": np.array(rates)})


cases = [
    case("piecewise", S.PiecewiseConstantDecay([10, 20, 61], [F(0.4), F(0.2), F(0.1), F(0.05)])),
    case("exponential", S.ExponentialDecay(F(0.3), 10, F(0.9)), learning_rate=0.3, steps=10, rate=0.9, staircase=0),
    case("exponential_staircase", S.ExponentialDecay(F(0.3), 10, F(0.9), staircase=True), learning_rate=0.3, steps=10, rate=0.9, staircase=1),
    case("inverse_time", S.InverseTimeDecay(F(0.3), 10, F(0.5)), learning_rate=0.3, steps=10, rate=0.5, staircase=0),
    case("inverse_time_staircase", S.InverseTimeDecay(F(0.3), 10, F(0.5), staircase=True), learning_rate=0.3, steps=10, rate=0.5, staircase=1),
    case("polynomial", S.PolynomialDecay(F(0.3), 30, F(0.01), F(1.0)), learning_rate=0.3, steps=30, end=0.01, power=1, cycle=0),
    case("polynomial_square", S.PolynomialDecay(F(0.3), 30, F(0.01), F(2.0)), learning_rate=0.3, steps=30, end=0.01, power=2, cycle=0),
    case("polynomial_cycle", S.PolynomialDecay(F(0.3), 30, F(0.01), F(0.5), cycle=True), learning_rate=0.3, steps=30, end=0.01, power=0.5, cycle=1),
    case("cosine", S.CosineDecay(F(0.3), 60, F(0.1)), learning_rate=0.3, steps=60, alpha=0.1),
    case("cosine_restarts", S.CosineDecayRestarts(F(0.3), 10), learning_rate=0.3, steps=10, t_mul=2, m_mul=1, alpha=0),
    case("cosine_restarts_equal", S.CosineDecayRestarts(F(0.3), 10, t_mul=F(1.0), m_mul=F(0.8), alpha=F(0.05)), learning_rate=0.3, steps=10, t_mul=1, m_mul=0.8, alpha=0.05),
    case("cosine_restarts_odd", S.CosineDecayRestarts(F(0.3), 8, t_mul=F(1.5), m_mul=F(0.9), alpha=F(0.1)), learning_rate=0.3, steps=8, t_mul=1.5, m_mul=0.9, alpha=0.1),
]
falling = [1.0, 0.9, 0.8, 0.8, 0.79995, 0.85, 0.7, 0.7, 0.7, 0.7, 0.7, 0.71, 0.69, 0.69, 0.69, 0.69, 0.69, 0.69, 0.69, 0.69, 0.69, 0.69]
cases += [
    plateau("plateau", falling, 0.1, factor=0.5, patience=2, min_delta=1e-4, cooldown=0, min_lr=0.0),
    plateau("plateau_cooldown", falling, 0.1, factor=0.5, patience=2, min_delta=1e-4, cooldown=3, min_lr=0.0),
    plateau("plateau_min", falling, 0.1, factor=0.1, patience=1, min_delta=0.05, cooldown=0, min_lr=0.004),
    plateau("plateau_larger", [1 - m for m in falling], 0.1, factor=0.5, patience=2, min_delta=1e-4, cooldown=1, min_lr=0.0, mode="max"),
]
golden.write(golden.TRAIN, "schedules.json", cases)
