"""The part of `Classifier` and `Regressor` that does not depend on the kind of labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Unpack

import torch
from torch import Tensor

from lincoln._util.frames import Names, names_of, refuse_other_names
from lincoln._util.settings import AT_LEAST_ONE, setting, unexpected
from lincoln._util.tensors import chosen_device, inference
from lincoln._util.threads import on_few
from lincoln._util.userdata import as_tensor, check_numbers, same_length, to_numpy
from lincoln.callbacks import Callback
from lincoln.callbacks.base import checked
from lincoln.callbacks.display import LinePrinter
from lincoln.data import Batch, Dataset, generate_batches
from lincoln.errors import ArgumentError, DataError, StateError
from lincoln.layers import Layer
from lincoln.losses import Loss
from lincoln.metrics import Metric
from lincoln.models.batches import GeneratedBatches
from lincoln.models.displays import displays
from lincoln.models.encoding import Encoding
from lincoln.models.measuring import LabelMetric, measured, sample
from lincoln.models.predicting import chunks, predictions
from lincoln.models.saving import Saved
from lincoln.models.settings import RunSettings, rate_kept, run_config
from lincoln.models.weights import example_weights
from lincoln.optim import Optimizer
from lincoln.trainer import Trainer
from lincoln.training.binding import bind_loss, bind_optimizer
from lincoln.training.config import TrainerConfig
from lincoln.training.evaluation import run_through
from lincoln.training.forms import described
from lincoln.training.history import History
from lincoln.training.metrics import Measured, MetricArgument, named_metrics


class Model(Saved, ABC):
    """A network, its loss and its optimizer, with `fit`, `score` and `evaluate` on labels as users write them."""

    threshold = 0.5
    _columns: Names | None = None
    """The columns' names in the frame that was fitted."""

    def __init__(
        self,
        network: Layer,
        loss: Loss | Callable[[Layer], Loss],
        optimizer: Optimizer | Callable[[Layer], Optimizer],
        metric: MetricArgument | None,
        batch_gen: Callable[..., Iterator[Batch]],
        device: str | torch.device | None,
    ) -> None:
        self.network = network
        self.loss = bind_loss(loss, network)
        self.optimizer = bind_optimizer(optimizer, network)
        if not callable(batch_gen):
            raise unexpected(self, "batch_gen", batch_gen, "a function of (features, labels, size=...)")
        self.metric = metric
        named_metrics(type(self).__name__, metric)  # a wrong one is refused here, not after training
        self.batch_gen = batch_gen
        self.device = None if device is None else chosen_device(device)
        self.history_: History | None = None
        """The history of the last `fit`, also of one that was interrupted; None before the first."""
        self._encoding: Encoding | None = None  # set once the data of the first fit have passed all checks

    @abstractmethod
    def _encoding_for(self, labels: Any) -> Encoding:
        """Return an encoding made from these labels."""

    def fit(
        self,
        features: Any,
        labels: Any,
        epochs: int = 500,
        print_every: int | None = 100,
        batch_size: int = 32,
        validation_data: tuple[Any, Any] | None = None,
        seed: int | None = None,
        progress: bool | None = None,
        *,
        sample_weight: Any = None,
        class_weight: Mapping[Any, float] | str | None = None,
        callbacks: Sequence[Callback] = (),
        **settings: Unpack[RunSettings],
    ) -> History:
        """Train for `epochs` passes through the data, from the present weights: a second call continues the first.

        Every `print_every` steps a line is printed with the epoch, the loss per example since the last line, and the
        metrics on the training data, or on a sample of them where they are many (`lincoln.models.measuring.sample`); None
        or 0 prints nothing. `validation_data`, (features, labels), is measured after each epoch. `seed` fixes initial
        weights that are not made yet and the order of the batches. On a terminal a progress bar is shown, unless `progress`
        is False.

        `sample_weight`, (n,), says how much each example counts in the loss; `class_weight`, "balanced" or a dict of class
        to weight, how much the examples of a class do; their product counts. Metrics are not weighted. `callbacks` listen
        to the run. `schedule`, `schedule_unit`, `clip_norm`, and for early stopping `patience`, `min_delta`,
        `restore_best`, `watch` and `mode`, are settings of `TrainerConfig`. After an interrupt (Ctrl-C) the network has the
        weights of the last step, and `history_` the history; call `fit` again to go on.

        Raises DataError, MatchError or ArgumentError for data or arguments that cannot be used, and leaves the weights as
        they were; raises DivergenceError if the loss stops being finite, with the weights of the last finite epoch.
        """
        epochs = setting(self, "epochs", epochs, AT_LEAST_ONE)
        batch_size = setting(self, "batch_size", batch_size, AT_LEAST_ONE)
        config = run_config(epochs, batch_size, seed, settings)
        x, columns = self._features(features), names_of(features) or self._columns
        encoding = self._encoding_for(labels).continuing(self._encoding)
        data = _dataset(x, encoding.encode(labels), self._weights(x, labels, sample_weight, class_weight))
        validation = None if validation_data is None else self._validation_set(validation_data, encoding, columns)
        listening = print_every, progress, callbacks
        return self._run(config, data, validation, encoding, columns, listening, as_tensors=isinstance(features, Tensor))

    def _run(
        self,
        config: TrainerConfig,
        data: Dataset,
        validation: Dataset | None,
        encoding: Encoding,
        columns: Names | None,
        listening: tuple[int | None, bool | None, Sequence[Callback]],
        as_tensors: bool,
    ) -> History:
        """Train on checked data. Return the history, which ends with the metrics on the training data."""
        x, targets, *_ = data.tensors
        metrics, size = self._metrics(encoding), config.train_minibatch_size

        def lines(every: int) -> LinePrinter:
            on = sample(x, targets, every, size)
            return LinePrinter(every, lambda: measured(metrics, self.loss, *on))

        print_every, progress, callbacks = listening
        callbacks = [*displays(print_every, progress, lines), *checked("fit", callbacks)]
        if self.device is not None:
            self.network.to(self.device)
        own = self.network, config, self.loss, self.optimizer
        trainer = Trainer(*own, data, validation, callbacks, metrics or None, self._loader(data, as_tensors))
        encoding.accept_outputs(trainer.prepare())
        self._encoding, self._columns = encoding, columns
        history = self.history_ = trainer.history
        with rate_kept(self.optimizer, config):
            trainer.train()
        history.note_metrics(history.epochs, measured(metrics, self.loss, x, targets))
        self._advise(data, history)
        return history

    def _advise(self, data: Dataset, history: History) -> None:
        """Warn, with the cure, if the fit has hardly learned."""

    def score(self, features: Any, labels: Any) -> float:
        """Return the metric on these data; of several, the first. Raises ArgumentError if there is none."""
        names = list(named_metrics(type(self).__name__, self.metric))
        if not names:
            raise ArgumentError(f"{type(self).__name__}: metric is None, so there is no score; expected a function")
        return self.evaluate(features, labels)[names[0]]

    def evaluate(self, features: Any, labels: Any) -> dict[str, float]:
        """Return the loss per example and the metrics on these data, by name."""
        encoding = self._fitted()
        data = _dataset(self._features(features), encoding.encode(labels))
        found = Measured(self._metrics(encoding), self.loss)
        with inference(True):
            parts = chunks(self.network, len(data))
            loss = run_through(self.loss, (data[part] for part in parts), found.add)
            return {"loss": loss} | found.values()

    def _metrics(self, encoding: Encoding) -> dict[str, Metric]:
        """Return the metrics by name, as functions of targets and predictions."""
        metrics = named_metrics(type(self).__name__, self.metric)
        return {name: LabelMetric(name, metric, encoding, self.threshold) for name, metric in metrics.items()}

    def _weights(self, x: Tensor, labels: Any, sample_weight: Any, class_weight: Any) -> Tensor | None:
        """Return the weight of each example, its own times its class's, or None if all weigh 1."""
        weights = example_weights(x, sample_weight, self._class_weights(labels, class_weight))
        if weights is not None and self.batch_gen is not generate_batches:
            raise ArgumentError(
                "fit: sample_weight and class_weight do not reach a batch_gen of your own; let it yield (features, labels, "
                "weights) instead"
            )
        return weights

    def _class_weights(self, labels: Any, class_weight: Any) -> Tensor | None:
        """Return the weight of each example's class, or None."""
        if class_weight is not None:
            raise unexpected(self, "class_weight", class_weight, "None: only a classifier's labels are classes")
        return None

    def _validation_set(self, data: Any, encoding: Encoding, columns: Names | None) -> Dataset:
        if not isinstance(data, tuple | list) or len(data) != 2:
            raise DataError(f"validation_data: {described(data)}; expected (features, labels)")
        features, labels = data
        refuse_other_names("validation features", names_of(features), columns)
        x = self._features(features, "validation features")
        return _dataset(x, encoding.encode(labels, "validation labels"))

    def _loader(self, data: Dataset, as_tensors: bool) -> Callable[[Dataset, int], GeneratedBatches] | None:
        """Return what makes batches by the user's `batch_gen`; None for the trainer's own batches.

        The generator is given tensors or, if not `as_tensors`, arrays.
        """
        if self.batch_gen is generate_batches:
            return None
        x, y, *_ = data.tensors
        features, labels = (x, y) if as_tensors else (to_numpy(x), to_numpy(y))
        return lambda _, size: GeneratedBatches(self.batch_gen, features, labels, size, like=x)

    def _fitted(self) -> Encoding:
        if self._encoding is None:
            raise StateError(f"{type(self).__name__} is not fitted yet: call fit(features, labels) first")
        return self._encoding

    def _features(self, features: Any, name: str = "features") -> Tensor:
        """Return `features` as a tensor on the network's device, in its dtype."""
        refuse_other_names(name, names_of(features), self._columns)
        x = as_tensor(name, features)
        device, dtype = self.network.where
        x = on_few(x.numel(), x.to, self.device or device or x.device, dtype or torch.get_default_dtype())
        check_numbers(name, x)  # after conversion: 1e300 is infinite in float32
        return x

    def _predictions(self, x: Tensor, kept: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Return the network's predictions, probabilities if the loss has a link; or `kept` of each chunk of them."""
        return predictions(self.loss, (x[part] for part in chunks(self.network, len(x))), len(x), kept)

    def _predicted_labels(self, features: Any, threshold: float) -> Any:
        """Return predictions as labels: an array for an array, a tensor for a tensor, unless the labels are strings."""
        encoding = self._fitted()
        decide = partial(encoding.decide, threshold=threshold)
        labels = encoding.decode(self._predictions(self._features(features), decide))
        if isinstance(features, Tensor) and labels.dtype.kind in "biuf":
            return torch.from_numpy(labels).to(features.device)
        return labels

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.network!r}, loss={self.loss!r}, optimizer={self.optimizer!r})"


def _dataset(x: Tensor, y: Tensor, weights: Tensor | None = None) -> Dataset:
    same_length(features=x, labels=y)
    return Dataset(x, y.to(x.device), *([] if weights is None else [weights]))
