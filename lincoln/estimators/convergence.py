"""The end of a fit, by scikit-learn's rule."""

from __future__ import annotations

from collections.abc import Callable

from lincoln._util.marks import recordable
from lincoln.callbacks import EarlyStopping
from lincoln.estimators.curves import Curves
from lincoln.training.best import Best
from lincoln.training.state import RunState

_SMALLEST_RATE = 1e-6  # an adaptive learning rate is not lowered from here


@recordable
class Convergence(EarlyStopping):
    """Stop when for more than `patience` epochs in a row the loss did not fall, or the score not rise, by `tol`.

    If `scored` the validation score is watched, and the fit ends with the weights that had the best one. If `adaptive`,
    the learning rate is divided by 5 instead, until it is 1e-6 or less. `rate`, the learning rate after so many examples,
    sets it after each epoch. Reported losses on validation data are divided by `outputs`. The curves of the fits before
    are continued.

    Source: `_fit_stochastic` of scikit-learn's multilayer perceptrons.
    """

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
        best = Best(tol, "max" if scored else "min", inclusive=True)
        start = -curves.best_score if scored else curves.best_loss
        state = {"loss": start, "mark": start, "epochs_since": curves.idle}
        best.load_state_dict(state, curves.best_weights if scored else None)
        super().__init__(patience + 1, restore_best=scored, best=best)
        self.curves = curves
        self.scored = scored
        self.outputs = outputs
        self.adaptive = adaptive
        self.rate = rate
        self.verbose = verbose
        self._seen_before = curves.seen
        watched = "Validation score" if scored else "Training loss"
        self._why = f"{watched} did not improve more than tol={tol:f} for {patience} consecutive epochs."

    def watched(self, trainer: RunState) -> float:
        return self.curves.scores[-1] if self.scored else self.curves.losses[-1]

    def epoch_end(self, trainer: RunState) -> None:
        curves, history = self.curves, trainer.history
        curves.note_loss(history.losses[-1])
        self._say(f"Iteration {len(history.losses)}, loss = {history.losses[-1]:.8f}")
        if history.val_losses:
            curves.note_validation(history.val_losses[-1] / self.outputs, history.val_metrics[-1])
            self._say(f"Validation score: {history.val_metrics[-1]:.6f}")
        curves.seen = self._seen_before + trainer.tally.examples
        super().epoch_end(trainer)
        curves.idle = self.best.epochs_since
        if self.scored:
            curves.best_weights = self.best.weights
        if self.rate is not None:
            trainer.optimizer.lr = self.rate(curves.seen)

    def no_progress(self, trainer: RunState) -> None:
        """Lower the learning rate if it is adaptive and not low yet; else stop the run."""
        if self.adaptive and trainer.optimizer.lr > _SMALLEST_RATE:
            trainer.optimizer.lr /= 5
            self._say(f"{self._why} Setting learning rate to {trainer.optimizer.lr:f}")
            self.best.epochs_since = 0
            return
        self._say(f"{self._why} {'Learning rate too small. ' if self.adaptive else ''}Stopping.")
        trainer.stop(self._why)

    def _say(self, line: str) -> None:
        if self.verbose:
            print(line)
