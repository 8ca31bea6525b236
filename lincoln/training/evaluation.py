"""The loss and the predictions on batches, without a trace in the network or the random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from lincoln._util.userdata import check_numbers
from lincoln.data import Batch, DataLoader
from lincoln.errors import DataError
from lincoln.losses import Loss
from lincoln.metrics import Metric
from lincoln.training.forms import check_batch
from lincoln.training.metrics import Measured
from lincoln.training.prepare import Data, checked_as_a_whole
from lincoln.training.random import random_state_of, set_random_state_of
from lincoln.training.tally import Tally

_LARGE = 2**16  # numbers


def evaluate(loss: Loss, batches: Iterable[Batch], check_targets: bool | None = None) -> tuple[float, Tensor, Tensor]:
    """Return the loss per example on `batches`, with their targets and predictions, in evaluation mode.

    `check_targets=False` says that all data have been checked. Raises DataError if there are no batches, or for one that
    holds NaN or infinite values.
    """
    targets: list[Tensor] = []
    predictions: list[Tensor] = []

    def note(target: Tensor, prediction: Tensor) -> None:
        targets.append(target)
        predictions.append(prediction)

    value = run_through(loss, batches, note, check_targets)
    return value, torch.cat(targets), torch.cat(predictions)


def run_through(
    loss: Loss, batches: Iterable[Batch], note: Callable[[Tensor, Tensor], object], check_targets: bool | None = None
) -> float:
    """Return the loss per example on `batches`, as `evaluate` does; `note(targets, predictions)` is called for each."""
    tally, number = Tally(loss), 0
    checks = loss.check_targets if check_targets is None else check_targets
    for number, batch in enumerate(batches, 1):
        if number == 1:
            check_batch("batches", batch)
        value, prediction = loss.evaluate(*batch, check_targets=check_targets)
        if checks and not math.isfinite(value):
            for name, part in zip(("features", "targets"), batch, strict=False):
                check_numbers(f"batch {number} of the data to evaluate on: {name}", part)
        tally.add(value, *batch)
        note(loss.match(prediction, batch[1]), prediction)
        if prediction.is_cpu and prediction.numel() >= _LARGE:
            tally.read()  # a loss kept as a tensor may lie where the prediction was, which could not be used again
        del prediction  # before the next one is computed
    if not number:
        raise DataError("no batches to evaluate on")
    total, weight = tally.read()
    if weight == 0:
        raise DataError("the data to evaluate on have no example with a weight above 0")
    return total / weight


def measure(
    loss: Loss, metrics: Mapping[str, Metric], batches: Iterable[Batch], data: Data | None
) -> tuple[float, dict[str, float]]:
    """Return the loss and the metrics by name on a run's batches of `data`, with the random state put back.

    Of the predictions only what the metrics need is kept (`Measured`). If the batches can be had in order, they are.
    """
    measured = Measured(metrics, loss)
    if checked_as_a_whole(batches, data):
        in_order = DataLoader(batches.dataset, batches.batch_size, device=batches.device, copy_budget=batches.copy_budget)
        value = run_through(loss, in_order, measured.add, check_targets=False)
    else:
        before = random_state_of(batches)  # torch's DataLoader draws a number even when it does not shuffle
        value = run_through(loss, batches, measured.add)
        set_random_state_of(before, batches)
    return value, measured.values()
