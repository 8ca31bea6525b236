"""Labels as class numbers: by their place among the sorted labels, or because they are class numbers already."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lincoln._util.checks import as_tensor, check_numbers, to_numpy
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
                f"{name}: {min(array[unknown].tolist())!r} is no class of the training data "
                f"({', '.join(map(str, self.values))})"
            )
        return torch.from_numpy(places)

    def accept_outputs(self, outputs: int) -> None:
        if len(self.values) != outputs:
            raise DataError(
                f"labels: {len(self.values)} classes ({', '.join(map(str, self.values[:5]))}), and the network has "
                f"{outputs} outputs; expected one for each class"
            )


class ClassNumbers:
    """Labels that are class numbers already: 0 and 1, or 0 to n_outputs - 1. `values` has their dtype."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.values = np.array([0, 1]).astype(dtype)

    def numbers(self, array: np.ndarray, name: str) -> Tensor:
        refuse_other_kind(name, array, self.values)
        numbers = as_tensor(name, array)
        check_numbers(name, numbers)
        return numbers

    def accept_outputs(self, outputs: int) -> None:
        self.values = np.arange(outputs).astype(self.values.dtype)


def label_array(name: str, labels: Any) -> np.ndarray:
    """Return labels as an array of numbers or of strings. Raises DataError for a mix, or for anything else."""
    array = to_numpy(labels) if isinstance(labels, Tensor) else np.asarray(labels)
    if array.dtype.kind == "O" and all(isinstance(label, str) for label in array.ravel()):
        array = array.astype(str)
    elif array.dtype.kind == "O" and all(isinstance(label, int | float | np.number) for label in array.ravel()):
        array = np.array(array.tolist())  # pandas keeps numbers as objects where some were missing
    elif array.dtype.kind == "S":
        array = array.astype(str)
    if array.dtype.kind not in "biufU":
        kinds = sorted({type(label).__name__ for label in array.ravel()})
        raise DataError(f"{name}: a mix of {', '.join(kinds)}; expected all strings or all numbers")
    return array


def refuse_other_kind(name: str, array: np.ndarray, classes: np.ndarray) -> None:
    """Raise DataError for strings where the classes are numbers, and the reverse."""
    found, expected = ("strings" if labels.dtype.kind == "U" else "numbers" for labels in (array, classes))
    if found != expected:
        raise DataError(f"{name}: {found}; the classifier's classes are {expected} ({classes[0]!s}, ...)")
