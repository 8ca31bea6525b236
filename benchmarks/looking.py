"""What looking costs: the lines of a fit, the memory of predicted labels, predictions of few rows.

python benchmarks/looking.py             # in about half a minute
python benchmarks/looking.py --quick     # on less data, to see that it works
"""

from __future__ import annotations

import argparse
import contextlib
import io
import resource
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn import neural_network

import lincoln as lnc
from lincoln.estimators import MLPClassifier
from lincoln.layers import Dense, Sequential


def lines(examples: int) -> None:
    """Print the CPU time of an epoch without lines, and with the default ones."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(examples, 30)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    for every in (None, 100):
        model = lnc.Classifier(Sequential(Dense(10), Dense(1)))
        before = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            model.fit(x, y, epochs=1, seed=0, print_every=every)
        seconds = time.process_time() - before
        print(f"{examples:,} x 30, print_every={every}: {seconds:.2f} s, {len(printed.getvalue().splitlines())} lines")


def memory(classes: int) -> None:
    """Print the memory that predicted labels take beyond a fit."""
    x = np.random.default_rng(0).normal(size=(classes, 2)).astype(np.float32)
    model = lnc.Classifier(Sequential(Dense(1, "tanh"), Dense(classes, "softmax")), lnc.CrossEntropy)
    model.fit(x[:200], np.arange(200), epochs=1, batch_size=100, print_every=None)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model.predict(x)
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6
    print(f"labels of {classes:,} examples, {classes:,} classes: {more:.2f} GB more")


def few_rows(repeats: int) -> None:
    """Print the fastest prediction of few rows, of lincoln's and of scikit-learn's MLPClassifier, taking turns."""
    x = np.random.default_rng(0).normal(size=(500, 20))
    y = (x[:, 0] > 0).astype(int)
    both = [kind((20,), max_iter=30, random_state=0).fit(x, y) for kind in (MLPClassifier, neural_network.MLPClassifier)]
    calls: dict[str, Callable[[Any], Any]] = {
        "predict, 1 row": lambda mlp: mlp.predict(x[:1]),
        "predict_proba, 500 rows": lambda mlp: mlp.predict_proba(x),
    }
    for name, call in calls.items():
        seconds = np.array([[_seconds(call, mlp) for mlp in both] for _ in range(repeats)])
        ours, theirs = seconds.min(axis=0) * 1e6
        print(f"{name}: lincoln {ours:.0f} us, scikit-learn {theirs:.0f} us")


def _seconds(call: Callable[[Any], Any], mlp: Any) -> float:
    start = time.perf_counter()
    call(mlp)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="on less data")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    memory(2_000 if quick else 20_000)  # first: the peak is that of the process
    lines(20_000 if quick else 1_000_000)
    few_rows(20 if quick else 300)


if __name__ == "__main__":
    main()
