"""The state of a training run: what callbacks, displays and checkpoints read."""

from __future__ import annotations

import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable

from torch import Tensor

from lincoln.data import Batch
from lincoln.engine.step import Step
from lincoln.layers import Layer
from lincoln.losses import Loss
from lincoln.optim import Optimizer
from lincoln.schedules import Schedule
from lincoln.training.config import TrainerConfig
from lincoln.training.history import TrainerRunResult
from lincoln.training.tally import Tally

POSITION = ("epoch", "batch", "in_epoch", "stopped", "epoch_from", "base_lr")
"""The attributes that give a run's position."""


class RunState(ABC):
    """The state of a run: what it trains, how far it is, and why it ends. `Trainer` adds the loop."""

    def __init__(
        self,
        model: Layer,
        config: TrainerConfig,
        loss: Loss,
        optimizer: Optimizer,
        tally: Tally | None = None,
        history: TrainerRunResult | None = None,
    ) -> None:
        self.model = model
        self.config = config
        self.loss = loss
        self.optimizer = optimizer
        self.step = Step(loss, optimizer, config.accumulate, config.clip_norm, copy.deepcopy(config.schedule))
        self.history = history or TrainerRunResult()
        self.tally = tally or Tally(loss)
        """The loss over the examples seen in training."""
        self.train_batches: Iterable[Batch] = ()
        self.epoch = 0
        """Epochs begun, so 1 during the first."""
        self.batch = 0
        """Batches done in this epoch."""
        self.in_epoch = False
        self.stopped = ""
        """The reason to end the run before its last epoch, if there is one."""
        self.epoch_from = (0.0, 0.0)
        """The tally, summed loss and summed weight, when this epoch began."""
        self.epoch_random: dict[str, Tensor] = {}
        """The random state when this epoch began, if the run is saved."""
        self.resumed: dict[str, Tensor] | None = None
        """The random state of the checkpoint that the run was resumed from, until it is used."""
        self._started = time.perf_counter()

    def stop(self, why: str) -> None:
        """End the run after the current step. The part of the epoch that is done counts as an epoch."""
        self.stopped = str(why) or "stopped"

    @abstractmethod
    def check_finite(self, loss: float) -> None:
        """Raise DivergenceError if the loss or the weights are not finite, with the last finite weights restored."""

    @property
    def stopping(self) -> bool:
        """True if the run is about to end before its last epoch."""
        return bool(self.stopped)

    @property
    def unfinished(self) -> bool:
        """True if there is an epoch to run, or to finish."""
        return self.in_epoch or (self.epoch < self.config.num_epochs and not self.stopped)

    @property
    def schedule(self) -> Schedule | None:
        """The schedule of the learning rate."""
        return self.step.schedule

    @property
    def base_lr(self) -> float:
        """The learning rate that the schedule multiplies."""
        return self.step.base_lr

    @base_lr.setter
    def base_lr(self, lr: float) -> None:
        self.step.base_lr = float(lr)

    @property
    def seconds(self) -> float:
        """Wall time of the run so far."""
        return time.perf_counter() - self._started

    def start_clock(self) -> None:
        """Start the clock at the seconds of the history."""
        self._started = time.perf_counter() - self.history.seconds

    @property
    def epoch_fraction(self) -> float:
        """The part of the present epoch that is done, if the number of its batches is known; else 0 until it is done."""
        if not self.in_epoch:
            return 1.0
        length = _length(self.train_batches)
        return min(self.batch / length, 1.0) if length else 0.0

    @property
    def watched(self) -> float:
        """The last value of what is watched, the loss or a metric: on the validation data, or else on the training data."""
        return self.history.watched[-1]

    @property
    def watched_loss(self) -> float:
        """The last loss on the validation data, or on the training data if there are none."""
        return self.watched_losses[-1]

    @property
    def watched_losses(self) -> list[float]:
        """The loss of each epoch on the validation data, or on the training data if there are none."""
        return self.history.val_losses or self.history.losses


def _length(batches: Iterable[Batch]) -> int:
    """Return the number of batches that the iterable says it has; 0 if it cannot say, as torch's loader of a stream."""
    try:
        return len(batches)  # type: ignore[arg-type]
    except Exception:  # a user's `__len__` may raise anything, and the number serves the display alone
        return 0
