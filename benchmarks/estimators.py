"""Compare the fit times of scikit-learn's MLPClassifier, of lincoln's, and of the same network in skorch if installed.

    python benchmarks/estimators.py                         # 36 rows, in less than 10 minutes
    python benchmarks/estimators.py --quick                 # a few seconds, to show that it works
    python benchmarks/estimators.py --data digits --hidden 100 --solver adam --threads 1    # only these rows

A row is one data set, solver, choice of hidden layers and number of threads. A time is a whole `fit` on standardized
features, for the same number of epochs in batches of 200; the median of several. Repetitions are interleaved in one process
(scikit-learn, lincoln, skorch, scikit-learn, ...), so that other programs on the machine slow all of them. "ratio" is
scikit-learn's time over lincoln's, the median of the ratios of all repetitions. Times change with the machine, ratios much
less. The scores are accuracies on a quarter of the data that is held out. With the same random_state the first two train
the same network on the same batches.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
import sklearn.neural_network
import torch
from notebook_network import machine
from sklearn.datasets import load_breast_cancer, load_digits, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import nn

import lincoln.estimators

BATCH, SEED = 200, 0  # scikit-learn's batch for 200 examples or more
LR = {"sgd": 0.05, "adam": 0.001}
SMALL, LARGE = ("breast_cancer", "digits"), ("synthetic",)
EPOCHS = {  # for each of HIDDEN, so that scikit-learn takes some tenths of a second on small data
    "breast_cancer": (300, 100, 20),
    "digits": (150, 40, 8),
    "synthetic": (2, 2, 2),
}
HIDDEN = {"10": (10,), "100": (100,), "256,256": (256, 256)}
BARS = {"any row": 1, "10 hidden units, small data": 3}  # the ratios to reach

Data = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class Case(NamedTuple):
    data: str
    solver: str
    hidden: str
    threads: int


def load(name: str, dtype: str) -> Data:
    """Return standardized features and labels for training, then those held out."""
    if name == "synthetic":
        X, y = make_classification(100_000, 50, n_informative=20, random_state=SEED)
    else:
        X, y = {"breast_cancer": load_breast_cancer, "digits": load_digits}[name](return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=SEED)
    scaler = StandardScaler().fit(X_train)
    return scaler.transform(X_train).astype(dtype), y_train, scaler.transform(X_test).astype(dtype), y_test


def perceptron(kind: Callable[..., Any], case: Case, epochs: int, data: Data) -> Any:
    """Return scikit-learn's or lincoln's estimator; both take the same arguments."""
    return kind(
        HIDDEN[case.hidden],
        solver=case.solver,
        learning_rate_init=LR[case.solver],
        max_iter=epochs,
        tol=0,
        n_iter_no_change=np.inf,
        random_state=SEED,
    )


def skorch_net(case: Case, epochs: int, data: Data) -> Any:
    """Return the same network and optimizer, without L2 penalty; for two classes, in a class that takes float targets."""
    import skorch  # the extra "benchmark" installs it

    X, y = data[:2]
    binary = y.max() == 1
    dtype = torch.float32 if X.dtype == np.float32 else torch.float64
    torch.manual_seed(SEED)
    units = [X.shape[1], *HIDDEN[case.hidden]]
    hidden = [part for pair in pairwise(units) for part in (nn.Linear(*pair, dtype=dtype), nn.ReLU())]
    options = {"optimizer": torch.optim.Adam}
    if case.solver == "sgd":
        options = {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9, "optimizer__nesterov": True}
    kind = skorch.NeuralNetBinaryClassifier if binary else skorch.NeuralNetClassifier
    return kind(
        nn.Sequential(*hidden, nn.Linear(units[-1], 1 if binary else int(y.max()) + 1, dtype=dtype)),
        criterion=nn.BCEWithLogitsLoss if binary else nn.CrossEntropyLoss,
        lr=LR[case.solver],
        batch_size=BATCH,
        max_epochs=epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        **options,
    )


def contestants(case: Case, with_skorch: bool) -> dict[str, Callable[[int, Data], Any]]:
    """Return makers of estimators by name; each takes the number of epochs and the data."""
    found: dict[str, Callable[[int, Data], Any]] = {
        "sklearn": partial(perceptron, sklearn.neural_network.MLPClassifier, case),
        "lincoln": partial(perceptron, lincoln.estimators.MLPClassifier, case),
    }
    if with_skorch and case.data in SMALL and find_spec("skorch"):
        found["skorch"] = partial(skorch_net, case)
    return found


def fit(name: str, estimator: Any, X: np.ndarray, y: np.ndarray) -> float:
    """Return the seconds of a fit, after a pause in which the waiting threads of the last fit fall asleep."""
    time.sleep(0.1)
    targets = y.astype(X.dtype) if name == "skorch" and y.max() == 1 else y.astype(np.int64)
    start = time.perf_counter()
    estimator.fit(X, targets)
    return time.perf_counter() - start


def measure(
    case: Case, data: Data, epochs: int, repeats: int, with_skorch: bool
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return each contestant's seconds in each repetition, and its score on the examples held out."""
    X, y, X_test, y_test = data
    makes = contestants(case, with_skorch)
    torch.set_num_threads(case.threads)
    with warnings.catch_warnings(), threadpool_limits(limits=case.threads):
        warnings.simplefilter("ignore", ConvergenceWarning)
        for name, make in makes.items():  # the first fit pays for imports and memory
            fit(name, make(1, data), X, y)
        seconds: dict[str, list[float]] = {name: [] for name in makes}
        scores = {}
        for _ in range(repeats):
            for name, make in makes.items():
                estimator = make(epochs, data)
                seconds[name].append(fit(name, estimator, X, y))
                scores[name] = float(np.mean(estimator.predict(X_test) == y_test))
    return seconds, scores


def epochs_of(case: Case, quick: bool) -> int:
    most = EPOCHS[case.data][list(HIDDEN).index(case.hidden)]
    return min(most, 3) if quick else most


def rows(cases: list[Case], options: argparse.Namespace) -> Iterator[tuple[Case, float]]:
    """Measure the cases one after another. Print each row and yield its ratio."""
    loaded: dict[str, Data] = {}
    for case in cases:
        if case.data not in loaded:
            loaded[case.data] = load(case.data, options.dtype)
        epochs = epochs_of(case, options.quick)
        repeats = options.repeats or (1 if options.quick else 3 if case.data in LARGE else 7)
        seconds, accuracy = measure(case, loaded[case.data], epochs, repeats, not options.no_skorch)
        ratio = statistics.median(a / b for a, b in zip(seconds["sklearn"], seconds["lincoln"], strict=True))
        names = ("sklearn", "lincoln", "skorch")
        medians = {name: statistics.median(times) * 1e3 for name, times in seconds.items()}
        times = "".join(f"{medians[name]:10.1f}" if name in medians else f"{'':10}" for name in names)
        scores = "".join(f"{accuracy[name]:9.4f}" if name in accuracy else f"{'':9}" for name in names)
        settings = f"{case.data:14}{case.solver:6}{case.hidden:>8}{case.threads:>9}{epochs:>8}{repeats:>9}"
        print(f"{settings}  {times}{ratio:8.2f}  {scores}".rstrip(), flush=True)
        yield case, ratio


def summary(ratios: dict[Case, float], bars: bool) -> str:
    """Return the lowest ratio of all rows, and of those with 10 hidden units on small data; with `bars`, what to reach."""
    groups = [ratios, {case: ratio for case, ratio in ratios.items() if case.data in SMALL and case.hidden == "10"}]
    parts = []
    for (name, bar), group in zip(BARS.items(), groups, strict=True):
        if group:
            low = min(group, key=group.__getitem__)
            where = f"{low.data}, {low.solver}, {low.hidden}, threads {low.threads}"
            parts.append(f"{name} {group[low]:.2f} ({where}{f'; bar {bar}' if bars else ''})")
    return "lowest ratio: " + "; ".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 epochs, once, on the small data, to show that it works")
    parser.add_argument("--repeats", type=int, help="repetitions of each row (7, and 3 on the large table)")
    parser.add_argument("--data", nargs="+", choices=SMALL + LARGE, help="only these data")
    parser.add_argument("--hidden", nargs="+", choices=HIDDEN, help="only these hidden layers")
    parser.add_argument("--solver", nargs="+", choices=LR, help="only these solvers")
    parser.add_argument("--threads", nargs="+", type=int, help="these numbers of threads (1 2, and 1 with --quick)")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float64", help="of the features (float64)")
    parser.add_argument("--no-skorch", action="store_true", help="without skorch")
    options = parser.parse_args()
    data = options.data or (SMALL if options.quick else SMALL + LARGE)
    threads = options.threads or ([1] if options.quick else [1, 2])
    cases = list(map(Case._make, product(data, options.solver or LR, options.hidden or HIDDEN, threads)))
    print(", ".join(f"{key} {value}" for key, value in (machine() | {"dtype": options.dtype}).items()))
    print(f"{'':56}{'fit, ms':^30}{'':10}{'accuracy, held out':^27}".rstrip())
    print(
        f"{'data':14}{'solver':6}{'hidden':>8}{'threads':>9}{'epochs':>8}{'repeats':>9}  "
        f"{'sklearn':>10}{'lincoln':>10}{'skorch':>10}{'ratio':>8}  {'sklearn':>9}{'lincoln':>9}{'skorch':>9}"
    )
    print(summary(dict(rows(cases, options)), bars=not options.quick))


if __name__ == "__main__":
    main()
