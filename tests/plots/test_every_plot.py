"""Rules that hold for every plot: the axes, the imports, the devices."""

import subprocess
import sys

import matplotlib.pyplot as plt
import pytest
import torch
from plot_cases import HISTORY, RECORD, P, T, X, network_of

import lincoln as lnc
from lincoln import plots
from lincoln.errors import ArgumentError
from lincoln.layers import Dense, Layer, Linear, Sigmoid


def draw_surface(ax=None):
    network = network_of([0.5])
    return plots.loss_surface(lnc.MSE(network), X[:, :1], X[:, 1:], [[0.0, 1.0], [0.5, 0.5]], ax)


EVERY = {
    "loss_curves": lambda ax=None: plots.loss_curves(HISTORY, ax),
    "weights_and_gradients": lambda ax=None: plots.weights_and_gradients(RECORD, ax),
    "decision_boundary": lambda ax=None: plots.decision_boundary(network_of([1.0, -1.0], 0, Sigmoid()), X, T, ax),
    "confusion_matrix": lambda ax=None: plots.confusion_matrix(T, P >= 0.5, ax),
    "roc": lambda ax=None: plots.roc(T, P, ax),
    "precision_recall": lambda ax=None: plots.precision_recall(T, P, ax),
    "threshold_curve": lambda ax=None: plots.threshold_curve(T, P, ax),
    "loss_surface": draw_surface,
}


@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
def test_draws_on_the_axes_given_or_on_a_new_figure(draw):
    figure, (ax, other) = plt.subplots(1, 2)
    assert draw(ax) is ax
    assert plt.get_fignums() == [figure.number]
    assert ax.has_data()
    assert not other.has_data()
    new = draw()
    assert new.figure is not figure
    assert new.figure.get_layout_engine() is not None
    assert new.get_xlabel()
    assert new.get_ylabel()


@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
def test_refuses_anything_but_one_axes(draw):
    with pytest.raises(ArgumentError, match="expected one matplotlib Axes"):
        draw(plt.subplots(1, 2)[1])


def test_without_matplotlib():
    """`import lincoln` works, and the first plot says what to install."""
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import lincoln, lincoln.plots\n"
        "try: lincoln.plots.loss_curves(lincoln.History([1.0]))\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout
    assert out.strip() == "lincoln.plots needs matplotlib: pip install lincoln-nn[plot]"


def test_import_loads_neither_matplotlib_nor_scikit_learn():
    code = "import sys, lincoln.plots; print([name for name in ('matplotlib', 'sklearn') if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout
    assert out.strip() == "[]"


def test_device(device):
    network = Dense(1).to(device)
    x, y = torch.tensor(X, device=device).float(), torch.tensor(T, device=device)
    network(x)
    assert isinstance(network, Layer)
    plots.decision_boundary(network, x, y)
    plots.roc(y, network(x))
    line = Linear(1).to(device)
    line(x[:, :1])
    plots.loss_surface(lnc.MSE(line), x[:, :1], y, [line.flatten()[0].clone(), torch.zeros(2, device=device)])
