"""A user's metric, which compares labels, as the trainer's, which compares targets and predictions."""

from __future__ import annotations

from torch import Tensor

from lincoln._util.userdata import to_numpy
from lincoln.metrics import Metric
from lincoln.models.encoding import Encoding


class LabelMetric:
    """`metric(labels, predicted labels)`; `metric(labels, probabilities)` if it has the mark `on_probabilities`."""

    def __init__(self, metric: Metric, encoding: Encoding, threshold: float) -> None:
        self.metric = metric
        self.encoding = encoding
        self.threshold = threshold
        self.__name__ = name_of(metric)  # the name in histories

    def __call__(self, targets: Tensor, prediction: Tensor) -> float:
        labels = self.encoding.decode(targets)
        if getattr(self.metric, "on_probabilities", False):
            p = to_numpy(prediction)
            return self.metric(labels, p[:, 0] if p.shape[1] == 1 else p)
        return self.metric(labels, self.encoding.decode(self.encoding.decide(prediction, self.threshold)))


def name_of(metric: Metric) -> str:
    """Return the name of a metric: that of the function, or "metric"."""
    return getattr(metric, "__name__", "metric")
