"""The end of a fit, by scikit-learn's rule, and the curves that a fit records."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
from torch import Tensor

from lincoln._util.marks import recordable
from lincoln.callbacks import Callback
from lincoln.losses import Loss
from lincoln.training.state import RunState
from lincoln.training.tally import Tally
from lincoln.training.weights import Weights

_SMALLEST_RATE = 1e-6  # an adaptive learning rate is not lowered from here


class Curves:
    """The record of a fit, and of the fits that it continues."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.scores: list[float] = []
        self.validation_losses: list[float] = []
        self.best_loss = math.inf
        self.best_score = -math.inf
        self.idle = 0
        """Epochs in a row that did not improve on the best before them by `tol`."""
        self.seen = 0
        """Examples trained on, counted once an epoch."""
        self.best_weights: Weights | None = None
        """The weights with the best score, if a fit is to end with them."""

    def copy(self) -> Curves:
        """Return a copy that can grow while this one stays."""
        other = copy(self)
        other.losses, other.scores = list(self.losses), list(self.scores)
        other.validation_losses = list(self.validation_losses)
        return other

    def to(self, device: str) -> None:
        """Move the best weights to a device."""
        if self.best_weights is not None:
            self.best_weights = self.best_weights.to(device)


@recordable
class Convergence(Callback):
    """Stop when for more than `patience` epochs in a row the loss did not fall, or the score not rise, by `tol`.

    If `scored` the validation score is watched, and the weights with the best one are kept. If `adaptive`, the learning
    rate is divided by 5 instead, until it is 1e-6 or less. `rate`, the learning rate after so many examples, sets it after
    each epoch. Reported losses are averaged over `outputs`.

    Source: `_fit_stochastic` of scikit-learn's multilayer perceptrons.
    """

    saved = False

    def __init__(
        self,
        curves: Curves,
        scored: bool,
        outputs: int,
        tol: float,
        patience: float,
        adaptive: bool = False,
        rate: Callable[[int], float] | None = None,
        verbose: bool = False,
    ) -> None:
        self.curves = curves
        self._seen_before = curves.seen
        self.tol = tol
        self.patience = patience
        self.scored = scored
        self.outputs = outputs
        self.adaptive = adaptive
        self.rate = rate
        self.verbose = verbose

    def train_begin(self, trainer: RunState) -> None:
        trainer.tally = Account(trainer.loss, self.outputs)

    def epoch_end(self, trainer: RunState) -> None:
        curves, history = self.curves, trainer.history
        curves.losses.append(np.float64(history.losses[-1]))  # a float with numpy's methods, as in scikit-learn
        self._say(f"Iteration {len(history.losses)}, loss = {history.losses[-1]:.8f}")
        if history.val_losses:
            curves.validation_losses.append(history.val_losses[-1] / self.outputs)
            curves.scores.append(history.val_metrics[-1])
            self._say(f"Validation score: {history.val_metrics[-1]:.6f}")
        curves.seen = self._seen_before + trainer.tally.examples
        self._judge(trainer)
        if self.rate is not None:
            trainer.optimizer.lr = self.rate(curves.seen)
        if curves.idle > self.patience:
            self._give_up(trainer)

    def _judge(self, trainer: RunState) -> None:
        """Compare this epoch with the best before it."""
        curves = self.curves
        if self.scored:
            score = curves.scores[-1]
            curves.idle = curves.idle + 1 if score < curves.best_score + self.tol else 0
            if score > curves.best_score:
                curves.best_weights = Weights.of(trainer.model)
        else:
            loss = curves.losses[-1]
            curves.idle = curves.idle + 1 if loss > curves.best_loss - self.tol else 0
        curves.best_loss = min(curves.best_loss, curves.losses[-1])
        if curves.scores:
            curves.best_score = max(curves.best_score, curves.scores[-1])

    def _give_up(self, trainer: RunState) -> None:
        watched = "Validation score" if self.scored else "Training loss"
        why = f"{watched} did not improve more than tol={self.tol:f} for {self.patience} consecutive epochs."
        if not self.adaptive:
            self._say(f"{why} Stopping.")
        elif trainer.optimizer.lr <= _SMALLEST_RATE:
            self._say(f"{why} Learning rate too small. Stopping.")
        else:
            trainer.optimizer.lr /= 5
            self._say(f"{why} Setting learning rate to {trainer.optimizer.lr:f}")
            self.curves.idle = 0
            return
        trainer.stop(why)

    def _say(self, line: str) -> None:
        if self.verbose:
            print(line)


class Account(Tally):
    """The loss as scikit-learn reports it: every example counts once, whatever its weight.

    Without the penalty it is divided by `outputs`.
    """

    def __init__(self, loss: Loss, outputs: int) -> None:
        super().__init__(loss)
        self.loss = loss
        self.outputs = outputs

    def add(self, loss: Tensor, features: Tensor, targets: Tensor, weights: Tensor | None = None) -> None:
        if self.outputs > 1:
            loss = averaged(loss, self.loss.penalty, self.outputs)
        super().add(loss, features, targets)


def averaged(loss: Any, penalty: Any, outputs: int) -> Any:
    """Return (loss - penalty) / outputs + penalty."""
    return loss / outputs + penalty * (1 - 1 / outputs)
