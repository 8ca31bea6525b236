"""Encodings as plain data and arrays, and encodings again from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from lincoln.errors import CheckpointError
from lincoln.models.encoding.base import Encoding
from lincoln.models.encoding.classes import Classes, ClassProbabilities
from lincoln.models.encoding.indicators import Indicators
from lincoln.models.encoding.labels import ClassNumbers, SortedLabels
from lincoln.models.encoding.numbers import Numbers

_MOST_DIMENSIONS = 8


def plain_encoding(encoding: Encoding) -> dict[str, Any]:
    """Return an encoding as strings, numbers, lists and arrays. Raises CheckpointError for one that has no such form."""
    if type(encoding) is Classes:
        form = {"labels": _plain_labels(encoding.labels), "exclusive": encoding.exclusive, "columns": encoding.columns}
        return {"kind": "classes"} | form
    if type(encoding) is Indicators:
        return {"kind": "indicators", "labels": _plain_labels(encoding.labels)}
    if type(encoding) is ClassProbabilities:
        return {"kind": "probabilities", "classes": len(encoding.classes)}
    if type(encoding) is Numbers:
        return {"kind": "numbers", "dims": encoding.dims}
    raise CheckpointError(f"labels of the kind {type(encoding).__name__} have no form in a file")


def encoding_from(plain: dict[str, Any]) -> Encoding:
    """Return the encoding that `plain_encoding` described. Raises KeyError, TypeError or ValueError for anything else."""
    kind = plain["kind"]
    if kind == "classes":
        encoding = Classes(_labels_from(plain["labels"]), _flag(plain["exclusive"]))
        encoding.columns = None if plain["columns"] is None else _count(plain["columns"], 2**31)
        return encoding
    if kind == "indicators":
        return Indicators(_labels_from(plain["labels"]))
    if kind == "probabilities":
        return ClassProbabilities(_count(plain["classes"], 2**31))
    if kind == "numbers":
        return Numbers(np.zeros((1,) * _count(plain["dims"], _MOST_DIMENSIONS)))
    raise ValueError(f"labels of the kind {kind!r:.40}")


def _plain_labels(labels: SortedLabels | ClassNumbers) -> dict[str, Any]:
    if isinstance(labels, ClassNumbers):
        return {"numbers": labels.values}
    return {"sorted": labels.values.tolist() if labels.values.dtype.kind in "UO" else labels.values}


def _labels_from(plain: dict[str, Any]) -> SortedLabels | ClassNumbers:
    if plain.keys() == {"sorted"}:
        return SortedLabels(_sorted(plain["sorted"]))
    values = plain["numbers"]
    if not isinstance(values, np.ndarray) or values.ndim != 1 or len(values) < 2 or values.dtype.kind not in "biuf":
        raise ValueError("class numbers are no array of numbers")
    if not np.array_equal(values, np.arange(len(values)).astype(values.dtype)):
        raise ValueError("class numbers do not count from 0")
    labels = ClassNumbers(values.dtype)
    labels.values = values
    return labels


def _sorted(values: Any) -> np.ndarray:
    """Return labels as an array. Raises ValueError unless they are strings, or an array of numbers, in sorted order."""
    if isinstance(values, list) and values and all(type(value) is str for value in values):
        values = np.array(values)
    if not isinstance(values, np.ndarray) or values.ndim != 1 or not len(values) or values.dtype.kind not in "biufU":
        raise ValueError("labels are no strings or numbers")
    if not (values[:-1] < values[1:]).all():
        raise ValueError("labels are not sorted")
    return values


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError(f"{value!r:.40} is neither true nor false")
    return value


def _count(value: Any, most: int) -> int:
    if type(value) is not int or not 0 < value <= most:
        raise ValueError(f"{value!r:.40} is no count")
    return value
