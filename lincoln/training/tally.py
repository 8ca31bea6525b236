"""The loss over all examples seen, without a wait for the device at each batch."""

from __future__ import annotations

import torch
from torch import Tensor

from lincoln.losses import Loss

_LOOSE = 4096  # losses kept one by one before they are packed into one tensor


class Tally:
    """The sum of w_k l_k over all examples k seen, and of their weights w_k: 1, or as the batch says.

    Nothing waits for the device until `read`.
    """

    def __init__(self, loss: Loss) -> None:
        self.by_example = loss.reduction == "mean"  # a batch's loss is its mean, to be counted for each example
        self.examples = 0
        self.total = 0.0
        self.weight = 0.0
        self._losses: list[Tensor] = []
        self._packed: list[Tensor] = []
        self._weights: list[int | Tensor] = []

    def add(self, loss: Tensor, features: Tensor, targets: Tensor, weights: Tensor | None = None) -> None:
        """Count a batch and its loss."""
        examples = features.shape[0]
        self.examples += examples
        self._losses.append(loss)
        self._weights.append(examples if weights is None else weights.sum())
        if len(self._losses) == _LOOSE:
            self._pack()

    def read(self) -> tuple[float, float]:
        """Return the summed loss and the summed weight: the number of examples, if none have weights."""
        if self._weights:
            self._pack()
            losses = (loss for part in self._packed for loss in part.tolist())
            for loss, weight in zip(losses, map(float, self._weights), strict=True):
                self.total += loss * weight if self.by_example else loss  # one by one: the same sum whenever it is read
                self.weight += weight
            self._packed.clear()
            self._weights.clear()
        return self.total, self.weight

    def state(self) -> list[float]:
        """Return total, weight and number of examples."""
        return [*self.read(), self.examples]

    def restore(self, state: list[float]) -> None:
        """Continue from what `state` gave."""
        total, weight, examples = state
        for kept in (self._losses, self._packed, self._weights):
            kept.clear()
        self.total, self.weight, self.examples = total, weight, int(examples)

    def _pack(self) -> None:
        if self._losses:
            self._packed.append(torch.stack(self._losses))
            self._losses.clear()
