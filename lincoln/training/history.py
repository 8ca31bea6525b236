"""What a training run leaves behind."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


@dataclass
class TrainerRunResult:
    """A training run. Losses are per example; an epoch's is the mean over its steps, each taken before its update."""

    losses: list[float] = field(default_factory=list)
    """Training loss of each epoch."""
    val_losses: list[float] = field(default_factory=list)
    """Loss on the validation data after each epoch, if there was any."""
    metrics: list[tuple[int, float]] = field(default_factory=list)
    """The metric on the training data, as (epoch, value): at each printed line, and at the end."""
    val_metrics: list[float] = field(default_factory=list)
    """The metric on the validation data after each epoch, if there was any."""
    learning_rates: list[float] = field(default_factory=list)
    """The learning rate at the end of each epoch."""
    metric: str = "metric"
    """The metric's name."""
    steps: int = 0
    """Optimizer steps taken."""
    seconds: float = 0.0
    """Wall time of the training, validation included."""
    stopped: str = ""
    """Why it ended."""

    @property
    def epochs(self) -> int:
        """Epochs completed."""
        return len(self.losses)

    @property
    def train_losses(self) -> list[float]:
        """The losses, by the name they have beside `val_losses`."""
        return self.losses

    @property
    def best_epoch(self) -> int:
        """The epoch, counted from 1, with the lowest validation loss, or training loss without validation."""
        watched = self.val_losses or self.losses
        return watched.index(min(watched)) + 1 if watched else 0

    def plot(self, ax: Axes | None = None) -> Axes:
        """The loss curves, with the best epoch marked (`lincoln.plots.loss_curves`)."""
        from lincoln.plots import loss_curves

        return loss_curves(self, ax)

    def to_dataframe(self) -> DataFrame:
        """A row for each epoch, as a pandas DataFrame (pandas must be installed)."""
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
        """Everything as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """A history from what `to_dict` gave, perhaps by way of JSON."""
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


History = TrainerRunResult
