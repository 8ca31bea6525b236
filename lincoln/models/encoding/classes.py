"""One class for each example."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lincoln._util.userdata import as_tensor, check_numbers
from lincoln.errors import DataError
from lincoln.models.encoding.base import Encoding
from lincoln.models.encoding.labels import ClassNumbers, SortedLabels, label_array, refuse_other_kind
from lincoln.models.encoding.one_hot import class_places, is_one_hot, whole_numbers


class Classes(Encoding):
    """One class for each example: the likeliest if `exclusive`, else the second of two where p reaches the threshold.

    If not `at_threshold`, p has to exceed the threshold.
    """

    columns: int | None = None
    """The number of columns if the labels came as one-hot rows."""

    def __init__(self, labels: SortedLabels | ClassNumbers, exclusive: bool, at_threshold: bool = True) -> None:
        self.labels = labels
        self.exclusive = exclusive
        self.at_threshold = at_threshold

    @classmethod
    def one_hot(cls, columns: int) -> Classes:
        """Return the encoding of one-hot rows, as integers or bools, whose classes are numbered by their columns."""
        encoding = cls(ClassNumbers(np.dtype(np.int64)), exclusive=True)
        encoding.columns = columns
        return encoding

    @property
    def classes(self) -> np.ndarray:
        """The classes in the order of their numbers."""
        return self.labels.values

    @property
    def form(self) -> Hashable:
        return Classes, type(self.labels), self.exclusive, self.columns

    def accept_outputs(self, outputs: int) -> None:
        if self.columns not in (None, outputs):
            raise DataError(f"labels: one-hot rows of {self.columns} columns, and the network has {outputs} outputs")
        if self.exclusive:
            self.labels.accept_outputs(outputs)

    def encode(self, labels: Any, name: str = "labels") -> Tensor:
        array = label_array(name, labels)
        if self.columns is not None and array.ndim == 2 and array.shape[1] > 1:
            return class_places(name, array, self.columns)
        numbers = self.labels.numbers(array, name)
        return whole_numbers(name, numbers) if self.exclusive else numbers

    def decide(self, prediction: Tensor, threshold: float = 0.5) -> Tensor:
        if self.exclusive:
            return prediction.argmax(-1)
        return (prediction >= threshold if self.at_threshold else prediction > threshold).long()

    def decode(self, targets: Tensor) -> np.ndarray:
        numbers = targets.long().cpu().numpy()
        if numbers.ndim > 1 and numbers.shape[-1] == 1:
            numbers = numbers[..., 0]
        last = len(self.classes) - 1
        labels: np.ndarray = self.classes[np.minimum(numbers, last)]  # p may say two where the training data had one class
        return labels

    def probabilities(self, prediction: Tensor) -> Tensor:
        return prediction if self.exclusive else torch.cat([1 - prediction, prediction], -1)


class ClassProbabilities(Encoding):
    """A probability of each class for each example, (n, n_classes), as labels; the likeliest class as prediction."""

    exclusive = True

    def __init__(self, classes: int) -> None:
        self.classes = np.arange(classes)

    @property
    def form(self) -> Hashable:
        return ClassProbabilities

    def accept_outputs(self, outputs: int) -> None:
        SortedLabels(self.classes).accept_outputs(outputs)

    def encode(self, labels: Any, name: str = "labels") -> Tensor:
        array = label_array(name, labels)
        refuse_other_kind(name, array, self.classes)
        if is_one_hot(array):
            array = array.astype(np.float32)
        targets = as_tensor(name, array)
        check_numbers(name, targets)
        return targets

    def decide(self, prediction: Tensor, threshold: float = 0.5) -> Tensor:
        return prediction.argmax(-1)

    def decode(self, targets: Tensor) -> np.ndarray:
        numbers = targets.argmax(-1) if targets.is_floating_point() else targets
        labels: np.ndarray = self.classes[numbers.long().cpu().numpy()]
        return labels
