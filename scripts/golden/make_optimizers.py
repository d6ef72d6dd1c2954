"""train/testdata/golden/optimizers.json: five steps of each optimizer on given gradients.

"w" (steps, n) are the weights after each step, computed in float64 from the formula; the script stops unless the
reference named in the attributes (Keras in float32, PyTorch in float64) gives the same to its own accuracy.
"""
from both import normal, np, tf, torch

import golden

STEPS, N = 5, 9


def sgd(w, g, t, s, learning_rate, momentum=0.0, nesterov=0, weight_decay=0.0):
    """Keras: v = m*v - lr*g; w += v, or with Nesterov w += m*v - lr*g."""
    g = g + weight_decay * w
    v = s["v"] = momentum * s.get("v", 0.0) - learning_rate * g
    return w + (momentum * v - learning_rate * g if nesterov else v)


def adam(w, g, t, s, learning_rate, beta_1, beta_2, epsilon, weight_decay=0.0):
    """Keras: epsilon is added to the square root before the bias correction ("epsilon hat" of Kingma and Ba)."""
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * g * g
    w = w - learning_rate * weight_decay * w
    return w - learning_rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (np.sqrt(v) + epsilon)


def adam_torch(w, g, t, s, learning_rate, beta_1, beta_2, epsilon, weight_decay=0.0, decoupled=0):
    """PyTorch: epsilon is added after the bias correction."""
    if decoupled:
        w = w - learning_rate * weight_decay * w
    else:
        g = g + weight_decay * w
    m = s["m"] = beta_1 * s.get("m", 0.0) + (1 - beta_1) * g
    v = s["v"] = beta_2 * s.get("v", 0.0) + (1 - beta_2) * g * g
    return w - learning_rate * (m / (1 - beta_1**t)) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)


def run_keras(opt, w0, grads):
    w = tf.Variable(w0.astype(np.float32))
    out = []
    for g in grads:
        opt.apply_gradients([(tf.constant(g.astype(np.float32)), w)])
        out.append(w.numpy().astype(np.float64))
    return np.array(out)


def run_torch(make, w0, grads):
    w = torch.tensor(w0, requires_grad=True)
    opt, out = make([w]), []
    for g in grads:
        w.grad = torch.tensor(g)
        opt.step()
        out.append(w.detach().numpy().copy())
    return np.array(out)


def case(name, formula, attrs, keras=None, pytorch=None, scale=1.0):
    w0, grads = normal(N), (normal(STEPS, N) * scale).astype(np.float32).astype(np.float64)
    grads[:, 0] = 0  # a weight without gradients must stand still (or decay)
    state, w, steps = {}, w0, []
    for t, g in enumerate(grads, 1):
        w = formula(w, g, t, state, **attrs)
        steps.append(w)
    steps = np.array(steps)
    for make in keras or ():
        if not np.allclose(run_keras(make(), w0, grads), steps, rtol=1e-6, atol=1e-6):
            raise SystemExit(name + ": Keras differs from the formula")
    if pytorch and not np.allclose(run_torch(pytorch, w0, grads), steps, rtol=1e-12, atol=1e-12):
        raise SystemExit(name + ": PyTorch differs from the formula")
    reference = "+".join(r for r, on in (("keras", keras), ("torch", pytorch)) if on)
    return golden.case(name, dict(optimizer=formula.__name__, reference=reference, **attrs), {"w0": w0, "g": grads, "w": (steps, "float64")})


K, L = tf.keras.optimizers, tf.keras.optimizers.legacy
lr = 0.01
keras_adam = dict(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7)
torch_adam = dict(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8)
golden.write(golden.TRAIN, "optimizers.json", [
    case("sgd", sgd, dict(learning_rate=lr), [lambda: K.SGD(lr), lambda: L.SGD(lr)], lambda p: torch.optim.SGD(p, lr)),
    case("sgd_momentum", sgd, dict(learning_rate=lr, momentum=0.9), [lambda: K.SGD(lr, 0.9), lambda: L.SGD(lr, 0.9)],
         lambda p: torch.optim.SGD(p, lr, 0.9)),
    case("sgd_nesterov", sgd, dict(learning_rate=lr, momentum=0.9, nesterov=1),
         [lambda: K.SGD(lr, 0.9, True), lambda: L.SGD(lr, 0.9, True)], lambda p: torch.optim.SGD(p, lr, 0.9, nesterov=True)),
    case("sgd_weight_decay", sgd, dict(learning_rate=lr, momentum=0.9, weight_decay=0.05),
         None, lambda p: torch.optim.SGD(p, lr, 0.9, weight_decay=0.05)),
    case("adam", adam, keras_adam, [K.Adam, L.Adam]),
    case("adam_tiny_gradients", adam, keras_adam, [K.Adam, L.Adam], scale=1e-7),
    case("adam_torch", adam_torch, torch_adam, None, lambda p: torch.optim.Adam(p)),
    case("adam_torch_tiny_gradients", adam_torch, torch_adam, None, lambda p: torch.optim.Adam(p), scale=1e-8),
    case("adam_torch_weight_decay", adam_torch, dict(torch_adam, weight_decay=0.05), None,
         lambda p: torch.optim.Adam(p, weight_decay=0.05)),
    case("adamw_torch", adam_torch, dict(torch_adam, weight_decay=0.05, decoupled=1), None,
         lambda p: torch.optim.AdamW(p, weight_decay=0.05)),
])
