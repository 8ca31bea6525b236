"""The log loss."""

import pytest
import torch

import lincoln as lnc
from lincoln.layers import Dense, Identity, Sequential, Sigmoid


def test_log_loss_is_exact_where_probabilities_round():
    """At z = 40 and y = 0 the notebook's formula gives loss 20.72 and gradient 0; exact are 40 and 1."""
    loss = lnc.LogLoss(Sequential(Identity(), Sigmoid()))
    for z, value, gradient in (
        (1000.0, 1000.0, 1.0),
        (40.0, 40.0, 1.0),
        (-40.0, 4.248354255291589e-18, 4.248354255291589e-18),
        (700.0, 700.0, 1.0),
    ):
        x = torch.tensor([[z]], dtype=torch.float64)
        assert loss(x, torch.zeros(1, 1)).item() == pytest.approx(value, rel=1e-15)
        assert loss.backward(input_grad=True).item() == pytest.approx(gradient, rel=1e-15)


def test_log_loss_of_sure_and_right_predictions_does_not_cancel():
    loss = lnc.LogLoss(Sequential(Identity(), Sigmoid()))
    assert loss(torch.tensor([[16.0]]), torch.ones(1)).item() == pytest.approx(1.1253516e-07, rel=1e-6)


def test_log_loss_on_certain_probabilities_is_finite():
    """On plain probabilities logarithms stop at -100, as in torch's BCELoss."""
    loss = lnc.LogLoss(Identity())
    p, y = torch.tensor([[1.0], [0.0], [1.0]]), torch.tensor([[0.0], [0.0], [1.0]])
    assert loss(p, y).item() == torch.nn.functional.binary_cross_entropy(p, y, reduction="sum").item() == 100
    assert torch.isfinite(loss.backward(input_grad=True)).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.int32, torch.uint8, torch.bool])
@pytest.mark.parametrize("shape", [(6,), (6, 1)])
def test_log_loss_takes_labels_of_any_kind(dtype, shape):
    """In the notebook (n,) labels broadcast to (n, n), uint8 overflowed, and bool raised an error."""
    loss = lnc.LogLoss(Dense(1))
    x = torch.randn(6, 3)
    y = torch.tensor([0, 1, 1, 0, 1, 0])
    expected = loss(x, y.float().reshape(6, 1))
    assert loss(x, y.to(dtype).reshape(shape)) == expected
