"""The data of a fit: weights, the part held out for validation, and the size of batches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Real
from typing import Any

import numpy as np
from numpy.random import RandomState
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import _check_sample_weight
from torch import Tensor

from lincoln._util.frames import is_frame
from lincoln._util.text import short
from lincoln._util.userdata import as_numbers, as_tensor, without_tensors
from lincoln.estimators.batches import Examples
from lincoln.estimators.running import warn

_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def example_weights(X: Any, y: Any, sample_weight: Any, class_weight: Any, incremental: bool) -> Tensor | None:
    """Return the weight of each example, (n,): its `sample_weight` times its class's; None if all weigh 1.

    Raises ValueError for weights that are negative or not finite, or for "balanced" if `incremental`.
    """
    weights = None
    if sample_weight is not None:
        weights = _check_sample_weight(without_tensors("sample_weight", sample_weight), X, dtype=np.float64)
    if class_weight is not None:
        by_class = _weights_by_class(class_weight, y, incremental)
        weights = by_class if weights is None else weights * by_class
    if weights is None:
        return None
    if weights.min() < 0:
        raise ValueError("Negative values in sample_weight or class_weight; expected 0 or more")
    if not np.isfinite(weights).all():
        raise ValueError("sample_weight times class_weight is not finite; scale them down")
    return as_tensor("sample_weight", weights)


def _weights_by_class(class_weight: Any, y: Any, incremental: bool) -> np.ndarray:
    if incremental and class_weight == "balanced":
        raise ValueError(
            "class_weight 'balanced' is not supported by partial_fit, which does not see all of the data: use "
            "compute_class_weight('balanced', classes=classes, y=y) and pass its weights as a dict"
        )
    for weight in _given_weights(class_weight):
        if not isinstance(weight, Real) or not math.isfinite(weight):
            raise ValueError(f"class_weight holds {short(weight)}; expected a finite number of 0 or more for each class")
    return np.asarray(compute_sample_weight(class_weight, y), dtype=np.float64)


def _given_weights(class_weight: Any) -> Iterator[Any]:
    """Yield all weights of a dict, or of a list of dicts, one for each output."""
    if isinstance(class_weight, dict):
        yield from class_weight.values()
    elif isinstance(class_weight, list | tuple):
        for part in class_weight:
            yield from _given_weights(part)


@contextmanager
def columns_named(name: str, X: Any) -> Iterator[None]:
    """Name the column to blame where scikit-learn cannot convert a frame to numbers."""
    try:
        yield
    except (TypeError, ValueError):
        if is_frame(X):
            as_numbers(name, X)
        raise


def is_plain(X: Any, fitted: Mapping[str, Any]) -> bool:
    """Return True for an array that scikit-learn's checks would give back as it is: they take longer than a prediction.

    `fitted` are the attributes of the estimator, which was fitted to as many columns without names.
    """
    if type(X) is not np.ndarray or X.dtype not in _FLOATS or X.ndim != 2 or not len(X) or not X.flags.aligned:
        return False
    if X.shape[1] != fitted.get("n_features_in_") or "network_" not in fitted or "feature_names_in_" in fitted:
        return False
    with np.errstate(all="ignore"):
        return bool(np.isfinite(X.sum()))  # NaN and infinity stay in a sum


def split(examples: Examples, share: float, strata: np.ndarray | None, random: RandomState) -> tuple[Examples, Examples]:
    """Return the examples to train on and, drawn at random, the `share` of them that is held out."""
    rows = train_test_split(np.arange(len(examples)), random_state=random, test_size=share, stratify=strata)
    return examples[rows[0]], examples[rows[1]]


def two_or_more(held_out: Examples) -> Examples:
    """Return the examples held out. Raises ValueError if they are fewer than two."""
    if len(held_out) < 2:
        raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
    return held_out


def batch_size(asked: Any, examples: int) -> int:
    """Return the number of examples in a batch: 200 for "auto", and never more than there are."""
    if asked == "auto":
        return min(200, examples)
    if asked > examples:
        warn("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
    return int(min(asked, examples))
