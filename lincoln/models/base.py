"""A network with `fit` and `predict`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lincoln._util.checks import as_tensor, at_least_one, check_numbers, same_length, to_numpy
from lincoln._util.tensors import chosen_device
from lincoln.callbacks import Callback
from lincoln.callbacks.display import LinePrinter, ProgressDisplay, on_terminal
from lincoln.data import Batch, Dataset, generate_batches
from lincoln.errors import StateError
from lincoln.layers import Layer
from lincoln.losses import MSE, LogLoss, Loss
from lincoln.metrics import Metric, accuracy, r2
from lincoln.models.encoding import Classes, Encoding, Numbers
from lincoln.optim import SGD, Optimizer
from lincoln.steps import evaluate
from lincoln.trainer import Trainer
from lincoln.training.binding import bind_loss, bind_optimizer
from lincoln.training.config import TrainerConfig
from lincoln.training.history import History

_CHUNK = 65536  # examples predicted at a time, so that predicting needs no more memory than a step


class Model(ABC):
    """What `Classifier` and `Regressor` share; they differ in what targets and predictions are."""

    threshold = 0.5

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
        self.metric = metric
        self.batch_gen = batch_gen
        self.device = None if device is None else chosen_device(device)
        self._encoding: Encoding | None = None  # None until the first fit has found its data usable

    @abstractmethod
    def _encode(self, labels: Any) -> Encoding:
        """How these labels become targets."""

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
        """Train for `epochs` passes through the data, from the weights as they are: a second call goes on.

        Every `print_every` steps a line tells the epoch, the loss per example since the last line, and the metric on the
        training data; None or 0 prints nothing. `validation_data`, (features, labels), is measured after each epoch.
        `seed` fixes weights not made yet and the order of batches. On a terminal, and only there, a progress bar is shown,
        unless `progress` is False.

        Unusable data or arguments raise a DataError, MatchError or ArgumentError and leave the weights as they are;
        a loss that stops being finite raises a DivergenceError, with the weights of the last epoch that was finite.
        """
        at_least_one("epochs", epochs), at_least_one("batch_size", batch_size)
        x = self._features(features)
        encoding = self._encode(labels).continuing(self._encoding)
        y = encoding.encode(labels)
        data = Dataset(*_pair(x, y))
        validation = None if validation_data is None else self._held_out(*validation_data, encoding)

        def measured() -> float:
            return self._measured(encoding, data.tensors[1], self._probabilities(x))

        callbacks: list[Callback] = []
        if print_every:
            callbacks.append(LinePrinter(at_least_one("print_every", print_every), measured))
        if progress is not False and on_terminal():
            callbacks.append(ProgressDisplay())
        if self.device is not None:
            self.network.to(self.device)
        trainer = Trainer(
            self.network,
            TrainerConfig(epochs, batch_size, seed=seed, progress=None),
            self.loss,
            self.optimizer,
            data,
            validation,
            callbacks,
            metric=partial(self._measured, encoding),
            loader=self._loader(x, y, tensors=isinstance(features, Tensor)),
        )
        trainer.history.metric = self._metric_name
        encoding.settle(trainer.prepare())
        self._encoding = encoding
        history = trainer.train()
        history.metrics.append((history.epochs, measured()))
        return history

    def score(self, features: Any, labels: Any) -> float:
        """The metric on these data."""
        return self.evaluate(features, labels)[self._metric_name]

    def evaluate(self, features: Any, labels: Any) -> dict[str, float]:
        """The loss per example and the metric on these data, by name."""
        encoding = self._fitted()
        x, y = _pair(self._features(features), encoding.encode(labels))
        with torch.inference_mode():
            loss, targets, predictions = evaluate(
                self.loss, zip(torch.split(x, _CHUNK), torch.split(y, _CHUNK), strict=True)
            )
            value = self._measured(encoding, targets, predictions)
        return {"loss": loss, self._metric_name: value}

    @property
    def _metric_name(self) -> str:
        return getattr(self.metric, "__name__", "metric")

    def _held_out(self, features: Any, labels: Any, encoding: Encoding) -> Dataset:
        x = self._features(features, "validation features")
        return Dataset(*_pair(x, encoding.encode(labels, "validation labels")))

    def _loader(self, x: Tensor, y: Tensor, tensors: bool) -> Callable[[Dataset, int], _Batches] | None:
        """What makes batches by a user's `batch_gen`, from tensors or from arrays; None for the trainer's own loader."""
        if self.batch_gen is generate_batches:
            return None
        return partial(_Batches, self.batch_gen, (x, y) if tensors else (to_numpy(x), to_numpy(y)), x)

    def _fitted(self) -> Encoding:
        if self._encoding is None:
            raise StateError(f"{type(self).__name__} is not fitted yet: call fit(features, labels) first")
        return self._encoding

    def _features(self, features: Any, name: str = "features") -> Tensor:
        """`features` as a tensor where the network is, in its dtype."""
        x = as_tensor(name, features)
        device, dtype = self.network.where
        x = x.to(self.device or device or x.device, dtype or torch.get_default_dtype())
        check_numbers(name, x)  # after conversion: 1e300 is infinite in float32
        return x

    def _probabilities(self, x: Tensor) -> Tensor:
        """The network's prediction, probabilities where the loss has a link."""
        return torch.cat([self.loss.predict(chunk) for chunk in torch.split(x, _CHUNK)])

    def _measured(self, encoding: Encoding, targets: Tensor, prediction: Tensor) -> float:
        """The metric, on labels as the user has them; on probabilities if it says that it wants them (`roc_auc`)."""
        if getattr(self.metric, "on_probabilities", False):
            p = to_numpy(prediction)
            return self.metric(encoding.decode(targets), p[:, 0] if p.shape[1] == 1 else p)
        return self.metric(encoding.decode(targets), encoding.decide(prediction, self.threshold))

    def _decided(self, x: Tensor, threshold: float | None = None) -> np.ndarray:
        return self._fitted().decide(self._probabilities(x), self.threshold if threshold is None else threshold)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.network!r}, loss={self.loss!r}, optimizer={self.optimizer!r})"


class Classifier(Model):
    """A network that tells classes apart.

    Binary: one sigmoid output, `LogLoss`, labels 0 and 1. Several classes: softmax outputs, `CrossEntropy`, labels 0 to
    n_classes - 1. Several labels an example: sigmoid outputs, `LogLoss`, labels (n, n_labels) of 0 and 1. Labels that are
    strings are numbered in sorted order, and predictions are given as strings again. Labels may be any integer, float or
    bool type; features any numbers, as numpy arrays or tensors, on any device.

    `loss` and `optimizer` are a class, a factory such as `functools.partial(Adam, lr=1e-3)`, or an instance made from the
    network. `metric` is a function of (labels, predictions). `batch_gen(features, labels, size=...)` gives one epoch's
    batches. `device="auto"` takes a GPU when there is one; None leaves the network where it is.
    """

    def __init__(
        self,
        network: Layer,
        loss: Loss | Callable[[Layer], Loss] = LogLoss,
        optimizer: Optimizer | Callable[[Layer], Optimizer] = SGD,
        metric: Metric = accuracy,
        batch_gen: Callable[..., Iterator[Batch]] = generate_batches,
        device: str | torch.device | None = None,
    ) -> None:
        super().__init__(network, loss, optimizer, metric, batch_gen, device)
        self.threshold = 0.5
        """Binary and multi-label: 1 is predicted where p >= threshold. `lincoln.metrics.choose_threshold` finds one."""

    def _encode(self, labels: Any) -> Encoding:
        return Classes(labels, self.loss)

    @property
    def classes_(self) -> np.ndarray:
        """The classes, in the order of the network's outputs."""
        encoding = self._fitted()
        assert isinstance(encoding, Classes)
        return encoding.values

    def predict(self, features: Any, threshold: float | None = None) -> Any:
        """Labels, (n,) or (n, n_labels): the likeliest class; for binary and multi-label, 1 where p >= `threshold`.

        The threshold is by default the classifier's own, `self.threshold`, which scores and printed metrics use too.
        An array for an array, a tensor for a tensor (but for string labels, which tensors cannot hold).
        """
        self._fitted()
        return _like(features, self._decided(self._features(features), threshold))

    def predict_proba(self, features: Any) -> Any:
        """Probabilities of the classes, (n, n_classes): for binary [1 - p, p]; for multi-label each p, (n, n_labels)."""
        encoding = self._fitted()
        p = self._probabilities(self._features(features))
        if isinstance(encoding, Classes) and encoding.kind == "binary":
            p = torch.cat([1 - p, p], -1)
        return p.to(features.device) if isinstance(features, Tensor) else to_numpy(p)


class Regressor(Model):
    """A network that predicts numbers: targets (n,), or (n, n_outputs). The arguments are `Classifier`'s."""

    def __init__(
        self,
        network: Layer,
        loss: Loss | Callable[[Layer], Loss] = MSE,
        optimizer: Optimizer | Callable[[Layer], Optimizer] = SGD,
        metric: Metric = r2,
        batch_gen: Callable[..., Iterator[Batch]] = generate_batches,
        device: str | torch.device | None = None,
    ) -> None:
        super().__init__(network, loss, optimizer, metric, batch_gen, device)

    def _encode(self, labels: Any) -> Encoding:
        return Numbers(labels)

    def predict(self, features: Any) -> Any:
        """Predictions, shaped as the targets of `fit`: an array for an array, a tensor for a tensor."""
        self._fitted()
        return _like(features, self._decided(self._features(features)))


class _Batches:
    """The batches of a user's `batch_gen`, anew for each epoch; it gets arrays where the user gave arrays."""

    def __init__(
        self, batch_gen: Callable[..., Iterator[Batch]], given: tuple[Any, Any], x: Tensor, dataset: Dataset, size: int
    ) -> None:
        self.batch_gen = batch_gen
        self.given = given
        self.like = x
        self.size = size

    def __iter__(self) -> Iterator[Batch]:
        for features, *rest in self.batch_gen(*self.given, size=self.size):
            x = as_tensor("batch_gen's features", features).to(self.like)
            yield x, *(as_tensor("batch_gen's labels", part).to(x.device) for part in rest)


def _pair(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    same_length(features=x, labels=y)
    return x, y.to(x.device)


def _like(features: Any, labels: np.ndarray) -> Any:
    if isinstance(features, Tensor) and labels.dtype.kind in "biuf":
        return torch.from_numpy(labels).to(features.device)
    return labels
