"""What a training run leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class History:
    """A training run. Losses are per example; an epoch's is the mean over its steps, each taken before its update."""

    losses: list[float] = field(default_factory=list)
    """Training loss of each epoch."""
    val_losses: list[float] = field(default_factory=list)
    """Loss on the validation data after each epoch, if there was any."""
    metrics: list[tuple[int, float]] = field(default_factory=list)
    """The metric on the training data, as (epoch, value): at each printed line, and at the end."""
    val_metrics: list[float] = field(default_factory=list)
    """The metric on the validation data after each epoch, if there was any."""
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
