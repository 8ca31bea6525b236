"""What the trainer keeps track of while it runs: the loss so far, the last finite weights, and the best ones."""

from __future__ import annotations

import math
from typing import Any, Self

import torch
from torch import Tensor

from lincoln.layers import Layer
from lincoln.losses import Loss
from lincoln.optim import Optimizer

_LOOSE = 4096  # losses kept one by one before they are packed into one tensor


class Tally:
    """The loss summed over all examples seen, and their weight, without waiting for the device until it is read.

    An example weighs 1, or what its batch says.
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
        """The summed loss and the weight it is of: the number of examples, if none have weights. Waits for the device."""
        if self._weights:
            self._pack()
            losses = (loss for part in self._packed for loss in part.tolist())
            for loss, weight in zip(losses, map(float, self._weights), strict=True):
                self.total += loss * weight if self.by_example else loss  # one by one: the same sum whenever it is read
                self.weight += weight
            self._packed.clear()
            self._weights.clear()
        return self.total, self.weight

    def _pack(self) -> None:
        if self._losses:
            self._packed.append(torch.stack(self._losses))
            self._losses.clear()


class Weights:
    """A copy of a network's parameters, as one vector, and of its buffers."""

    def __init__(self, values: Tensor, buffers: dict[str, Tensor]) -> None:
        self.values = values
        self.buffers = buffers

    @classmethod
    def of(cls, network: Layer) -> Self:
        """A copy of what the network holds now."""
        with torch.inference_mode(False):
            buffers = {path: tensor.clone() for path, tensor in network.named_buffers()}
            return cls(network.flatten()[0].clone(), buffers)

    def to(self, device: str) -> Self:
        """A copy there."""
        return type(self)(self.values.to(device), {path: tensor.to(device) for path, tensor in self.buffers.items()})

    def put_back(self, network: Layer) -> None:
        network.flatten()[0].copy_(self.values)
        network.set_buffers(self.buffers)


class Snapshot:
    """A network's weights and its optimizer's state, as they were when last seen to be finite."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.taken = False
        self._has_buffers = any(layer.buffers for _, layer in optimizer.network.named_layers())
        self._kept: dict[str, tuple[Tensor, Tensor]] = {}  # each vector and its copy; the weights' name is ""

    def possible(self) -> bool:
        """Whether all parameters are finite; waits for the device."""
        values, _ = self.optimizer.network.flatten()
        return math.isfinite(values.abs().max().item())  # NaN and infinity outdo all others

    def take(self, when: str) -> None:
        """Keep the present state, and the words for when it was."""
        optimizer, network = self.optimizer, self.optimizer.network
        self.when = when
        self._steps, self._lr = optimizer.steps, optimizer.lr
        self._buffers = {path: tensor.clone() for path, tensor in network.named_buffers()} if self._has_buffers else {}
        for name, vector in (optimizer.vectors() | {"": network.flatten()[0]}).items():
            of, copy = self._kept.get(name, (None, vector))
            # into the copy of the last time: new ones every epoch made a short epoch (3 steps of 45 us) 5 % longer
            self._kept[name] = vector, copy.copy_(vector) if of is vector else vector.clone()
        self.taken = True

    def restore(self) -> None:
        """Go back to the state kept."""
        vectors = {name: copy for name, (_, copy) in self._kept.items()}
        Weights(vectors.pop(""), self._buffers).put_back(self.optimizer.network)
        self.optimizer.load_state_dict({"steps": self._steps, "lr": self._lr} | vectors)


class Best:
    """The lowest loss seen at the end of an epoch, and the weights it had; and the epochs without real progress.

    Progress is a loss more than `min_delta` below the last one that was progress.
    """

    def __init__(self, min_delta: float) -> None:
        self.min_delta = min_delta
        self.loss = math.inf
        self.mark = math.inf  # the last loss that was progress
        self.epochs_since = 0
        self.weights: Weights | None = None

    def observe(self, loss: float, network: Layer | None) -> bool:
        """Whether `loss` is a new best. Then the weights of the network, if given, are copied."""
        self.epochs_since += 1
        if loss < self.mark - self.min_delta:
            self.mark, self.epochs_since = loss, 0
        if not loss < self.loss:
            return False
        self.loss = loss
        self.weights = None if network is None else Weights.of(network)
        return True

    def state_dict(self) -> dict[str, Any]:
        return {"loss": self.loss, "mark": self.mark, "epochs_since": self.epochs_since}

    def load_state_dict(self, state: dict[str, Any], weights: Weights | None) -> None:
        self.loss, self.mark, self.epochs_since = state["loss"], state["mark"], state["epochs_since"]
        self.weights = weights
