"""A network that predicts numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from lincoln.data import Batch, generate_batches
from lincoln.layers import Layer
from lincoln.losses import MSE, Loss
from lincoln.metrics import r2
from lincoln.models.base import Model
from lincoln.models.encoding import Encoding, Numbers
from lincoln.optim import SGD, Optimizer
from lincoln.training.metrics import MetricArgument


class Regressor(Model):
    """A network that predicts numbers: labels (n,), or (n, n_outputs). The arguments are those of `Classifier`."""

    def __init__(
        self,
        network: Layer,
        loss: Loss | Callable[[Layer], Loss] = MSE,
        optimizer: Optimizer | Callable[[Layer], Optimizer] = SGD,
        metric: MetricArgument | None = r2,
        batch_gen: Callable[..., Iterator[Batch]] = generate_batches,
        device: str | torch.device | None = None,
    ) -> None:
        super().__init__(network, loss, optimizer, metric, batch_gen, device)

    def _encoding_for(self, labels: Any) -> Encoding:
        return Numbers(labels)

    def predict(self, features: Any) -> Any:
        """Return predictions, shaped as the labels of `fit`: an array for an array, a tensor for a tensor.

        Raises StateError before `fit`, DataError or MatchError for features that do not fit.
        """
        return self._predicted_labels(features, self.threshold)
