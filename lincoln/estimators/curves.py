"""The curves that a fit records."""

from __future__ import annotations

import math
from copy import copy

import numpy as np

from lincoln.training.weights import Weights


class Curves:
    """The record of a fit, and of the fits that it continues."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.scores: list[float] = []
        self.validation_losses: list[float] = []
        self.idle = 0
        """Epochs in a row without progress."""
        self.seen = 0
        """Examples trained on, each counted once an epoch."""
        self.best_weights: Weights | None = None
        """The weights with the best score, if a fit watched it."""

    @property
    def best_loss(self) -> float:
        """The lowest training loss, infinity before the first epoch."""
        return min(self.losses, default=math.inf)

    @property
    def best_score(self) -> float:
        """The highest score that is a number, minus infinity if there is none."""
        return max((score for score in self.scores if not math.isnan(score)), default=-math.inf)

    def note_loss(self, loss: float) -> None:
        """Append the training loss of an epoch: a float with numpy's methods, as in scikit-learn."""
        self.losses.append(np.float64(loss))

    def note_validation(self, loss: float, score: float) -> None:
        """Append the loss and the score on the validation data after an epoch."""
        self.validation_losses.append(loss)
        self.scores.append(score)

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
