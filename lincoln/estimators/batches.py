"""What an estimator learns from, and batches of it in the order that scikit-learn draws them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from torch import Tensor

from lincoln.checks import as_tensor
from lincoln.data import Batch, DataLoader, Dataset

Order = Callable[[int], Tensor]


class ShuffledOrder:
    """A new order of n examples for each epoch: the last one, shuffled by `random` as `sklearn.utils.shuffle` does it."""

    def __init__(self, random: np.random.RandomState) -> None:
        self.random = random
        self.order: np.ndarray | None = None

    def __call__(self, n: int) -> Tensor:
        shuffled = np.arange(n)
        self.random.shuffle(shuffled)
        self.order = shuffled if self.order is None else self.order[shuffled]
        return torch.from_numpy(self.order)


@dataclass
class Examples:
    """Features, an array or a sparse CSR matrix, with targets as the loss wants them, and weights if there are any."""

    X: Any
    targets: Tensor
    weights: Tensor | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, rows: np.ndarray) -> Examples:
        return Examples(self.X[rows], self.targets[rows], None if self.weights is None else self.weights[rows])

    def batches(
        self, size: int, dtype: torch.dtype, device: torch.device, order: Order | None = None
    ) -> DataLoader | SparseBatches:
        """An epoch of (features, targets and, if there are any, weights), again and again."""
        others = (self.targets,) if self.weights is None else (self.targets, self.weights)
        if issparse(self.X):
            return SparseBatches(self.X, Dataset(*others), size, dtype, device, order)
        features = as_tensor("X", np.ascontiguousarray(self.X)).to(dtype)
        return DataLoader(Dataset(features, *others), size, order or False, device=device)

    def whole(self, dtype: torch.dtype, device: torch.device, size: int) -> Dataset | SparseBatches:
        """All of them, in order: the form in which a trainer looks at validation data."""
        batches = self.batches(size, dtype, device)
        return batches.dataset if isinstance(batches, DataLoader) else batches


class SparseBatches:
    """Batches of a sparse matrix and of what belongs to its rows; each is made dense when its turn comes."""

    def __init__(
        self, X: Any, others: Dataset, size: int, dtype: torch.dtype, device: torch.device, order: Order | None = None
    ) -> None:
        self.X = X
        self.others = others
        self.size = size
        self.dtype = dtype
        self.device = device
        self.order = order

    def __len__(self) -> int:
        return -(-len(self.others) // self.size)

    def __iter__(self) -> Iterator[Batch]:
        n = len(self.others)
        order = torch.arange(n) if self.order is None else self.order(n)
        for rows in torch.split(order, self.size):
            dense = torch.from_numpy(self.X[rows.numpy()].toarray()).to(self.dtype)
            yield tuple(part.to(self.device) for part in (dense, *self.others[rows]))
