"""Labels as class numbers: by their place among the sorted labels, or because they are class numbers already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lincoln._util.objects import is_missing, what
from lincoln._util.text import few, place, short
from lincoln._util.userdata import as_array, as_numbers, as_tensor, check_numbers
from lincoln.errors import DataError


class SortedLabels:
    """A label's number is its place among `values`, the distinct labels in sorted order."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self._keys = label_array("classes", values)  # strings may have come as objects

    def numbers(self, array: np.ndarray, name: str) -> Tensor:
        refuse_other_kind(name, array, self._keys)
        places = np.searchsorted(self._keys, array)
        unknown = self._keys[np.minimum(places, len(self._keys) - 1)] != array
        if unknown.any():
            raise DataError(
                f"{name}: {short(min(array[unknown].tolist()))} is no class of the training data ({few(self.values)})"
            )
        return torch.from_numpy(places)

    def accept_outputs(self, outputs: int) -> None:
        if len(self.values) != outputs:
            raise DataError(
                f"labels: {len(self.values)} classes ({few(self.values)}), and the network has "
                f"{outputs} outputs; expected one for each class"
            )


class ClassNumbers:
    """Labels that are class numbers already: 0 and 1, or 0 to n_outputs - 1.

    `values` has their dtype, or int64 where that does not hold all classes.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.values = np.array([0, 1]).astype(dtype)

    def numbers(self, array: np.ndarray, name: str) -> Tensor:
        refuse_other_kind(name, array, self.values)
        numbers = as_tensor(name, array)
        check_numbers(name, numbers)
        return numbers

    def accept_outputs(self, outputs: int) -> None:
        numbers = np.arange(outputs)
        same = numbers.astype(self.values.dtype)
        self.values = same if np.array_equal(same, numbers) else numbers


def label_array(name: str, labels: Any) -> np.ndarray:
    """Return labels as an array of numbers or of strings.

    Raises DataError, with the first such place, for labels that are missing, of mixed kinds, or neither number nor string.
    """
    array = as_array(name, labels)
    if array.dtype.kind in "OT":
        return _plain_labels(name, array)
    if array.dtype.kind == "S":
        return _decoded(name, array)
    return array if array.dtype.kind == "U" else as_numbers(name, array)


def _plain_labels(name: str, array: np.ndarray) -> np.ndarray:
    """Return objects as strings or as numbers."""
    values = array.ravel().tolist()
    refuse_at(name, array, [is_missing(value) for value in values], lambda _: "missing")
    kinds = sorted({type(value).__name__ for value in values})
    if all(isinstance(value, str) for value in values):
        return np.array(values, dtype=str).reshape(array.shape)
    if all(isinstance(value, bytes) for value in values):
        return _decoded(name, array)
    found = ["bytes" if isinstance(value, bytes) else what(value) for value in values]
    others = [kind != found[0] for kind in found]
    mix = f"a mix of {few(kinds)}; expected all strings or all numbers, the first other is"
    refuse_at(name, array, others, lambda value: f"{mix} {short(value)}")
    return as_numbers(name, array)


def _decoded(name: str, array: np.ndarray) -> np.ndarray:
    """Return bytes as the strings that they are in UTF-8."""
    texts = [value.decode(errors="replace") if isinstance(value, bytes) else value for value in array.ravel().tolist()]
    wrong = [text.encode() != value for text, value in zip(texts, array.ravel().tolist(), strict=True)]
    refuse_at(name, array, wrong, lambda value: f"bytes that are not UTF-8 ({short(value)}); decode them first,")
    return np.array(texts, dtype=str).reshape(array.shape)


def refuse_at(name: str, array: np.ndarray, wrong: list[bool], message: Callable[[Any], str]) -> None:
    """Raise DataError with the message for the first value that is wrong, and its place."""
    if any(wrong):
        index = wrong.index(True)
        where = place(np.unravel_index(index, array.shape))
        raise DataError(f"{name}: {message(array.ravel().tolist()[index])} at {where}")


def refuse_other_kind(name: str, array: np.ndarray, classes: np.ndarray) -> None:
    """Raise DataError for strings where the classes are numbers, and the reverse."""
    found, expected = ("strings" if labels.dtype.kind == "U" else "numbers" for labels in (array, classes))
    if found != expected:
        raise DataError(f"{name}: {found}; the classifier's classes are {expected} ({classes[0]!s}, ...)")
