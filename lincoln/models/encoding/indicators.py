"""Several labels for each example, each there or not."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from torch import Tensor

from lincoln.models.encoding.base import Encoding
from lincoln.models.encoding.labels import ClassNumbers, SortedLabels, label_array


class Indicators(Encoding):
    """0 or 1, or one of two strings, for each label of each example, (n, n_labels): 1 where p reaches the threshold.

    If not `at_threshold`, p has to exceed the threshold.
    """

    def __init__(self, labels: SortedLabels | ClassNumbers, at_threshold: bool = True) -> None:
        self.labels = labels
        self.at_threshold = at_threshold

    @property
    def classes(self) -> np.ndarray:
        """The two values of a label: absent and present."""
        return self.labels.values

    @property
    def form(self) -> Hashable:
        return Indicators, type(self.labels)

    def encode(self, labels: Any, name: str = "labels") -> Tensor:
        return self.labels.numbers(label_array(name, labels), name)

    def decide(self, prediction: Tensor, threshold: float = 0.5) -> Tensor:
        return (prediction >= threshold if self.at_threshold else prediction > threshold).long()

    def decode(self, targets: Tensor) -> np.ndarray:
        labels: np.ndarray = self.classes[targets.long().cpu().numpy()]
        return labels
