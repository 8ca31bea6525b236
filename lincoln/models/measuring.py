"""A user's metrics, which compare labels, on targets and predictions."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from lincoln._util.userdata import to_numpy
from lincoln.losses import Loss
from lincoln.metrics import Metric
from lincoln.models.encoding import Encoding
from lincoln.models.predicting import chunks
from lincoln.training.metrics import Measured, as_number, higher_is_better, mark

_ALL = 2000  # examples that a line is measured on if there are no more: a pass takes a fraction of the steps in between
_COLUMNS = 50  # columns of the targets whose extremes are in a sample


class LabelMetric:
    """`metric(labels, predicted labels)`; `metric(labels, probabilities)` if it has the mark `on_probabilities`."""

    def __init__(self, name: str, metric: Metric, encoding: Encoding, threshold: float) -> None:
        self.name = name
        self.metric = metric
        self.higher_is_better = higher_is_better(metric)
        self.encoding = encoding
        self.threshold = threshold
        self._on_probabilities = bool(mark(metric, "on_probabilities"))

    def __call__(self, targets: Tensor, prediction: Tensor) -> float:
        return self.judge(targets, self.kept(prediction))

    def kept(self, prediction: Tensor) -> Tensor:
        """Return what the metric needs of a prediction: the decided targets, or the probabilities."""
        return prediction if self._on_probabilities else self.encoding.decide(prediction, self.threshold)

    def judge(self, targets: Tensor, kept: Tensor) -> float:
        """Return the metric of these targets and of what was `kept` of the predictions."""
        labels = self.encoding.decode(targets)
        if not self._on_probabilities:
            return as_number(self.name, self.metric(labels, self.encoding.decode(kept)))
        p = to_numpy(kept)
        return as_number(self.name, self.metric(labels, p[:, 0] if p.shape[1] == 1 else p))


def measured(metrics: Mapping[str, Metric], loss: Loss, x: Tensor, targets: Tensor) -> dict[str, float]:
    """Return the metrics by name on features and targets, which are predicted chunk by chunk."""
    found = Measured(metrics, loss)
    for part in chunks(loss.network, len(x)) if metrics else ():
        found.add(targets[part], loss.predict(x[part]))
    return found.values()


def sample(x: Tensor, targets: Tensor, every: int, batch_size: int) -> tuple[Tensor, Tensor]:
    """Return the features and targets on which a fit measures itself every so many steps.

    These are all examples up to 2,000, or up to an eighth of those that the steps train on; else so many, drawn with a seed
    of its own, and those of the smallest and largest target, so that of two classes both are there.
    """
    n, size = len(x), max(_ALL, every * batch_size // 8)
    if n <= size:
        return x, targets
    rows = torch.randint(n, (size,), generator=torch.Generator().manual_seed(0))
    columns = targets.reshape(n, -1)[:, :_COLUMNS].float()
    ends = torch.cat([columns.argmin(0), columns.argmax(0)]).cpu()
    chosen = torch.unique(torch.cat([rows, ends])).to(x.device)
    return x[chosen], targets[chosen]
