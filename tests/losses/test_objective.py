"""Running the network, weights, and losses that users write."""

import pytest
import torch
from cases import both_reductions, hidden

import lincoln as lnc
from lincoln.errors import DataError, MatchError, StateError
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


HALF = [torch.float16, torch.bfloat16]


@pytest.mark.parametrize("kind", HALF)
def test_weights_in_half_precision_are_added_up_in_float32(kind):
    """3,000 x 64 is more than float16 can hold: the mean was nan."""
    x, y = torch.randn(64, 3), torch.rand(64)
    losses = []
    for dtype in (torch.float32, kind):
        network = Dense(1)
        loss = lnc.LogLoss(network, reduction="mean")
        torch.manual_seed(0)
        losses.append(loss(x, y, torch.full((64,), 3008.0, dtype=dtype)))
        loss.backward()
        assert all(torch.isfinite(grad).all() for grad in network.grads())
    assert losses[0] == losses[1]


@pytest.mark.parametrize("kind", HALF)
@pytest.mark.parametrize("make", [lambda net: lnc.LogLoss(net, "sum"), lambda net: lnc.MSE(net, "sum")])
def test_losses_in_half_precision_are_added_up_in_float32(kind, make):
    loss = make(Dense(1).to(dtype=kind))
    value = loss(torch.randn(200_000, 2, dtype=kind), torch.ones(200_000))
    assert 20_000 < value < 1e6
    mean = lnc.LogLoss(loss.network, "mean")(torch.randn(200_000, 2, dtype=kind), torch.ones(200_000))
    assert 0.1 < mean < 3


def test_large_weights_of_examples_in_half_precision():
    network = Dense(1).to(dtype=torch.float16)
    loss = lnc.LogLoss(network, reduction="mean")
    x, y = torch.randn(8, 2).half(), torch.rand(8)
    expected = loss(x, y)
    assert loss(x, y, torch.full((8,), 1e6)) == pytest.approx(expected.item(), rel=1e-3)
    loss.backward()
    assert all(torch.isfinite(grad).all() for grad in network.grads())


def test_a_penalty_in_half_precision():
    network = Linear(300).to(dtype=torch.float16)
    loss = lnc.MSE(network, l2=1e-6)
    network(torch.zeros(1, 300).half())
    network.flatten()[0].fill_(1.0)
    assert torch.isfinite(loss(torch.zeros(2, 300).half(), torch.ones(2, 300)))


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
@both_reductions
def test_unusable_weights_by_hand(bad, reduction):
    loss = lnc.LogLoss(Dense(1), reduction=reduction)
    x, y, w = torch.randn(4, 3), torch.ones(4), torch.ones(4)
    w[2] = bad
    with pytest.raises(DataError, match=rf"LogLoss: sample_weight: holds {bad:g} \(at 2\); expected finite numbers of at"):
        loss(x, y, w)
    with pytest.raises(DataError, match=r"LogLoss: sample_weight: holds -2 \(at \(1, 0\)\)"):
        loss(x, y, torch.tensor([[1], [-2], [1], [1]]))
    with pytest.raises(DataError, match="sample_weight: dtype torch.complex64 holds no real numbers"):
        loss(x, y, torch.ones(4) * 1j)
    with pytest.raises(StateError):
        loss.backward()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.uint64, torch.float8_e5m2])
@both_reductions
def test_weights_of_rare_dtypes(dtype, reduction):
    loss = lnc.LogLoss(Dense(1), reduction)
    x, y, w = torch.randn(4, 3), torch.ones(4), torch.tensor([1.0, 2, 0, 4])
    torch.testing.assert_close(loss(x, y, w.to(dtype)), loss(x, y, w))
    assert loss.weight_of(x, y, w.to(dtype)) == 7


def test_sparse_targets_and_weights():
    loss = lnc.LogLoss(Dense(1))
    x, y = torch.randn(4, 3), torch.ones(4, 1)
    for arguments in ((y.to_sparse(),), (y, torch.ones(4).to_sparse())):
        with pytest.raises(DataError, match="a sparse tensor") as refusal:
            loss(x, *arguments)
        assert len(str(refusal.value)) <= 500


def test_weights_may_be_bools_or_integers():
    loss = lnc.LogLoss(Dense(1))
    x, y = torch.randn(4, 3), torch.ones(4)
    kept = torch.tensor([True, False, True, True])
    torch.testing.assert_close(loss(x, y, kept), loss(x[kept], y[kept]))
    torch.testing.assert_close(loss(x, y, kept.int()), loss(x[kept], y[kept]))


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("make", [lnc.LogLoss, lnc.MSE])
def test_a_batch_without_examples_is_refused(make, check):
    loss = make(Dense(1), check_targets=check)
    loss(torch.randn(3, 2), torch.ones(3))
    loss.backward()
    grads = [grad.clone() for grad in loss.network.grads()]
    with pytest.raises(DataError, match=f"{make.__name__}: the batch has no examples"):
        loss(torch.randn(0, 2), torch.ones(0))
    with pytest.raises(DataError, match="no examples"):
        loss.evaluate(torch.randn(0, 2), torch.ones(0))
    with pytest.raises(StateError):
        loss.backward()
    assert all(torch.equal(a, b) for a, b in zip(grads, loss.network.grads(), strict=True))
    assert loss.predict(torch.randn(0, 2)).shape == (0, 1)
