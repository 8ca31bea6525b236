"""Batches from a user's own generator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

from lincoln._util.userdata import as_tensor
from lincoln.data import Batch


class GeneratedBatches:
    """Batches of `batch_gen(features, labels, size=size)`, called once an epoch with what the user gave to `fit`.

    Features are converted to the dtype and device of `like`, labels to its device.
    """

    def __init__(
        self, batch_gen: Callable[..., Iterator[Batch]], features: Any, labels: Any, size: int, like: Tensor
    ) -> None:
        self.batch_gen = batch_gen
        self.features = features
        self.labels = labels
        self.size = size
        self.like = like

    def __iter__(self) -> Iterator[Batch]:
        for features, *rest in self.batch_gen(self.features, self.labels, size=self.size):
            x = as_tensor("batch_gen's features", features).to(self.like)
            yield x, *(as_tensor("batch_gen's labels", part).to(x.device) for part in rest)
