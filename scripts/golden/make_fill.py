"""internal/numtest/testdata/fill.json: a few numbers of the generator in fill.py, for the Go side to reproduce."""
import os

import fill
import golden

cases = []
for name, seed, n in (("block1_conv1/kernel", 20260101, 40), ("", 0, 3), ("fc1/kernel \u00e9", 2**53 - 1, 5)):
    for limit in (1.0, 0.1, (6.0 / 27) ** 0.5):
        cases.append(golden.case("uniform %s %r" % (name, limit), dict(kind="uniform", name=name, seed=seed, limit=limit),
                                 {"values": fill.uniform(name, seed, limit, (n,))}))
    cases.append(golden.case("unit " + name, dict(kind="unit", name=name, seed=seed), {"values": fill.unit(name, seed, (n,))}))
    cases.append(golden.case("labels " + name, dict(kind="labels", name=name, seed=seed, classes=100),
                             {"values": fill.labels(name, seed, 100, n)}))
golden.write(os.path.join(golden.ROOT, "internal", "numtest", "testdata"), "fill.json", cases)
