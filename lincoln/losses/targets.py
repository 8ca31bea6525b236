"""Checks of targets that several losses share, and the floor under probabilities."""

from __future__ import annotations

import torch
from torch import Tensor

from lincoln.errors import DataError


def floor(p: Tensor) -> float:
    """Return the smallest denominator allowed for products of probabilities."""
    return max(1e-12, torch.finfo(p.dtype).tiny)


def refuse_not_finite(loss: str, target: Tensor) -> None:
    """Raise DataError if a target is NaN or infinite."""
    if not torch.isfinite(target).all():
        raise DataError(f"{loss}: targets hold {first_place(target, ~torch.isfinite(target))}; expected finite numbers")


def refuse_no_probabilities(loss: str, target: Tensor) -> None:
    """Raise DataError unless each row holds numbers of at least 0 that sum to 1, as far as the dtype can tell."""
    expected = "target probabilities must be 0 or more and sum to 1 over the last dimension"
    wrong = ~(target >= 0)
    if wrong.any():
        raise DataError(f"{loss}: {expected}; found {first_place(target, wrong)}")
    sums = target.sum(-1, dtype=torch.float64 if target.dtype == torch.float64 else torch.float32)
    wrong = ~((sums - 1).abs() <= max(1e-3, torch.finfo(target.dtype).eps))
    if wrong.any():
        raise DataError(f"{loss}: {expected}; found a sum of {first_place(sums, wrong)}")


def first_place(target: Tensor, wrong: Tensor) -> str:
    """Return the first of the wrong targets and its place, for an error message."""
    where = wrong.nonzero()[0].tolist()
    return f"{target[tuple(where)].item():g} (at {where[0] if len(where) == 1 else tuple(where)})"
