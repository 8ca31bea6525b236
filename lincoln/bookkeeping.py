"""What the trainer keeps track of while it runs: the loss so far, and the last finite weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lincoln.losses import Loss
from lincoln.optim import Optimizer

_LOOSE = 4096  # losses kept one by one before they are packed into one tensor


class Tally:
    """The loss summed over all examples seen, and their number, without waiting for the device until it is read."""

    def __init__(self, loss: Loss) -> None:
        self.by_example = loss.reduction == "mean"  # a batch's loss is its mean, to be counted for each example
        self.examples = 0
        self._sum = 0.0
        self._losses: list[Tensor] = []
        self._packed: list[Tensor] = []
        self._sizes: list[int] = []

    def add(self, loss: Tensor, examples: int) -> None:
        """Count a batch."""
        self.examples += examples
        self._losses.append(loss)
        self._sizes.append(examples if self.by_example else 1)
        if len(self._losses) == _LOOSE:
            self._pack()

    def read(self) -> tuple[float, int]:
        """The summed loss and the number of examples. Waits for the device."""
        if self._sizes:
            self._pack()
            losses = [loss for part in self._packed for loss in part.tolist()]
            self._sum += sum(loss * size for loss, size in zip(losses, self._sizes, strict=True))
            self._packed.clear()
            self._sizes.clear()
        return self._sum, self.examples

    def _pack(self) -> None:
        if self._losses:
            self._packed.append(torch.stack(self._losses))
            self._losses.clear()


class Snapshot:
    """A network's parameters and its optimizer's state, as they were when last seen to be finite."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.taken = False

    def take(self) -> bool:
        """Keep the present state, if all parameters are finite. Says whether they are; waits for the device."""
        values, _ = self.optimizer.network.flatten()
        if not math.isfinite(torch.linalg.vector_norm(values, torch.inf).item()):  # NaN and infinity outdo all others
            return False
        self._values = values.clone()
        self._state = self.optimizer.state_dict()
        self.taken = True
        return True

    def restore(self) -> None:
        """Go back to the state kept."""
        self.optimizer.network.flatten()[0].copy_(self._values)
        self.optimizer.load_state_dict(self._state)
