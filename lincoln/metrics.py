"""What to measure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from lincoln.errors import MatchError

Metric = Callable[[Any, Any], float]
"""A function of (targets, predictions)."""


def accuracy(targets: Any, predictions: Any) -> float:
    """The fraction of predictions that equal their target; of several labels an example, all must.

    (n, 1) counts as (n,). MatchError for different shapes.
    """
    t, p = _alike(targets, predictions)
    right = t == p
    return float(np.mean(right if right.ndim == 1 else right.all(tuple(range(1, right.ndim)))))


def r2(targets: Any, predictions: Any) -> float:
    """The share of the targets' variance that the predictions explain: 1 for perfect, 0 for always saying the mean."""
    from sklearn.metrics import r2_score

    return float(r2_score(*_alike(targets, predictions)))


def _alike(targets: Any, predictions: Any) -> tuple[np.ndarray, np.ndarray]:
    t, p = _array(targets), _array(predictions)
    if t.shape != p.shape:
        raise MatchError(f"targets have shape {t.shape}, predictions {p.shape}; wanted the same")
    return t, p


def _array(values: Any) -> np.ndarray:
    array = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
