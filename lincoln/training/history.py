"""The record that a training run returns."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


@dataclass
class History:
    """Hold the losses, metrics and learning rates of a training run by epoch, and how it ended.

    Losses are means per example. The training loss of an epoch is the mean over its steps, each measured before the step's
    update.
    """

    losses: list[float] = field(default_factory=list)
    """Training loss of each epoch."""
    val_losses: list[float] = field(default_factory=list)
    """Validation loss after each epoch; empty without validation data."""
    metrics: list[tuple[int, float]] = field(default_factory=list)
    """Metric on the training data as (epoch, value), for each epoch that was printed and for the last one."""
    val_metrics: list[float] = field(default_factory=list)
    """Metric on the validation data after each epoch; empty without validation data or metric."""
    learning_rates: list[float] = field(default_factory=list)
    """Learning rate at the end of each epoch."""
    metric: str = "metric"
    """Name of the metric."""
    steps: int = 0
    """Number of optimizer steps."""
    seconds: float = 0.0
    """Wall time of the run in seconds, validation included."""
    stopped: str = ""
    """Reason why the run ended."""

    @property
    def epochs(self) -> int:
        """Return the number of completed epochs."""
        return len(self.losses)

    @property
    def train_losses(self) -> list[float]:
        """Return `losses`: an alias, by the name used beside `val_losses`."""
        return self.losses

    @property
    def best_epoch(self) -> int:
        """Return the epoch, counted from 1, with the lowest validation loss, or training loss without validation.

        Epochs whose loss is NaN do not count. Returns 0 if there are no others.
        """
        watched = self.val_losses or self.losses
        best = lowest(watched)
        return 0 if best is None else watched.index(best) + 1

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the losses by epoch with `lincoln.plots.loss_curves`. Raises DataError before the first epoch."""
        from lincoln.plots import loss_curves

        return loss_curves(self, ax)

    def to_dataframe(self) -> DataFrame:
        """Return a pandas DataFrame with a row for each epoch. Raises ModuleNotFoundError without pandas."""
        import pandas

        columns = {
            "loss": self.losses,
            "val_loss": self.val_losses,
            f"val_{self.metric}": self.val_metrics,
            "learning_rate": self.learning_rates,
        }
        filled = {name: values for name, values in columns.items() if len(values) == self.epochs}
        frame = pandas.DataFrame(filled, index=pandas.RangeIndex(1, self.epochs + 1, name="epoch"))
        if self.metrics:
            frame[self.metric] = pandas.Series(dict(self.metrics))
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return the history that `to_dict` described; `data` may have passed through JSON."""
        return cls(**data | {"metrics": [(epoch, value) for epoch, value in data["metrics"]]})

    def __repr__(self) -> str:
        parts = [f"{self.epochs} epochs, {self.steps} steps, {self.seconds:.2f} s"]
        if self.losses:
            parts.append(f"loss {self.losses[-1]:.4f}")
        if self.metrics:
            parts.append(f"{self.metric} {self.metrics[-1][1]:.4f}")
        if self.val_losses:
            parts.append(f"validation loss {self.val_losses[-1]:.4f}")
        if self.val_metrics:
            parts.append(f"validation {self.metric} {self.val_metrics[-1]:.4f}")
        return f"History({', '.join(parts)})"


def lowest(losses: Iterable[float]) -> float | None:
    """Return the lowest of the losses that are not NaN, or None if there are none."""
    return min((loss for loss in losses if not math.isnan(loss)), default=None)


TrainerRunResult = History
"""An alias of History."""
