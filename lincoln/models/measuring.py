"""A user's metric, which compares labels, as the trainer's, which compares targets and predictions."""

from __future__ import annotations

from torch import Tensor

from lincoln._util.userdata import to_numpy
from lincoln.metrics import Metric
from lincoln.models.encoding import Encoding
from lincoln.training.metrics import as_number, higher_is_better, mark


class LabelMetric:
    """`metric(labels, predicted labels)`; `metric(labels, probabilities)` if it has the mark `on_probabilities`."""

    def __init__(self, name: str, metric: Metric, encoding: Encoding, threshold: float) -> None:
        self.name = name
        self.metric = metric
        self.higher_is_better = higher_is_better(metric)
        self.encoding = encoding
        self.threshold = threshold

    def __call__(self, targets: Tensor, prediction: Tensor) -> float:
        labels = self.encoding.decode(targets)
        if mark(self.metric, "on_probabilities"):
            p = to_numpy(prediction)
            return as_number(self.name, self.metric(labels, p[:, 0] if p.shape[1] == 1 else p))
        decided = self.encoding.decode(self.encoding.decide(prediction, self.threshold))
        return as_number(self.name, self.metric(labels, decided))
