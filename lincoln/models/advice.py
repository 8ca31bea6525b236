"""What to change after a fit that has hardly learned: features of unlike size, a learning rate too small, rare classes."""

from __future__ import annotations

import warnings

import numpy as np
from torch import Tensor

from lincoln._util.text import short
from lincoln.errors import LearningWarning
from lincoln.losses import Loss
from lincoln.optim import SGD, Optimizer
from lincoln.training.history import History

_ENOUGH_STEPS, _ENOUGH_EPOCHS = 100, 30  # a shorter fit was not meant to be the last one
_FEW_ERRORS = 0.02
_LARGE, _SMALL = 10.0, 0.01  # root mean square of a feature; standardized ones have 1
_STILL_FALLING = {"sum": 0.03, "mean": 0.005}  # of the loss, in the last tenth of the epochs, at a rate made for sums
_LOOKED_AT = 10_000  # examples


def sampled(tensor: Tensor) -> Tensor:
    """Return every n-th example, at most `_LOOKED_AT` of them, so that a look at large data costs little."""
    return tensor[:: -(-len(tensor) // _LOOKED_AT)]


def wants_advice(history: History) -> bool:
    """Return True if a fit was long enough for its result to be judged."""
    return history.steps >= _ENOUGH_STEPS


def advise(
    features: Tensor, labels: np.ndarray, predicted: np.ndarray, history: History, loss: Loss, optimizer: Optimizer
) -> None:
    """Warn, with the cure, if more than 2% of the training examples are predicted wrong for a reason that can be seen.

    The reasons are features much larger or smaller than standardized ones, one class predicted for all examples and, at
    the default learning rate, a loss that is still falling: who chose another rate knows that it matters.
    """
    wrong = float(np.mean(labels != predicted))
    if wrong <= _FEW_ERRORS:
        return
    causes = _unlike_sizes(features)
    if history.epochs >= _ENOUGH_EPOCHS and _is_default(optimizer):
        causes += _still_falling(history, loss, optimizer)
    one = np.unique(predicted) if labels.ndim == 1 and len(np.unique(labels)) > 1 else labels
    all_one = f", all as {short(one[0].item(), 40)}" if len(one) == 1 else ""
    if all_one and not causes and history.epochs >= _ENOUGH_EPOCHS:
        causes = [
            f"Try another learning rate ({optimizer.lr:g} now), more epochs, a larger network, or class_weight='balanced' "
            f"for rare classes"
        ]
    if causes:
        warnings.warn(
            f"After {history.epochs} epochs {wrong:.1%} of the training labels are still predicted wrong{all_one}. "
            f"{' '.join(f'{cause}.' for cause in causes)}",
            LearningWarning,
            stacklevel=5,
        )


def _is_default(optimizer: Optimizer) -> bool:
    """Return True for `SGD` as it is without settings."""
    return type(optimizer) is SGD and repr(optimizer) == repr(SGD(optimizer.network))


def _unlike_sizes(features: Tensor) -> list[str]:
    sizes = features.flatten(1).double().square().mean(0).sqrt()
    place = int(sizes.argmax())
    size = sizes[place].item()
    if _SMALL < size < _LARGE:
        return []
    return [
        f"Feature {place} is {size:.3g} in root mean square, where networks expect about 1: standardize the features, "
        f"lincoln.standardize(features), and new ones by like=features"
    ]


def _still_falling(history: History, loss: Loss, optimizer: Optimizer) -> list[str]:
    losses: list[float] = history.val_losses or history.losses
    last = len(losses) // 10
    if not last:
        return []
    now, before = np.mean(losses[-last:]), np.mean(losses[-2 * last : -last])
    fall = 1 - now / before if before > 0 else 0.0
    if not fall > _STILL_FALLING[loss.reduction]:
        return []
    return [f"The loss was still falling, by {fall:.1%} in the last {last} epochs: {_faster(loss, optimizer)}"]


def _faster(loss: Loss, optimizer: Optimizer) -> str:
    if loss.reduction == "mean":
        return (
            f"the learning rate {optimizer.lr:g} is small for a loss averaged over the batch; leave the optimizer out, "
            f"or use partial(lincoln.SGD, lr=0.1), or lincoln.Adam"
        )
    return f"train for more epochs, or with a higher learning rate than {optimizer.lr:g}"
