"""The examples that an estimator learns from, and batches of them in the order in which scikit-learn draws them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from torch import Tensor

from lincoln._util.userdata import as_tensor
from lincoln.data import Batch, DataLoader, Dataset
from lincoln.layers import Layer, csr_tensor

Order = Callable[[int], Tensor]


class ShuffledOrder:
    """A new order of n examples for each epoch: the last one, shuffled by `random` as by `sklearn.utils.shuffle`."""

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
    """Features, an array or a sparse CSR matrix, with targets in the form that the loss takes, and perhaps weights."""

    X: Any
    targets: Tensor
    weights: Tensor | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, rows: np.ndarray) -> Examples:
        return Examples(self.X[rows], self.targets[rows], None if self.weights is None else self.weights[rows])

    def batches(self, size: int, network: Layer, order: Order | None = None) -> DataLoader | SparseBatches:
        """Return batches of (features, targets and, if there are any, weights) on the network's device, in its dtype.

        Each iteration is one epoch, in the order that `order` gives, or in that of the examples.
        """
        others = (self.targets,) if self.weights is None else (self.targets, self.weights)
        if issparse(self.X):
            return SparseBatches(self.X, Dataset(*others), size, network, order)
        device, dtype = network.where
        features = as_tensor("X", np.ascontiguousarray(self.X)).to(dtype)
        return DataLoader(Dataset(features, *others), size, order or False, device=device)

    def whole(self, size: int, network: Layer) -> Dataset | SparseBatches:
        """Return all examples, in order, in the form in which a trainer takes validation data."""
        batches = self.batches(size, network)
        return batches.dataset if isinstance(batches, DataLoader) else batches


class SparseBatches:
    """Batches of a sparse matrix and of the tensors that belong to its rows."""

    def __init__(self, X: Any, others: Dataset, size: int, network: Layer, order: Order | None = None) -> None:
        self.X = X
        self.others = others
        self.size = size
        self.network = network
        self.order = order

    def __len__(self) -> int:
        return -(-len(self.others) // self.size)

    def __iter__(self) -> Iterator[Batch]:
        n = len(self.others)
        order = torch.arange(n) if self.order is None else self.order(n)
        device, _ = self.network.where
        for rows in torch.split(order, self.size):
            others = (part.to(device) for part in self.others[rows])
            yield features_for(self.network, self.X[rows.numpy()]), *others


def features_for(network: Layer, X: Any) -> Tensor:
    """Return an array or a sparse matrix as a tensor on the network's device, in its dtype.

    It is a sparse tensor only if X is sparse, the first layer takes sparse input, and the network is on the CPU.
    """
    device, dtype = network.where
    if not issparse(X):
        return as_tensor("X", X).to(device, dtype)
    if device is not None and device.type == "cpu" and next(network.leaves()).takes_sparse:
        return csr_tensor(X, dtype)
    return torch.from_numpy(X.toarray()).to(device, dtype)
