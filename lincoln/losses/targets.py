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


def first_place(target: Tensor, wrong: Tensor) -> str:
    """Return the first of the wrong targets and its place, for an error message."""
    where = wrong.nonzero()[0].tolist()
    return f"{target[tuple(where)].item():g} (at {where[0] if len(where) == 1 else tuple(where)})"
