"""Tensors that belong together, example by example."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from lincoln._util.settings import instance_of
from lincoln._util.userdata import as_tensor
from lincoln.data.rows import Rows, Window, chosen, lies_on_disk, whole
from lincoln.errors import DataError

Batch = tuple[Tensor, ...]
"""One part of each tensor of a dataset, such as features (b, i) and targets (b, o)."""


class Dataset:
    """Tensors of equal length n that belong together, such as features (n, i) and targets (n, o).

    `dataset[3]`, `dataset[10:20]`, `dataset[index_tensor]` and `dataset[mask]` return a tuple: that part of each tensor.
    Arrays become tensors without a copy; a numpy memmap stays on disk, and only the parts that are taken are read, also
    after `random_split`. Raises DataError for unequal lengths.
    """

    def __init__(self, *tensors: Tensor | np.ndarray | Rows) -> None:
        self.parts = tuple(
            tensor if isinstance(tensor, Rows) else as_tensor(f"tensor {index}", tensor)
            for index, tensor in enumerate(tensors)
        )
        """The tensors, or `Rows` of tensors on the disk."""
        self._on_disk = tuple(map(lies_on_disk, tensors))
        lengths = [len(part) for part in self.parts]
        if not lengths or min(lengths) != max(lengths):
            raise DataError(f"Batch dimension mismatch! Found lengths: {lengths}")

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors; those of a split of a memmap are read into memory each time."""
        return tuple(map(whole, self.parts))

    def chosen(self, rows: Tensor) -> Dataset:
        """Return the dataset of these rows: copies of what is in memory, and the indices of what is on the disk."""
        rows = rows.to(self.parts[0].device)
        return Dataset(*(chosen(part, rows, disk) for part, disk in zip(self.parts, self._on_disk, strict=True)))

    def __getitem__(self, window: Window) -> Batch:
        return tuple(part[window] for part in self.parts)

    def __len__(self) -> int:
        return len(self.parts[0])

    def __repr__(self) -> str:
        return f"Dataset({', '.join(str(tuple(part.shape)) for part in self.parts)})"

    @property
    def nbytes(self) -> int:
        """Its size in bytes, in memory or on disk."""
        return sum(part.nbytes for part in self.parts)


A_DATASET = instance_of(Dataset, "a Dataset: Dataset(features, targets)")
