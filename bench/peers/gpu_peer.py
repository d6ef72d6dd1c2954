"""What the Python contestants on a GPU have in common: their arguments, the list of cases, the rounds, and the lines of JSON.

A contestant is called as

    python torch_gpu.py --variants eager,compile --deadline 120 resnet50:224:256:train:bf16 vgg16:32:512:inference:tf32

A case is net:size:batch:mode:precision, has 1000 classes if its images are of 224x224 or more, else 100, and three random channels.
One process does them all, each variant in turn with every case, in the order given, as importing a framework takes long. One line of
JSON is printed for each as soon as it is measured: its rates or, in "error", why there are none. What is not begun within the deadline
is left out, with a line to the standard error. --warm times nothing: what compilers keep on disk is there for a later call.

Training is forward, cross-entropy, backward and SGD with momentum; inference has the scores of every batch in host memory before the
next one begins. --feed says where a batch comes from:
    bytes    uint8 from pinned host memory, copied while the batch before is computed, made floats on the device (the default)
    floats   float32 from pinned host memory, likewise
    device   float32 that is on the device already
"""
import argparse
import dataclasses
import json
import math
import os
import signal
import statistics
import sys
import threading
import time
import typing

ARCHS = "simplecnn", "vgg16", "resnet50", "resnet18-cifar", "alexnet"
MODES = "train", "inference"
PRECISIONS = "fp32", "tf32", "bf16"
FEEDS = "bytes", "floats", "device"
BEGUN = time.monotonic()


@dataclasses.dataclass(frozen=True)
class Case:
    arch: str
    size: int
    batch: int
    mode: str
    precision: str

    @property
    def classes(self):
        return 1000 if self.size >= 224 else 100


@dataclasses.dataclass
class Work:
    """A prepared case. step() begins the work on one batch; in inference it returns when the scores are in host memory."""
    step: typing.Callable
    wait: typing.Callable      # returns when all work is done
    look: typing.Callable      # the last loss, or rows of scores
    memory: typing.Callable    # bytes of device memory, at the most since forget()
    forget: typing.Callable
    parameters: int            # that are trained


class OutOfTime(BaseException):
    """No Exception: frameworks swallow those."""


def parse(text):
    words = text.split(":")
    if len(words) != 5:
        raise argparse.ArgumentTypeError(f"{text!r} is no case; write net:size:batch:mode:precision, such as resnet50:32:512:train:bf16")
    for word, known in ((words[0], ARCHS), (words[3], MODES), (words[4], PRECISIONS)):
        if word not in known:
            raise argparse.ArgumentTypeError(f"there is no {word!r} in {text!r}; use {', '.join(known)}")
    if not (words[1].isdecimal() and words[2].isdecimal() and int(words[1]) > 0 and int(words[2]) > 0):
        raise argparse.ArgumentTypeError(f"size and batch of {text!r} are numbers above 0")
    return Case(words[0], int(words[1]), int(words[2]), words[3], words[4])


def arguments(variants):
    """The arguments, of which the framework's import may depend."""
    p = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    p.add_argument("cases", nargs="+", type=parse, metavar="net:size:batch:mode:precision")
    p.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu tries the program, with small cases")
    p.add_argument("--variants", default=variants[0], help=f"of {', '.join(variants)}")
    p.add_argument("--feed", choices=FEEDS, default="bytes")
    p.add_argument("--seconds", type=float, default=0.5, help="of a round")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--deadline", type=float, default=math.inf, help="seconds for everything, imports and all")
    p.add_argument("--case-seconds", type=float, default=120, help="seconds for one case, compilation and all")
    p.add_argument("--warm", action="store_true", help="time nothing: compile, for the caches on disk, and run three steps")
    a = p.parse_args()
    a.variants = a.variants.split(",")
    for v in a.variants:
        if v not in variants:
            p.error(f"there is no variant {v!r}; use {', '.join(variants)}")
    return a


def measure(work, case, seconds, rounds):
    """Warms up, and times rounds of as many steps as take the seconds."""
    first = [work.look(work.step()) for _ in range(3)]
    work.wait()
    steps, spent = 1, 0.0
    while spent < 0.2 * seconds:
        begin = time.perf_counter()
        for _ in range(steps):
            work.step()
        work.wait()
        spent, counted = time.perf_counter() - begin, steps
        steps *= 2
    steps = max(1, math.ceil(seconds * counted / spent))
    work.forget()
    rates = []
    for _ in range(rounds):
        begin = time.perf_counter()
        for _ in range(steps):
            last = work.step()
        work.wait()
        rates.append(steps * case.batch / (time.perf_counter() - begin))
    found = {"images_per_second": statistics.median(rates), "rates": rates, "round_seconds": seconds, "peak_memory_bytes": work.memory()}
    if case.mode == "train":
        found["losses"] = [first[0], work.look(last)]
        if not all(map(math.isfinite, found["losses"])):
            raise ValueError(f"the loss is not finite: {found['losses']}")
    else:
        check(work.look(last), case.classes)
    return found


def check(rows, classes):
    """Makes sure that rows are probabilities, of different images different ones."""
    for row in rows:
        if len(row) != classes or not abs(sum(row) - 1) < 2e-2:  # a sum of bfloat16 is no nearer
            raise ValueError(f"the scores are no probabilities, their sum is {sum(row)}")
    if len(rows) > 1 and rows[0] == rows[1]:
        raise ValueError("different images have the same scores")


def main(a, framework, version, device, prepare, release):
    """Does the cases. prepare(case, variant, a) returns Work; release() is called when it is done with."""
    lock, now = threading.Lock(), {}

    def say(**more):
        with lock:
            print(json.dumps({**now, **more}), flush=True)

    def overdue():  # a library that does not come back: the cases behind it are lost
        say(error=f"not done when the time for all cases, {a.deadline:.0f} s, was over")
        os._exit(3)

    def alarm(*_):
        raise OutOfTime

    signal.signal(signal.SIGALRM, alarm)

    def left():
        return a.deadline - (time.monotonic() - BEGUN)

    watchdog = threading.Timer(min(max(left(), 0) + 5, 1e6), overdue)
    watchdog.daemon = True
    watchdog.start()
    todo = [(variant, case) for variant in a.variants for case in a.cases]
    while todo and left() > (0 if a.warm else 1.5 * a.rounds * a.seconds):
        variant, case = todo.pop(0)
        now = {"framework": framework, "version": version, "device": device, "variant": variant, **dataclasses.asdict(case),
               "classes": case.classes, "feed": a.feed}
        begin, work, wrong = time.monotonic(), None, None
        signal.setitimer(signal.ITIMER_REAL, min(a.case_seconds, max(left(), 0.1)))
        try:
            work = prepare(case, variant, a)
            if a.warm:
                for _ in range(3):
                    work.look(work.step())
                work.wait()
            else:
                found = measure(work, case, a.seconds, a.rounds)
                found["parameters"] = work.parameters
        except OutOfTime:
            wrong = f"not done in {time.monotonic() - begin:.0f} s"
        except Exception as e:
            wrong = (str(e).strip() or type(e).__name__)[:600]
        signal.setitimer(signal.ITIMER_REAL, 0)
        took = round(time.monotonic() - begin, 1)
        if a.warm:
            print(f"{framework} {variant} {':'.join(map(str, dataclasses.astuple(case)))}: {wrong or 'warm'} after {took} s", file=sys.stderr, flush=True)
        else:
            say(**({"error": wrong} if wrong else found), case_seconds=took)
        work = found = None
        release()
    watchdog.cancel()
    for variant, case in todo:
        print(f"{framework} {variant}: no time was left for {':'.join(map(str, dataclasses.astuple(case)))}", file=sys.stderr)
