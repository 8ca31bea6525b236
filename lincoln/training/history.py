"""The record that a training run returns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
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
    """Name of the metric; of several, the first, which `metrics` and `val_metrics` hold."""
    other_metrics: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    """Further metrics on the training data by name, each as `metrics`."""
    other_val_metrics: dict[str, list[float]] = field(default_factory=dict)
    """Further metrics on the validation data by name, each as `val_metrics`."""
    watch: str = "loss"
    """What early stopping and the best checkpoint looked at: the loss, or the name of a metric."""
    higher_is_better: bool = False
    """True if higher values of what was watched are better."""
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
        """Return the epoch, counted from 1, with the best value of what was watched: by default, the lowest loss.

        Losses and metrics are those on the validation data, or on the training data without validation. Epochs whose value
        is NaN do not count. Returns 0 if there are no others.
        """
        watched = self.watched
        known = [value for value in watched if not math.isnan(value)]
        return watched.index(max(known) if self.higher_is_better else min(known)) + 1 if known else 0

    @property
    def watched(self) -> list[float]:
        """Return what was watched for each epoch: on the validation data, or on the training data if there are none."""
        if self.watch == "loss":
            return self.val_losses or self.losses
        on_training = list(dict(self.metrics_by_name.get(self.watch, [])).values())  # the last value of each epoch
        return self.val_metrics_by_name.get(self.watch) or on_training

    @property
    def metrics_by_name(self) -> dict[str, list[tuple[int, float]]]:
        """Return every metric on the training data by name, each as `metrics`."""
        return ({self.metric: self.metrics} if self.metrics else {}) | self.other_metrics

    @property
    def val_metrics_by_name(self) -> dict[str, list[float]]:
        """Return every metric on the validation data by name, each as `val_metrics`."""
        return ({self.metric: self.val_metrics} if self.val_metrics else {}) | self.other_val_metrics

    def note_metrics(self, epoch: int, values: Mapping[str, float]) -> None:
        """Add metrics on the training data, by name, in this epoch."""
        for name, value in values.items():
            kept = self.metrics if name == self.metric else self.other_metrics.setdefault(name, [])
            kept.append((epoch, value))

    def note_validation(self, loss: float, values: Mapping[str, float]) -> None:
        """Add the loss and the metrics, by name, on the validation data after an epoch."""
        self.val_losses.append(loss)
        for name, value in values.items():
            kept = self.val_metrics if name == self.metric else self.other_val_metrics.setdefault(name, [])
            kept.append(value)

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
            **{f"val_{name}": values for name, values in self.val_metrics_by_name.items()},
            "learning_rate": self.learning_rates,
        }
        filled = {name: values for name, values in columns.items() if len(values) == self.epochs}
        frame = pandas.DataFrame(filled, index=pandas.RangeIndex(1, self.epochs + 1, name="epoch"))
        for name, values in self.metrics_by_name.items():
            frame[name] = pandas.Series(dict(values))
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return the history that `to_dict` described; `data` may have passed through JSON."""
        others = {name: _pairs(values) for name, values in data.get("other_metrics", {}).items()}
        return cls(**data | {"metrics": _pairs(data["metrics"]), "other_metrics": others})

    def __repr__(self) -> str:
        parts = [f"{self.epochs} epochs, {self.steps} steps, {self.seconds:.2f} s"]
        if self.losses:
            parts.append(f"loss {self.losses[-1]:.4f}")
        parts += [f"{name} {values[-1][1]:.4f}" for name, values in self.metrics_by_name.items()]
        if self.val_losses:
            parts.append(f"validation loss {self.val_losses[-1]:.4f}")
        parts += [f"validation {name} {values[-1]:.4f}" for name, values in self.val_metrics_by_name.items()]
        return f"History({', '.join(parts)})"


def lowest(losses: Iterable[float]) -> float | None:
    """Return the lowest of the losses that are not NaN, or None if there are none."""
    return min((loss for loss in losses if not math.isnan(loss)), default=None)


def _pairs(values: Iterable[Iterable[Any]]) -> list[tuple[int, float]]:
    """Return (epoch, value) pairs, which JSON holds as lists."""
    return [(epoch, value) for epoch, value in values]


TrainerRunResult = History
"""An alias of History."""
