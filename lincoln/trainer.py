"""The one training loop: everything that trains goes through `Trainer`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from torch import Tensor

from lincoln.callbacks.base import Callback
from lincoln.callbacks.run import Run
from lincoln.data import Batch
from lincoln.engine.step import replay_for
from lincoln.engine.threads import FewThreads
from lincoln.errors import DataError, StateError
from lincoln.layers import Layer
from lincoln.losses import Loss
from lincoln.optim import Optimizer
from lincoln.training import resume
from lincoln.training.binding import bind_loss, bind_optimizer
from lincoln.training.config import TrainerConfig
from lincoln.training.evaluation import measure
from lincoln.training.forms import checked_first, refuse_other_forms
from lincoln.training.history import TrainerRunResult
from lincoln.training.metrics import MetricArgument, named_metrics
from lincoln.training.prepare import Data, Loader, Prepared, build, checked_as_a_whole, prepare
from lincoln.training.random import set_random_state_of
from lincoln.training.tally import Tally


class Trainer(Run):
    """Fit `model` to `train_dataset`: epochs of steps, each epoch followed by validation.

    `loss` and `optimizer` are classes, factories such as `functools.partial(Adam, lr=1e-3)`, or instances bound to the
    model. Data are a `Dataset`, (features, targets) or (features, targets, weights), or any iterable of such batches,
    torch's own DataLoader included. `metric`, a function of (targets, predictions), a list of them or a dict of name to
    function, is measured after each epoch on the validation data and, with `measure_training`, on the training data.
    `loader(dataset, size)` makes the training batches of a Dataset instead of `DataLoader`; `tally` counts the loss instead
    of `Tally`; `history` is appended to.

    The loop runs in torch's inference mode and waits for the device once an epoch. If the loss or the weights are then
    not finite, the last finite weights and optimizer state are restored, and DivergenceError is raised. Unusable data
    raise a DataError or MatchError before the first step.
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
        metric: MetricArgument | None = None,
        loader: Loader | None = None,
        tally: Tally | None = None,
        history: TrainerRunResult | None = None,
    ) -> None:
        bound = bind_loss(loss, model), bind_optimizer(optimizer, model)
        super().__init__(model, config, *bound, callbacks, tally, history, named_metrics("Trainer", metric))
        refuse_other_forms(train_dataset=train_dataset, val_dataset=val_dataset)
        self.train_dataset, self.val_dataset, self.metric, self.loader = train_dataset, val_dataset, metric, loader
        self._prepared: Prepared | None = None

    def train(self) -> TrainerRunResult:
        """Run the epochs that are left. Return the history, which is `history` too if the run is interrupted."""
        if self.in_epoch and self.resumed is None:
            run = f"this run was interrupted in epoch {self.epoch}"
            raise StateError(f"{run}: go on from a checkpoint with resume(), or make a new Trainer")
        self.surround(self._run)
        return self.history

    def _run(self, threads: FewThreads) -> None:
        """Set everything up, and run the loop."""
        self.prepare()
        assert self._prepared is not None
        if self.checkpoints is not None:
            self.checkpoints.open()
        build(self.model, self.train_dataset)
        threads.enter(self.model, self.config.train_minibatch_size)
        self.model.train()
        self._choose_engine()
        if self.resumed is not None:
            set_random_state_of(self.resumed, self.train_batches)
            self.resumed = None
        self._loop(self._prepared.validation)

    def _loop(self, validation: Iterable[Batch] | None) -> None:
        self.callbacks.call("train_begin", self)
        while self.unfinished:
            if not self._train_epoch():
                break
            self._measure_training()
            if validation is not None:
                self.validation_step(validation)
            self._end_epoch()
        self.history.stopped = self.stopped or f"all {self.config.num_epochs} epochs done"
        self.callbacks.call("train_end", self)

    def _batches(self) -> Iterator[Batch]:
        """Begin an epoch and return its batches; for an interrupted epoch, return those that are left."""
        if self.in_epoch:
            return resume.remaining_batches(self)
        self._begin_epoch()
        return checked_first("train_dataset", self.train_batches) if self.epoch == 1 else iter(self.train_batches)

    def _begin_epoch(self) -> None:
        self.epoch, self.batch, self.in_epoch = self.epoch + 1, 0, True
        self.epoch_from = self.tally.read()
        self.callbacks.call("epoch_begin", self)

    def _train_epoch(self) -> bool:
        """Run the remaining steps of this epoch. Return False if the run was stopped before the first."""
        step, begin, end = self.step, self.callbacks.at["step_begin"], self.callbacks.at["step_end"]
        for batch in self._batches():
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

    def _note_loss(self) -> bool:
        """Note the epoch's loss. Return False if the epoch had no step. Raises DivergenceError if it is not finite."""
        total, weight = self.tally.read()
        if weight == self.epoch_from[1]:
            if not self.stopped:
                raise DataError("the training data gave no batches, or no example with a weight above 0")
            self.epoch, self.in_epoch = self.epoch - 1, False
            return False
        loss = (total - self.epoch_from[0]) / (weight - self.epoch_from[1])
        self.guard.check_and_keep(self, loss)
        self.history.losses.append(loss)
        return True

    def validation_step(self, batches: Iterable[Batch]) -> None:
        """Note the loss and the metrics on `batches`, leaving no trace in the network."""
        self.history.note_validation(*measure(self.loss, self.metrics, batches, self.val_dataset))

    def _measure_training(self) -> None:
        """Note the metrics on the training data, if the config says so, or if one of them is watched."""
        if self.metrics and (self.config.measure_training or (self.config.watch != "loss" and self.val_dataset is None)):
            _, values = measure(self.loss, self.metrics, self.train_batches, self.train_dataset)
            self.history.note_metrics(self.epoch, values)

    def _end_epoch(self) -> None:
        self.history.learning_rates.append(self.optimizer.lr)
        if self.schedule is not None:
            self.schedule.observe(self.watched_loss)
        self.in_epoch = False
        self.callbacks.call("epoch_end", self)

    def _choose_engine(self) -> None:
        """Replay the steps if possible, else run the layers."""
        checked = checked_as_a_whole(self.train_batches, self.train_dataset)
        self.step.check_targets = False if checked else None
        if self.config.replay and type(self) is Trainer and (checked or not self.loss.check_targets):
            self.step.replay = replay_for(self.step, self.train_batches, self.callbacks.all, self.config.num_epochs)

    def prepare(self) -> int:
        """Check the data and set up the batches, as `train` does. Return the number of outputs, 0 without a Dataset."""
        if self._prepared is None:
            self._prepared = prepare(self.model, self.loss, self.config, self.train_dataset, self.val_dataset, self.loader)
            self.train_batches = self._prepared.train
        return self._prepared.outputs
