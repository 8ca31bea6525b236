"""What to measure: functions of targets, then predictions, computed by scikit-learn.

Both are tensors on any device, arrays or lists, and (n, 1) counts as (n,). Classes are whole numbers, booleans or strings.
Of two classes the later is the positive one (1 of 0 and 1). With more, a measure is taken of each class against the rest
and averaged, every class alike ("macro"); likewise over labels, where an example has several, (n, n_labels) of 0 and 1.
Rates are fractions between 0 and 1; 0 / 0 counts as 0.

MatchError for different shapes. DataError for what cannot be measured: no data, NaN, probabilities in the place of classes.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lincoln.errors import ArgumentError, DataError, DimensionError, MatchError

Metric = Callable[[Any, Any], float]
"""A function of (targets, predictions)."""


# ---- Of classes


def accuracy(targets: Any, predictions: Any) -> float:
    """The fraction of predictions that equal their target; of several labels an example, all must."""
    t, p = _alike(targets, predictions)
    if t.size == 0:
        raise DataError("accuracy: no data")
    if p.dtype.kind == "f" and not np.array_equal(p, np.round(p)):
        raise DataError(
            f"accuracy: predictions hold {p[p != np.round(p)].flat[0]:g}; expected classes: decide first (p >= 0.5)"
        )
    right = t == p
    return float(np.mean(right if right.ndim == 1 else right.all(tuple(range(1, right.ndim)))))


def confusion_matrix(targets: Any, predictions: Any) -> np.ndarray:
    """How many examples of each class (row) were predicted as each class (column), (classes, classes), in sorted order.

    For two classes [[TN, FP], [FN, TP]]. DimensionError for several labels an example: they have a matrix each.
    """
    from sklearn.metrics import confusion_matrix

    t, p, classes = _classes(targets, predictions)
    if t.ndim > 1:
        raise DimensionError(f"confusion_matrix: targets have shape {t.shape}; expected (n,): take one label at a time")
    if len(classes) == 1:  # which scikit-learn would warn about
        return np.array([[len(t)]])
    matrix: np.ndarray = confusion_matrix(t, p, labels=range(len(classes)))
    return matrix


def precision(targets: Any, predictions: Any) -> float:
    """TP / (TP + FP): of the examples predicted positive, the fraction that are."""
    from sklearn.metrics import precision_score

    return _score(precision_score, targets, predictions)


def recall(targets: Any, predictions: Any) -> float:
    """TP / (TP + FN): of the positive examples, the fraction found. The true positive rate."""
    from sklearn.metrics import recall_score

    return _score(recall_score, targets, predictions)


def true_positive_rate(targets: Any, predictions: Any) -> float:
    """TP / (TP + FN): recall, under the name it has beside the false positive rate."""
    return recall(targets, predictions)


def false_positive_rate(targets: Any, predictions: Any) -> float:
    """FP / (FP + TN): of the negative examples, the fraction predicted positive."""
    from sklearn.metrics import multilabel_confusion_matrix

    t, p, classes = _classes(targets, predictions)
    counts = multilabel_confusion_matrix(t, p, labels=range(len(classes)))  # (classes, 2, 2): [[TN, FP], [FN, TP]] each
    false_positives, negatives = counts[:, 0, 1], counts[:, 0].sum(-1)
    rates = false_positives / np.maximum(negatives, 1)
    return float(rates[1] if _average(t, classes) == "binary" else rates.mean())


def f1(targets: Any, predictions: Any) -> float:
    """2 TP / (2 TP + FP + FN): the harmonic mean of precision and recall."""
    from sklearn.metrics import f1_score

    return _score(f1_score, targets, predictions)


# ---- Of probabilities


def roc_auc(targets: Any, probabilities: Any) -> float:
    """The probability that a random positive example scores above a random negative one: the area under the ROC curve.

    `probabilities` of the positive class, (n,), where log-odds do as well, for only their order matters; or of every
    class, (n, classes). DataError for a class of which there are no examples, or nothing but examples.
    """
    from sklearn.metrics import roc_auc_score

    t, p = _scored(targets, probabilities, scores=True)
    if t.ndim < p.ndim:
        t = np.eye(p.shape[1], dtype=int)[t]  # each class against the rest
    for label, share in enumerate(t.reshape(len(t), -1).mean(0)):
        if share in (0, 1):
            which = "the positive class" if t.ndim == 1 else f"class {label}"
            raise DataError(
                f"roc_auc: targets hold {'no' if share == 0 else 'only'} examples of {which}; expected both kinds"
            )
    return float(roc_auc_score(t, p, average="macro"))


roc_auc.on_probabilities = True  # type: ignore[attr-defined]  # Classifier gives it probabilities, not decided labels


def log_loss(targets: Any, probabilities: Any) -> float:
    """-log P(target), averaged over examples: `LogLoss` for probabilities (n,), `CrossEntropy` for (n, classes).

    In nats; a probability below 2.2e-16 counts as that, so that no example costs more than 36.05.
    """
    from sklearn.metrics import log_loss

    t, p = _scored(targets, probabilities)
    if t.ndim > 1:
        raise DimensionError(
            f"log_loss: targets have shape {t.shape}; expected classes, (n,): of one-hot rows take argmax(1), of several "
            f"labels an example one at a time"
        )
    if p.ndim == 1:
        return float(log_loss(t, p, labels=[0, 1]))
    return float(log_loss(t, p / p.sum(1, keepdims=True), labels=range(p.shape[1])))


log_loss.on_probabilities = True  # type: ignore[attr-defined]


def choose_threshold(
    targets: Any, probabilities: Any, *, recall: float | None = None, precision: float | None = None
) -> float:
    """The threshold, predicting 1 where p >= threshold, with at least this recall and then the best precision.

    Or with at least this precision and then the best recall: give one of the two. It is one of the probabilities.
    Choose it on validation data. DataError, with the best that can be had, if no threshold reaches it.
    """
    from sklearn.metrics import precision_recall_curve

    given = {name: value for name, value in (("recall", recall), ("precision", precision)) if value is not None}
    if len(given) != 1:
        raise ArgumentError(
            f"choose_threshold: got {' and '.join(given) or 'neither'}; expected either recall or precision"
        )
    ((name, expected),) = given.items()
    if not 0 <= expected <= 1:
        raise ArgumentError(f"choose_threshold: {name} is {expected!r}; expected a fraction between 0 and 1")
    t, p = _binary(targets, probabilities, "choose_threshold")
    if not t.any():
        raise DataError("choose_threshold: targets hold no examples of the positive class, so recall means nothing")
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


# ---- Of numbers


def mean_squared_error(targets: Any, predictions: Any) -> float:
    """The mean of (target - prediction)^2 over examples and outputs, in the targets' unit squared."""
    from sklearn.metrics import mean_squared_error

    return float(mean_squared_error(*_numbers(targets, predictions)))


def mean_absolute_error(targets: Any, predictions: Any) -> float:
    """The mean of |target - prediction| over examples and outputs, in the targets' unit."""
    from sklearn.metrics import mean_absolute_error

    return float(mean_absolute_error(*_numbers(targets, predictions)))


def r2(targets: Any, predictions: Any) -> float:
    """The share of the targets' variance that the predictions explain: 1 for perfect, 0 for always saying the mean."""
    from sklearn.metrics import r2_score

    return float(r2_score(*_numbers(targets, predictions)))


# ---- What comes in


def _score(score: Callable[..., float], targets: Any, predictions: Any) -> float:
    t, p, classes = _classes(targets, predictions)
    return float(score(t, p, average=_average(t, classes), zero_division=0.0))


def _average(t: np.ndarray, classes: np.ndarray) -> str:
    return "binary" if t.ndim == 1 and len(classes) == 2 else "macro"


def _classes(targets: Any, predictions: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both as indices into the third, the classes in sorted order; of several labels an example, both as they are."""
    t, p = _alike(targets, predictions)
    t = _labels("targets", t, "were the arguments swapped?")
    p = _labels("predictions", p, "decide first, for instance by probabilities >= 0.5")
    if t.dtype.kind != p.dtype.kind:
        kinds = ["strings" if labels.dtype.kind == "U" else "numbers" for labels in (t, p)]
        raise DataError(f"targets are {kinds[0]} and predictions {kinds[1]}; expected the same")
    if t.ndim > 1:
        return t, p, np.arange(t.shape[1])
    classes = _found(np.concatenate([t, p]))
    return np.searchsorted(classes, t), np.searchsorted(classes, p), classes


def _scored(targets: Any, probabilities: Any, scores: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Class indices, and probabilities as float64: (n,) and (n,), (n,) and (n, classes), or of several labels (n, l) both.

    With `scores`, any numbers do where each tells one class from the rest.
    """
    t = _labels("targets", _array(targets), "were the arguments swapped?")
    p = _finite("probabilities", _array(probabilities))
    if p.shape != t.shape and (t.ndim > 1 or p.ndim != 2 or len(t) != len(p)):
        raise MatchError(
            f"targets have shape {t.shape}, probabilities {p.shape}; expected the same, or (n,) and (n, classes)"
        )
    if not scores or t.ndim < p.ndim:
        _refuse("probabilities", p, (p < 0) | (p > 1), "expected 0 to 1: send log-odds through a sigmoid or softmax first")
    if t.ndim > 1:
        return t, p
    if p.ndim > 1:
        total = p.sum(1)
        _refuse("probabilities, summed,", total, np.abs(total - 1) > 1e-3, "expected 1 over the classes of each example")
        if p.shape[1] > 2:
            return _indices(t, p.shape[1]), p
        p = p[:, 1]
    classes = _found(t)
    if len(classes) != 2:
        raise DataError(f"targets hold {len(classes)} classes; probabilities of shape (n,) or (n, 2) tell two apart")
    return np.searchsorted(classes, t), p


def _binary(targets: Any, probabilities: Any, name: str, scores: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Targets 0 and 1, (n,), and probabilities of 1, (n,)."""
    t, p = _scored(targets, probabilities, scores)
    if p.ndim > 1:
        raise DimensionError(f"{name}: probabilities have shape {p.shape}; expected (n,): take one class at a time")
    return t, p


def _numbers(targets: Any, predictions: Any) -> list[np.ndarray]:
    t, p = _alike(targets, predictions)
    return [_finite(name, array).reshape(len(array), -1) for name, array in (("targets", t), ("predictions", p))]


def _labels(name: str, array: np.ndarray, hint: str) -> np.ndarray:
    """Classes as int64 or str, (n,); of several labels an example, 0 and 1 as int64."""
    if array.dtype.kind == "O" and all(isinstance(label, str) for label in array.ravel()):
        array = array.astype(str)
    if array.dtype.kind == "U" and array.ndim == 1 and array.size:
        return array
    array = _finite(name, array)
    _refuse(name, array, array != np.round(array), f"expected classes, whole numbers or strings: {hint}")
    if array.ndim > 1:
        _refuse(name, array, (array != 0) & (array != 1), f"of several labels an example {array.shape}, expected 0 and 1")
    return array.astype(np.int64)


def _finite(name: str, array: np.ndarray) -> np.ndarray:
    """Numbers as float64."""
    if array.dtype.kind == "O" and all(isinstance(number, Real) for number in array.ravel()):
        array = array.astype(np.float64)
    if array.size == 0 or array.ndim == 0:
        raise DataError(f"{name}: no data (shape {array.shape})")
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name} of shape {array.shape} have dtype {array.dtype}; expected numbers")
    array = array.astype(np.float64)
    _refuse(name, array, ~np.isfinite(array), "expected finite numbers")
    return array


def _found(labels: np.ndarray) -> np.ndarray:
    """The classes in sorted order; 0 and 1 belong together, also where there is only one of them."""
    classes = np.unique(labels)
    return np.arange(2) if classes.dtype.kind != "U" and np.isin(classes, (0, 1)).all() else classes


def _indices(t: np.ndarray, classes: int) -> np.ndarray:
    """Targets as indices into `classes` columns of probabilities."""
    if t.dtype.kind != "U":
        _refuse(
            "targets", t, (t < 0) | (t >= classes), f"expected 0 to {classes - 1}, for probabilities of {classes} classes"
        )
        return t
    found = np.unique(t)
    if len(found) != classes:
        raise DataError(f"targets hold {len(found)} classes, probabilities are of {classes}: number the classes from 0")
    return np.searchsorted(found, t)


def _refuse(name: str, array: np.ndarray, wrong: np.ndarray, expected: str) -> None:
    if wrong.any():
        place = tuple(int(index) for index in np.argwhere(wrong)[0])
        raise DataError(f"{name} hold {array[place]:g} (at {place[0] if len(place) == 1 else place}); {expected}")


def _alike(targets: Any, predictions: Any) -> tuple[np.ndarray, np.ndarray]:
    t, p = _array(targets), _array(predictions)
    if t.shape != p.shape:
        raise MatchError(f"targets have shape {t.shape}, predictions {p.shape}; expected the same")
    return t, p


def _array(values: Any) -> np.ndarray:
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        values = values.float() if values.dtype == torch.bfloat16 else values  # a dtype that numpy does not know
    array = np.asarray(values)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


_OF_CLASSES: tuple[Callable[..., Any], ...] = (
    accuracy,
    confusion_matrix,
    precision,
    recall,
    true_positive_rate,
    false_positive_rate,
    f1,
)
for _metric in _OF_CLASSES:
    _metric.on_classes = True  # type: ignore[attr-defined]  # Trainer gives these classes, decided from probabilities
