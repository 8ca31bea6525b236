"""Batches of a dataset, in order or shuffled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor

from lincoln._util.settings import AT_LEAST_ONE, setting
from lincoln._util.tensors import usable
from lincoln._util.threads import on_few
from lincoln._util.userdata import as_tensor, same_length
from lincoln.data.dataset import A_DATASET, Batch, Dataset
from lincoln.data.rows import Rows, whole
from lincoln.errors import MatchError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_CPU_BUDGET = 2**22  # bytes: what stays in a CPU's cache
_GPU_BUDGET = 2**30


class DataLoader:
    """Batches of `batch_size` examples, `len(loader)` an epoch; the last is smaller, or left out with `drop_last`.

    With `shuffle`, each epoch draws a new order from `generator`, or from torch's default one; if `shuffle` is a function,
    it is given the number of examples and returns their order. Batches come on `device`, by default where the data are.

    Data of up to `copy_budget` bytes (by default 4 MiB on the CPU, 1 GiB on a GPU) are moved to `device` once, and each
    epoch's batches are views of one copy in the new order. Larger data, such as a memmap, are gathered batch by batch.

    `load_state_dict` makes the next epoch continue where `state_dict` was called, with the same batches in the same order.
    Raises ArgumentError unless `batch_size` is an integer of at least 1 and this machine has the `device`.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        shuffle: bool | Callable[[int], Tensor] = False,
        generator: Generator | None = None,
        drop_last: bool = False,
        device: str | torch.device | None = None,
        copy_budget: int | None = None,
    ) -> None:
        self.dataset: Dataset = setting(self, "dataset", dataset, A_DATASET)
        self.batch_size: int = setting(self, "batch_size", batch_size, AT_LEAST_ONE)
        self.shuffle = shuffle
        self.generator = generator
        self.drop_last = drop_last
        self.device = None if device is None else usable(device)
        self.copy_budget = copy_budget
        self._parts = dataset.parts
        here = self._parts[0].device
        self._elsewhere = self.device is not None and self.device.type != here.type
        default = _CPU_BUDGET if (self.device or here).type == "cpu" else _GPU_BUDGET
        self._fits = dataset.nbytes <= (default if copy_budget is None else copy_budget)
        self._scattered = any(isinstance(part, Rows) for part in self._parts)
        if self._fits and (self._scattered or self.device is not None):
            self._parts = tuple(tensor.to(self.device) for tensor in dataset.tensors)
        self._position = 0  # batches given out in this epoch
        self._start: Tensor | None = None  # the generator's state before it drew this epoch's order
        self._next: tuple[int, Tensor | None] = 0, None  # position and start of the next epoch

    def __len__(self) -> int:
        n = len(self.dataset)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        (self._position, start), self._next = self._next, (0, None)
        order = self._order(start) if self.shuffle else None
        for batch in self._batches(order, first=self._position):
            self._position += 1
            yield batch
        self._position, self._start = 0, None

    def state_dict(self) -> dict[str, Any]:
        """Return `position`, the batches given out in this epoch, and `start`, the generator's state before it, or None."""
        return {"position": self._position, "start": self._start}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Start the next epoch where `state` was taken. Raises MatchError if this loader has fewer batches."""
        if not 0 <= state["position"] <= len(self):
            raise MatchError(f"DataLoader: the state is at batch {state['position']}, this loader has {len(self)}")
        self._next = state["position"], state["start"]

    def _order(self, start: Tensor | None) -> Tensor:
        """Return the indices of a new epoch; given `start`, those drawn when the generator was in that state."""
        if callable(self.shuffle):
            return self.shuffle(len(self.dataset)).to(self._parts[0].device)
        generator = self.generator or torch.default_generator
        now = generator.get_state()
        if start is not None:
            generator.set_state(start)
        self._start = now if start is None else start
        order = torch.randperm(len(self.dataset), generator=generator, device=generator.device)
        if start is not None and self.generator is None:
            generator.set_state(now)  # torch's default generator serves others too: its state is the caller's to restore
        return order.to(self._parts[0].device)

    def _batches(self, order: Tensor | None, first: int) -> Iterator[Batch]:
        """Return an epoch's batches from number `first` on: as views if the data fit, or need neither shuffle nor move."""
        if self._fits or (order is None and not self._elsewhere and not self._scattered):
            return self._views(order, first)
        return self._gathered(order, first)

    def _views(self, order: Tensor | None, first: int) -> Iterator[Batch]:
        tensors = [
            whole(part) if order is None else on_few(part.numel(), part.index_select, 0, order) for part in self._parts
        ]
        # unsafe_split leaves out split's bookkeeping for autograd, which is not used here
        parts = [torch.unsafe_split(tensor, self.batch_size) for tensor in tensors]
        return islice(zip(*parts, strict=True), first, len(self))

    def _gathered(self, order: Tensor | None, first: int) -> Iterator[Batch]:
        for start in range(first * self.batch_size, len(self) * self.batch_size, self.batch_size):
            window = slice(start, start + self.batch_size)
            if order is None:
                yield tuple(part[window].to(self.device) for part in self._parts)
            else:
                rows = order[window]
                yield tuple(part.index_select(0, rows).to(self.device) for part in self._parts)


def generate_batches(
    features: ArrayLike | Tensor,
    labels: ArrayLike | Tensor,
    size: int = 32,
    shuffle: bool = True,
    generator: Generator | None = None,
) -> Iterator[Batch]:
    """Yield batches (x, y) of `size` examples: one pass through the data, shuffled or in order. The last may be smaller.

    x keeps the shape of the features; it has torch's default dtype unless the features are a floating-point tensor. y has
    at least two dimensions: labels (n,) become (b, 1). Raises DataError for unequal lengths.
    """
    x, y = as_tensor("features", features), as_tensor("labels", labels)
    if not (isinstance(features, Tensor) and x.is_floating_point()):
        x = x.to(torch.get_default_dtype())
    if y.is_floating_point():
        y = y.to(x.dtype)
    same_length(features=x, labels=y)
    yield from DataLoader(Dataset(x, y.unsqueeze(-1) if y.dim() == 1 else y), size, shuffle, generator)
