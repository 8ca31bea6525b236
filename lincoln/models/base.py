"""The part of `Classifier` and `Regressor` that does not depend on the kind of labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from lincoln._util.frames import Names, names_of, refuse_other_names
from lincoln._util.settings import AT_LEAST_ONE, setting, unexpected
from lincoln._util.tensors import chosen_device
from lincoln._util.threads import on_few
from lincoln._util.userdata import as_tensor, check_numbers, same_length, to_numpy
from lincoln.callbacks import Callback
from lincoln.callbacks.display import LinePrinter, ProgressDisplay, on_terminal
from lincoln.data import Batch, Dataset, generate_batches
from lincoln.errors import DataError, StateError
from lincoln.layers import Layer
from lincoln.losses import Loss
from lincoln.metrics import Metric
from lincoln.models.batches import GeneratedBatches
from lincoln.models.encoding import Encoding
from lincoln.models.measuring import LabelMetric, name_of
from lincoln.models.predicting import CHUNK, predictions
from lincoln.optim import Optimizer
from lincoln.steps import evaluate
from lincoln.trainer import Trainer
from lincoln.training.binding import bind_loss, bind_optimizer
from lincoln.training.config import TrainerConfig
from lincoln.training.evaluation import metric_name
from lincoln.training.forms import described
from lincoln.training.history import History


class Model(ABC):
    """A network, its loss and its optimizer, with `fit`, `score` and `evaluate` on labels as users write them."""

    threshold = 0.5
    _columns: Names | None = None
    """The columns' names in the frame that was fitted."""

    def __init__(
        self,
        network: Layer,
        loss: Loss | Callable[[Layer], Loss],
        optimizer: Optimizer | Callable[[Layer], Optimizer],
        metric: Metric,
        batch_gen: Callable[..., Iterator[Batch]],
        device: str | torch.device | None,
    ) -> None:
        self.network = network
        self.loss = bind_loss(loss, network)
        self.optimizer = bind_optimizer(optimizer, network)
        metric_name(self, metric)
        if not callable(batch_gen):
            raise unexpected(self, "batch_gen", batch_gen, "a function of (features, labels, size=...)")
        self.metric = metric
        self.batch_gen = batch_gen
        self.device = None if device is None else chosen_device(device)
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
    ) -> History:
        """Train for `epochs` passes through the data, from the present weights: a second call continues the first.

        Every `print_every` steps a line is printed with the epoch, the loss per example since the last line, and the
        metric on the training data; None or 0 prints nothing. `validation_data`, (features, labels), is measured after
        each epoch. `seed` fixes initial weights that are not made yet and the order of the batches. On a terminal a
        progress bar is shown, unless `progress` is False.

        Raises DataError, MatchError or ArgumentError for data or arguments that cannot be used, and leaves the weights as
        they were; raises DivergenceError if the loss stops being finite, with the weights of the last finite epoch.
        """
        epochs = setting(self, "epochs", epochs, AT_LEAST_ONE)
        batch_size = setting(self, "batch_size", batch_size, AT_LEAST_ONE)
        x, columns = self._features(features), names_of(features) or self._columns
        encoding = self._encoding_for(labels).continuing(self._encoding)
        data = _dataset(x, encoding.encode(labels))
        validation = None if validation_data is None else self._validation_set(validation_data, encoding, columns)
        metric = LabelMetric(self.metric, encoding, self.threshold)

        def measured() -> float:
            return metric(data.tensors[1], self._predictions(x))

        callbacks = _displays(print_every, progress, measured)
        if self.device is not None:
            self.network.to(self.device)
        config = TrainerConfig(epochs, batch_size, seed=seed, progress=None)
        loader = self._loader(data, as_tensors=isinstance(features, Tensor))
        trainer = Trainer(
            self.network, config, self.loss, self.optimizer, data, validation, callbacks, metric=metric, loader=loader
        )
        encoding.accept_outputs(trainer.prepare())
        self._encoding, self._columns = encoding, columns
        history = trainer.train()
        history.metrics.append((history.epochs, measured()))
        return history

    def score(self, features: Any, labels: Any) -> float:
        """Return the metric on these data."""
        return self.evaluate(features, labels)[name_of(self.metric)]

    def evaluate(self, features: Any, labels: Any) -> dict[str, float]:
        """Return the loss per example and the metric on these data, by name."""
        encoding = self._fitted()
        data = _dataset(self._features(features), encoding.encode(labels))
        with torch.inference_mode():
            chunks = zip(*(torch.split(tensor, CHUNK) for tensor in data.tensors), strict=True)
            loss, targets, prediction = evaluate(self.loss, chunks)
            value = LabelMetric(self.metric, encoding, self.threshold)(targets, prediction)
        return {"loss": loss, name_of(self.metric): value}

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
        x, y = data.tensors
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

    def _predictions(self, x: Tensor) -> Tensor:
        """Return the network's predictions, probabilities if the loss has a link."""
        return predictions(self.loss, torch.split(x, CHUNK))

    def _predicted_labels(self, features: Any, threshold: float) -> Any:
        """Return predictions as labels: an array for an array, a tensor for a tensor, unless the labels are strings."""
        encoding = self._fitted()
        labels = encoding.decode(encoding.decide(self._predictions(self._features(features)), threshold))
        if isinstance(features, Tensor) and labels.dtype.kind in "biuf":
            return torch.from_numpy(labels).to(features.device)
        return labels

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.network!r}, loss={self.loss!r}, optimizer={self.optimizer!r})"


def _dataset(x: Tensor, y: Tensor) -> Dataset:
    same_length(features=x, labels=y)
    return Dataset(x, y.to(x.device))


def _displays(print_every: int | None, progress: bool | None, measured: Callable[[], float]) -> list[Callback]:
    displays: list[Callback] = []
    if print_every:
        displays.append(LinePrinter(setting("fit", "print_every", print_every, AT_LEAST_ONE), measured))
    if progress is not False and on_terminal():
        displays.append(ProgressDisplay())
    return displays
