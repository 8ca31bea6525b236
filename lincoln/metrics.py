"""Metrics: functions of (targets, predictions), computed by scikit-learn, which is imported when one is called.

Both arguments are tensors on any device, arrays or lists, and (n, 1) counts as (n,). Classes are whole numbers, booleans
or strings. Of two classes, the later in sorted order is the positive one (1 of 0 and 1). With more classes, a rate is
computed for each class against the rest and averaged without weights ("macro"); so it is over labels if each example has
several, (n, n_labels) of 0 and 1. Rates are fractions between 0 and 1, and 0 / 0 counts as 0.

Raises MatchError for different shapes, and DataError for data that cannot be measured: empty, NaN, or probabilities in
place of classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from lincoln._util.measured import class_indices, class_probabilities, positive_probabilities, same_classes, same_numbers
from lincoln.errors import ArgumentError, DataError, DimensionError

Metric = Callable[[Any, Any], float]
"""A function of (targets, predictions). Its attribute `higher_is_better`, if it has one, says which values are the best for
a run that watches it."""

F = TypeVar("F", bound=Callable[..., Any])


def _marked(**marks: bool) -> Callable[[F], F]:
    """Mark a metric.

    - `on_classes`: it compares classes; Trainer decides them from the network's outputs first.
    - `on_probabilities`: it takes probabilities; Classifier passes them on without deciding classes.
    - `higher_is_better`: which values a run that watches it keeps.
    """

    def mark(metric: F) -> F:
        vars(metric).update(marks)
        return metric

    return mark


@_marked(on_classes=True, higher_is_better=True)
def accuracy(targets: Any, predictions: Any) -> float:
    """Return the fraction of examples whose prediction equals the target; with several labels, all must be equal."""
    t, p = same_classes(targets, predictions)
    right = t == p
    return float(np.mean(right if right.ndim == 1 else right.all(tuple(range(1, right.ndim)))))


@_marked(on_classes=True)
def confusion_matrix(targets: Any, predictions: Any) -> np.ndarray:
    """Return how many examples of each class (row) were predicted as each class (column), (classes, classes).

    Classes are in sorted order; for two, the matrix is [[TN, FP], [FN, TP]]. Raises DimensionError for several labels per
    example, which have one matrix each.
    """
    from sklearn.metrics import confusion_matrix

    t, p, classes = class_indices(targets, predictions)
    if t.ndim > 1:
        raise DimensionError(f"confusion_matrix: targets have shape {t.shape}; expected (n,): take one label at a time")
    if len(classes) == 1:  # scikit-learn would warn
        return np.array([[len(t)]])
    matrix: np.ndarray = confusion_matrix(t, p, labels=range(len(classes)))
    return matrix


@_marked(on_classes=True, higher_is_better=True)
def precision(targets: Any, predictions: Any) -> float:
    """TP / (TP + FP): the fraction of the examples predicted positive that are positive."""
    from sklearn.metrics import precision_score

    return _score(precision_score, targets, predictions)


@_marked(on_classes=True, higher_is_better=True)
def recall(targets: Any, predictions: Any) -> float:
    """TP / (TP + FN): the fraction of the positive examples that are found, also called the true positive rate."""
    from sklearn.metrics import recall_score

    return _score(recall_score, targets, predictions)


@_marked(on_classes=True, higher_is_better=True)
def true_positive_rate(targets: Any, predictions: Any) -> float:
    """TP / (TP + FN): an alias of recall, by the name used beside the false positive rate."""
    return recall(targets, predictions)


@_marked(on_classes=True, higher_is_better=False)
def false_positive_rate(targets: Any, predictions: Any) -> float:
    """FP / (FP + TN): the fraction of the negative examples that are predicted positive."""
    from sklearn.metrics import multilabel_confusion_matrix

    t, p, classes = class_indices(targets, predictions)
    counts = multilabel_confusion_matrix(t, p, labels=range(len(classes)))  # (classes, 2, 2): [[TN, FP], [FN, TP]] each
    false_positives, negatives = counts[:, 0, 1], counts[:, 0].sum(-1)
    rates = false_positives / np.maximum(negatives, 1)
    return float(rates[1] if _average(t, classes) == "binary" else rates.mean())


@_marked(on_classes=True, higher_is_better=True)
def f1(targets: Any, predictions: Any) -> float:
    """2 TP / (2 TP + FP + FN): the harmonic mean of precision and recall."""
    from sklearn.metrics import f1_score

    return _score(f1_score, targets, predictions)


def _score(score: Callable[..., float], targets: Any, predictions: Any) -> float:
    t, p, classes = class_indices(targets, predictions)
    return float(score(t, p, average=_average(t, classes), zero_division=0.0))


def _average(t: np.ndarray, classes: np.ndarray) -> str:
    return "binary" if t.ndim == 1 and len(classes) == 2 else "macro"


@_marked(on_probabilities=True, higher_is_better=True)
def roc_auc(targets: Any, probabilities: Any) -> float:
    """Return the area under the ROC curve: the probability that a random positive example scores above a negative one.

    `probabilities` are those of the positive class, (n,), or of every class, (n, classes). In the form (n,) log-odds serve
    as well, because only the order matters. Raises DataError if a class has no examples, or all of them.
    """
    from sklearn.metrics import roc_auc_score

    t, p = class_probabilities(targets, probabilities, scores=True)
    if t.ndim < p.ndim:
        t = np.eye(p.shape[1], dtype=int)[t]  # each class against the rest
    for label, share in enumerate(t.reshape(len(t), -1).mean(0)):
        if share in (0, 1):
            which = "the positive class" if t.ndim == 1 else f"class {label}"
            raise DataError(
                f"roc_auc: targets hold {'no' if share == 0 else 'only'} examples of {which}; expected both kinds"
            )
    return float(roc_auc_score(t, p, average="macro"))


@_marked(on_probabilities=True, higher_is_better=False)
def log_loss(targets: Any, probabilities: Any) -> float:
    """-log P(target), the mean over examples in nats: `LogLoss` for (n,), `CrossEntropy` for (n, classes).

    Probabilities are raised to at least 2.2e-16, so no example costs more than 36.05. Raises DimensionError for several
    labels per example.
    """
    from sklearn.metrics import log_loss

    t, p = class_probabilities(targets, probabilities)
    if t.ndim > 1:
        raise DimensionError(
            f"log_loss: targets have shape {t.shape}; expected classes, (n,): take argmax(1) of one-hot rows, or one label "
            "at a time of several per example"
        )
    if p.ndim == 1:
        return float(log_loss(t, p, labels=[0, 1]))
    return float(log_loss(t, p / p.sum(1, keepdims=True), labels=range(p.shape[1])))


def choose_threshold(
    targets: Any, probabilities: Any, *, recall: float | None = None, precision: float | None = None
) -> float:
    """Return the threshold with the best precision among those that reach `recall`, predicting 1 where p >= threshold.

    With `precision` instead, return the one with the best recall among those that reach it. The threshold is one of the
    probabilities; choose it on validation data. Raises ArgumentError unless exactly one of the two is given, as a fraction,
    and DataError, with the best that is possible, if no threshold reaches it.
    """
    from sklearn.metrics import precision_recall_curve

    name, expected = _one_fraction(recall=recall, precision=precision)
    t, p = positive_probabilities(targets, probabilities, "choose_threshold")
    if not t.any():
        raise DataError("choose_threshold: targets hold no examples of the positive class, so recall is not defined")
    precisions, recalls, thresholds = precision_recall_curve(t, p)
    precisions, recalls = precisions[:-1], recalls[:-1]  # the curve's last point, (1, 0), belongs to no threshold
    held, sought = (recalls, precisions) if name == "recall" else (precisions, recalls)
    reached = np.flatnonzero(held >= expected)
    if len(reached) == 0:
        best = np.lexsort((sought, held))[-1]
        raise DataError(
            f"choose_threshold: no threshold reaches precision {expected:g}; the best is {held[best]:.4g}, with recall "
            f"{sought[best]:.4g}, at threshold {thresholds[best]:.4g}"
        )
    return float(thresholds[reached[np.lexsort((held[reached], sought[reached]))[-1]]])


def _one_fraction(**arguments: float | None) -> tuple[str, float]:
    """Return name and value of the one argument that is given. Raises ArgumentError unless it is a fraction."""
    given = {name: value for name, value in arguments.items() if value is not None}
    if len(given) != 1:
        raise ArgumentError(
            f"choose_threshold: got {' and '.join(given) or 'neither'}; expected either recall or precision"
        )
    ((name, value),) = given.items()
    if not 0 <= value <= 1:
        raise ArgumentError(f"choose_threshold: {name} is {value!r}; expected a fraction between 0 and 1")
    return name, value


@_marked(higher_is_better=False)
def mean_squared_error(targets: Any, predictions: Any) -> float:
    """mean((target - prediction)^2) over examples and outputs, in the targets' unit squared."""
    from sklearn.metrics import mean_squared_error

    return float(mean_squared_error(*same_numbers(targets, predictions)))


@_marked(higher_is_better=False)
def mean_absolute_error(targets: Any, predictions: Any) -> float:
    """mean(|target - prediction|) over examples and outputs, in the targets' unit."""
    from sklearn.metrics import mean_absolute_error

    return float(mean_absolute_error(*same_numbers(targets, predictions)))


@_marked(higher_is_better=True)
def r2(targets: Any, predictions: Any) -> float:
    """1 - sum((target - prediction)^2) / sum((target - mean)^2), the mean over outputs.

    1 is a perfect prediction, 0 that of the targets' mean.
    """
    from sklearn.metrics import r2_score

    return float(r2_score(*same_numbers(targets, predictions)))
