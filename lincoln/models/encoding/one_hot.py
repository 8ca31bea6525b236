"""Rows of 0 and 1 with one 1 each, as integers or bools: another way to write class numbers."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lincoln._util.text import place, short
from lincoln.errors import DataError


def is_one_hot(array: np.ndarray) -> bool:
    """Return True for rows of integers or bools, in several columns, that hold one 1 each and else 0."""
    if array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind not in "biu":
        return False
    return bool(((array == 0) | (array == 1)).all() and (array.sum(1) == 1).all())


def class_places(name: str, array: np.ndarray, columns: int) -> Tensor:
    """Return the class number of each one-hot row, (n,). Raises DataError, with the first wrong row, for other rows."""
    wrong = ((array != 0) & (array != 1)).any(1) | (array.sum(1) != 1)
    if wrong.any() or array.shape[1] != columns:
        row = int(np.argmax(wrong))
        raise DataError(
            f"{name}: row {row} is {short(array[row].tolist())}; expected one-hot rows as in the training data, {columns} "
            f"columns of which one holds 1 and the others 0"
        )
    return torch.from_numpy(array.argmax(1))


def whole_numbers(name: str, numbers: Tensor) -> Tensor:
    """Return class numbers as they are if integers, else as int64. Raises DataError for fractions and beyond int64."""
    if numbers.is_floating_point():
        wrong = (numbers != numbers.round()) | (numbers.abs() >= 2.0**63)
    else:
        wrong = numbers.long() < 0 if numbers.dtype == torch.uint64 else torch.zeros(0, dtype=torch.bool)
    if wrong.any():
        where = wrong.nonzero()[0].tolist()
        raise DataError(
            f"{name}: {numbers[tuple(where)].item()} found (at {place(where)}); class labels, also called class indices, "
            f"must be whole numbers from 0 to n_outputs - 1"
        )
    return numbers.long() if numbers.is_floating_point() else numbers
