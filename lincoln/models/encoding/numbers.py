"""Numbers as labels: the targets of a regression."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from torch import Tensor

from lincoln._util.userdata import as_tensor, check_numbers, to_numpy
from lincoln.models.encoding.base import Encoding


class Numbers(Encoding):
    """Numbers, (n,) or (n, n_outputs), are their own targets; predictions get the dimensions that the labels had."""

    def __init__(self, labels: Any) -> None:
        self.dims = as_tensor("labels", labels).dim()

    @property
    def form(self) -> Hashable:
        return Numbers, self.dims

    def encode(self, labels: Any, name: str = "labels") -> Tensor:
        targets = as_tensor(name, labels)
        check_numbers(name, targets)
        return targets

    def decide(self, prediction: Tensor, threshold: float = 0.5) -> Tensor:
        return prediction

    def decode(self, targets: Tensor) -> np.ndarray:
        numbers = to_numpy(targets)
        return numbers[..., 0] if numbers.ndim == self.dims + 1 else numbers
