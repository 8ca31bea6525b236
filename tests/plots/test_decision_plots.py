"""The confusion matrix, and the curves over thresholds, against the metrics."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from plot_cases import P, T, legend, lines

from lincoln import metrics, plots
from lincoln.errors import ArgumentError, DataError, DimensionError, MatchError


def test_confusion_matrix():
    ax = plots.confusion_matrix(T, torch.tensor(P) >= 0.5)
    assert [text.get_text() for text in ax.texts] == ["3", "0", "1", "2"]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "1"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    ax = plots.confusion_matrix(T, P >= 0.5, labels=["malignant", "benign"])
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["malignant", "benign"]
    assert [tick.get_rotation() for tick in ax.get_xticklabels()] == [0, 0]
    names = [f"a long name {index}" for index in range(6)]
    ax = plots.confusion_matrix(names, names)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == names
    assert {tick.get_rotation() for tick in ax.get_xticklabels()} == {90}
    with pytest.raises(ArgumentError, match="labels name 3 classes, the data hold 2"):
        plots.confusion_matrix(T, T, labels=["a", "b", "c"])


def test_roc():
    ax = plots.roc(torch.tensor(T), torch.tensor(P), label="training")
    curve = ax.lines[0]
    assert np.trapezoid(curve.get_ydata(), curve.get_xdata()) == pytest.approx(metrics.roc_auc(T, P))
    assert legend(ax) == ["training (AUC = 0.89)", "Chance level (AUC = 0.5)"]
    plots.roc(T, np.log(P / (1 - P)), ax, label="log-odds")
    assert legend(ax)[2:] == ["log-odds (AUC = 0.89)"], "one line of chance is enough"
    assert [line.get_color() for line in ax.lines] == [plots.BLUE, "k", plots.VERMILLION]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("false positive rate", "true positive rate (recall)")


def test_precision_recall():
    ax = plots.precision_recall(T, np.stack([1 - P, P], 1), label="test")
    assert legend(ax) == ["test (AP = 0.92)", "Chance level (AP = 0.50)"]
    assert [1.0, 0.75] in ax.lines[0].get_xydata().tolist(), "at threshold 0.35: 3 of 3 found, 3 of 4 right"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("recall (true positive rate)", "precision")


def test_threshold_curve():
    """The height of each step is the metric at every threshold within it."""
    ax = plots.threshold_curve(T, P)
    rates = {
        "precision": metrics.precision,
        "recall (true positive rate)": metrics.recall,
        "false positive rate": metrics.false_positive_rate,
    }
    assert legend(ax) == list(rates)
    for name, rate in rates.items():
        x, y = lines(ax)[name].get_data()
        assert lines(ax)[name].get_drawstyle() == "steps-pre"
        for threshold in (0.0, 0.05, 0.1, 0.15, 0.35, 0.37, 0.8, 0.85, 0.9):
            assert y[np.searchsorted(x, threshold)] == pytest.approx(rate(T, threshold <= P)), (name, threshold)
    assert lines(ax)["recall (true positive rate)"].get_ydata()[-1] == 0, "nothing is found above the highest"


@pytest.mark.parametrize("plot", [plots.roc, plots.precision_recall, plots.threshold_curve])
@pytest.mark.parametrize(
    ("targets", "probabilities", "error", "message"),
    [
        ([0, 0], [0.1, 0.2], DataError, "targets hold no examples of the positive class; expected both kinds"),
        ([1, 1], [0.1, 0.2], DataError, "targets hold only examples of the positive class"),
        ([0, 1], [0.1, float("nan")], DataError, "probabilities hold nan"),
        ([0, 1], [0.1], MatchError, r"targets have shape \(2,\), probabilities \(1,\)"),
        ([0.1, 0.9], [0, 1], DataError, "were the arguments swapped"),
        ([0, 1, 2], np.eye(3), DimensionError, "take one class at a time"),
    ],
)
def test_refuses_data_without_a_curve(plot, targets, probabilities, error, message):
    with pytest.raises(error, match=message):
        plot(targets, probabilities)
    assert plt.get_fignums() == []
