"""Steps of a small network, replayed: the tensor operations of forward and backward without the Python that calls them.

A step of a small network is two dozen short operations, and about half as much time again goes into the Python around
them: layers, checks, views, memory for results. The operations are the same in every step, because the layers make no
choice that depends on the numbers. So they are recorded once and then run from the list. A layer that makes such a choice,
prints or counts cannot be replayed. Therefore steps are replayed only if loss, layers and callbacks are all marked
`@recordable`, and no recording is used before it has been compared with the layers.
"""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor

from lincoln._util.marks import is_recordable
from lincoln._util.undoing import surely
from lincoln.engine.recording import Recording, Unrecordable, Watch
from lincoln.engine.threads import is_small
from lincoln.layers import Layer
from lincoln.losses import Loss

_STEPS_BEFORE = 10
"""Steps that the layers run, for each batch size, before one is recorded: a rare size is not worth a recording."""
_WORTH_IT = 100
"""Steps from which a run is replayed: to make a recording and to compare it costs as much as 25 to 40 replays save."""


@dataclass
class _Recorded:
    recording: Recording
    penalty: tuple[float | Tensor, float | Tensor | None]
    """`loss.penalty_terms` of the recorded step; its tensors are overwritten by each replay."""
    proven: bool = False
    """True once the recording has given the same numbers as the layers."""


class Replay:
    """`loss(*batch)` and `loss.backward()`, replayed once proven: the same numbers bit for bit.

    Per batch size: steps 1 to 10 run the layers, 11 is recorded, 12 runs both and compares loss and gradient exactly; from
    13 on only the recording runs. If the two differ, or an operation cannot be recorded, a warning gives the reason, and
    the layers run all further steps. When the parameters move to other memory, the count starts again.

    Batches of one size must agree in shapes, strides and dtypes. Between steps only the numbers in the tensors of network
    and loss may change: callbacks, metrics, optimizers and schedules must leave all else as it is.
    """

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self.given_up = False
        self._learning = [layer for _, layer in loss.network.named_layers() if layer.learns]
        self._vector: Tensor | None = None  # the parameters that the recordings read, by their network's flat vector
        self._steps: Counter[int] = Counter()  # run by the layers, for each batch size
        self._recorded: dict[int, _Recorded] = {}

    def __call__(self, *batch: Tensor) -> Tensor:
        """Return the loss; the network's gradients are then those of this batch."""
        if not self.loss.network.training:
            return self._by_layers(*batch)  # raises: there is no backward in evaluation mode
        vector, _ = self.loss.network.flatten()
        if vector is not self._vector:
            self._recorded, self._steps, self._vector = {}, Counter(), vector
        kept = self._recorded.get(batch[0].size(0))
        if kept is None:
            return self._count(*batch)
        if not kept.proven:
            return self._prove(kept, *batch)
        try:
            value = kept.recording(*batch)
        except Exception:  # the layers' own error names the layer and the cause
            self.given_up, self._recorded = True, {}
            return self._by_layers(*batch)
        self.loss.penalty_terms = kept.penalty
        for layer in self._learning:
            layer.has_grad = True
        return value.clone()  # the next replay overwrites it

    def _by_layers(self, *batch: Tensor) -> Tensor:
        value = self.loss(*batch, check_targets=False)
        self.loss.backward()
        self.loss.network.flatten()  # copies in the gradients that layers have assigned
        return value

    def _count(self, *batch: Tensor) -> Tensor:
        """Run the layers; record them if this is the eleventh step of its size."""
        size = batch[0].size(0)
        self._steps[size] += 1
        if self.given_up or self._steps[size] <= _STEPS_BEFORE:
            return self._by_layers(*batch)
        watch = Watch()
        value = watch.over(lambda: self._by_layers(*batch))
        try:
            recording = Recording(watch.calls, batch, value)
        except Unrecordable as error:
            self._give_up(str(error))
        else:
            self._recorded[size] = _Recorded(recording, self.loss.penalty_terms)
        return value.clone()

    def _prove(self, kept: _Recorded, *batch: Tensor) -> Tensor:
        """Run the layers and the recording with the same random numbers and compare them; the layers' results count."""
        _, gradient = self.loss.network.flatten()
        random = torch.get_rng_state()
        value = self._by_layers(*batch)
        expected, random_after = gradient.clone(), torch.get_rng_state()

        def as_the_layers() -> bool:
            torch.set_rng_state(random)
            return _same(kept.recording(*batch), value) and _same(gradient, expected)

        try:
            kept.proven = surely(as_the_layers, lambda: torch.set_rng_state(random_after))
        except Exception as error:
            self._give_up(str(error))
        else:
            if not kept.proven:
                self._give_up("the same operations on another batch gave other numbers than the layers")
        gradient.copy_(expected)
        return value

    def _give_up(self, why: str) -> None:
        self.given_up = True
        self._recorded.clear()
        warnings.warn(
            f"{self.loss}: the steps of this run are not replayed: {why}. The results are right, but slower. To avoid this "
            f"warning, remove `@recordable` from the layer or loss that does this, or set TrainerConfig(replay=False)",
            stacklevel=2,
        )


def replayable(loss: Loss, examples: int, steps: int) -> bool:
    """Return True if the steps of a run can be replayed, and are worth it.

    The run must have at least 100 steps, each small (`is_small`) and on the CPU; loss and layers must be marked
    `@recordable`, have no buffers, and run the `_forward` and `_backward` of their classes.
    """
    layers = [layer for _, layer in loss.network.named_layers()]
    return (
        steps >= _WORTH_IT
        and all(is_recordable(part) for part in (loss, *layers))
        and not any(layer.buffers or _is_patched(layer) for layer in layers)
        and is_small(loss.network, examples)
        and all(parameter.is_cpu for parameter in loss.network.parameters())
    )


def _is_patched(layer: Layer) -> bool:
    """Return True if this layer alone was given another `_forward` or `_backward` than its class."""
    return not {"_forward", "_backward"}.isdisjoint(vars(layer))


def _same(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=0, atol=0, equal_nan=True)
