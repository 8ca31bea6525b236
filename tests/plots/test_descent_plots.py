"""The loss surface: heights, path, and the network left unchanged."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from plot_cases import T, X, legend, lines, network_of

import lincoln as lnc
from lincoln import plots
from lincoln.errors import ArgumentError, DataError, MatchError, StateError
from lincoln.layers import Linear, Sigmoid


def test_loss_surface_of_a_descent():
    """Fit a straight line in 30 steps: heights are losses at their points, and the path is that of training."""
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
    """Weights to the bit, the flat vectors, gradients, modes, and a pending backward are unchanged."""
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
def test_refuses_losses_and_paths_without_a_surface(loss, path, error, message):
    with pytest.raises(error, match=message):
        plots.loss_surface(loss, X[:, :1], X[:, 1:], path)
    assert plt.get_fignums() == []
