"""Turn what users measure into arrays: targets, predictions, probabilities. Metrics and plots both take their data here.

Tensors on any device, arrays and lists are accepted, and (n, 1) counts as (n,). Classes are whole numbers, booleans or
strings; several labels per example are (n, n_labels) of 0 and 1.

Raises MatchError for shapes that do not belong together, and DataError for data that cannot be measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np

from lincoln._util import userdata
from lincoln._util.text import short
from lincoln.errors import DataError, DimensionError, MatchError

_SWAPPED = "were the arguments swapped?"
_UNDECIDED = "decide first, for instance by probabilities >= 0.5"


def as_array(values: Any, name: str = "values") -> np.ndarray:
    """Return the values as an array on the CPU, (n, 1) as (n,)."""
    array = userdata.as_array(name, values)
    if isinstance(values, list | tuple) and array.dtype.kind == "f":
        array = _exact_list(values, array)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def same_shape(targets: Any, predictions: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays. Raises MatchError unless their shapes are equal."""
    t, p = as_array(targets, "targets"), as_array(predictions, "predictions")
    if t.shape != p.shape:
        raise MatchError(f"targets have shape {t.shape}, predictions {p.shape}; expected the same")
    return t, p


def finite_numbers(name: str, array: np.ndarray) -> np.ndarray:
    """Return the array as float64. Raises DataError if it is empty or holds anything but finite numbers."""
    if array.dtype.kind == "O" and all(isinstance(number, Real | Decimal) for number in array.ravel()):
        array = array.astype(np.float64)
    if array.size == 0 or array.ndim == 0:
        raise DataError(f"{name}: no data (shape {array.shape})")
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name} of shape {array.shape} have dtype {array.dtype}; expected numbers")
    array = array.astype(np.float64)
    _refuse(name, array, ~np.isfinite(array), "expected finite numbers")
    return array


def same_numbers(targets: Any, predictions: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return both as float64, (n, outputs). Raises MatchError unless their shapes are equal."""
    t, p = same_shape(targets, predictions)
    t, p = finite_numbers("targets", t), finite_numbers("predictions", p)
    return t.reshape(len(t), -1), p.reshape(len(p), -1)


def class_values(name: str, array: np.ndarray, hint: str) -> np.ndarray:
    """Return classes as str or int64, or as Python's integers where one is beyond int64; none is rounded.

    Raises DataError, which ends in `hint`, if the array holds anything else.
    """
    if array.dtype.kind == "S":
        array = _text(name, array)
    if array.dtype.kind == "T" or (array.dtype.kind == "O" and all(isinstance(label, str) for label in array.ravel())):
        array = array.astype(str)
    if array.size == 0 or array.ndim == 0:
        raise DataError(f"{name}: no data (shape {array.shape})")
    if array.dtype.kind == "U":
        return array
    if array.dtype.kind == "O":
        array = _numbers_in(name, array)
    elif array.dtype.kind not in "biuf":
        raise DataError(f"{name} of shape {array.shape} have dtype {array.dtype}; expected numbers")
    if array.dtype.kind not in "biu":
        _refuse(name, array, ~_each(array, _finite), "expected finite numbers")
        whole = _each(array, lambda value: value == int(value))
        _refuse(name, array, ~whole, f"expected classes, whole numbers or strings: {hint}")
    return _integers(array)


def class_labels(name: str, array: np.ndarray, hint: str) -> np.ndarray:
    """Return classes as `class_values` does, (n,), or several labels per example as int64 0 and 1, (n, n_labels).

    Raises DataError, which ends in `hint`, if the array holds anything else.
    """
    labels = class_values(name, array, hint)
    if labels.ndim == 1:
        return labels
    if labels.dtype.kind == "U":
        raise DataError(f"{name} of shape {labels.shape} have dtype {labels.dtype}; expected numbers")
    wrong = (labels != 0) & (labels != 1)
    _refuse(name, labels, wrong, f"expected 0 and 1 for several labels per example, shape {labels.shape}")
    return labels


def refuse_mixed(t: np.ndarray, p: np.ndarray) -> None:
    """Raise DataError if one of two arrays of classes holds strings and the other numbers."""
    kinds = ["strings" if labels.dtype.kind == "U" else "numbers" for labels in (t, p)]
    if kinds[0] != kinds[1]:
        raise DataError(f"targets are {kinds[0]} and predictions {kinds[1]}; expected the same")


def classes_in(labels: np.ndarray) -> np.ndarray:
    """Return the classes in sorted order. If all labels are 0 or 1, the classes are 0 and 1, even if one is absent."""
    classes = np.unique(labels)
    return np.arange(2) if classes.dtype.kind != "U" and np.isin(classes, (0, 1)).all() else classes


def same_classes(targets: Any, predictions: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return both as `class_values`, of any shape that they share. Raises DataError for strings against numbers."""
    t, p = same_shape(targets, predictions)
    t, p = class_values("targets", t, _SWAPPED), class_values("predictions", p, _UNDECIDED)
    refuse_mixed(t, p)
    return t, p


def class_indices(targets: Any, predictions: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return targets and predictions, both (n,), as indices into the sorted classes, and those classes.

    Several labels per example, (n, n_labels), are returned unchanged, with the numbers of the labels as classes.
    """
    t, p = same_shape(targets, predictions)
    t, p = class_labels("targets", t, _SWAPPED), class_labels("predictions", p, _UNDECIDED)
    refuse_mixed(t, p)
    if t.ndim > 1:
        return t, p, np.arange(t.shape[1])
    classes = classes_in(np.concatenate([t, p]))
    return np.searchsorted(classes, t), np.searchsorted(classes, p), classes


def class_probabilities(targets: Any, probabilities: Any, scores: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return targets as class indices, and probabilities as float64.

    The shapes are (n,) and (n,) for two classes, (n,) and (n, classes) for more, and twice (n, n_labels) for several labels
    per example. With `scores`, any numbers such as log-odds are accepted, except in (n, classes).
    """
    t = class_labels("targets", as_array(targets, "targets"), _SWAPPED)
    p = finite_numbers("probabilities", as_array(probabilities, "probabilities"))
    if p.shape != t.shape and (t.ndim > 1 or p.ndim != 2 or len(t) != len(p)):
        raise MatchError(
            f"targets have shape {t.shape}, probabilities {p.shape}; expected the same, or (n,) and (n, classes)"
        )
    if not scores or t.ndim < p.ndim:
        _refuse("probabilities", p, (p < 0) | (p > 1), "expected 0 to 1: send log-odds through a sigmoid or softmax first")
    if t.ndim > 1:
        return t, p
    if p.ndim > 1:
        total = p.sum(1)
        _refuse("probabilities, summed,", total, np.abs(total - 1) > 1e-3, "expected 1 over the classes of each example")
        if p.shape[1] > 2:
            return _column_indices(t, p.shape[1]), p
        p = p[:, 1]
    classes = classes_in(t)
    if len(classes) != 2:
        raise DataError(f"targets hold {len(classes)} classes; probabilities of shape (n,) or (n, 2) are for two classes")
    return np.searchsorted(classes, t), p


def positive_probabilities(
    targets: Any, probabilities: Any, name: str, scores: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return targets 0 and 1, (n,), and probabilities of 1, (n,), or with `scores` any numbers in their place.

    Raises DimensionError, which names the calling function `name`, for more than two classes or several labels per example.
    """
    t, p = class_probabilities(targets, probabilities, scores)
    if p.ndim > 1:
        raise DimensionError(f"{name}: probabilities have shape {p.shape}; expected (n,): take one class at a time")
    return t, p


def _column_indices(t: np.ndarray, classes: int) -> np.ndarray:
    """Return targets as indices into `classes` columns of probabilities."""
    if t.dtype.kind != "U":
        expected = f"expected 0 to {classes - 1}, for probabilities of {classes} classes"
        _refuse("targets", t, (t < 0) | (t >= classes), expected)
        return t.astype(np.int64)
    found = np.unique(t)
    if len(found) != classes:
        raise DataError(f"targets hold {len(found)} classes, probabilities are of {classes}: number the classes from 0")
    return np.searchsorted(found, t)


def _exact_list(values: Any, array: np.ndarray) -> np.ndarray:
    """Return a list of integers that numpy has read as floats, since one is beyond int64, as the integers it holds."""
    if array.size and float(np.abs(array).max()) >= 2.0**53:
        exact = np.array(values, dtype=object)
        if exact.shape == array.shape and all(isinstance(value, Integral) for value in exact.ravel()):
            return exact
    return array


def _text(name: str, array: np.ndarray) -> np.ndarray:
    """Return bytes in UTF-8 as str."""
    try:
        decoded: np.ndarray = np.char.decode(array, "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{name} hold bytes that are no UTF-8 ({short(error)}); expected text or numbers") from error
    return decoded


def _numbers_in(name: str, array: np.ndarray) -> np.ndarray:
    """Return an array of objects if all are numbers. Raises DataError with the first that is none."""
    for place, value in np.ndenumerate(array):
        if not isinstance(value, Real | Decimal | np.bool_):
            raise DataError(
                f"{name} of shape {array.shape} have dtype object; expected numbers, or strings alone; "
                f"found {short(value)} at {place[0] if len(place) == 1 else place}"
            )
    return array


def _finite(value: Any) -> bool:
    return isinstance(value, Integral) or math.isfinite(value)  # an integer may be beyond any float


def _each(array: np.ndarray, holds: Callable[[Any], bool]) -> np.ndarray:
    """Return where a property of numbers holds; floats are asked all at once."""
    if array.dtype.kind == "f":
        each: np.ndarray = np.isfinite(array) if holds is _finite else array == np.round(array)
        return each
    return np.array([holds(value) for value in array.ravel()], dtype=bool).reshape(array.shape)


def _integers(array: np.ndarray) -> np.ndarray:
    """Return whole numbers as int64, or as Python's integers where one is beyond int64."""
    if array.dtype.kind in "bi" or (array.dtype.kind in "uf" and float(np.abs(array).max()) < 2.0**63):
        return array.astype(np.int64)
    integers = [int(value) for value in array.ravel()]
    exact = np.array(integers, dtype=object)
    if all(-(2**63) <= value < 2**63 for value in integers):
        exact = exact.astype(np.int64)
    return exact.reshape(array.shape)


def _refuse(name: str, array: np.ndarray, wrong: np.ndarray, expected: str) -> None:
    """Raise DataError with the first value, and its place, for which `wrong` is True."""
    if wrong.any():
        place = tuple(int(index) for index in np.argwhere(wrong)[0])
        value = array[place]
        found = f"{value:g}" if isinstance(value, float | np.floating) else str(value)
        raise DataError(f"{name} hold {found} (at {place[0] if len(place) == 1 else place}); {expected}")
