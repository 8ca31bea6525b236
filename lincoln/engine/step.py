"""One training step: gradient, accumulate, clip, schedule, update."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from lincoln._util.marks import is_recordable
from lincoln.data import Batch, DataLoader
from lincoln.engine.replay import Replay, replayable
from lincoln.losses import Loss
from lincoln.ops import HALF, norm
from lincoln.optim import Optimizer
from lincoln.schedules import Schedule


class Step:
    """w <- w - update(dL/dw), with L over one minibatch or, as if they were one batch, over several.

    `gradient(*batch)` computes and adds up; once the step is `complete`, `update(count)` changes the weights. The learning
    rate of an update is base_lr schedule(count).
    """

    def __init__(
        self,
        loss: Loss,
        optimizer: Optimizer,
        accumulate: int = 1,
        clip_norm: float | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        self.loss = loss
        self.optimizer = optimizer
        self.accumulate = accumulate
        self.clip_norm = clip_norm
        self.schedule = schedule
        self.base_lr = optimizer.lr
        self._scheduled_lr = optimizer.lr
        self.check_targets: bool | None = None
        """False if the targets of all batches have been checked; None leaves it to the loss."""
        self.replay: Replay | None = None
        """The replay that runs the gradient instead of the layers, if there is one."""
        self.under_way = False
        """True between two minibatches of one step."""
        self.complete = accumulate == 1
        """True if the gradient is that of a whole step."""
        self._weights: list[float | Tensor] = []  # of the minibatches that have been added up
        self._sum = torch.empty(0)

    def gradient(self, *batch: Tensor) -> Tensor:
        """Run forward and backward over one minibatch, and add its gradient to the step's. Return its loss."""
        if self.replay is not None:
            return self.replay(*batch)
        loss = self.loss(*batch, check_targets=self.check_targets, penalized=not self.under_way)  # one penalty a step
        self.loss.backward()
        if self.accumulate > 1:
            self._add_up(batch)
        return loss

    def update(self, count: int) -> None:
        """Clip the gradient, set the learning rate of step or epoch `count`, and update the weights."""
        if self._weights:
            self._average()
        if self.clip_norm is not None:
            clip(self.loss.network.flatten()[1], self.clip_norm)
        if self.schedule is not None:
            self.optimizer.lr = self._scheduled_lr = float(self.base_lr * self.schedule(count))
        self.optimizer.step()

    def close(self) -> None:
        """Stop the replay, and let the loss check its targets again."""
        self.replay = self.check_targets = self.loss.hard = None

    def take_up_rate(self) -> None:
        """Use the optimizer's present learning rate as base_lr, if it was set since the last step."""
        if self.optimizer.lr != self._scheduled_lr:
            self.base_lr = self._scheduled_lr = self.optimizer.lr

    def restart(self) -> None:
        """Continue from a new state of the optimizer."""
        self.forget()
        self._scheduled_lr = self.optimizer.lr

    def forget(self) -> None:
        """Drop the minibatches of a step that will not be completed."""
        self._weights.clear()
        self.under_way = False
        self.complete = self.accumulate == 1

    def _add_up(self, batch: tuple[Tensor, ...]) -> None:
        """sum <- sum + w g, with w the weight of the minibatch in one large batch."""
        grads = self.loss.network.flatten()[1]
        weight: float | Tensor = 1.0
        if self.loss.reduction == "mean":
            counted = self.loss.weight_of(*batch)
            weight = float(counted) if isinstance(counted, int) else counted
        if grads.dtype in HALF:
            grads = grads.float()  # a sum of several batches need not fit
        if self._weights:
            self._sum.add_(grads * weight)
        else:
            self._sum = grads * weight
        self._weights.append(weight)
        self.under_way = True
        self.complete = len(self._weights) == self.accumulate

    def _average(self) -> None:
        """g <- sum / sum of w for a mean, g <- sum for a sum."""
        whole = torch.as_tensor(1.0 if self.loss.reduction == "sum" else sum(self._weights))
        tiny = torch.finfo(self._sum.dtype).tiny  # weights may all be 0
        self.loss.network.flatten()[1].copy_(self._sum / whole.clamp(min=tiny))
        self.forget()


def replay_for(step: Step, batches: Iterable[Batch], parts: Iterable[object], epochs: int) -> Replay | None:
    """Return a replay of the step if nothing but numbers changes between two batches. `parts` are the callbacks."""
    if (
        step.accumulate == 1
        and type(batches) is DataLoader
        and all(is_recordable(part) for part in parts)
        and replayable(step.loss, batches.batch_size, epochs * len(batches))
    ):
        return Replay(step.loss)
    return None


def clip(grads: Tensor, length: float) -> None:
    """g <- g min(1, length / (|g| + 1e-6)), in place: scale a longer gradient down to `length`.

    It does not wait for the device. As `torch.nn.utils.clip_grad_norm_`; Pascanu et al. (2013).
    """
    grads.mul_((length / (norm(grads) + 1e-6)).clamp(max=1.0))
