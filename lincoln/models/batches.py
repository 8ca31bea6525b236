"""Batches from a user's own generator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from torch import Tensor

from lincoln._util.userdata import as_tensor
from lincoln.data import Batch
from lincoln.errors import DataError
from lincoln.training.forms import check_parts, described


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
        for batch in self._batches():
            check_parts("batch_gen", batch, "a batch")
            features, *rest = batch
            x = as_tensor("batch_gen's features", features).to(self.like)
            roles = zip(("labels", "weights"), rest, strict=False)
            yield x, *(as_tensor(f"batch_gen's {role}", part).to(x.device) for role, part in roles)

    def _batches(self) -> Iterable[Batch]:
        batches = self.batch_gen(self.features, self.labels, size=self.size)
        if not isinstance(batches, Iterable):
            raise DataError(f"batch_gen: returned {described(batches)}; expected an iterator of batches (features, labels)")
        return batches
