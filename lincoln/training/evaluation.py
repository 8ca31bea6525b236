"""The loss and the predictions on batches, without a trace in the network or the random numbers."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from lincoln.data import Batch, DataLoader
from lincoln.errors import DataError
from lincoln.losses import Loss
from lincoln.metrics import Metric
from lincoln.training.random import random_state_of, set_random_state_of
from lincoln.training.tally import Tally

Evaluation = tuple[float, Tensor, Tensor]
"""The loss per example, the targets and the predictions."""


def evaluate(loss: Loss, batches: Iterable[Batch], check_targets: bool | None = None) -> Evaluation:
    """Return the loss per example on `batches`, with their targets and predictions, in evaluation mode.

    `check_targets=False` says that all targets have been checked. Raises DataError if there are no batches.
    """
    tally = Tally(loss)
    predictions, targets = [], []
    for batch in batches:
        value, prediction = loss.evaluate(*batch, check_targets=check_targets)
        tally.add(value, *batch)
        predictions.append(prediction)
        targets.append(loss.match(prediction, batch[1]))
    if not predictions:
        raise DataError("no batches to evaluate on")
    total, weight = tally.read()
    return total / weight, torch.cat(targets), torch.cat(predictions)


def evaluate_between_epochs(loss: Loss, batches: Iterable[Batch], checked: bool) -> Evaluation:
    """Return `evaluate` on the batches of a run: unshuffled where possible, else with the random state put back.

    `checked` batches come from a Dataset whose targets have been checked as a whole.
    """
    if checked and isinstance(batches, DataLoader):
        in_order = DataLoader(batches.dataset, batches.batch_size, device=batches.device, copy_budget=batches.copy_budget)
        return evaluate(loss, in_order, check_targets=False)
    before = random_state_of(batches)  # torch's DataLoader draws a number even when it does not shuffle
    result = evaluate(loss, batches)
    set_random_state_of(before, batches)
    return result


def measured(metric: Metric, loss: Loss, targets: Tensor, predictions: Tensor) -> float:
    """Return the metric, of decided classes if it is one of classes (`metric.on_classes`)."""
    if getattr(metric, "on_classes", False):
        predictions = loss.decide(predictions)
    return float(metric(targets, predictions))
