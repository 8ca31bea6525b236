"""The loss over all examples seen, without a wait for the device at each batch."""

from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor

from lincoln.losses import Loss

_LOOSE = 4096  # losses kept one by one before they are packed into one tensor


class Tally:
    """The sum of w_k l_k over all examples k seen, and of their weights w_k: 1, or as the batch says.

    Nothing waits for the device until `read`.
    """

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self.by_example = loss.reduction == "mean"  # a batch's loss is its mean, to be counted for each example
        self.examples = 0
        self.total = 0.0
        self.weight = 0.0
        self._losses: list[Tensor] = []
        self._packed: list[Tensor] = []
        self._weights: list[int | Tensor] = []
        self._packed_weights: list[list[int] | Tensor] = []

    def add(self, loss: Tensor, features: Tensor, targets: Tensor, weights: Tensor | None = None) -> None:
        """Count a batch and its loss."""
        examples = features.shape[0]
        self.examples += examples
        self._losses.append(loss)
        plain = weights is None and self.loss.counted(targets) is None
        self._weights.append(examples if plain else self.loss.weight_of(features, targets, weights))
        if len(self._losses) == _LOOSE:
            self._pack()

    def read(self) -> tuple[float, float]:
        """Return the summed loss and the summed weight: the number of examples, if none have weights."""
        self._pack()
        losses = chain.from_iterable(part.tolist() for part in self._packed)
        weights = chain.from_iterable(_numbers(part) for part in self._packed_weights)
        for loss, weight in zip(losses, weights, strict=True):
            self.total += loss * weight if self.by_example else loss  # one by one: the same sum whenever it is read
            self.weight += weight
        self._packed.clear()
        self._packed_weights.clear()
        return self.total, self.weight

    def state(self) -> list[float]:
        """Return total, weight and number of examples."""
        return [*self.read(), self.examples]

    def restore(self, state: list[float]) -> None:
        """Continue from what `state` gave."""
        total, weight, examples = state
        for kept in (self._losses, self._packed, self._weights, self._packed_weights):
            kept.clear()
        self.total, self.weight, self.examples = total, weight, int(examples)

    def _pack(self) -> None:
        if self._losses:
            self._packed.append(torch.stack(self._losses))
            self._packed_weights.append(_packed(self._weights))
            self._losses.clear()
            self._weights.clear()


def _packed(weights: list[int | Tensor]) -> list[int] | Tensor:
    """Return numbers of examples as they are, and summed weights as one tensor: a tensor a step would fill the memory."""
    tensors = [weight for weight in weights if isinstance(weight, Tensor)]
    if not tensors:
        return [int(weight) for weight in weights]
    like = tensors[0]
    return torch.stack([weight if isinstance(weight, Tensor) else like.new_tensor(weight) for weight in weights])


def _numbers(weights: list[int] | Tensor) -> list[int]:
    return weights if isinstance(weights, list) else weights.tolist()
