"""What the Python contestants have in common: their arguments, the check before the timing, the rounds, and the line of JSON.

A contestant is called as

    python torch_peer.py --arch vgg16 --size 32 --batch 32 --threads 2 --mode train --seconds 2 --rounds 5 [--config NAME] [--paced]

and prints one JSON object in one line when it is done. With --paced it first says {"ready": true}, then does one round for every
line that it reads, says {"images_per_second": …}, and is done at the end of its input: so that several contestants take turns.
--describe prints framework, version and configurations that are worth a try, and measures nothing. Exit status 77 means that it
cannot do this case; the last line of its errors says why.
"""
import argparse
import json
import math
import statistics
import sys
import time

CLASSES = 100


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--arch", default="vgg16")
    p.add_argument("--size", type=int, default=32)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--mode", choices=("train", "inference"), default="train")
    p.add_argument("--seconds", type=float, default=2)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--config", default="")
    p.add_argument("--paced", action="store_true")
    p.add_argument("--describe", action="store_true")
    return p.parse_args()


def cannot(reason):
    """Ends the program: it cannot do this case."""
    print(reason, file=sys.stderr)
    sys.exit(77)


def peak_memory():
    """The most memory that this process occupied, in bytes."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def check(mode, step, look):
    """Warms up, and makes sure that the step does what it should: training lowers the loss, inference gives probabilities."""
    if mode == "train":
        losses = []
        while len(losses) < 3 or losses[-1] >= losses[0]:
            if len(losses) == 12:
                raise SystemExit(f"the loss does not fall: {losses}")
            losses.append(look(step()))
            if not math.isfinite(losses[-1]):
                raise SystemExit(f"the loss is not finite: {losses}")
        return
    for _ in range(3):
        rows = look(step())
    for row in rows:
        if len(row) != CLASSES or not abs(sum(row) - 1) < 1e-3:
            raise SystemExit(f"the outputs are no probabilities: {row}")
    if len(rows) > 1 and rows[0] == rows[1]:
        raise SystemExit("different images have the same outputs")


def main(framework, version, configs, prepare):
    """Runs the contestant. configs(a) lists the names of its configurations, prepare(a, config) returns step and look: step() does
    the work on one batch and returns when it is done; look(result) is the loss of a training step, or the rows of outputs."""
    a = arguments()
    names = configs(a)
    if a.describe:
        print(json.dumps({"framework": framework, "version": version, "configs": names}))
        return
    config = a.config or names[0]
    step, look = prepare(a, config)
    check(a.mode, step, look)
    rates = []

    def measure():
        steps, begin = 0, time.perf_counter()
        while True:
            step()
            steps += 1
            spent = time.perf_counter() - begin
            if spent >= a.seconds:
                break
        rates.append(steps * a.batch / spent)
        return rates[-1]

    if a.paced:
        print(json.dumps({"ready": True}), flush=True)
        for _ in sys.stdin:
            print(json.dumps({"images_per_second": measure()}), flush=True)
    else:
        for _ in range(a.rounds):
            measure()
    print(json.dumps({
        "framework": framework, "version": version, "config": config, "arch": a.arch, "size": a.size, "batch": a.batch,
        "threads": a.threads, "mode": a.mode, "images_per_second": statistics.median(rates) if rates else 0, "rates": rates,
        "peak_memory_bytes": peak_memory()}), flush=True)
