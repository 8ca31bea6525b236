"""Running the network, weights, and losses that users write."""

import pytest
import torch
from cases import both_reductions, hidden

import lincoln as lnc
from lincoln.errors import MatchError, StateError
from lincoln.layers import Dense, Linear, Sequential


def test_a_forward_in_between_is_an_error_and_not_a_wrong_gradient():
    loss = lnc.LogLoss(hidden(Dense(1)))
    x, y = torch.randn(4, 5), torch.ones(4)
    loss(x, y)
    loss.predict(x[:2])
    loss.evaluate(x[:2], y[:2])
    loss.backward()
    loss(x, y)
    loss.network(x[:2])
    with pytest.raises(StateError, match="Linear '0.linear' has run since this loss was computed"):
        loss.backward()
    loss(x, y)
    with pytest.raises(MatchError, match="input has 3 features"):
        loss(x[:, :3], y)
    with pytest.raises(MatchError, match="input has 3 features"):
        loss.predict(x[:, :3])
    loss.backward()
    assert loss.network.training


def test_check_can_be_left_out():
    loss = lnc.LogLoss(Dense(1), check_targets=False)
    assert torch.isfinite(loss(torch.randn(2, 3), torch.tensor([0.0, 0.5])))


def test_defaults():
    assert lnc.LogLoss(Dense(1)).reduction == "sum"
    assert lnc.MSE(Dense(1)).reduction == lnc.CrossEntropy(Dense(2, "softmax")).reduction == "mean"
    assert repr(lnc.LogLoss(Dense(1))) == "LogLoss"


class Absolute(lnc.Loss):
    """l = sum_o |p_o - y_o|, one value for each example."""

    def value(self, p, y):
        return (p - y).abs().sum(-1)

    def gradient(self, p, y):
        return (p - y).sign()


@both_reductions
def test_a_loss_that_users_write(reduction):
    loss = Absolute(hidden(Linear(2)), reduction=reduction)
    x, y = torch.randn(5, 3), torch.randn(5, 2)
    torch.testing.assert_close(loss(x, y) * (5 if reduction == "mean" else 1), (loss.network.eval()(x) - y).abs().sum())
    assert lnc.check_gradients(loss, x, y)
    assert lnc.check_gradients(loss, x, y, torch.rand(5))


def test_a_sequence_with_a_backward_of_its_own_keeps_it():
    seen = []

    class Spy(Sequential):
        def _backward(self, output_grad):
            seen.append(output_grad)
            return super()._backward(output_grad)

    loss = lnc.LogLoss(Sequential(Spy(Dense(3)), Dense(1)))
    loss(torch.randn(4, 2), torch.ones(4))
    loss.backward()
    assert len(seen) == 1


def test_an_inner_layer_run_in_between():
    class Wrapper(lnc.Layer):
        def __init__(self, inner):
            self.inner = inner

        def _forward(self, input):
            return self.inner.forward(input)

        def _backward(self, output_grad):
            return self.inner.backward(output_grad)

    loss = lnc.LogLoss(Sequential(Wrapper(Linear(3)), Dense(1)))
    x = torch.randn(4, 2)
    loss(x, torch.ones(4))
    loss.network[0].inner(x * 2)
    with pytest.raises(StateError, match="Linear '0.inner' has run since this loss was computed"):
        loss.backward()
    loss.network[0].inner.eval()
    loss(x, torch.ones(4))
    with pytest.raises(StateError, match="Linear '0.inner' is in evaluation mode, and the network in training"):
        loss.backward()


def test_evaluation_keeps_each_layers_mode():
    loss = lnc.LogLoss(hidden(Dense(1)))
    loss.network[0].eval()
    loss.predict(torch.randn(2, 3))
    assert [layer.training for layer in loss.network] == [False, True]


def test_a_batch_of_weight_zero():
    loss = lnc.LogLoss(Dense(1), reduction="mean")
    assert loss(torch.randn(3, 2), torch.ones(3), torch.zeros(3)).item() == 0
    loss.backward()
    assert not any(grad.any() for grad in loss.network.grads())
    with pytest.raises(MatchError, match="sample_weight is a list, expected a torch.Tensor"):
        loss(torch.randn(3, 2), torch.ones(3), [1, 1, 1])
