"""Compare the notebook's network (30-10-1 sigmoid units, batches of 128, float32) in lincoln, PyTorch and scikit-learn.

    python benchmarks/notebook_network.py                # a table, in half a minute
    python benchmarks/notebook_network.py --quick        # a few seconds, to show that it works
    python benchmarks/notebook_network.py --json [PATH]  # the numbers as JSON, on stdout without a PATH

"step" is one training step on one batch: replayed by the trainer, run by the layers in the trainer, and in a loop of your
own; "fit" is a whole run on the breast cancer data with the loss of each epoch. All run in one process on one thread.
Repetitions are interleaved (A B C A B C ...), so that other programs on the machine slow all of them. Read the ratios:
times change with the machine, ratios much less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import Tensor, nn

from lincoln.data import standardize
from lincoln.engine.replay import Replay
from lincoln.layers import Dense, Sequential
from lincoln.losses import LogLoss
from lincoln.models import Classifier
from lincoln.optim import SGD

BATCH, LR, SEED = 128, 0.003, 0
# The ratios to reach, over as many epochs as the notebook's: in a shorter fit the fixed cost weighs more.
BARS = {"step, PyTorch eager": 2.5, "fit, PyTorch eager": 2.5, "fit, MLPClassifier": 2.5}

Step = Callable[[Tensor, Tensor], Tensor]  # trains on (features, targets), returns the loss
Runs = dict[str, Callable[[], object]]


def lincoln_network() -> Sequential:
    return Sequential(Dense(10), Dense(1))


def pytorch_network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(30, 10), nn.Sigmoid(), nn.Linear(10, 1), nn.Sigmoid())


def lincoln_step(check_targets: bool) -> Step:
    network = lincoln_network()
    loss_function, optimizer = LogLoss(network, check_targets=check_targets), SGD(network, lr=LR)

    def step(x: Tensor, y: Tensor) -> Tensor:
        loss = loss_function(x, y)
        loss_function.backward()
        optimizer.step()
        return loss

    return step


def replayed_step() -> Step:
    """Return the step that the trainer replays after the first batches."""
    loss_function = LogLoss(lincoln_network(), check_targets=False)
    loss_function.network(torch.zeros(1, 30))  # builds the weights
    replay, optimizer = Replay(loss_function), SGD(loss_function.network, lr=LR)

    def step(x: Tensor, y: Tensor) -> Tensor:
        loss = replay(x, y)
        optimizer.step()
        return loss

    return step


def pytorch_step(network: nn.Sequential) -> Step:
    loss_function, optimizer = nn.BCELoss(reduction="sum"), torch.optim.SGD(network.parameters(), lr=LR)

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = loss_function(network(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss

    return step


def repeat(step: Step, x: Tensor, y: Tensor, steps: int, inference: bool = False) -> None:
    with torch.inference_mode(inference):
        for _ in range(steps):
            step(x, y)


def lincoln_fit(x: np.ndarray, y: np.ndarray, epochs: int, network: Sequential | None = None) -> float:
    """Run a whole fit. Return the loss per example in the last epoch, as the other two do."""
    model = Classifier(network or lincoln_network(), LogLoss, partial(SGD, lr=LR))
    return model.fit(x, y, epochs, print_every=None, batch_size=BATCH, seed=SEED, progress=False).losses[-1]


def pytorch_fit(x: np.ndarray, y: np.ndarray, epochs: int, network: nn.Sequential | None = None) -> float:
    """Run the same fit. Batches are views of one shuffled copy an epoch, as in lincoln, so the loader is no handicap."""
    torch.manual_seed(SEED)
    step = pytorch_step(network or pytorch_network())
    features, targets = torch.from_numpy(x), torch.from_numpy(y).float().unsqueeze(-1)
    losses = []
    for _ in range(epochs):
        order, total = torch.randperm(len(features)), torch.zeros((), dtype=torch.float64)
        shuffled = (tensor.index_select(0, order) for tensor in (features, targets))
        for batch in zip(*(torch.split(tensor, BATCH) for tensor in shuffled), strict=True):
            total += step(*batch).detach()
        losses.append(total.item() / len(features))
    return losses[-1]


def sklearn_fit(x: np.ndarray, y: np.ndarray, epochs: int) -> float:
    """Run the same fit. A batch's loss is averaged here and summed in the others: the learning rate is 128 times theirs."""
    model = MLPClassifier(
        hidden_layer_sizes=(10,),
        activation="logistic",
        solver="sgd",
        momentum=0,
        alpha=0,
        batch_size=BATCH,
        learning_rate_init=LR * BATCH,
        max_iter=epochs,
        tol=0,
        n_iter_no_change=epochs + 1,
        random_state=SEED,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return float(model.fit(x, y).loss_)


def same_training(x: np.ndarray, y: np.ndarray, epochs: int) -> dict[str, float]:
    """Train from the same start on the same batches. Return the losses and the largest difference of a weight."""
    ours, theirs = lincoln_network(), pytorch_network()
    ours(torch.from_numpy(x[:1]))  # makes the weights
    with torch.no_grad():
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            b.copy_(a.t().reshape(b.shape))
    losses = {"lincoln": lincoln_fit(x, y, epochs, ours), "pytorch": pytorch_fit(x, y, epochs, theirs)}
    pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
    difference = max((a.t().reshape(b.shape) - b).abs().max().item() for a, b in pairs)
    return losses | {"sklearn": sklearn_fit(x, y, epochs), "difference": difference}


def measure(part: str, runs: Runs, repeats: int, per: int = 1) -> list[dict[str, Any]]:
    """Return seconds of interleaved repetitions, after one to warm up, and ratios to the first run."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name].append((time.perf_counter() - start) / per)
    medians = {name: statistics.median(taken[1:]) for name, taken in times.items()}
    base = next(iter(medians.values()))
    return [
        {"part": part, "name": name, "median": medians[name], "min": min(taken[1:]), "max": max(taken[1:])}
        | {"ratio": medians[name] / base, "bar": BARS.get(f"{part}, {name}")}
        for name, taken in times.items()
    ]


def benchmark(repeats: int, steps: int, epochs: int) -> dict[str, Any]:
    bunch = load_breast_cancer()
    x, y = standardize(bunch.data.astype(np.float32)), bunch.target
    batch = torch.from_numpy(x[:BATCH]), torch.from_numpy(y[:BATCH]).float().unsqueeze(-1)
    step: Runs = {
        "lincoln": partial(repeat, replayed_step(), *batch, steps, inference=True),  # as Trainer does
        "lincoln, not replayed": partial(repeat, lincoln_step(check_targets=False), *batch, steps, inference=True),
        "lincoln, plain loop": partial(repeat, lincoln_step(check_targets=True), *batch, steps),
        "PyTorch eager": partial(repeat, pytorch_step(pytorch_network()), *batch, steps),
    }
    fit: Runs = {
        "lincoln": partial(lincoln_fit, x, y, epochs),
        "PyTorch eager": partial(pytorch_fit, x, y, epochs),
        "MLPClassifier": partial(sklearn_fit, x, y, epochs),
    }
    rows = measure("step", step, repeats, per=steps) + measure("fit", fit, repeats)
    settings = {"repeats": repeats, "steps": steps, "epochs": epochs, "threads": 1}
    return {"machine": machine(), "settings": settings, "rows": rows, "same": same_training(x, y, epochs)}


def machine() -> dict[str, Any]:
    cpu = Path("/proc/cpuinfo")
    names = [line for line in cpu.read_text().splitlines() if line.startswith("model name")] if cpu.exists() else []
    processor = names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
    try:
        lincoln = metadata.version("lincoln-nn")
    except metadata.PackageNotFoundError:
        lincoln = "source"
    versions = {"python": platform.python_version(), "torch": torch.__version__, "sklearn": sklearn.__version__}
    return {"processor": processor, "cores": os.cpu_count(), **versions, "lincoln": lincoln}


def show(result: dict[str, Any]) -> None:
    say = partial(Console().print, highlight=False, soft_wrap=True)
    say(", ".join(f"{key} {value}" for key, value in (result["machine"] | result["settings"]).items()))
    table = Table("", "", "median", "min .. max", "ratio")
    for row in result["rows"]:
        scale, unit = (1e6, "us") if row["part"] == "step" else (1e3, "ms")
        low, median, high = (f"{row[key] * scale:.1f}" for key in ("min", "median", "max"))
        table.add_row(row["part"], row["name"], f"{median} {unit}", f"{low} .. {high}", f"{row['ratio']:.2f}")
    say(table)
    for row in result["rows"]:
        if not row["name"].startswith("lincoln"):
            bar = f" (bar {row['bar']})" if row["bar"] and result["settings"]["epochs"] >= 500 else ""
            say(f"{row['part']}: lincoln is {row['ratio']:.1f} x faster than {row['name']}{bar}")
    same = result["same"]
    say(f"lincoln and PyTorch, same start and batches: largest difference of a weight {same['difference']:.1e}")
    say(f"last epoch's loss: lincoln {same['lincoln']:.6f}, PyTorch {same['pytorch']:.6f}; ", end="")
    say(f"MLPClassifier, from its own start, {same['sklearn']:.6f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="The notebook's network in lincoln, PyTorch eager and scikit-learn.")
    parser.add_argument("--repeats", type=int, help="repetitions of each (20)")
    parser.add_argument("--steps", type=int, help="training steps in one repetition of 'step' (500)")
    parser.add_argument("--epochs", type=int, help="epochs of a fit (500, as in the notebook)")
    parser.add_argument("--quick", action="store_true", help="a few seconds, to show that it works")
    parser.add_argument("--json", nargs="?", const="-", metavar="PATH", help="JSON to PATH, or alone to stdout")
    options = parser.parse_args()
    repeats, steps, epochs = (3, 100, 20) if options.quick else (20, 500, 500)
    torch.set_num_threads(1)
    with threadpool_limits(limits=1):
        result = benchmark(options.repeats or repeats, options.steps or steps, options.epochs or epochs)
    text = json.dumps(result, indent=2)
    if options.json == "-":
        print(text)
        return
    if options.json:
        Path(options.json).write_text(text + "\n")
    show(result)


if __name__ == "__main__":
    main()
