"""Labels as users have them, and as losses want them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from lincoln._util.checks import as_tensor, check_numbers, to_numpy
from lincoln.errors import DataError
from lincoln.losses import Loss
from lincoln.losses.links import link_of


class Encoding(ABC):
    """How a user's labels become a loss's targets, and a network's predictions labels again."""

    def settle(self, outputs: int) -> None:
        """The network has this many outputs: see that the labels go with them. DataError if they cannot."""

    def continuing(self, before: Encoding | None) -> Encoding:
        """The encoding for a further fit: the one there was, if there was one that can go on."""
        return self

    @abstractmethod
    def encode(self, labels: Any, name: str = "labels") -> Tensor:
        """Labels as targets. DataError for labels that the training data did not have."""

    @abstractmethod
    def decode(self, targets: Tensor) -> np.ndarray:
        """Targets as labels."""

    @abstractmethod
    def decide(self, prediction: Tensor, threshold: float = 0.5) -> np.ndarray:
        """Predictions as labels."""


class Numbers(Encoding):
    """Regression targets: (n,) or (n, n_outputs), and predictions of the same shape."""

    def __init__(self, labels: Any) -> None:
        self.dims = as_tensor("labels", labels).dim()

    def encode(self, labels: Any, name: str = "labels") -> Tensor:
        targets = as_tensor(name, labels)
        check_numbers(name, targets)
        return targets

    def decode(self, targets: Tensor) -> np.ndarray:
        numbers = to_numpy(targets)
        return numbers[..., 0] if numbers.ndim == self.dims + 1 else numbers

    def decide(self, prediction: Tensor, threshold: float = 0.5) -> np.ndarray:
        return self.decode(prediction)


class Classes(Encoding):
    """Class labels. `values` are the classes in the order of the network's outputs.

    Numbers are classes as they stand: 0 and 1, or 0 to n_outputs - 1. Strings are numbered in sorted order. A loss whose
    link is the softmax tells several classes apart, also from class probabilities (n, n_classes), which are floating.
    """

    def __init__(self, labels: Any, loss: Loss) -> None:
        array = _label_array("labels", labels)
        if array.size == 0:
            raise DataError(f"labels: no data (shape {array.shape})")
        several = array.ndim == 2 and array.shape[1] > 1
        self.are_strings = array.dtype.kind == "U"
        self.kind: Literal["binary", "multiclass", "multilabel"] = "multilabel" if several else "binary"
        if link_of(loss.link).exclusive:
            self.kind = "multiclass"
        self.soft = several and self.kind == "multiclass" and array.dtype.kind == "f"
        if self.soft:
            self.values = np.arange(array.shape[1])
            return
        if not self.are_strings:
            check_numbers("labels", torch.from_numpy(array))
        found = np.unique(array)
        if len(found) < 2 and self.kind != "multilabel":
            raise DataError(f"labels: one class only ({found[0]}); a classifier needs examples of at least two")
        self._refuse_others(found, type(loss).__name__)
        self.values = found if self.are_strings else np.array([0, 1]).astype(array.dtype)

    def _refuse_others(self, found: np.ndarray, loss: str) -> None:
        if self.kind == "multiclass":
            if not self.are_strings and (found[0] < 0 or not np.equal(found, np.round(found)).all()):
                raise DataError(f"labels: {found[0]} found; class labels are whole numbers from 0, or strings")
        elif self.are_strings:
            if len(found) > 2:
                raise DataError(
                    f"labels: {len(found)} classes, and {loss} with one output tells two apart: end the network in "
                    f"{len(found)} softmax outputs and use CrossEntropy"
                )
        elif not np.isin(found, (0, 1)).all():
            raise DataError(
                f"labels: {', '.join(map(str, found[:5]))} found, {loss} wants 0 and 1: write labels == {found[-1]}, or "
                f"for more classes end the network in softmax outputs and use CrossEntropy"
            )

    def settle(self, outputs: int) -> None:
        if self.kind != "multiclass":
            return
        if not self.are_strings and not self.soft:
            self.values = np.arange(outputs).astype(self.values.dtype)
        elif len(self.values) != outputs:
            raise DataError(
                f"labels: {len(self.values)} classes ({', '.join(map(str, self.values[:5]))}), and the network has "
                f"{outputs} outputs; expected one for each class"
            )

    def continuing(self, before: Encoding | None) -> Encoding:
        if isinstance(before, Classes) and before._form == self._form:
            return before
        return self

    @property
    def _form(self) -> tuple[str, bool, bool]:
        return self.kind, self.are_strings, self.soft

    def encode(self, labels: Any, name: str = "labels") -> Tensor:
        array = _label_array(name, labels)
        if self.are_strings != (array.dtype.kind == "U"):
            kinds = ("strings", "numbers") if self.are_strings else ("numbers", "strings")
            raise DataError(
                f"{name}: the classifier knows {kinds[0]} as classes ({self.values[0]!s}, ...), these are {kinds[1]}"
            )
        if self.are_strings:
            unknown = sorted(set(np.unique(array)) - set(self.values))
            if unknown:
                raise DataError(f"{name}: {str(unknown[0])!r} is no class of the training data ({', '.join(self.values)})")
            return torch.from_numpy(np.searchsorted(self.values, array))
        targets = torch.from_numpy(array)
        check_numbers(name, targets)
        if self.kind == "multiclass" and not self.soft and targets.is_floating_point():
            if not torch.equal(targets, targets.round()):
                raise DataError(f"{name}: class indices must be whole numbers")
            return targets.long()
        return targets

    def decode(self, targets: Tensor) -> np.ndarray:
        codes = targets.argmax(-1) if self.soft and targets.is_floating_point() else targets
        if codes.dim() > 1 and codes.shape[-1] == 1:
            codes = codes.squeeze(-1)
        labels: np.ndarray = self.values[codes.long().cpu().numpy()]
        return labels

    def decide(self, prediction: Tensor, threshold: float = 0.5) -> np.ndarray:
        return self.decode(prediction.argmax(-1) if self.kind == "multiclass" else (prediction >= threshold).long())


def _label_array(name: str, labels: Any) -> np.ndarray:
    """Labels as an array of numbers or of strings."""
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
    return array if array.dtype.kind == "U" else as_tensor(name, array).numpy()
