"""Tensors joined one after another."""

from __future__ import annotations

import torch
from torch import Tensor


class Joined:
    """Rows of tensors in one tensor that doubles when it is full.

    A list of small tensors, each made while a large one was freed, would keep the allocator from using that memory again.
    """

    def __init__(self, rows: int = 0) -> None:
        """Expect so many rows, if that is known."""
        self._rows = rows
        self._filled = 0
        self._memory = torch.empty(0)

    def add(self, part: Tensor) -> None:
        """Copy a tensor to the end."""
        needed = self._filled + len(part)
        if self._filled == 0:
            self._memory = part.new_empty(max(needed, self._rows), *part.shape[1:])
        elif needed > len(self._memory):
            larger = self._memory.new_empty(max(needed, 2 * len(self._memory)), *part.shape[1:])
            larger[: self._filled] = self._memory[: self._filled]
            self._memory = larger
        self._memory[self._filled : needed] = part
        self._filled = needed

    def whole(self) -> Tensor:
        """Return all rows."""
        return self._memory[: self._filled]
