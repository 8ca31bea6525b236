"""L-BFGS over a network's vectors."""

import pytest
import torch

import lincoln as lnc
from lincoln.layers import Dense, Linear, Sequential
from lincoln.optim.lbfgs import minimize


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("l2", [0.0, 3.0])
def test_a_linear_network_ends_at_ridge_regression(l2, weighted):
    torch.manual_seed(0)
    x, y = torch.randn(40, 3, dtype=torch.float64), torch.randn(40, 2, dtype=torch.float64)
    weights = torch.rand(40, dtype=torch.float64) + 0.1 if weighted else torch.ones(40, dtype=torch.float64)
    loss = lnc.SquaredError(Linear(2), l2=l2)
    loss.network(x)
    result = minimize(loss, x, y, weights if weighted else None, max_iter=500, tol=1e-10)
    X = torch.cat([x, torch.ones(40, 1, dtype=torch.float64)], 1)
    penalty = l2 * torch.diag(torch.tensor([1.0, 1, 1, 0], dtype=torch.float64))
    best = torch.linalg.solve(X.T @ (weights[:, None] * X) + penalty, X.T @ (weights[:, None] * y))
    torch.testing.assert_close(torch.cat([loss.network.W, loss.network.B]), best, rtol=1e-3, atol=1e-5)
    assert result.success
    assert all(grad.abs().max() < 1e-4 for grad in loss.network.grads()), "the gradients are those of the end"


def test_it_stops_where_it_is_told_to():
    torch.manual_seed(0)
    x, y = torch.randn(50, 4), torch.randint(0, 2, (50, 1))
    network = Sequential(Dense(5, "tanh"), Dense(1)).eval()
    network(x)
    loss = lnc.LogLoss(network, "mean")
    first, _ = loss.evaluate(x, y)
    result = minimize(loss, x, y, max_iter=3)
    assert result.nit == 3
    assert result.fun == pytest.approx(loss.evaluate(x, y)[0].item(), rel=1e-5)
    assert result.fun < first
    assert minimize(loss, x, y, max_fun=2).nfev < minimize(loss, x, y, max_iter=50).nfev
