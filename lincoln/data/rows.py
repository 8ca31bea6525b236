"""Chosen rows of a tensor that lies on the disk, read when they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

Window = int | slice | Sequence[int] | Tensor


class Rows:
    """The rows `rows`, (n,), of a tensor, gathered when they are taken: a split of a memory map stays on the disk.

    `rows[10:20]`, `rows[index_tensor]` and `index_select(0, indices)` return tensors; `whole()` reads all of them.
    """

    def __init__(self, source: Tensor, rows: Tensor) -> None:
        self.source = source
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, window: Window) -> Tensor:
        return self.source[self.rows[window]]

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """Return these rows of the rows, as `torch.index_select` does for `dim` 0."""
        return self.source.index_select(dim, self.rows[index])

    def chosen(self, index: Tensor) -> Rows:
        """Return rows of these rows, still on the disk."""
        return Rows(self.source, self.rows[index])

    def whole(self) -> Tensor:
        """Return all rows, in memory."""
        return self.source[self.rows]

    @property
    def shape(self) -> torch.Size:
        return torch.Size([len(self), *self.source.shape[1:]])

    @property
    def device(self) -> torch.device:
        return self.source.device

    @property
    def dtype(self) -> torch.dtype:
        return self.source.dtype

    @property
    def nbytes(self) -> int:
        return self.numel() * self.source.element_size()

    def dim(self) -> int:
        return self.source.dim()

    def numel(self) -> int:
        return self.shape.numel()

    def is_floating_point(self) -> bool:
        return self.source.is_floating_point()


def whole(part: Tensor | Rows) -> Tensor:
    """Return a part of a dataset as a tensor."""
    return part.whole() if isinstance(part, Rows) else part


def lies_on_disk(data: Any) -> bool:
    """Return True for a memory map, a view of one, a tensor that torch has mapped from a file, and `Rows`."""
    if isinstance(data, Tensor):
        return data.layout == torch.strided and not data.is_meta and data.untyped_storage().filename is not None
    while isinstance(data, np.ndarray) and not isinstance(data, np.memmap):
        data = data.base
    return isinstance(data, np.memmap | Rows)


def chosen(part: Tensor | Rows, rows: Tensor, on_disk: bool) -> Tensor | Rows:
    """Return the rows of a part of a dataset: a copy in memory, or `Rows` of what lies on the disk."""
    if isinstance(part, Rows):
        return part.chosen(rows)
    return Rows(part, rows) if on_disk else part[rows]
