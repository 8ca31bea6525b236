"""The one training loop: everything that trains goes through `Trainer`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lincoln.bookkeeping import Snapshot, Tally
from lincoln.data import Batch, DataLoader, Dataset, at_least_one, check_numbers
from lincoln.errors import ArgumentError, DataError, DivergenceError
from lincoln.history import History
from lincoln.layers import Layer
from lincoln.losses import Loss, evaluating
from lincoln.metrics import Metric
from lincoln.optim import Optimizer
from lincoln.seeding import seeded

Data = Dataset | Iterable[Batch]


@dataclass(frozen=True)
class TrainerConfig:
    """How to train. `val_minibatch_size` is by default the training's; `seed` fixes weights not made yet and shuffling."""

    num_epochs: int = 10
    train_minibatch_size: int = 32
    val_minibatch_size: int | None = None
    shuffle_minibatches: bool = True
    seed: int | None = None

    def __post_init__(self) -> None:
        at_least_one("num_epochs", self.num_epochs)
        at_least_one("train_minibatch_size", self.train_minibatch_size)
        if self.val_minibatch_size is None:
            object.__setattr__(self, "val_minibatch_size", self.train_minibatch_size)
        at_least_one("val_minibatch_size", self.val_minibatch_size)


class Callback:
    """Something to do at named points of a run. Every method gets the trainer and may call `trainer.stop(why)`."""

    def train_begin(self, trainer: Trainer) -> None: ...
    def epoch_begin(self, trainer: Trainer) -> None: ...
    def step_begin(self, trainer: Trainer) -> None: ...
    def step_end(self, trainer: Trainer) -> None: ...
    def epoch_end(self, trainer: Trainer) -> None: ...
    def train_end(self, trainer: Trainer) -> None: ...

    def close(self) -> None:
        """Called last, also when the run ended in an error."""


_POINTS = ("train_begin", "epoch_begin", "step_begin", "step_end", "epoch_end", "train_end")


class Trainer:
    """Fit `model` to `train_dataset`: `train()` runs epochs, an epoch runs `train_step`s and one `validation_step`.

    `loss` and `optimizer` are classes, factories such as `functools.partial(Adam, lr=1e-3)`, or instances bound to the
    model. Data are a `Dataset` (features, targets and, if wanted, weights) or any iterable of such batches. `metric`, a
    function of (targets, predictions), is measured on the validation data. `loader(dataset, size)` makes the training
    batches of a Dataset, where `DataLoader` is not wanted.

    The loop runs in torch's inference mode and waits for the device once an epoch: to note the loss, and to see that it
    and the weights are finite. If they are not, the network and the optimizer go back to the last time they were, and
    DivergenceError is raised. Unusable data raise a DataError or MatchError before the first step.
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
        loader: Callable[[Dataset, int], Iterable[Batch]] | None = None,
    ) -> None:
        self.model = model
        self.config = config
        self.loss = bind_loss(loss, model)
        self.optimizer = bind_optimizer(optimizer, model)
        self.train_dataset = train_dataset
        self.val_dataset = val_dataset
        self.callbacks = callbacks
        self.metric = metric
        self.loader = loader or partial(DataLoader, shuffle=config.shuffle_minibatches)
        self.history = History(metric=getattr(metric, "__name__", "metric"))
        self.epoch = 0
        """Epochs begun, so 1 during the first."""
        self.tally = Tally(self.loss)
        """The loss over the examples seen in training."""
        self._stopped = ""
        self._last_finite = Snapshot(self.optimizer)
        self._hooks = {
            point: [
                getattr(callback, point)
                for callback in callbacks
                if getattr(type(callback), point) is not getattr(Callback, point)
            ]
            for point in _POINTS
        }

    def train(self) -> History:
        """Run the epochs. Returns the history."""
        start = time.perf_counter()
        try:
            with torch.inference_mode(), seeded(self.config.seed):
                self.model.train()
                train_batches, val_batches = self._batches()
                self._call("train_begin")
                while self.epoch < self.config.num_epochs and not self._stopped:
                    with _targets_checked(self.loss, self.train_dataset):
                        self._train_epoch(train_batches)
                    if val_batches is not None:
                        with _targets_checked(self.loss, self.val_dataset):
                            self.validation_step(val_batches)
                    self._call("epoch_end")
                self.history.stopped = self._stopped or f"all {self.config.num_epochs} epochs done"
                self._call("train_end")
        finally:
            for callback in self.callbacks:
                callback.close()
            self.history.seconds += time.perf_counter() - start
        return self.history

    def train_step(self, *batch: Tensor) -> Tensor:
        """One batch: forward, backward, update. Returns its loss, before the update."""
        loss = self.loss(*batch)
        self.loss.backward()
        if not self._last_finite.taken:
            self._last_finite.take()
        self.optimizer.step()
        return loss

    def validation_step(self, batches: Iterable[Batch]) -> None:
        """Note the loss, and the metric if there is one, on `batches`, leaving the network as it was."""
        loss, targets, predictions = evaluate(self.loss, batches)
        self.history.val_losses.append(loss)
        if self.metric is not None:
            self.history.val_metrics.append(self.metric(targets, predictions))

    def stop(self, why: str) -> None:
        """End the run after the current step."""
        self._stopped = why

    def _train_epoch(self, batches: Iterable[Batch]) -> None:
        self.epoch += 1
        before, examples = self.tally.read()
        self._call("epoch_begin")
        before_step, after_step = self._hooks["step_begin"], self._hooks["step_end"]
        for batch in batches:
            for hook in before_step:
                hook(self)
            loss = self.train_step(*batch)
            self.tally.add(loss, len(batch[0]))
            self.history.steps += 1
            for hook in after_step:
                hook(self)
            if self._stopped:
                break
        total, seen = self.tally.read()
        if seen == examples:
            raise DataError("the training data gave no batches: an iterator is used up by one epoch; pass a list or loader")
        self._look((total - before) / (seen - examples))

    def _look(self, loss: float) -> None:
        """Once an epoch: note the loss and keep the weights if they are finite, else go back to where they were."""
        if math.isfinite(loss) and self._last_finite.take():
            self.history.losses.append(loss)
            return
        rate = self.optimizer.lr
        self._last_finite.restore()
        last = f"the end of epoch {self.epoch - 1}" if self.epoch > 1 else "the start"
        raise DivergenceError(
            f"training diverged in epoch {self.epoch}: loss {loss:g}, learning rate {rate:g}. The network is "
            f"back at the weights of {last}. Lower the learning rate, standardize the features, or clip the gradient"
        )

    def _batches(self) -> tuple[Iterable[Batch], Iterable[Batch] | None]:
        config = self.config
        train: Iterable[Batch]
        if isinstance(self.train_dataset, Dataset):
            train_data = self.ready(self.train_dataset)
            train = self.loader(train_data, config.train_minibatch_size)
        else:
            train = self.train_dataset
        if isinstance(self.val_dataset, Dataset):
            assert config.val_minibatch_size is not None
            return train, DataLoader(self.ready(self.val_dataset, "validation "), config.val_minibatch_size)
        return train, self.val_dataset

    def ready(self, dataset: Dataset, role: str = "") -> Dataset:
        """`dataset` checked against model and loss, its targets in the form that the loss works on."""
        features, targets, *weights = dataset.tensors
        check_numbers(f"{role}features", features)
        check_numbers(f"{role}targets", targets)
        with evaluating(self.model):
            output = self.model(features[:1])  # builds the layers on first use
        prediction = output.expand(len(features), *output.shape[1:])
        matched = self.loss.match(prediction, targets)
        self.loss.check(matched, output.shape[-1])
        return Dataset(features, matched, *weights)

    def _call(self, point: str) -> None:
        for hook in self._hooks[point]:
            hook(self)


@contextmanager
def _targets_checked(loss: Loss, data: Data | None) -> Iterator[None]:
    """A Dataset's targets have been checked as a whole; only those of other iterables are checked batch by batch."""
    checks = loss.check_targets
    loss.check_targets = checks and not isinstance(data, Dataset)
    try:
        yield
    finally:
        loss.check_targets = checks


def evaluate(loss: Loss, batches: Iterable[Batch]) -> tuple[float, Tensor, Tensor]:
    """The loss per example on `batches`, with their targets and predictions; leaves no trace."""
    tally = Tally(loss)
    predictions, targets = [], []
    for batch in batches:
        value, prediction = loss.evaluate(*batch)
        tally.add(value, len(prediction))
        predictions.append(prediction)
        targets.append(batch[1])
    if not predictions:
        raise DataError("no batches to evaluate on")
    total, examples = tally.read()
    return total / examples, torch.cat(targets), torch.cat(predictions)


def bind_loss(given: Loss | Callable[[Layer], Loss], network: Layer) -> Loss:
    """A loss for `network`, from a class, a factory, or an instance that must be bound to it already."""
    loss: Loss = given if isinstance(given, Loss) else _make("loss", Loss, given, network)
    _same_network("loss", loss.network, network)
    return loss


def bind_optimizer(given: Optimizer | Callable[[Layer], Optimizer], network: Layer) -> Optimizer:
    """As `bind_loss`, for an optimizer."""
    optimizer: Optimizer = given if isinstance(given, Optimizer) else _make("optimizer", Optimizer, given, network)
    _same_network("optimizer", optimizer.network, network)
    return optimizer


def _make(role: str, kind: type, factory: Any, network: Layer) -> Any:
    made = factory(network) if callable(factory) else factory
    if not isinstance(made, kind):
        raise ArgumentError(
            f"{role} is {factory!r}; wanted a {kind.__name__} class, a factory that makes one from a network (such as "
            f"functools.partial), or an instance"
        )
    return made


def _same_network(role: str, bound: Layer, network: Layer) -> None:
    if bound is not network:
        raise ArgumentError(f"{role} is bound to another network than the one to be trained; make it from this one")
