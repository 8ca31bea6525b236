"""Early stopping: the best epoch, its weights, and the end of a run without progress."""

from __future__ import annotations

import math
import warnings

from lincoln._util.marks import recordable
from lincoln.callbacks.base import Callback
from lincoln.training.best import Best
from lincoln.training.state import RunState

_MISSING = "nan; such epochs are never the best. Look for NaN in the data, or lower the learning rate"


@recordable
class EarlyStopping(Callback):
    """Stop after `patience` epochs without progress of what is watched, and end with the weights of the best epoch.

    The config's `watch`, the loss or a metric, is watched: on the validation data, or on the training data if there are
    none. With `patience` None the run is never stopped, and no weights are kept; the best epoch is still known
    (`improved`). An epoch whose value is NaN makes no progress, and a warning names the first.
    """

    saved = False  # its state has a place of its own in a checkpoint

    def __init__(self, patience: float | None = None, restore_best: bool = True, best: Best | None = None) -> None:
        self.patience = patience
        self.restore_best = restore_best
        self.best = best or Best()
        self._warned = False
        self.improved = False
        """True if the last epoch was the best so far."""

    def watched(self, trainer: RunState) -> float:
        """Return the value that is watched."""
        return trainer.watched

    def epoch_end(self, trainer: RunState) -> None:
        value = self.watched(trainer)
        if math.isnan(value) and not self._warned:
            self._warned = True
            warnings.warn(f"epoch {trainer.epoch}: the {trainer.history.watch} is {_MISSING}", stacklevel=2)
        keeps_weights = self.patience is not None and self.restore_best
        self.improved = self.best.observe(value, trainer.model if keeps_weights else None)
        if self.patience is not None and self.best.epochs_since >= self.patience:
            self.no_progress(trainer)

    def no_progress(self, trainer: RunState) -> None:
        """Stop the run; a subclass may do something else first."""
        missing = sum(map(math.isnan, trainer.history.watched[-self.best.epochs_since :]))
        of_them = f"; it was nan in {missing} of them" if missing else ""
        trainer.stop(f"no better {trainer.history.watch} in {self.patience} epochs (patience){of_them}")

    def resumed(self, trainer: RunState, more_epochs: bool) -> None:
        """Judge a resumed run by the patience it has now. A run that has lost it goes on if it is given more epochs."""
        if self.patience is not None and self.best.epochs_since >= self.patience:
            if more_epochs:
                self.best.epochs_since = 0
            else:
                self.no_progress(trainer)

    def train_end(self, trainer: RunState) -> None:
        if self.best.weights is not None:
            self.best.weights.put_back(trainer.model)
