"""A run with the parts that listen to it: early stopping, the finite guard, checkpoints, the users' callbacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from lincoln._util.tensors import inference
from lincoln._util.undoing import is_interrupt, surely
from lincoln.callbacks.base import Callback, Callbacks, checked
from lincoln.callbacks.checkpoints import Checkpoints
from lincoln.callbacks.display import shown_by
from lincoln.callbacks.early_stopping import EarlyStopping
from lincoln.callbacks.finite import FiniteGuard
from lincoln.engine.threads import FewThreads
from lincoln.errors import ArgumentError
from lincoln.layers import Layer
from lincoln.losses import Loss
from lincoln.metrics import Metric
from lincoln.optim import Optimizer
from lincoln.training import resume
from lincoln.training.best import Best
from lincoln.training.config import TrainerConfig
from lincoln.training.history import TrainerRunResult
from lincoln.training.metrics import mode_of
from lincoln.training.random import with_seed
from lincoln.training.state import RunState
from lincoln.training.tally import Tally


class Run(RunState):
    """A run and its parts. Each part has its own state; a checkpoint asks each for it."""

    def __init__(
        self,
        model: Layer,
        config: TrainerConfig,
        loss: Loss,
        optimizer: Optimizer,
        callbacks: Sequence[Callback],
        tally: Tally | None,
        history: TrainerRunResult | None,
        metrics: Mapping[str, Metric],
    ) -> None:
        super().__init__(model, config, loss, optimizer, tally, history)
        self.metrics = metrics
        mode = mode_of(config.watch, config.mode, metrics)
        self.history.metric = next(iter(metrics), "metric")
        self.history.watch, self.history.higher_is_better = config.watch, mode == "max"
        self.guard = FiniteGuard(optimizer)
        self.early_stopping = EarlyStopping(config.patience, config.restore_best, Best(config.min_delta, mode))
        listening = [*checked("Trainer", callbacks), *shown_by(config)]
        saved = [callback for callback in listening if callback.saved]
        self.parts = resume.Parts(self.early_stopping.best, saved)
        self.checkpoints: Checkpoints | None = None
        if config.checkpoint_folder is not None:
            self.checkpoints = Checkpoints(config, self.parts, self.early_stopping, self.guard)
        last = [self.checkpoints] if self.checkpoints else []
        self.callbacks = Callbacks(listening, first=[self.early_stopping], last=last)

    def check_finite(self, loss: float) -> None:
        """Raise DivergenceError if the loss or the weights are not finite, with the last finite weights restored."""
        self.guard.check(self, loss)

    def save(self, best: bool = False) -> Path:
        """Save the run in the config's checkpoint folder, as it stands between two steps. Return the file's path."""
        return self._saver().save(self, best)

    def resume(self, path: str | Path | None = None) -> Path:
        """Put the run back to a checkpoint, by default the newest in the config's folder. Return its path; then `train()`.

        A resumed run ends as it would have without the interruption, bit by bit, if the trainer was made in the same way
        (only `num_epochs`, `patience` and the display may differ). A run ended by `stop` continues; one ended by early
        stopping continues with a larger `patience` or `num_epochs`. The learning rate is the checkpoint's; set
        `trainer.optimizer.lr` after `resume` for another one, which a schedule then multiplies.

        If the newest checkpoint is damaged, a warning is given, it is renamed, and the one before it is used. Raises
        CheckpointError, with nothing changed, if none is left, or if one cannot be read; MatchError for one of another
        network, optimizer or kind of run.
        """
        saver = self._saver()
        return saver.restore_newest(saver.folder if path is None else Path(path), self._restore)

    def surround(self, run: Callable[[FewThreads], None]) -> None:
        """Call `run` in inference mode and with the random numbers of the config's seed; it may choose the threads.

        Afterwards, also after an interrupt at any instant, torch's mode and threads and, with a seed, the random numbers
        are as they were, the callbacks are closed, and the history says how the run ended.
        """
        threads = FewThreads()
        try:
            surely(partial(self._begin, run, threads), partial(self._end, threads))
        except BaseException as error:
            if is_interrupt(error):
                self.history.stopped = "interrupted"
            raise

    def _begin(self, run: Callable[[FewThreads], None], threads: FewThreads) -> None:
        self.start_clock()
        self.callbacks.open()
        self.step.take_up_rate()
        with inference(True):
            with_seed(self.config.seed, partial(run, threads))

    def _end(self, threads: FewThreads) -> None:
        """Undo what `_begin` and `run` have set up. It may be called again, to do what an error has left."""
        threads.leave()
        self.step.close()
        if self.checkpoints is not None:
            self.checkpoints.close()
        self.history.seconds = self.seconds
        for _, layer in self.model.named_layers():
            layer.settle()
        self.callbacks.close()

    def _restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        more_epochs = resume.restore(self, self.parts, tensors, state)
        self.early_stopping.resumed(self, more_epochs)
        self.guard.forget()

    def _saver(self) -> Checkpoints:
        if self.checkpoints is None:
            raise ArgumentError("Trainer: the config has no checkpoint_folder")
        return self.checkpoints
