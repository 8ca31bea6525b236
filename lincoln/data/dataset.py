"""Tensors that belong together, example by example."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from lincoln._util.userdata import as_tensor
from lincoln.errors import DataError

Batch = tuple[Tensor, ...]
"""One part of each tensor of a dataset, such as features (b, i) and targets (b, o)."""


class Dataset:
    """Tensors of equal length n that belong together, such as features (n, i) and targets (n, o).

    `dataset[3]`, `dataset[10:20]`, `dataset[index_tensor]` and `dataset[mask]` return a tuple: that part of each tensor.
    Arrays become tensors without a copy; a numpy memmap stays on disk, and only the parts that are taken are read. Raises
    DataError for unequal lengths.
    """

    def __init__(self, *tensors: Tensor | np.ndarray) -> None:
        self.tensors = tuple(as_tensor(f"tensor {index}", tensor) for index, tensor in enumerate(tensors))
        lengths = [len(tensor) for tensor in self.tensors]
        if not lengths or min(lengths) != max(lengths):
            raise DataError(f"Batch dimension mismatch! Found lengths: {lengths}")

    def __getitem__(self, window: int | slice | Sequence[int] | Tensor) -> Batch:
        return tuple(tensor[window] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __repr__(self) -> str:
        return f"Dataset({', '.join(str(tuple(tensor.shape)) for tensor in self.tensors)})"

    @property
    def nbytes(self) -> int:
        """Its size in bytes, in memory or on disk."""
        return sum(tensor.nbytes for tensor in self.tensors)
