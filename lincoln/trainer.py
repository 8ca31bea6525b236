"""The one training loop: everything that trains goes through `Trainer`."""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeGuard

import torch
from torch import Tensor

from lincoln import checkpoint
from lincoln._util.checks import check_numbers
from lincoln._util.marks import is_recordable
from lincoln.callbacks.base import Callback, Callbacks
from lincoln.callbacks.display import shown_by
from lincoln.data import Batch, DataLoader, Dataset
from lincoln.engine.replay import Replay, replayable
from lincoln.engine.threads import threads_for
from lincoln.errors import ArgumentError, CheckpointError, DataError, DivergenceError, StateError
from lincoln.layers import Layer, evaluating
from lincoln.losses import Loss
from lincoln.metrics import Metric
from lincoln.optim import Optimizer
from lincoln.steps import clip, evaluate
from lincoln.training import resume as resuming
from lincoln.training.binding import bind_loss, bind_optimizer
from lincoln.training.config import TrainerConfig
from lincoln.training.history import TrainerRunResult
from lincoln.training.random import seeded
from lincoln.training.tally import Best, Snapshot, Tally

Data = Dataset | Iterable[Batch]


class Trainer:
    """Fit `model` to `train_dataset`: `train()` runs epochs, an epoch runs `train_step`s and one `validation_step`.

    `loss` and `optimizer` are classes, factories such as `functools.partial(Adam, lr=1e-3)`, or instances bound to the
    model. Data are a `Dataset` (features, targets and perhaps weights) or any iterable of such batches, torch's own
    DataLoader included. `metric`, a function of (targets, predictions), is measured after each epoch on the validation
    data, and on the training data if the config says so. `loader(dataset, size)` makes the training batches of a
    Dataset, instead of `DataLoader`.

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
        for role, given in (("train", train_dataset), ("val", val_dataset)):
            if isinstance(given, Iterator):
                raise DataError(f"{role}_dataset is an iterator, used up by one epoch: pass a list, a loader or a Dataset")
        self.train_dataset = train_dataset
        self.val_dataset = val_dataset
        self.callbacks = Callbacks((*callbacks, *shown_by(config)))
        self.metric = metric
        self.loader = loader
        self.schedule = copy.deepcopy(config.schedule)
        self.history = TrainerRunResult(metric=getattr(metric, "__name__", "metric"))
        self.epoch = 0
        """Epochs begun, so 1 during the first."""
        self.batch = 0
        """Batches done in this epoch."""
        self.tally = Tally(self.loss)
        """The loss over the examples seen in training."""
        self.best = Best(config.min_delta)
        self.base_lr = self.optimizer.lr
        self.in_epoch = False
        self.stopped = ""
        """Why the run is to end before its last epoch, if it is."""
        self.epoch_from = (0.0, 0.0)
        """The tally when this epoch began."""
        self.epoch_random: dict[str, Tensor] = {}
        """The random numbers when this epoch began, if they are to be saved."""
        self.resumed: dict[str, Tensor] | None = None
        """The random numbers that a resumed run goes on from."""
        self.last_finite = Snapshot(self.optimizer)
        self._replay: Replay | None = None
        self._prepared: int | None = None
        self._started = time.perf_counter()
        self._micro: list[float | Tensor] = []  # weights of the minibatches added up for the step under way
        self._added = torch.empty(0)

    # ---- The four levels: train, epoch, step, validation

    def train(self) -> TrainerRunResult:
        """Run the epochs that are left. Returns the history."""
        if self.in_epoch and self.resumed is None:
            raise StateError(
                f"this run was interrupted in epoch {self.epoch}: go on from a checkpoint with resume(), or make another"
            )
        self._refuse_used_folder()
        self._started = time.perf_counter() - self.history.seconds
        try:
            with torch.inference_mode(), seeded(self.config.seed):
                self.prepare()
                self._build()
                with threads_for(self.model, self.config.train_minibatch_size):
                    self._run()
        finally:
            self._replay = None
            self.callbacks.close()
            for _, layer in self.model.named_layers():
                layer.settle()
            self.history.seconds = self.seconds
        return self.history

    def _run(self) -> None:
        self.model.train()
        train_batches, val_batches = self.train_batches, self._val_batches
        self._replay = Replay(self.loss) if self._replays(train_batches) else None
        if self.resumed is not None:
            resuming.set_numbers(self.resumed, train_batches)
            self.resumed = None
        self.callbacks.call("train_begin", self)
        while self.in_epoch or (self.epoch < self.config.num_epochs and not self.stopped):
            if not self._train_epoch(train_batches):
                break
            if self.metric is not None and self.config.measure_training:
                _, targets, predictions = self._evaluate(train_batches, self.train_dataset)
                self.history.metrics.append((self.epoch, self._measure(targets, predictions)))
            if val_batches is not None:
                self.validation_step(val_batches)
            self._end_epoch()
        self._finish()
        self.callbacks.call("train_end", self)

    def train_step(self, *batch: Tensor) -> Tensor:
        """One minibatch: forward, backward and, unless more are to be accumulated, an update. Returns its loss."""
        accumulates = self.config.accumulate > 1
        if self._replay is None:
            loss = self.loss(*batch, penalized=not self._micro)  # once a step
            self.loss.backward()
        else:
            loss = self._replay(*batch)
        if accumulates:
            self._add_up(batch)
            if len(self._micro) < self.config.accumulate:
                return loss
        self._update()
        return loss

    def validation_step(self, batches: Iterable[Batch]) -> None:
        """Note the loss, and the metric if there is one, on `batches`, leaving no trace in the network."""
        loss, targets, predictions = self._evaluate(batches, self.val_dataset)
        self.history.val_losses.append(loss)
        if self.metric is not None:
            self.history.val_metrics.append(self._measure(targets, predictions))

    def _evaluate(self, batches: Iterable[Batch], data: Data | None) -> tuple[float, Tensor, Tensor]:
        before = None
        if _checked_whole(batches, data):
            batches = DataLoader(
                batches.dataset, batches.batch_size, device=batches.device, copy_budget=batches.copy_budget
            )
        else:
            before = resuming.numbers(batches)  # torch's DataLoader draws a number even when it does not shuffle
        with _targets_checked(self.loss, data, batches):
            result = evaluate(self.loss, batches)
        if before is not None:
            resuming.set_numbers(before, batches)
        return result

    def _measure(self, targets: Tensor, predictions: Tensor) -> float:
        """The metric as a number; on decided classes, if it says that it wants classes."""
        assert self.metric is not None
        if getattr(self.metric, "on_classes", False):
            predictions = self.loss.decide(predictions)
        return float(self.metric(targets, predictions))

    def _replays(self, batches: Iterable[Batch]) -> bool:
        """Whether steps are replayed: batches of a size are alike, and nothing between two steps changes but tensors."""
        config = self.config
        return (
            config.replay
            and config.accumulate == 1
            and type(self) is Trainer
            and type(batches) is DataLoader
            and (_checked_whole(batches, self.train_dataset) or not self.loss.check_targets)
            and all(is_recordable(callback) for callback in self.callbacks.all)
            and replayable(self.loss, config.train_minibatch_size, config.num_epochs * len(batches))
        )

    def stop(self, why: str) -> None:
        """End the run after the current step. What there is of the epoch counts as an epoch."""
        self.stopped = why

    @property
    def seconds(self) -> float:
        """Wall time of the run so far."""
        return time.perf_counter() - self._started

    @property
    def stopping(self) -> bool:
        """Whether the run is about to end before its last epoch."""
        return bool(self.stopped)

    @property
    def epoch_fraction(self) -> float:
        """How much of the present epoch is done, where that can be known; else 0 until it is done."""
        if not self.in_epoch:
            return 1.0
        length = len(self.train_batches) if isinstance(self.train_batches, Sized) else 0
        return self.batch / length if length else 0.0

    # ---- An epoch

    def _train_epoch(self, batches: Iterable[Batch]) -> bool:
        """The steps of an epoch, or what an interruption left of it. False if it was stopped before it began."""
        left = batches
        if self.in_epoch:
            left = self._rest(batches)
        else:
            self._begin_epoch()
        step_begin = self.callbacks.at["step_begin"]
        ends = self.callbacks.at["step_end"] or self.config.checkpoint_interval
        with _targets_checked(self.loss, self.train_dataset, batches):
            for batch in left:
                if self.stopped and not self._micro:
                    break
                if step_begin and not self._micro:
                    self.callbacks.call("step_begin", self)
                loss = self.train_step(*batch)
                self.tally.add(loss, *batch)
                self.batch += 1
                if ends and not self._micro:
                    self._end_step()
            if self._micro:  # the epoch's last batches make a smaller step
                self._update()
                self._end_step()
        total, seen = self.tally.read()
        if seen == self.epoch_from[1]:
            if not self.stopped:
                raise DataError("the training data gave no batches")
            self.epoch, self.in_epoch = self.epoch - 1, False
            return False
        self._look((total - self.epoch_from[0]) / (seen - self.epoch_from[1]))
        return True

    def _begin_epoch(self) -> None:
        self.epoch += 1
        self.batch = 0
        self.in_epoch = True
        self.epoch_from = self.tally.read()
        if self.config.checkpoint_folder is not None:
            self.epoch_random = resuming.numbers(self.train_batches)
        self.callbacks.call("epoch_begin", self)

    def _end_step(self) -> None:
        self.callbacks.call("step_end", self)
        interval = self.config.checkpoint_interval
        if interval is not None and self.history.steps % interval == 0:
            self.save()

    def _rest(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches that an interrupted epoch has left: its random numbers again, and what is done passed over."""
        now = resuming.numbers(batches)
        resuming.set_numbers(self.epoch_random, batches)
        running = iter(batches)
        for _ in islice(running, self.batch):
            pass
        resuming.set_numbers(now, batches)
        return running

    def _end_epoch(self) -> None:
        history, config = self.history, self.config
        history.learning_rates.append(self.optimizer.lr)
        watched = (history.val_losses or history.losses)[-1]
        if self.schedule is not None:
            self.schedule.observe(watched)
        keeps_weights = config.patience is not None and config.restore_best
        improved = self.best.observe(watched, self.model if keeps_weights else None)
        if config.patience is not None and self.best.epochs_since >= config.patience:
            self.stop(f"no better loss in {config.patience} epochs (patience)")
        self.in_epoch = False
        self.callbacks.call("epoch_end", self)
        if config.checkpoint_folder is not None and (config.checkpoint_interval is None or improved):
            self.save(best=improved)

    def _look(self, loss: float) -> None:
        """Once an epoch: note the loss and keep the weights, if they are finite."""
        self.check_finite(loss)
        self.last_finite.take(f"the end of epoch {self.epoch}")
        self.history.losses.append(loss)

    def check_finite(self, loss: float) -> None:
        """If the loss or the weights are not finite, go back to when they last were, and raise DivergenceError."""
        if math.isfinite(loss) and self.last_finite.possible():
            return
        rate, step = self.optimizer.lr, self.history.steps
        self.last_finite.restore()
        raise DivergenceError(
            f"training diverged in epoch {self.epoch}: loss {loss:g}, learning rate {rate:g}. The network is back at the "
            f"weights of {self.last_finite.when} (this is step {step}). Lower the learning rate, standardize the features, "
            f"or clip the gradient"
        )

    def _finish(self) -> None:
        if self.best.weights is not None:
            self.best.weights.put_back(self.model)
        self.history.stopped = self.stopped or f"all {self.config.num_epochs} epochs done"

    # ---- A step

    def _update(self) -> None:
        config = self.config
        if not self.last_finite.taken:
            if not self.last_finite.possible():
                raise StateError("the network's weights are not finite before the first step: make or load them anew")
            self.last_finite.take("the start" if self.history.steps == 0 else f"step {self.history.steps}")
        if self._micro:
            whole = torch.as_tensor(1.0 if self.loss.reduction == "sum" else sum(self._micro))
            tiny = torch.finfo(self._added.dtype).tiny  # weights may all be 0
            self.model.flatten()[1].copy_(self._added / whole.clamp(min=tiny))
            self._micro.clear()
        if config.clip_norm is not None:
            clip(self.model.flatten()[1], config.clip_norm)
        if self.schedule is not None:
            count = self.history.steps if config.schedule_unit == "step" else self.epoch - 1
            self.optimizer.lr = self.base_lr * self.schedule(count)
        self.optimizer.step()
        self.history.steps += 1

    def forget_accumulated(self) -> None:
        """Drop what has been added up for a step that will not be."""
        self._micro.clear()

    def _add_up(self, batch: Batch) -> None:
        """Add this minibatch's gradient to those before it, weighted as one large batch would weigh it."""
        grads = self.model.flatten()[1]
        share: float | Tensor = 1.0
        if self.loss.reduction == "mean":
            share = float(len(batch[0])) if len(batch) < 3 else batch[2].sum()
        if self._micro:
            self._added.add_(grads * share)
        else:
            self._added = grads * share
        self._micro.append(share)

    # ---- Data

    def prepare(self) -> int:
        """Check the data against model and loss, and set up the batches; `train` does it too. The network is not touched.

        Returns the number of the network's outputs, or 0 where the training data are no Dataset.
        """
        if self._prepared is None:
            train, validation = self.train_dataset, self.val_dataset
            outputs = 0
            if isinstance(train, Dataset):
                data, outputs = self._ready(train)
                loader = self.loader or partial(
                    DataLoader, shuffle=self.config.shuffle_minibatches, device=self._other_device(data)
                )
                train = loader(data, self.config.train_minibatch_size)
            if isinstance(validation, Dataset):
                assert self.config.val_minibatch_size is not None
                data, _ = self._ready(validation, "validation ")
                validation = DataLoader(data, self.config.val_minibatch_size, device=self._other_device(data))
            self.train_batches, self._val_batches = train, validation
            self._prepared = outputs
        return self._prepared

    def _ready(self, dataset: Dataset, role: str = "") -> tuple[Dataset, int]:
        """`dataset` checked, its targets in the form that the loss works on; and the number of the network's outputs."""
        features, targets, *weights = dataset.tensors
        check_numbers(f"{role}features", features)
        check_numbers(f"{role}targets", targets)
        for weight in weights:
            check_numbers(f"{role}weights", weight)
            if weight.min() < 0 or not weight.any():
                raise DataError(f"{role}weights: expected 0 or more, and not all of them 0")
        built = all(layer.built for _, layer in self.model.named_layers() if layer.learns)
        with seeded(None if built else 0), torch.inference_mode():
            probe = self.model if built else copy.deepcopy(self.model)  # bad data must not shape the network
            with evaluating(probe):
                output = probe(features[:1].to(self._other_device(dataset) or features.device))
        prediction = output.expand(len(features), *output.shape[1:])
        matched = self.loss.match(prediction, targets)
        self.loss.check(matched, output.shape[-1])
        return Dataset(features, matched, *weights), output.shape[-1]

    def _build(self) -> None:
        if isinstance(self.train_dataset, Dataset):
            with evaluating(self.model):
                features = self.train_dataset.tensors[0][:1]
                self.model(features.to(self._other_device(self.train_dataset) or features.device))

    def _other_device(self, dataset: Dataset) -> torch.device | None:
        """Where the network is, if the data are elsewhere."""
        device, _ = self.model.where
        return None if device is None or device == dataset.tensors[0].device else device

    # ---- Saving and going on

    def save(self, best: bool = False) -> Path:
        """Save the whole run in the config's checkpoint folder, as it stands between two steps. Returns the file's path."""
        folder = self._folder()
        if not self.last_finite.possible():
            self.check_finite(math.nan)  # weights that are not finite take no good checkpoint's place
        tensors, state = resuming.capture(self)
        if best:
            checkpoint.write(folder / "best.safetensors", tensors, state)
        path = checkpoint.write(folder / f"step-{self.history.steps:09d}.safetensors", tensors, state)
        checkpoint.prune(folder, self.config.keep_checkpoints)
        return path

    def resume(self, path: str | Path | None = None) -> Path:
        """Go on from a checkpoint, by default the newest in the config's folder; returns its path. Then call `train()`.

        A run that goes on ends as it would have without the interruption, bit by bit, if the trainer was made alike (only
        `num_epochs` and what is shown may differ; the learning rate is the checkpoint's). A damaged checkpoint is passed
        over with a warning for the one before it, and set aside under another name. CheckpointError if none is left;
        MatchError, with nothing changed, for the checkpoint of another network, optimizer or make of run.
        """
        path = Path(path) if path is not None else self._folder()
        damaged: list[Path] = []
        for candidate in checkpoint.candidates(path):
            try:
                tensors, state = checkpoint.read(candidate)
            except CheckpointError as error:
                if not path.is_dir():
                    raise
                warnings.warn(f"{error}; going back to the checkpoint before it", stacklevel=2)
                damaged.append(candidate)
                continue
            resuming.restore(self, tensors, state)
            for bad in damaged:
                bad.rename(bad.with_name(f"{bad.name}.damaged"))
            return candidate
        raise CheckpointError(f"{path}: no checkpoint that can be read")

    def _folder(self) -> Path:
        if self.config.checkpoint_folder is None:
            raise ArgumentError("Trainer: the config has no checkpoint_folder")
        return Path(self.config.checkpoint_folder)

    def _refuse_used_folder(self) -> None:
        """A run that starts anew must not mix its checkpoints with those of another: the newer of the two would win."""
        if self.config.checkpoint_folder is not None and self.history.steps == 0 and self.resumed is None:
            old = checkpoint.candidates(self._folder()) if self._folder().is_dir() else []
            if old:
                raise CheckpointError(
                    f"{self._folder()} holds the checkpoints of an earlier run ({old[0].name} is the newest): go on from "
                    f"them with resume(), or choose another checkpoint_folder, or remove them"
                )


def _checked_whole(batches: Iterable[Batch], data: Data | None) -> TypeGuard[DataLoader]:
    """Whether these batches are of a Dataset, whose targets have been checked as a whole."""
    return isinstance(data, Dataset) and isinstance(batches, DataLoader)


@contextmanager
def _targets_checked(loss: Loss, data: Data | None, batches: Iterable[Batch]) -> Iterator[None]:
    """Targets are checked batch by batch, unless they have been as a whole."""
    checks = loss.check_targets
    loss.check_targets = checks and not _checked_whole(batches, data)
    try:
        yield
    finally:
        loss.check_targets = checks
