"""Plots of how good decisions are: the confusion matrix, and rates over all thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lincoln import metrics
from lincoln._util.measured import class_indices, positive_probabilities
from lincoln.errors import ArgumentError, DataError
from lincoln.plots.axes import BLUE, COLORS, GREEN, VERMILLION, axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def confusion_matrix(targets: Any, predictions: Any, ax: Axes | None = None, labels: Sequence[str] | None = None) -> Axes:
    """Draw how many examples of each class (row) were predicted as each class (column).

    `labels` are names for the classes in sorted order. Raises ArgumentError if their number is not that of the classes,
    and what `lincoln.metrics.confusion_matrix` raises.
    """
    from sklearn.metrics import ConfusionMatrixDisplay

    matrix = metrics.confusion_matrix(targets, predictions)
    names = [str(label) for label in (class_indices(targets, predictions)[2] if labels is None else labels)]
    if len(names) != len(matrix):
        raise ArgumentError(f"confusion_matrix: labels name {len(names)} classes, the data hold {len(matrix)}")
    ax = axes(ax)
    rotation = "vertical" if sum(map(len, names)) > 40 else "horizontal"
    size = {"fontsize": "x-large" if len(names) < 6 else "medium"}
    display = ConfusionMatrixDisplay(matrix, display_labels=names)
    display.plot(ax=ax, cmap="Blues", colorbar=False, values_format="d", xticks_rotation=rotation, text_kw=size)
    ax.set(xlabel="predicted class", ylabel="true class")
    return ax


def roc(targets: Any, probabilities: Any, ax: Axes | None = None, label: str | None = None) -> Axes:
    """Draw the true positive rate against the false positive rate over all thresholds; the diagonal is chance.

    `probabilities`, (n,), may be log-odds. A second call on the same axes, with its own `label`, adds a second curve.
    Raises DataError unless both classes are present, DimensionError for more than two classes.
    """
    from sklearn.metrics import RocCurveDisplay

    t, p = _both_classes(targets, probabilities, "roc", scores=True)
    ax = axes(ax)
    RocCurveDisplay.from_predictions(t, p, ax=ax, name=label, plot_chance_level=_prepare_first_curve(ax))
    ax.set(xlabel="false positive rate", ylabel="true positive rate (recall)")
    return ax


def precision_recall(targets: Any, probabilities: Any, ax: Axes | None = None, label: str | None = None) -> Axes:
    """Draw precision against recall over all thresholds; the horizontal line is chance, the share of positive examples.

    `probabilities`, (n,), may be log-odds. A second call on the same axes, with its own `label`, adds a second curve; the
    line of chance stays that of the first. Raises DataError unless both classes are present, DimensionError for more than
    two classes.
    """
    from sklearn.metrics import PrecisionRecallDisplay

    t, p = _both_classes(targets, probabilities, "precision_recall", scores=True)
    ax = axes(ax)
    PrecisionRecallDisplay.from_predictions(t, p, ax=ax, name=label, plot_chance_level=_prepare_first_curve(ax))
    ax.set(xlabel="recall (true positive rate)", ylabel="precision")
    return ax


def threshold_curve(targets: Any, probabilities: Any, ax: Axes | None = None) -> Axes:
    """Draw precision, recall and false positive rate of predicting 1 where p >= threshold, over all thresholds.

    Raises DataError unless both classes are present and probabilities lie between 0 and 1, DimensionError for more than
    two classes.
    """
    from sklearn.metrics import precision_recall_curve, roc_curve

    t, p = _both_classes(targets, probabilities, "threshold_curve")
    ax = axes(ax)
    precision, recall, thresholds = precision_recall_curve(t, p)
    false_positives = roc_curve(t, p, drop_intermediate=False)[0][::-1]  # by rising thresholds, as the two above
    edges = np.concatenate([[0.0], thresholds, [1.0]])  # a rate holds up to and including its edge: "steps-pre"
    precision = np.concatenate([precision[:1], precision[:-1]])  # without the last value, which belongs to no threshold
    ax.plot(edges[:-1], precision, color=BLUE, label="precision", drawstyle="steps-pre")
    for rate, name, color, style in (
        (recall, "recall (true positive rate)", VERMILLION, "--"),
        (false_positives, "false positive rate", GREEN, "-."),
    ):
        ax.plot(edges, np.concatenate([rate[:1], rate]), style, color=color, label=name, drawstyle="steps-pre")
    ax.set(xlabel="threshold", ylabel="rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    ax.legend(loc="center")
    return ax


def _both_classes(targets: Any, probabilities: Any, name: str, scores: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return targets 0 and 1, and probabilities of 1, both (n,). Raises DataError unless both classes are present."""
    t, p = positive_probabilities(targets, probabilities, name, scores)
    if t.all() or not t.any():
        which = "only" if t.any() else "no"
        raise DataError(f"{name}: targets hold {which} examples of the positive class; expected both kinds")
    return t, p


def _prepare_first_curve(ax: Axes) -> bool:
    """Return True if the axes have no curve yet, and then set the colours and dashes of those to come."""
    if ax.lines:
        return False
    ax.set_prop_cycle(color=COLORS[:4], linestyle=["-", "-.", ":", (0, (5, 1))])
    return True
