"""The encoding for a classifier's labels and loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from lincoln._util.text import few, short
from lincoln._util.userdata import as_tensor, check_numbers
from lincoln.errors import DataError
from lincoln.losses import Loss
from lincoln.losses.links import link_of
from lincoln.models.encoding.classes import Classes, ClassProbabilities
from lincoln.models.encoding.indicators import Indicators
from lincoln.models.encoding.labels import ClassNumbers, SortedLabels, label_array
from lincoln.models.encoding.one_hot import is_one_hot

ClassEncoding = Classes | ClassProbabilities | Indicators


def class_encoding(labels: Any, loss: Loss) -> ClassEncoding:
    """Return the encoding for these labels, by the loss: one class of several if its link is exclusive, else 0 and 1.

    Numbers are class numbers: 0 and 1, or 0 to n_outputs - 1. Strings are numbered in sorted order. Labels of several
    columns are several labels an example, or, for an exclusive link and floating point, class probabilities.
    Raises DataError for labels that the loss cannot be taught.
    """
    array = label_array("labels", labels)
    if array.size == 0:
        raise DataError(f"labels: no data (shape {array.shape})")
    exclusive = link_of(loss.link).exclusive
    several = array.ndim == 2 and array.shape[1] > 1
    if exclusive and several and array.dtype.kind == "f":
        return ClassProbabilities(array.shape[1])
    if exclusive and is_one_hot(array):
        return Classes.one_hot(array.shape[1])
    numbering = _numbering(array, type(loss).__name__, exclusive, one_is_enough=several and not exclusive)
    return Indicators(numbering) if several and not exclusive else Classes(numbering, exclusive)


def _numbering(array: np.ndarray, loss: str, exclusive: bool, one_is_enough: bool) -> SortedLabels | ClassNumbers:
    are_strings = array.dtype.kind == "U"
    if not are_strings:
        tensor = as_tensor("labels", array)
        check_numbers("labels", tensor)
        array = tensor.numpy()
    found = np.unique(array)
    if len(found) < 2 and not one_is_enough:
        raise DataError(f"labels: one class only ({short(found[0].item())}); a classifier needs examples of at least two")
    if are_strings:
        _refuse_strings(found, loss, exclusive)
        return SortedLabels(found)
    _refuse_numbers(array, found, loss, exclusive)
    return ClassNumbers(array.dtype)


def _refuse_strings(found: np.ndarray, loss: str, exclusive: bool) -> None:
    if not exclusive and len(found) > 2:
        raise DataError(
            f"labels: {len(found)} classes, and {loss} with one output tells two apart: end the network in "
            f"{len(found)} softmax outputs and use CrossEntropy"
        )


def _refuse_numbers(array: np.ndarray, found: np.ndarray, loss: str, exclusive: bool) -> None:
    if exclusive:
        wrong = (array < 0) | (array != np.round(array))
        if wrong.any():
            where = np.argwhere(wrong)[0]
            raise DataError(
                f"labels: {array[tuple(where)]} found; class labels are whole numbers from 0, or strings (row {where[0]})"
            )
    elif not np.isin(found, (0, 1)).all():
        raise DataError(
            f"labels: {few(found)} found, {loss} expects 0 and 1: write labels == {found[-1]}, or for more classes end the "
            f"network in softmax outputs and use CrossEntropy"
        )
