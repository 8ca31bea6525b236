"""The decision boundary: where it runs, what it shows, and what it refuses."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from plot_cases import P, T, X, legend, network_of

import lincoln as lnc
from lincoln import plots
from lincoln.errors import ArgumentError, DataError, DimensionError, MatchError, StateError
from lincoln.layers import Dense, Linear, Sequential, Sigmoid


def boundary(ax):
    """Return the points of the black line."""
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
    """Probabilities above the threshold everywhere: no line to draw, of which matplotlib would warn."""
    ax = plots.decision_boundary(network_of([0.0, 0.0], 9.0, Sigmoid()), X, T.astype(float).reshape(-1, 1))
    assert legend(ax) == ["class 0", "class 1"]


def test_decision_boundary_of_several_classes():
    network = Dense(4, "softmax")
    network(torch.zeros(1, 2))
    network["linear"].W.copy_(torch.tensor([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]))
    network["linear"].B.copy_(torch.tensor([[0.0, 0.0, 0.0, -50.0]]))  # class 3 is the likeliest nowhere
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
    """The part of a data frame that a plot reads."""

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
def test_refuses_models_and_data_without_a_boundary(model, features, targets, options, error, message):
    if error is None:
        assert legend(plots.decision_boundary(model, features, targets))[1:] == ["class 1", "class 2"]
        return
    with pytest.raises(error, match=message):
        plots.decision_boundary(model, features, targets, **options)
    assert plt.get_fignums() == []
