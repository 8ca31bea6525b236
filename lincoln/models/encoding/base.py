"""The contract of an encoding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import Any

import numpy as np
from torch import Tensor


class Encoding(ABC):
    """Labels to the targets of a loss; targets and predictions back to labels.

    A target is a number, or the number of a class: its place in `classes`.
    """

    exclusive: bool = False
    """True if the network has one output for each class, and each example one class."""

    @property
    @abstractmethod
    def form(self) -> Hashable:
        """The kind of labels; a model that is fitted again keeps its encoding if the new labels have the same form."""

    def continuing(self, before: Encoding | None) -> Encoding:
        """Return the encoding for a further fit: the one before, if the labels have the same form, else this one."""
        return before if before is not None and before.form == self.form else self

    def accept_outputs(self, outputs: int) -> None:
        """Adapt to a network with this many outputs. Raises DataError if the labels do not fit it."""

    @abstractmethod
    def encode(self, labels: Any, name: str = "labels") -> Tensor:
        """Return labels as targets. Raises DataError for labels that the training data did not have."""

    @abstractmethod
    def decide(self, prediction: Tensor, threshold: float = 0.5) -> Tensor:
        """Return the targets that a prediction comes closest to."""

    @abstractmethod
    def decode(self, targets: Tensor) -> np.ndarray:
        """Return targets as labels."""

    def probabilities(self, prediction: Tensor) -> Tensor:
        """Return the probability of each class, (n, n_classes), or of each label, (n, n_labels)."""
        return prediction
