"""Plots: what is drawn is what was given, on the axes that were given, and nothing is shown."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

import lincoln as lnc
from lincoln import metrics, plots
from lincoln.callbacks import ParameterRecorder, WeightRecorder
from lincoln.errors import ArgumentError, DataError, DimensionError, MatchError, StateError
from lincoln.layers import Dense, Layer, Linear, Sequential, Sigmoid


@pytest.fixture(autouse=True)
def _closed_figures_and_no_show(monkeypatch):
    def show(*args, **kwargs):
        raise AssertionError("a plot was shown")

    monkeypatch.setattr(plt, "show", show)
    monkeypatch.setattr("matplotlib.figure.Figure.show", show)
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()  # what is wrong with an artist often comes out here
    plt.close("all")


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def network_of(weights, bias=0.0, *after):
    """z = x w + b, and what comes after."""
    network = Sequential(Linear(1), *after).to(dtype=torch.float64)
    network(torch.zeros(1, len(weights), dtype=torch.float64))
    network[0].W.copy_(torch.tensor(weights).view(-1, 1))
    network[0].B.fill_(bias)
    return network


T = np.array([0, 0, 1, 1, 0, 1])
P = np.array([0.1, 0.4, 0.35, 0.8, 0.2, 0.9])
X = np.array([[0.0, 0.0], [1.0, 0.5], [2.0, 1.0], [3.0, 2.0], [0.5, 1.0], [2.5, 0.0]])
HISTORY = lnc.History(losses=[0.9, 0.5, 0.4, 0.3], val_losses=[0.8, 0.45, 0.6, float("nan")])
RECORD = {"0.linear.W": [(1.0, 0.5), (1.1, 0.25)], "1.linear.W": [(2.0, 0.1), (2.2, 0.0)]}


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
def test_axes_that_are_none(draw):
    with pytest.raises(ArgumentError, match="expected one matplotlib Axes"):
        draw(plt.subplots(1, 2)[1])


def test_without_matplotlib():
    """Asked for only when something is drawn, and missed with what to do."""
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


# ---- Training


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
def test_records_that_are_none(record, error, message):
    with pytest.raises(error, match=message):
        plots.weights_and_gradients(record)


# ---- Decisions


def boundary(ax):
    """The points of the black line."""
    (line,) = [found for found in ax.collections if np.array_equal(found.get_edgecolor(), [[0, 0, 0, 1]])]
    return np.concatenate([path.vertices for path in line.get_paths()])


@pytest.mark.parametrize("threshold", [0.5, 0.8])
def test_decision_boundary_lies_where_the_formula_says(threshold):
    """x2 = (log(t / (1 - t)) - b - w1 x1) / w2, from a network with and without its sigmoid, and from predict_proba."""
    w1, w2, b = 1.18, -1.87, -0.06
    logits = network_of([w1, w2], b)
    network = network_of([w1, w2], b, Sigmoid())

    class Model:
        def predict_proba(self, points):
            p = network(torch.as_tensor(points)).numpy()
            return np.concatenate([1 - p, p], 1)

    for model, options in ((network, {}), (logits, {"from_logits": True}), (Model(), {})):
        ax = plots.decision_boundary(model, X, T, threshold=threshold, **options)
        x1, x2 = boundary(ax).T
        np.testing.assert_allclose(x2, (np.log(threshold / (1 - threshold)) - b - w1 * x1) / w2, atol=2e-3)
        assert legend(ax) == [f"p = {threshold}", "class 0", "class 1"]
        scatters = ax.collections[-2:]
        for label, scatter in enumerate(scatters):
            assert np.array_equal(scatter.get_offsets(), X[label == T])
        bar = ax.figure.axes[1]
        assert bar.get_ylabel() == "probability of class 1"


def test_decision_boundary_of_a_trained_classifier():
    x = torch.randn(80, 2)
    labels = np.where(x[:, 0] * x[:, 1] > 0, "same", "other")
    model = lnc.Classifier(Sequential(Dense(8, "tanh"), Dense(1)))
    model.fit(x, labels, epochs=2, print_every=None, progress=False, seed=0)
    before = model.network.state_dict()
    ax = plots.decision_boundary(model, x, labels)
    assert legend(ax)[-2:] == ["class other", "class same"]
    assert ax.figure.axes[1].get_ylabel() == "probability of class same"
    assert all(torch.equal(before[name], value) for name, value in model.network.state_dict().items())


def test_boundary_out_of_sight():
    """A network that is sure everywhere has no boundary to draw, and matplotlib would warn."""
    ax = plots.decision_boundary(network_of([0.0, 0.0], 9.0, Sigmoid()), X, T.astype(float).reshape(-1, 1))
    assert legend(ax) == ["class 0", "class 1"]


def test_decision_boundary_of_several_classes():
    network = Dense(4, "softmax")
    network(torch.zeros(1, 2))
    network["linear"].W.copy_(torch.tensor([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]))
    network["linear"].B.copy_(torch.tensor([[0.0, 0.0, 0.0, -50.0]]))  # class 3 is nowhere the likeliest
    x = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 2.0]])
    ax = plots.decision_boundary(network, x, torch.arange(3))
    assert legend(ax) == ["class 0", "class 1", "class 2", "class 3"]
    assert ax.get_xlim()[0] < -2
    logits = Linear(3)
    logits(torch.zeros(1, 2))
    assert legend(plots.decision_boundary(logits, x, ["a", "b", "c"], from_logits=True)) == [
        "class a",
        "class b",
        "class c",
    ]


def test_decision_boundary_leaves_a_step_under_way_alone():
    network = network_of([1.0, -1.0], 0.0, Sigmoid())
    loss = lnc.LogLoss(network)
    x, y = torch.tensor(X), torch.tensor(T)
    loss(x, y)
    plots.decision_boundary(network, X, T)
    loss.backward()
    expected = [grad.clone() for grad in network.grads()]
    loss(x, y)
    loss.backward()
    torch.testing.assert_close(list(network.grads()), expected, rtol=0, atol=0)
    assert network.training


class Frame(np.ndarray):
    """As much of a data frame as a plot wants to know."""

    columns = ("radius", "texture")


def test_names_of_features():
    ax = plots.decision_boundary(network_of([1.0, -1.0], 0.0, Sigmoid()), X.view(Frame), T)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("radius", "texture")


@pytest.mark.parametrize(
    ("model", "features", "targets", "options", "error", "message"),
    [
        (None, X[:, :1], T, {}, DimensionError, r"features have shape \(6,\); expected two features, \(n, 2\)"),
        (None, X, T[:3], {}, MatchError, r"targets have shape \(3,\), features \(6, 2\); expected \(6,\)"),
        (None, X, P, {}, DataError, "targets hold 0.1"),
        (None, X * np.nan, T, {}, DataError, "features hold nan"),
        (None, X, T, {}, ArgumentError, "model is None; expected a network, or a model with predict_proba"),
        (lnc.Classifier(Dense(1)), X, T, {"from_logits": True}, ArgumentError, "expected a network$"),
        (Dense(1), X, T, {}, StateError, "Dense has no parameters yet; train it first"),
        (network_of([1.0, -1.0]), X, T, {}, ArgumentError, r"outputs go from -.* to .*from_logits=True if the network"),
        (network_of([1.0, -1.0], 0, Sigmoid()), X, T + 1, {}, None, None),
        (
            network_of([1.0, -1.0], 0, Sigmoid()),
            X,
            np.arange(6),
            {},
            DataError,
            "tells 2 classes apart, targets hold 0, 1, 2",
        ),
    ],
)
def test_what_has_no_boundary(model, features, targets, options, error, message):
    if error is None:
        assert legend(plots.decision_boundary(model, features, targets))[1:] == ["class 1", "class 2"]
        return
    with pytest.raises(error, match=message):
        plots.decision_boundary(model, features, targets, **options)
    assert plt.get_fignums() == []


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
    """The height of each step is what metrics say at thresholds within it."""
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
def test_what_has_no_curve(plot, targets, probabilities, error, message):
    with pytest.raises(error, match=message):
        plot(targets, probabilities)
    assert plt.get_fignums() == []


# ---- The way down


def test_loss_surface_of_a_descent():
    """A straight line fitted by 30 steps: the height at a point is the loss there, the path that of training."""
    network = Linear(1).to(dtype=torch.float64)
    x = torch.rand(50, 1).double()
    y = 2 * x + 1
    network(x)
    loss, optimizer = lnc.MSE(network), lnc.SGD(network, lr=0.3)
    path = [network.flatten()[0].clone()]
    for _ in range(30):
        loss(x, y)
        loss.backward()
        optimizer.step()
        path.append(network.flatten()[0].clone())
    ax = plots.loss_surface(loss, x.numpy(), y.numpy(), path)
    drawn = lines(ax)
    assert torch.equal(torch.tensor(drawn["30 steps"].get_xydata()), torch.stack(path))
    assert drawn["start"].get_xydata().tolist() == [path[0].tolist()]
    assert drawn["end"].get_xydata().tolist() == [path[-1].tolist()]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("W", "B")
    assert ax.figure.axes[1].get_ylabel() == "MSE, mean over examples"
    white = ax.collections[1]
    for level, contour in zip(white.levels, white.get_paths(), strict=True):
        for w, b in contour.vertices[::10]:
            assert ((w * x + b - y) ** 2).mean().item() == pytest.approx(level, rel=0.02, abs=0.01)


def test_loss_surface_leaves_everything_as_it_was():
    """Weights to the bit, the vectors they lie in, gradients, modes, and a step under way."""
    network = network_of([0.1], 0.7, Sigmoid())
    loss = lnc.LogLoss(network, reduction="mean")
    x, y = torch.tensor(X[:, :1]), torch.tensor(T)
    values, grads = network.flatten()
    grads.fill_(0.25)
    before = values.clone()
    loss(x, y)
    plots.loss_surface(loss, x, y, torch.randn(3, 2))
    assert network.flatten()[0] is values
    assert torch.equal(values, before)
    assert grads.tolist() == [0.25, 0.25]
    assert network.training
    loss.backward()
    with pytest.raises(MatchError):
        plots.loss_surface(loss, x, y[:2], [[0.0, 1.0]])
    assert torch.equal(values, before), "also when the loss cannot be computed"


def test_two_weights_of_one_matrix():
    network = Linear(1, bias=False)
    network(torch.zeros(1, 2))
    ax = plots.loss_surface(lnc.MSE(network), X, T, np.array([[1.0, 1.0]]))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("W[0, 0]", "W[1, 0]")
    assert legend(ax) == ["0 steps", "start", "end"]
    flat = Linear(1, bias=False)
    flat(torch.zeros(1, 2))
    plots.loss_surface(lnc.MSE(flat), 0 * X, T, np.array([[1.0, 1.0]]))


LINE = network_of([0.5])


@pytest.mark.parametrize(
    ("loss", "path", "error", "message"),
    [
        (LINE, [[0, 0]], ArgumentError, "expected a Loss, such as MSE"),
        (lnc.MSE(network_of([0.5, 0.5])), [[0, 0]], ArgumentError, "Sequential has 3 parameters; a plane has room for 2"),
        (lnc.MSE(Linear(1)), [[0, 0]], StateError, "Linear has no parameters yet; they are made by the first forward"),
        (lnc.MSE(LINE), [], MatchError, r"path has 0 points of shape \[\]; expected \(steps, 2\)"),
        (lnc.MSE(LINE), [[1, 2, 3]], MatchError, r"path has 1 points of shape \[\(3,\)\]"),
        (lnc.MSE(LINE), [0.5, 0.6], MatchError, r"path has 2 points of shape \[\(1,\)\]"),
        (lnc.MSE(LINE), [[0, float("nan")]], DataError, r"path hold nan \(at \(0, 1\)\)"),
        (lnc.MSE(LINE), [[1e200, 1e200]], DataError, "losses of the surface hold inf"),
    ],
)
def test_what_has_no_surface(loss, path, error, message):
    with pytest.raises(error, match=message):
        plots.loss_surface(loss, X[:, :1], X[:, 1:], path)
    assert plt.get_fignums() == []


def test_what_the_callbacks_record():
    network, x = Linear(1), torch.randn(40, 1)
    norms, weights = ParameterRecorder(), WeightRecorder()
    lnc.Trainer(network, lnc.TrainerConfig(3), lnc.MSE, lnc.SGD, lnc.Dataset(x, 2 * x), callbacks=[norms, weights]).train()
    assert legend(plots.weights_and_gradients(norms.record)) == ["W", "B", "weights", "gradient"]
    assert legend(plots.loss_surface(lnc.MSE(network), x, 2 * x, weights.path))[0] == "3 steps"


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
