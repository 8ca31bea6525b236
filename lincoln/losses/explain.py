"""Errors of a loss's own formulas, in words that name the loss, what came and what was expected."""

from __future__ import annotations

from torch import Tensor

from lincoln._util import refused
from lincoln._util.tensors import described
from lincoln._util.text import short
from lincoln.errors import DataError, LayerError, LincolnError, MatchError


def check_shapes(loss: str, value: Tensor, gradient: Tensor | None, prediction: Tensor) -> None:
    """Raise MatchError unless the formulas gave one number an example or entry, and a gradient shaped as the prediction."""
    if value.shape not in (prediction.shape, prediction.shape[:-1]):
        raise MatchError(
            f"{loss}: value returned shape {tuple(value.shape)} for a prediction {tuple(prediction.shape)}; expected one "
            f"loss for each example, or for each entry"
        )
    if gradient is not None and gradient.shape != prediction.shape:
        raise MatchError(
            f"{loss}: gradient returned shape {tuple(gradient.shape)} for a prediction {tuple(prediction.shape)}; "
            f"expected the same"
        )


def explained(loss: str, error: Exception, prediction: Tensor, targets: object) -> LincolnError:
    """Return the error to raise when the formulas failed with `error`."""
    if not isinstance(targets, Tensor):
        return MatchError(
            f"{loss}: targets are a {type(targets).__name__}, expected a torch.Tensor: use torch.as_tensor(targets)"
        )
    if targets.device != prediction.device:
        return MatchError(
            f"{loss}: targets are on {targets.device}, the prediction on {prediction.device}: "
            f"use targets.to({str(prediction.device)!r})"
        )
    try:
        refused.tensor(f"{loss}: targets", targets)
    except DataError as unusable:
        return unusable
    return LayerError(f"{loss}: failed for a prediction {described(prediction)}: {short(error, 300)}")
