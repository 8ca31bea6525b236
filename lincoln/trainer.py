"""The one training loop: everything that trains goes through `Trainer`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from lincoln._util.marks import is_recordable
from lincoln.callbacks.base import Callback, Callbacks
from lincoln.callbacks.checkpoints import Checkpoints, restore_newest
from lincoln.callbacks.display import shown_by
from lincoln.callbacks.early_stopping import EarlyStopping
from lincoln.callbacks.finite import FiniteGuard
from lincoln.data import Batch, DataLoader
from lincoln.engine.replay import Replay, replayable
from lincoln.engine.threads import threads_for
from lincoln.errors import ArgumentError, DataError, StateError
from lincoln.layers import Layer
from lincoln.losses import Loss
from lincoln.metrics import Metric
from lincoln.optim import Optimizer
from lincoln.training import resume
from lincoln.training.best import Best
from lincoln.training.binding import bind_loss, bind_optimizer
from lincoln.training.config import TrainerConfig
from lincoln.training.evaluation import Evaluation, evaluate_between_epochs, measured
from lincoln.training.history import TrainerRunResult
from lincoln.training.prepare import Data, Loader, Prepared, build, checked_as_a_whole, prepare, refuse_iterators
from lincoln.training.random import random_state_of, seeded, set_random_state_of
from lincoln.training.state import RunState
from lincoln.training.tally import Tally


class Trainer(RunState):
    """Fit `model` to `train_dataset`: epochs of steps, each epoch followed by validation.

    `loss` and `optimizer` are classes, factories such as `functools.partial(Adam, lr=1e-3)`, or instances bound to the
    model. Data are a `Dataset` (features, targets and perhaps weights) or any iterable of such batches, torch's own
    DataLoader included. `metric`, a function of (targets, predictions), is measured after each epoch on the validation
    data, and on the training data if the config says so. `loader(dataset, size)` makes the training batches of a Dataset
    instead of `DataLoader`; `tally` counts the loss instead of `Tally`.

    The loop runs in torch's inference mode and waits for the device once an epoch. If the loss or the weights are then
    not finite, network and optimizer are put back to the last time they were, and DivergenceError is raised. Unusable
    data raise a DataError or MatchError before the first step.
    """

    def __init__(
        self,
        model: Layer,
        config: TrainerConfig,
        loss: Loss | Callable[[Layer], Loss],
        optimizer: Optimizer | Callable[[Layer], Optimizer],
        train_dataset: Data,
        val_dataset: Data | None = None,
        callbacks: Sequence[Callback] = (),
        metric: Metric | None = None,
        loader: Loader | None = None,
        tally: Tally | None = None,
    ) -> None:
        super().__init__(model, config, bind_loss(loss, model), bind_optimizer(optimizer, model), tally)
        refuse_iterators(train_dataset=train_dataset, val_dataset=val_dataset)
        self.train_dataset, self.val_dataset = train_dataset, val_dataset
        self.metric = metric
        self.history.metric = getattr(metric, "__name__", "metric")
        self.loader = loader
        self.guard = FiniteGuard(self.optimizer)
        self.early_stopping = EarlyStopping(config.patience, config.restore_best, Best(config.min_delta))
        all_callbacks = [*callbacks, *shown_by(config)]
        saved = [callback for callback in all_callbacks if callback.saved]
        self.parts = resume.Parts(self.early_stopping.best, saved)
        saves = config.checkpoint_folder is not None
        self.checkpoints = Checkpoints(config, self.parts, self.early_stopping, self.guard) if saves else None
        last = [self.checkpoints] if self.checkpoints else []
        self.callbacks = Callbacks(all_callbacks, first=[self.early_stopping], last=last)
        self._prepared: Prepared | None = None

    def train(self) -> TrainerRunResult:
        """Run the epochs that are left. Return the history."""
        with self._session() as prepared:
            self.callbacks.call("train_begin", self)
            while self.unfinished:
                if not self._train_epoch():
                    break
                self._measure_training()
                if prepared.validation is not None:
                    self.validation_step(prepared.validation)
                self._end_epoch()
            self.history.stopped = self.stopped or f"all {self.config.num_epochs} epochs done"
            self.callbacks.call("train_end", self)
        return self.history

    def _train_epoch(self) -> bool:
        """Run the remaining steps of this epoch. Return False if the run was stopped before the first."""
        step, begin, end = self.step, self.callbacks.at["step_begin"], self.callbacks.at["step_end"]
        for batch in self._remaining():
            if self.stopped and not step.under_way:
                break
            if begin and not step.under_way:
                self.callbacks.call("step_begin", self)
            self.tally.add(self.train_step(*batch), *batch)
            self.batch += 1
            if end and not step.under_way:
                self.callbacks.call("step_end", self)
        if step.under_way:  # the epoch's last minibatches make a smaller step
            self._update()
            self.callbacks.call("step_end", self)
        return self._note_loss()

    def train_step(self, *batch: Tensor) -> Tensor:
        """Run one minibatch: forward, backward and, if the step is complete, an update. Return its loss."""
        loss = self.step.gradient(*batch)
        if self.step.complete:
            self._update()
        return loss

    def _update(self) -> None:
        if not self.guard.begun:
            self.guard.begin(self)
        self.step.update(self.history.steps if self.config.schedule_unit == "step" else self.epoch - 1)
        self.history.steps += 1

    def validation_step(self, batches: Iterable[Batch]) -> None:
        """Note the loss, and the metric if there is one, on `batches`, leaving no trace in the network."""
        loss, targets, predictions = self._evaluate(batches, self.val_dataset)
        self.history.val_losses.append(loss)
        if self.metric is not None:
            self.history.val_metrics.append(measured(self.metric, self.loss, targets, predictions))

    def _measure_training(self) -> None:
        """Note the metric on the training data, if the config says so."""
        if self.metric is not None and self.config.measure_training:
            _, targets, predictions = self._evaluate(self.train_batches, self.train_dataset)
            self.history.metrics.append((self.epoch, measured(self.metric, self.loss, targets, predictions)))

    def _evaluate(self, batches: Iterable[Batch], data: Data | None) -> Evaluation:
        return evaluate_between_epochs(self.loss, batches, checked_as_a_whole(batches, data))

    def _end_epoch(self) -> None:
        self.history.learning_rates.append(self.optimizer.lr)
        if self.schedule is not None:
            self.schedule.observe(self.watched)
        self.in_epoch = False
        self.callbacks.call("epoch_end", self)

    def _remaining(self) -> Iterator[Batch]:
        """Begin an epoch, or find the place where an interrupted one was. Return its remaining batches."""
        batches = self.train_batches
        if not self.in_epoch:
            self.epoch, self.batch, self.in_epoch = self.epoch + 1, 0, True
            self.epoch_from = self.tally.read()
            self.callbacks.call("epoch_begin", self)
            return iter(batches)
        now = random_state_of(batches)
        set_random_state_of(self.epoch_random, batches)
        running = iter(batches)
        for _ in islice(running, self.batch):  # the same order again, and the batches that are done passed over
            pass
        set_random_state_of(now, batches)
        return running

    def _note_loss(self) -> bool:
        """Note the epoch's loss, if it is finite. Return False if the epoch had no step."""
        total, weight = self.tally.read()
        if weight == self.epoch_from[1]:
            if not self.stopped:
                raise DataError("the training data gave no batches")
            self.epoch, self.in_epoch = self.epoch - 1, False
            return False
        loss = (total - self.epoch_from[0]) / (weight - self.epoch_from[1])
        self.guard.keep(self, loss)
        self.history.losses.append(loss)
        return True

    @contextmanager
    def _session(self) -> Iterator[Prepared]:
        """Everything around the loop: inference mode, seed, threads and replay; afterwards all is put back and closed."""
        if self.in_epoch and self.resumed is None:
            raise StateError(
                f"this run was interrupted in epoch {self.epoch}: go on from a checkpoint with resume(), or make another"
            )
        if self.checkpoints is not None:
            self.checkpoints.refuse_used_folder(self)
        self.start_clock()
        try:
            with torch.inference_mode(), seeded(self.config.seed):
                self.prepare()
                assert self._prepared is not None
                build(self.model, self.train_dataset)
                with threads_for(self.model, self.config.train_minibatch_size):
                    self.model.train()
                    self._choose_engine()
                    if self.resumed is not None:
                        set_random_state_of(self.resumed, self.train_batches)
                        self.resumed = None
                    yield self._prepared
        finally:
            self.step.replay = self.step.check_targets = None
            self.callbacks.close()
            for _, layer in self.model.named_layers():
                layer.settle()
            self.history.seconds = self.seconds

    def _choose_engine(self) -> None:
        """Run the steps by replay if nothing but tensors changes between two of them, else by the layers."""
        config, batches = self.config, self.train_batches
        checked = checked_as_a_whole(batches, self.train_dataset)
        self.step.check_targets = False if checked else None
        if (
            config.replay
            and config.accumulate == 1
            and type(self) is Trainer
            and type(batches) is DataLoader
            and (checked or not self.loss.check_targets)
            and all(is_recordable(callback) for callback in self.callbacks.all)
            and replayable(self.loss, config.train_minibatch_size, config.num_epochs * len(batches))
        ):
            self.step.replay = Replay(self.loss)

    def prepare(self) -> int:
        """Check the data against model and loss, and set up the batches; `train` does it too. The network is not touched.

        Return the number of the network's outputs, or 0 if the training data are no Dataset.
        """
        if self._prepared is None:
            self._prepared = prepare(self.model, self.loss, self.config, self.train_dataset, self.val_dataset, self.loader)
            self.train_batches = self._prepared.train
        return self._prepared.outputs

    def check_finite(self, loss: float) -> None:
        """If the loss or the weights are not finite, put back the last finite ones and raise DivergenceError."""
        self.guard.check(self, loss)

    def save(self, best: bool = False) -> Path:
        """Save the run in the config's checkpoint folder, as it stands between two steps. Return the file's path."""
        return self._saver().save(self, best)

    def resume(self, path: str | Path | None = None) -> Path:
        """Put the run back to a checkpoint, by default the newest in the config's folder. Return its path; then `train()`.

        A resumed run ends as it would have without the interruption, bit by bit, if the trainer was made in the same way
        (only `num_epochs` and the display may differ; the learning rate is the checkpoint's). A damaged checkpoint is
        passed over with a warning for the one before it, and set aside under another name. Raises CheckpointError if none
        is left; MatchError, with nothing changed, for a checkpoint of another network, optimizer or kind of run.
        """
        path = self._saver().folder if path is None else Path(path)
        found = restore_newest(path, partial(resume.restore, self, self.parts))
        self.guard.forget()
        return found

    def _saver(self) -> Checkpoints:
        if self.checkpoints is None:
            raise ArgumentError("Trainer: the config has no checkpoint_folder")
        return self.checkpoints
