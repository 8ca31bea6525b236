"""What a run shows while it trains."""

from __future__ import annotations

import sys
from collections.abc import Callable

from lincoln.trainer import Callback, Trainer


class LinePrinter(Callback):
    """The notebook's line every `every` steps: epoch, training loss per example since the last line, and a measure.

    `measure` is called for it and gives the metric on the training data; it is noted in the history too.
    """

    def __init__(self, every: int, measure: Callable[[], float]) -> None:
        self.every = every
        self.measure = measure
        self._reported = (0.0, 0)

    def step_end(self, trainer: Trainer) -> None:
        if trainer.history.steps % self.every == 0:
            total, examples = trainer.tally.read()
            loss = (total - self._reported[0]) / (examples - self._reported[1])
            self._reported = total, examples
            value = self.measure()
            trainer.history.metrics.append((trainer.epoch, value))
            name = trainer.history.metric
            shown = f"{value * 100:.3f}%" if name == "accuracy" else f"{value:.4f}"
            line = f"Epoch {trainer.epoch}.. Train loss: {loss:.4f}..  {name.capitalize()}: {shown}"
            if trainer.history.val_losses:
                line += f"..  Val loss: {trainer.history.val_losses[-1]:.4f}"
            print(line)


class ProgressBar(Callback):
    """A rich progress bar over the epochs, with the loss, the time gone and the time left."""

    def train_begin(self, trainer: Trainer) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.bar = Progress(
            TextColumn("epoch"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self.task = self.bar.add_task("", total=trainer.config.num_epochs)
        self.bar.start()

    def epoch_end(self, trainer: Trainer) -> None:
        history = trainer.history
        text = f"loss {history.losses[-1]:.4f}"
        if history.val_losses:
            text += f"  validation {history.val_losses[-1]:.4f}"
        self.bar.update(self.task, advance=1, description=text)

    def close(self) -> None:
        if hasattr(self, "bar"):
            self.bar.stop()


def on_terminal() -> bool:
    return sys.stdout.isatty()
