"""Loss curves, and norms of weights and gradients."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from plot_cases import HISTORY, RECORD, legend, lines

import lincoln as lnc
from lincoln import History, plots
from lincoln.callbacks import ParameterRecorder, WeightRecorder
from lincoln.errors import DataError, MatchError
from lincoln.layers import Linear


def test_loss_curves():
    ax = plots.loss_curves(HISTORY)
    drawn = lines(ax)
    assert drawn["training"].get_xydata().tolist() == [[1, 0.9], [2, 0.5], [3, 0.4], [4, 0.3]]
    assert drawn["validation"].get_ydata()[:3].tolist() == [0.8, 0.45, 0.6]
    assert drawn["best epoch: 2 (0.45)"].get_xydata().tolist() == [[2, 0.45]], "the best validation loss, NaN aside"
    assert legend(ax) == list(drawn)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss per example")
    assert all(tick == round(tick) for tick in ax.get_xticks())


def test_loss_curves_without_validation():
    assert list(lines(plots.loss_curves(lnc.History([0.9, 0.2, 0.5])))) == ["training", "best epoch: 2 (0.2)"]
    assert list(lines(plots.loss_curves(lnc.History([float("nan")])))) == ["training"]
    with pytest.raises(DataError, match="the history holds no epochs"):
        plots.loss_curves(lnc.History())
    assert len(plt.get_fignums()) == 2, "an error leaves no empty figure behind"


def test_weights_and_gradients():
    ax = plots.weights_and_gradients(RECORD)
    weights, gradient = ax.lines[:2]
    assert weights.get_xydata().tolist() == [[1, 1.0], [2, 1.1]]
    assert gradient.get_ydata().tolist() == [0.5, 0.25]
    assert (weights.get_linestyle(), gradient.get_linestyle()) == ("-", "--")
    assert weights.get_color() == gradient.get_color() != ax.lines[2].get_color()
    assert np.isnan(ax.lines[3].get_ydata()[1]), "0 has no logarithm"
    assert legend(ax) == ["0.linear.W", "1.linear.W", "weights", "gradient"]
    assert ax.get_yscale() == "log"


def test_weights_and_gradients_of_a_deep_network():
    ax = plots.weights_and_gradients({str(layer): [(1.0, 0.0)] for layer in range(12)})
    assert len({to_hex(line.get_color()) for line in ax.lines[:24]}) == 12


@pytest.mark.parametrize(
    ("record", "error", "message"),
    [
        ({}, DataError, "holds no epochs"),
        ({"0": []}, DataError, "holds no epochs"),
        ({"0": [1.0, 2.0]}, MatchError, r"'0' has shape \(2,\); expected \(epochs, 2\)"),
    ],
)
def test_records_that_cannot_be_drawn(record, error, message):
    with pytest.raises(error, match=message):
        plots.weights_and_gradients(record)


def test_what_the_callbacks_record():
    network, x = Linear(1), torch.randn(40, 1)
    norms, weights = ParameterRecorder(), WeightRecorder()
    lnc.Trainer(network, lnc.TrainerConfig(3), lnc.MSE, lnc.SGD, lnc.Dataset(x, 2 * x), callbacks=[norms, weights]).train()
    assert legend(plots.weights_and_gradients(norms.record)) == ["W", "B", "weights", "gradient"]
    assert legend(plots.loss_surface(lnc.MSE(network), x, 2 * x, weights.path))[0] == "3 steps"


def test_the_best_epoch_of_a_run_that_watched_a_metric():
    history = History(losses=[3.0, 2.0, 1.0], metrics=[(1, 0.5), (2, 0.9), (3, 0.7)], metric="f1", watch="f1")
    history.higher_is_better = True
    labels = [line.get_label() for line in history.plot().lines]
    assert "best epoch: 2 (2)" in labels
