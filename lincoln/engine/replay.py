"""Steps of a small network, replayed: forward and backward as the operations that they come to, without their Python.

A step of a small network is two dozen operations of a microsecond or two each, and half as much time again goes into the
Python that asks for them: layers, checks, views, memory for results. It asks for the same in every step, because lincoln's
layers do not look at the numbers. So they are recorded once and made again. What is given up for it is Python's freedom: a
layer that decides by the numbers, prints, or counts must run itself. Hence nothing is replayed unless loss, layers and
callbacks say that it may be, and no recording is used before it has been compared with the layers.
"""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lincoln._util.marks import is_recordable
from lincoln.engine.recording import Recording, Unrecordable, Watch
from lincoln.engine.threads import SMALL, largest_product
from lincoln.losses import Loss

_BEFORE = 10
"""Batches of a size that the layers themselves take before one is recorded: a size that comes seldom is not worth it."""
_WORTH_IT = 100
"""Steps that a run must have: to record a size of batch and prove the recording costs what 25 to 40 replays save."""


@dataclass
class _Recorded:
    recording: Recording
    penalty: tuple[Any, Any]
    """`loss.penalty_terms` of the recorded step."""
    proven: bool = False


class Replay:
    """`loss(*batch)` and `loss.backward()`, replayed from the thirteenth batch of a size on: the same numbers bit by bit.

    The eleventh is recorded. On the twelfth recording and layers are compared, loss and gradient; if they differ, or what
    is done cannot be recorded, a warning says why, and the layers go on by themselves. When parameters move to other memory
    all is recorded anew. Batches of a size must be alike in shapes, strides and dtypes. Between two steps nothing about
    network and loss may change but the numbers in their tensors, whoever runs there: callback, metric, optimizer, schedule.
    """

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self.given_up = False
        self._learning = [layer for _, layer in loss.network.named_layers() if layer.learns]
        self._home: Tensor | None = None
        self._times: Counter[int] = Counter()
        self._recorded: dict[int, _Recorded] = {}

    def __call__(self, *batch: Tensor) -> Tensor:
        """The loss; the network's gradients are then those of this batch."""
        if not self.loss.network.training:
            return self._by_layers(*batch)  # which say that there is nothing to go back through
        home, _ = self.loss.network.flatten()
        if home is not self._home:  # the recordings write where the parameters and their gradients were
            self._recorded, self._times, self._home = {}, Counter(), home
        kept = self._recorded.get(len(batch[0]))
        if kept is None:
            return self._perhaps_recorded(*batch)
        if not kept.proven:
            return self._proven(kept, *batch)
        try:
            value = kept.recording(*batch)
        except Exception:  # the layers say what is wrong in their own words
            self.given_up, self._recorded = True, {}
            return self._by_layers(*batch)
        self.loss.penalty_terms = kept.penalty
        for layer in self._learning:
            layer.has_grad = True
        return value.clone()  # the next replay overwrites it

    def _by_layers(self, *batch: Tensor) -> Tensor:
        value = self.loss(*batch)
        self.loss.backward()
        self.loss.network.flatten()  # takes in gradients that a layer has assigned
        return value

    def _perhaps_recorded(self, *batch: Tensor) -> Tensor:
        size = len(batch[0])
        self._times[size] += 1
        if self.given_up or self._times[size] <= _BEFORE:
            return self._by_layers(*batch)
        with Watch() as watch:
            value = self._by_layers(*batch)
        try:
            recording = Recording(watch.calls, batch, value)
        except Unrecordable as error:
            self._give_up(str(error))
        else:
            self._recorded[size] = _Recorded(recording, self.loss.penalty_terms)
        return value.clone()

    def _proven(self, kept: _Recorded, *batch: Tensor) -> Tensor:
        """Both ways, with the same random numbers; what the layers found stands."""
        _, gradient = self.loss.network.flatten()
        random = torch.get_rng_state()
        value = self._by_layers(*batch)
        found, random_after = gradient.clone(), torch.get_rng_state()
        torch.set_rng_state(random)
        try:
            kept.proven = _same(kept.recording(*batch), value) and _same(gradient, found)
        except Exception as error:
            self._give_up(str(error))
        else:
            if not kept.proven:
                self._give_up("the same operations on another batch gave other numbers than the layers")
        torch.set_rng_state(random_after)
        gradient.copy_(found)
        return value

    def _give_up(self, why: str) -> None:
        self.given_up = True
        self._recorded.clear()
        warnings.warn(
            f"{self.loss}: the steps of this run are not replayed: {why}. Nothing is lost but speed. To say so from the "
            f"start, take `@recordable` from the layer or loss that does it, or set TrainerConfig(replay=False)",
            stacklevel=2,
        )


def replayable(loss: Loss, examples: int, steps: int) -> bool:
    """Whether steps are many enough, small, on the CPU, and of layers and a loss that say they are `recordable`.

    Only networks of linear layers that are built count as small.
    """
    layers = [layer for _, layer in loss.network.named_layers()]
    return (
        steps >= _WORTH_IT
        and all(is_recordable(part) for part in (loss, *layers))
        and not any(layer.buffers or {"_forward", "_backward"} & vars(layer).keys() for layer in layers)
        and largest_product(loss.network, examples) < SMALL
        and all(parameter.is_cpu for parameter in loss.network.parameters())
    )


def _same(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=0, atol=0, equal_nan=True)
