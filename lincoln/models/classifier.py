"""A network that predicts classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lincoln._util.userdata import to_numpy
from lincoln.data import Batch, Dataset, generate_batches
from lincoln.layers import Layer
from lincoln.metrics import accuracy
from lincoln.models.advice import advise, sampled, wants_advice
from lincoln.models.base import Model
from lincoln.models.defaults import LossArgument, classifier_loss
from lincoln.models.encoding import class_encoding
from lincoln.models.encoding.chosen import ClassEncoding
from lincoln.models.weights import class_weights
from lincoln.optim import SGD, Optimizer
from lincoln.training.history import History
from lincoln.training.metrics import MetricArgument


class Classifier(Model):
    """A network that predicts classes.

    Two classes: one sigmoid output, `LogLoss`, labels 0 and 1. Several classes: softmax outputs, `CrossEntropy`, labels 0
    to n_classes - 1. Several labels an example: sigmoid outputs, `LogLoss`, labels (n, n_labels) of 0 and 1. Labels that
    are strings are numbered in sorted order, and predictions are strings again. Labels may be of any integer, float or
    bool dtype; features any numbers, as numpy arrays or tensors, on any device.

    `loss` and `optimizer` are a class, a factory such as `functools.partial(Adam, lr=1e-3)`, or an instance made from the
    network. The default loss is `CrossEntropy` if the network ends in a softmax, else `LogLoss`. The default optimizer is
    `SGD` at 0.003, and then a loss that is given as a class adds up over the batch (docs/training.md, Defaults). `metric`
    is a function of (labels, predictions), a list of them, a dict of name to function, or None. `batch_gen(features,
    labels, size=...)` yields the batches of one epoch. `device="auto"` takes a GPU if there is one; None leaves the network
    where it is.

    Raises ArgumentError for a device that cannot be used, or a loss or optimizer of another network.
    """

    _encoding: ClassEncoding | None

    def __init__(
        self,
        network: Layer,
        loss: LossArgument | None = None,
        optimizer: Optimizer | Callable[[Layer], Optimizer] | None = None,
        metric: MetricArgument | None = accuracy,
        batch_gen: Callable[..., Iterator[Batch]] = generate_batches,
        device: str | torch.device | None = None,
    ) -> None:
        bound = classifier_loss(network, loss, optimizer is None)
        super().__init__(network, bound, optimizer or SGD, metric, batch_gen, device)
        self.threshold = 0.5
        """1 is predicted where p >= threshold, for two classes and for several labels an example.
        `lincoln.metrics.choose_threshold` finds one."""

    def _encoding_for(self, labels: Any) -> ClassEncoding:
        return class_encoding(labels, self.loss)

    def _advise(self, data: Dataset, history: History) -> None:
        if wants_advice(history):
            x, targets = (sampled(tensor) for tensor in data.tensors[:2])
            encoding = self._fitted()
            predicted = encoding.decode(encoding.decide(self._predictions(x), self.threshold))
            advise(x, encoding.decode(targets), predicted, history, self.loss, self.optimizer)

    def _class_weights(self, labels: Any, class_weight: Any) -> Tensor | None:
        return class_weights(labels, class_weight)

    @property
    def classes_(self) -> np.ndarray:
        """The classes, in the order of the network's outputs. Raises StateError before `fit`."""
        self._fitted()
        assert self._encoding is not None
        return self._encoding.classes

    def predict(self, features: Any, threshold: float | None = None) -> Any:
        """Return labels, (n,) or (n, n_labels): the likeliest class; 1 where p >= `threshold` for two classes or labels.

        The threshold is by default the classifier's own, `self.threshold`, which scores and printed metrics use too.
        Returns an array for an array, a tensor for a tensor, unless the labels are strings, which tensors cannot hold.
        Raises StateError before `fit`, DataError or MatchError for features that do not fit.
        """
        return self._predicted_labels(features, self.threshold if threshold is None else threshold)

    def predict_proba(self, features: Any) -> Any:
        """Return probabilities of the classes, (n, n_classes), or of the labels, (n, n_labels); [1 - p, p] for two classes.

        Raises StateError before `fit`, DataError or MatchError for features that do not fit.
        """
        encoding = self._fitted()
        p = encoding.probabilities(self._predictions(self._features(features)))
        return p.to(features.device) if isinstance(features, Tensor) else to_numpy(p)
