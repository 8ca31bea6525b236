"""The penalty on large weights."""

import pytest
import torch

import lincoln as lnc
from lincoln.layers import Dense, Linear, Sequential, Tanh


@pytest.mark.parametrize(("reduction", "divisor"), [("sum", 1), ("mean", 4)])
def test_the_penalty_is_half_the_sum_of_squares_of_the_weights(reduction, divisor):
    loss = lnc.MSE(Sequential(Dense(3), Dense(1, None)), reduction, l2=0.5)
    x, y = torch.randn(4, 5, dtype=torch.float64), torch.randn(4, 1, dtype=torch.float64)
    whole = loss(x, y)
    for name, tensor in loss.network.named_parameters():
        if name.endswith("B"):
            tensor.fill_(10.0)
    weights = [tensor for name, tensor in loss.network.named_parameters() if name.endswith("W")]
    whole = loss(x, y)
    loss.l2 = 0.0
    penalty = 0.25 * sum((W**2).sum() for W in weights) / divisor
    torch.testing.assert_close(whole - loss(x, y), penalty)


def test_no_penalty_in_evaluation():
    loss = lnc.MSE(Sequential(Dense(3), Dense(1, None)), l2=100.0)
    x, y = torch.randn(4, 5), torch.randn(4, 1)
    with_penalty = loss(x, y)
    value, _ = loss.evaluate(x, y)
    assert value < with_penalty
    loss.network.eval()
    assert torch.equal(loss(x, y), value)


def test_the_penalty_counts_where_a_layer_assigns_its_gradients():
    class Assigning(Linear):
        def _backward(self, output_grad):
            self.grad["W"], self.grad["B"] = self.saved.t() @ output_grad, output_grad.sum(0, keepdim=True)
            return output_grad @ self.W.t()

    assert lnc.check_gradients(
        lnc.MSE(Sequential(Assigning(3), Tanh(), Assigning(1)), l2=2.0), torch.randn(4, 5), torch.randn(4, 1)
    )
