"""arch/testdata/golden/vit.json: a small vision transformer of torchvision in float64, forward and backward.

Weights are by fill.py, by the names that they have in Go. Needs torch and torchvision:

    torch2/bin/python scripts/golden/make_vit.py
"""
import os

import numpy as np
import torch
import torchvision

import fill
import golden

HIDDEN, DEPTH, HEADS, MLP, CLASSES = 6, 2, 3, 10, 5


def uniform(name, *shape):
    return torch.tensor(fill.uniform(name, 1, 0.5, shape).astype(np.float64))


net = torchvision.models.VisionTransformer(8, 4, DEPTH, HEADS, HIDDEN, MLP, num_classes=CLASSES).double()
state, back = {}, {}  # torchvision's tensors, and how a gradient of one becomes those of Go's


def put(theirs, ours, shape, to_theirs, to_ours):
    state[theirs] = to_theirs(uniform(ours, *shape))
    back[theirs] = lambda g: {ours: to_ours(g)}


def dense(theirs, ours, n, m):
    put(theirs + ".weight", ours + "/kernel", (n, m), lambda w: w.T, lambda g: g.T)
    put(theirs + ".bias", ours + "/bias", (m,), lambda w: w, lambda g: g)


def norm(theirs, ours):
    put(theirs + ".weight", ours + "/gamma", (HIDDEN,), lambda w: (1 + w).float().double(), lambda g: g)
    put(theirs + ".bias", ours + "/beta", (HIDDEN,), lambda w: w, lambda g: g)


def attention(theirs, ours):
    size = HIDDEN // HEADS
    parts = [ours + "/" + p for p in ("query", "key", "value")]
    state[theirs + ".in_proj_weight"] = torch.cat([uniform(p + "/kernel", HIDDEN, HEADS, size).reshape(HIDDEN, HIDDEN).T for p in parts])
    state[theirs + ".in_proj_bias"] = torch.cat([uniform(p + "/bias", HEADS, size).reshape(HIDDEN) for p in parts])
    back[theirs + ".in_proj_weight"] = lambda g: {
        p + "/kernel": w.T.reshape(HIDDEN, HEADS, size) for p, w in zip(parts, g.chunk(3))}
    back[theirs + ".in_proj_bias"] = lambda g: {p + "/bias": w.reshape(HEADS, size) for p, w in zip(parts, g.chunk(3)) if not p.endswith("key")}
    put(theirs + ".out_proj.weight", ours + "/attention_output/kernel", (HEADS, size, HIDDEN), lambda w: w.reshape(HIDDEN, HIDDEN).T,
        lambda g: g.T.reshape(HEADS, size, HIDDEN))
    put(theirs + ".out_proj.bias", ours + "/attention_output/bias", (HIDDEN,), lambda w: w, lambda g: g)


put("class_token", "class_token/token", (1, 1, HIDDEN), lambda w: w, lambda g: g)
put("conv_proj.weight", "conv_proj/kernel", (4, 4, 3, HIDDEN), lambda w: w.permute(3, 2, 0, 1), lambda g: g.permute(2, 3, 1, 0))
put("conv_proj.bias", "conv_proj/bias", (HIDDEN,), lambda w: w, lambda g: g)
put("encoder.pos_embedding", "pos_embedding/embeddings", (1, 5, HIDDEN), lambda w: w, lambda g: g)
for i in range(DEPTH):
    theirs, ours = "encoder.layers.encoder_layer_%d." % i, "encoder_layer_%d_" % i
    norm(theirs + "ln_1", ours + "ln_1")
    attention(theirs + "self_attention", ours + "self_attention")
    norm(theirs + "ln_2", ours + "ln_2")
    dense(theirs + "mlp.0", ours + "mlp_1", HIDDEN, MLP)
    dense(theirs + "mlp.3", ours + "mlp_2", MLP, HIDDEN)
norm("encoder.ln", "ln")
dense("heads.head", "head", HIDDEN, CLASSES)
net.load_state_dict(state)

cases = []
for batch in (3, 1):
    x = torch.tensor(fill.unit("x", 1, (batch, 8, 8, 3)).astype(np.float64))
    labels = fill.labels("labels", 1, CLASSES, batch)
    net.zero_grad()
    logits = net(x.permute(0, 3, 1, 2))
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels))
    loss.backward()
    tensors = {"labels": labels, "logits": logits.detach().numpy(), "loss": loss.detach().numpy()}
    for name, p in net.named_parameters():
        for ours, g in back[name](p.grad).items() if batch > 1 else ():
            tensors["d" + ours] = g.numpy()
    cases.append(golden.case("batch %d" % batch, {"reference": "torchvision"}, tensors))
golden.write(os.path.join(golden.ROOT, "arch", "testdata", "golden"), "vit.json", cases)
