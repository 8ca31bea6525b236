"""Displays of a run: the notebook's lines, a line an epoch, and a progress bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from lincoln._util.marks import recordable
from lincoln.callbacks.base import Callback
from lincoln.training.config import TrainerConfig
from lincoln.training.history import lowest
from lincoln.training.state import RunState

if TYPE_CHECKING:
    from rich.console import Group

_REFRESH = 0.1  # seconds between two looks at a running epoch


def shown_by(config: TrainerConfig) -> tuple[Callback, ...]:
    """Return the displays that a config asks for: a bar on a terminal, lines elsewhere, or nothing."""
    if config.progress is None:
        return ()
    return (ProgressDisplay(),) if config.progress == "auto" and on_terminal() else (EpochLines(config.log_interval),)


def on_terminal() -> bool:
    """Return True if the standard output is a terminal."""
    return sys.stdout.isatty()


@recordable
class LinePrinter(Callback):
    """Print the notebook's line every `every` steps: epoch, training loss per example since the last line, and the metrics.

    `measure()` returns the metrics on the training data by name, or the one that the history names; they are noted in the
    history too.
    """

    saved = False

    def __init__(self, every: int, measure: Callable[[], Mapping[str, float] | float]) -> None:
        self.every = every
        self.measure = measure

    def train_begin(self, trainer: RunState) -> None:
        self._reported = trainer.tally.read()

    def step_end(self, trainer: RunState) -> None:
        if trainer.history.steps % self.every == 0:
            total, examples = trainer.tally.read()
            weight = examples - self._reported[1]
            loss = (total - self._reported[0]) / weight if weight else 0.0  # all examples since then may weigh 0
            self._reported = total, examples
            trainer.check_finite(loss)
            measured = self.measure()
            values = measured if isinstance(measured, Mapping) else {trainer.history.metric: measured}
            trainer.history.note_metrics(trainer.epoch, values)
            line = f"Epoch {trainer.epoch}.. Train loss: {loss:.4f}"
            for name, value in values.items():
                line += f"..  {name.capitalize()}: {f'{value * 100:.3f}%' if name == 'accuracy' else f'{value:.4f}'}"
            if trainer.history.val_losses:
                line += f"..  Val loss: {trainer.history.val_losses[-1]:.4f}"
            print(line)


class Speed(Callback):
    """Base of the displays: how fast the run is, and how much time is left."""

    saved = False

    def train_begin(self, trainer: RunState) -> None:
        self._start = time.perf_counter()
        self._examples = trainer.tally.examples
        self._done = self.epochs_done(trainer)

    def epochs_done(self, trainer: RunState) -> float:
        """Return the number of epochs done, with the part of the present one."""
        return trainer.epoch - 1 + trainer.epoch_fraction if trainer.epoch else 0.0

    def numbers(self, trainer: RunState, running: bool = True) -> str:
        """Return losses, metric, learning rate, speed, and the time left or why the run stops.

        `*` marks a loss that is the best so far. A run that is not `running` has no time left.
        """
        history, seconds = trainer.history, time.perf_counter() - self._start
        parts = []
        if history.losses:
            parts.append(_marked("loss", history.losses, best=not history.val_losses))
        if history.val_losses:
            parts.append(_marked("val loss", history.val_losses, best=True))
        parts += [f"{name} {values[-1]:.4f}" for name, values in history.val_metrics_by_name.items()]
        parts.append(f"lr {trainer.optimizer.lr:.3g}")
        parts.append(f"{(trainer.tally.examples - self._examples) / max(seconds, 1e-9):,.0f} examples/s")
        done = self.epochs_done(trainer) - self._done
        if trainer.stopped:
            parts.append(f"stopped: {trainer.stopped}")
        elif running and done > 0:
            left = (trainer.config.num_epochs - self._done - done) * seconds / done
            parts.append(f"{_clock(left)} left")
        return "  ".join(parts)


@recordable
class EpochLines(Speed):
    """Print a plain line every `every` epochs, and for the last."""

    def __init__(self, every: int = 1) -> None:
        self.every = every

    def epoch_end(self, trainer: RunState) -> None:
        last = trainer.config.num_epochs
        if trainer.epoch % self.every == 0 or trainer.epoch == last or trainer.stopping:
            print(f"Epoch {trainer.epoch:{len(str(last))}}/{last}  {self.numbers(trainer)}")


@recordable
class ProgressDisplay(Speed):
    """Show a bar over the epochs and, below it, the numbers, by rich, which obeys NO_COLOR."""

    def train_begin(self, trainer: RunState) -> None:
        from rich.live import Live
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        super().train_begin(trainer)
        self._trainer = trainer
        self._bar = Progress(TextColumn("epoch {task.fields[epoch]}"), BarColumn(bar_width=None), TaskProgressColumn())
        self._task = self._bar.add_task("", total=trainer.config.num_epochs, epoch="")
        self._shown = 0.0
        self._live = Live(self._render(trainer), refresh_per_second=10)
        self._live.start()

    def step_end(self, trainer: RunState) -> None:
        if time.perf_counter() - self._shown > _REFRESH:
            self._update(trainer)

    def epoch_end(self, trainer: RunState) -> None:
        self._update(trainer)

    def close(self) -> None:
        if hasattr(self, "_live"):
            try:
                self._live.update(self._render(self._trainer, running=False))
            finally:
                self._live.stop()

    def _update(self, trainer: RunState) -> None:
        self._shown = time.perf_counter()
        self._live.update(self._render(trainer))

    def _render(self, trainer: RunState, running: bool = True) -> Group:
        from rich.console import Group
        from rich.text import Text

        epoch = f"{trainer.epoch}/{trainer.config.num_epochs}"
        self._bar.update(self._task, completed=self.epochs_done(trainer), epoch=epoch)
        return Group(self._bar, Text(self.numbers(trainer, running), style="dim"))


def _marked(name: str, values: list[float], best: bool) -> str:
    of_all = lowest(values)
    if not best or of_all is None:
        return f"{name} {values[-1]:.4f}"
    return f"{name} {values[-1]:.4f}" + ("*" if values[-1] == of_all else f" (best {of_all:.4f})")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
