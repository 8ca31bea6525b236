"""Labels as users have them, and as losses want them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from lincoln.checks import as_tensor, check_numbers
from lincoln.errors import DataError
from lincoln.losses import CrossEntropy, Loss


class Encoding(ABC):
    """How a user's labels become a loss's targets, and a network's predictions labels again."""

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
        self.single = as_tensor("labels", labels).dim() == 1

    def encode(self, labels: Any, name: str = "labels") -> Tensor:
        targets = as_tensor(name, labels)
        check_numbers(name, targets)
        return targets

    def decode(self, targets: Tensor) -> np.ndarray:
        numbers: np.ndarray = targets.cpu().numpy()
        return numbers[:, 0] if self.single and numbers.ndim == 2 else numbers

    def decide(self, prediction: Tensor, threshold: float = 0.5) -> np.ndarray:
        return self.decode(prediction)


class Classes(Encoding):
    """Class labels. `values` are the classes in the order of the network's outputs.

    Numbers are classes as they stand: 0 and 1, or 0 to n_outputs - 1. Strings are numbered in sorted order.
    """

    def __init__(self, labels: Any, loss: Loss) -> None:
        self.loss = type(loss).__name__
        array = _label_array(labels)
        if array.size == 0:
            raise DataError(f"labels: no data (shape {array.shape})")
        self.text = array.dtype.kind not in "biuf"
        several = array.ndim == 2 and array.shape[1] > 1
        self.kind: Literal["binary", "multiclass", "multilabel"] = "multilabel" if several else "binary"
        if isinstance(loss, CrossEntropy):
            self.kind = "multiclass"
        self.soft = several and self.kind == "multiclass"  # class probabilities as targets
        if self.soft:
            self.values = np.arange(array.shape[1])
            return
        if not self.text:
            check_numbers("labels", as_tensor("labels", labels))
        found = _unique(array)
        if len(found) < 2 and self.kind != "multilabel":
            raise DataError(f"labels: one class only ({found[0]}); a classifier needs examples of at least two")
        if self.kind == "multiclass":
            self.values = found if self.text else np.arange(_count(found)).astype(array.dtype)
        else:
            if self.text and len(found) > 2:
                raise DataError(
                    f"labels: {len(found)} classes, and {self.loss} with one output tells two apart: end the network in "
                    f"{len(found)} softmax outputs and use CrossEntropy"
                )
            if not self.text and not np.isin(found, (0, 1)).all():
                raise DataError(
                    f"labels: {', '.join(map(str, found[:5]))} found, {self.loss} wants 0 and 1: write labels == "
                    f"{found[-1]}, or for more classes end the network in softmax outputs and use CrossEntropy"
                )
            self.values = found if self.text else np.array([0, 1]).astype(array.dtype)

    def encode(self, labels: Any, name: str = "labels") -> Tensor:
        array = _label_array(labels)
        if self.soft or not self.text:
            targets = as_tensor(name, labels)
            check_numbers(name, targets)
            if self.kind == "multiclass" and not self.soft and targets.is_floating_point():
                if not torch.equal(targets, targets.round()):
                    raise DataError(f"{name}: class indices must be whole numbers")
                targets = targets.long()
            return targets
        unknown = sorted(set(_unique(array)) - set(self.values))
        if unknown:
            raise DataError(f"{name}: {str(unknown[0])!r} is no class of the training data ({', '.join(self.values)})")
        return torch.from_numpy(np.searchsorted(self.values, array.astype(self.values.dtype)))

    def decode(self, targets: Tensor) -> np.ndarray:
        codes = targets.argmax(-1) if self.soft and targets.is_floating_point() else targets
        if self.kind != "multilabel" and codes.dim() == 2:
            codes = codes[:, 0]
        labels: np.ndarray = self.values[codes.long().cpu().numpy()]
        return labels

    def decide(self, prediction: Tensor, threshold: float = 0.5) -> np.ndarray:
        if self.kind == "multiclass":
            codes = prediction.argmax(-1)
            if prediction.shape[-1] > len(self.values):
                codes = prediction[..., : len(self.values)].argmax(-1)
        else:
            codes = prediction >= threshold
        return self.decode(codes.long())


def _label_array(labels: Any) -> np.ndarray:
    return np.asarray(labels.detach().cpu() if isinstance(labels, Tensor) else labels)


def _unique(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "O" and not all(isinstance(label, str) for label in array.ravel()):
        kinds = sorted({type(label).__name__ for label in array.ravel()})
        raise DataError(f"labels: a mix of {', '.join(kinds)}; wanted all strings or all numbers")
    return np.unique(array.astype(str) if array.dtype.kind == "O" else array)


def _count(found: np.ndarray) -> int:
    """Classes 0 to the largest; the loss refuses those that the network has no output for."""
    if found[0] < 0 or not np.equal(found, np.round(found)).all():
        raise DataError(f"labels: {found[0]} found; class labels are whole numbers from 0, or strings")
    return int(found[-1]) + 1
