"""train/testdata/golden/optimizers_keras.json, optimizers_keras_more.json, optimizers_base.json: ten steps of Keras 3's optimizers (Keras 3.15, TensorFlow
2.21), in float64 but for Muon, which mixes in float32. optimizers_lars.json: LARS by the formula of its paper in float64, which
Keras and PyTorch have not; where optax can be imported, the script stops unless optax.lars agrees where the two mean the same.

Weights "w0/<name>" and gradients "g/<step>/<name>", steps from 1, come from fill.py with seed 7: uniform with limit 1, but the
bias begins at zero. "w/<name>" (10, ...) are the weights after each step, "ema/<name>" their averages.
"""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
import numpy as np

import fill
import golden

SEED, STEPS = 7, 10
SHAPES = {"conv/kernel": (2, 1, 2, 3), "dense/kernel": (4, 3), "wide/kernel": (2, 5), "dense/bias": (3,)}


def initial(name, shape):
    return np.zeros(shape) if name.endswith("bias") else fill.uniform("w0/" + name, SEED, 1, shape).astype(np.float64)


def gradient(step, name, shape):
    return fill.uniform("g/%d/%s" % (step, name), SEED, 1, shape).astype(np.float64)


def keras_case(name, make, dtype="float64", exclude=None):
    variables = {n: keras.Variable(initial(n, s), dtype=dtype, name=n.replace("/", "_")) for n, s in SHAPES.items()}
    opt = make()
    if exclude:
        opt.exclude_from_weight_decay(var_names=[exclude])
    opt.build(list(variables.values()))
    out = {n: [] for n in SHAPES}
    averages = {n: [] for n in SHAPES}
    for t in range(1, STEPS + 1):
        opt.apply([keras.ops.convert_to_tensor(gradient(t, n, s), dtype) for n, s in SHAPES.items()], list(variables.values()))
        for i, n in enumerate(SHAPES):
            out[n].append(keras.ops.convert_to_numpy(variables[n]))
            if opt.use_ema:
                averages[n].append(keras.ops.convert_to_numpy(opt._model_variables_moving_average[i]))
    tensors = {"w/" + n: np.array(v) for n, v in out.items()}
    if opt.use_ema:
        tensors.update({"ema/" + n: np.array(v) for n, v in averages.items()})
    return golden.case(name, {"learning_rate": float(opt.learning_rate)}, tensors)


def lars(name, learning_rate, momentum=0.0, trust=0.001, weight_decay=0.0, nesterov=False, adapt_all=False):
    """You et al. 2017, algorithm 1: the rate of a layer is trust * |w| / (|g| + weight_decay * |w|)."""
    tensors = {}
    for n, s in SHAPES.items():
        w, v, out = initial(n, s), np.zeros(s), []
        for t in range(1, STEPS + 1):
            g = gradient(t, n, s)
            step = learning_rate * g
            if adapt_all or len(s) > 1:
                wn, gn = np.linalg.norm(w), np.linalg.norm(g)
                ratio = trust * wn / (gn + weight_decay * wn) if wn > 0 and gn > 0 else 1.0
                step = learning_rate * ratio * (g + weight_decay * w)
            v = momentum * v + step
            w = w - (momentum * v + step if nesterov else v)
            out.append(w)
        tensors["w/" + n] = np.array(out)
    check_optax(name, tensors, learning_rate, momentum, trust, weight_decay, nesterov, adapt_all)
    attrs = dict(learning_rate=learning_rate, momentum=momentum, trust=trust, weight_decay=weight_decay, nesterov=int(nesterov), adapt_all=int(adapt_all))
    return golden.case(name, attrs, tensors)


def check_optax(name, tensors, learning_rate, momentum, trust, weight_decay, nesterov, adapt_all):
    """optax adds the decay to the gradient before it takes the norm, so the two are the same without decay."""
    if optax is None or weight_decay:
        return
    opt = optax.lars(learning_rate, trust_coefficient=trust, momentum=momentum, nesterov=nesterov,
                     trust_ratio_mask=lambda ps: {n: adapt_all or len(SHAPES[n]) > 1 for n in ps})
    ws = {n: jnp.array(initial(n, s)) for n, s in SHAPES.items()}
    state = opt.init(ws)
    for t in range(1, STEPS + 1):
        moves, state = opt.update({n: jnp.array(gradient(t, n, s)) for n, s in SHAPES.items()}, state, ws)
        ws = optax.apply_updates(ws, moves)
        for n in SHAPES:
            if not np.allclose(ws[n], tensors["w/" + n][t - 1], rtol=1e-10, atol=1e-12):
                raise SystemExit("%s: optax differs in %s at step %d" % (name, n, t))
    print(name + ": optax agrees")


try:
    import jax
    import optax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
except ImportError:
    optax = None
golden.write(golden.TRAIN, "optimizers_lars.json", [
    lars("lars", 0.5),
    lars("lars_momentum", 0.5, momentum=0.9),
    lars("lars_nesterov_all", 0.5, momentum=0.9, nesterov=True, adapt_all=True),
    lars("lars_decay", 2.0, momentum=0.9, trust=0.02, weight_decay=0.05),
])
try:
    import keras
except ImportError:
    raise SystemExit("no Keras here: the other files stay as they are")
K = keras.optimizers
golden.write(golden.TRAIN, "optimizers_keras.json", [
    keras_case("adam_amsgrad", lambda: K.Adam(0.01, amsgrad=True)),
    keras_case("adam_betas", lambda: K.Adam(0.01, beta_1=0.8, beta_2=0.95, epsilon=0.01)),
    keras_case("adamw", lambda: K.AdamW(0.01)),
    keras_case("adamax", lambda: K.Adamax(0.01)),
    keras_case("nadam", lambda: K.Nadam(0.01)),
    keras_case("rmsprop", lambda: K.RMSprop(0.01)),
    keras_case("rmsprop_momentum", lambda: K.RMSprop(0.01, rho=0.8, momentum=0.9)),
    keras_case("rmsprop_centered", lambda: K.RMSprop(0.01, momentum=0.5, centered=True, epsilon=1e-3)),
])
golden.write(golden.TRAIN, "optimizers_keras_more.json", [
    keras_case("adagrad", lambda: K.Adagrad(0.1)),
    keras_case("adadelta", lambda: K.Adadelta(1.0)),
    keras_case("lion", lambda: K.Lion(0.01, weight_decay=0.1)),
    keras_case("lamb", lambda: K.Lamb(0.01, weight_decay=0.1)),
    keras_case("muon", lambda: K.Muon(0.01), "float32"),
    keras_case("muon_plain", lambda: K.Muon(0.01, nesterov=False, ns_steps=3, exclude_layers=["wide"]), "float32"),
])
golden.write(golden.TRAIN, "optimizers_base.json", [
    keras_case("clipvalue", lambda: K.SGD(0.1, momentum=0.9, clipvalue=0.3)),
    keras_case("clipnorm", lambda: K.SGD(0.1, momentum=0.9, clipnorm=1.0)),
    keras_case("global_clipnorm", lambda: K.Adam(0.01, global_clipnorm=2.0)),
    keras_case("global_clipnorm_large", lambda: K.SGD(0.1, global_clipnorm=1000.0)),
    keras_case("sgd_decoupled", lambda: K.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.2), exclude="bias"),
    keras_case("ema", lambda: K.Adam(0.01, use_ema=True)),
    keras_case("ema_overwrite", lambda: K.SGD(0.1, momentum=0.9, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=3)),
    keras_case("accumulate", lambda: K.SGD(0.1, momentum=0.9, clipnorm=1.0, gradient_accumulation_steps=2)),
])
