"""The contract of a layer, and layers that users write."""

import pytest
import torch

import lincoln as lnc
from lincoln.errors import LayerError, StateError
from lincoln.layers import (
    Dense,
    Layer,
    Linear,
    Sequential,
    Tanh,
)


def test_no_graph_and_no_autograd_kernel():
    """A profile of a training step shows no backward kernel of torch's and no autograd."""
    network = Sequential(Dense(5, "relu"), Dense(4, "tanh"), Dense(3, "softmax"))
    loss = lnc.CrossEntropy(network)
    optimizer = lnc.Adam(network)
    x, y = torch.randn(6, 4), torch.arange(6) % 3
    loss(x, y)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        loss(x, y)
        loss.backward()
        optimizer.step()
    names = {event.key for event in profile.key_averages()}
    assert "aten::addmm" in names
    assert not [name for name in names if "backward" in name.lower() or "autograd" in name.lower()]
    assert not any(tensor.requires_grad for tensor in network.parameters())


def test_first_layer_skips_its_input_gradient():
    network = Sequential(Linear(3), Linear(2))
    y = network(torch.randn(5, 4))
    assert network.backward(torch.ones_like(y), input_grad=False) is None
    assert network[1].needs_input_grad
    assert not network[0].needs_input_grad


def test_a_layer_run_twice_gives_an_error_and_not_a_wrong_gradient():
    class Twice(Layer):
        def __init__(self, inner):
            self.inner = inner

        def _forward(self, input):
            return self.inner.forward(self.inner.forward(input))

        def _backward(self, output_grad):
            return self.inner.backward(self.inner.backward(output_grad))

    layer = Twice(Linear(4))
    y = layer(torch.randn(3, 4))
    with pytest.raises(StateError, match="Linear 'inner': backward without a forward"):
        layer.backward(torch.ones_like(y))


class Scale(Layer):
    """y = s x, written as a learner would: no super().__init__, gradients assigned."""

    def __init__(self, start=1.0):
        self.start = start

    def build(self, input):
        return {"s": input.new_full((1,), self.start)}

    def _forward(self, input):
        self.saved = input
        return self.s * input

    def _backward(self, output_grad):
        self.grad["s"] = (self.saved * output_grad).sum().reshape(1)
        return self.s * output_grad


def test_a_learners_layer():
    network = Sequential(Linear(3), Scale(2.0))
    assert lnc.check_gradients(network, torch.randn(4, 5))
    assert repr(Scale(2.0)) == "Scale(start=2.0)"


def test_assigned_gradients_reach_the_optimizer():
    network = Sequential(Scale(2.0))
    loss = lnc.MSE(network)
    optimizer = lnc.SGD(network, lr=0.1)
    x, y = torch.ones(4, 1), torch.zeros(4, 1)
    for s in (2.0, 1.6, 1.28):  # d/ds mean (s - 0)^2 = 2 s, so s <- 0.8 s
        loss(x, y)
        assert network[0].s.item() == pytest.approx(s)
        loss.backward()
        optimizer.step()


def test_an_error_inside_a_layer_names_it():
    class Broken(Layer):
        def _forward(self, input):
            return input @ torch.ones(7, 7)

        def _backward(self, output_grad):
            return output_grad

    with pytest.raises(LayerError, match=r"Broken 'oops': _forward failed for input \(2, 3\) torch.float32") as caught:
        Sequential(oops=Broken())(torch.ones(2, 3))
    assert isinstance(caught.value.__cause__, RuntimeError)


class Assigns(Linear):
    """A linear layer that assigns its gradients, and keeps one of the tensors."""

    def _backward(self, output_grad):
        self.grad["B"] = self.kept = output_grad.sum(0, keepdim=True)
        self.grad["W"] = self.saved.t() @ output_grad
        return output_grad @ self.W.t()


def test_an_assigned_gradient_stays_its_owners():
    """It is copied: neither the caller's tensor nor another parameter's gradient becomes part of the flat vector."""
    network = Sequential(Assigns(2))
    loss = lnc.MSE(network)
    optimizer = lnc.SGD(network, lr=0.1)
    for _ in range(2):
        loss(torch.randn(4, 5), torch.zeros(4, 2))
        loss.backward()
        kept = network[0].kept
        before = kept.clone()
        optimizer.step()
        network.flatten()[1].fill_(7)
        assert torch.equal(kept, before)


@pytest.mark.parametrize("error", [KeyError, AssertionError, KeyboardInterrupt])
def test_a_forward_that_fails_leaves_what_was_saved(error):
    class Moody(Layer):
        angry = False

        def _forward(self, input):
            self.saved = input
            if self.angry:
                raise error("no")
            return input * 2

        def _backward(self, output_grad):
            return output_grad * 2 + 0 * self.saved

    layer = Moody()
    x = torch.randn(3, 2)
    layer(x)
    layer.angry = True
    with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else LayerError):
        layer(torch.randn(9, 9))
    assert layer.saved is x


@pytest.mark.parametrize("inside", ["alone", "sequential", "residual"])
def test_a_backward_in_evaluation_mode_is_refused(inside):
    """It would give the gradient of the last batch seen in training, not of the one just looked at."""
    network = {"alone": Tanh(), "sequential": Sequential(Linear(3), Tanh()), "residual": Sequential(Sequential(Tanh()))}[
        inside
    ]
    a, b, g = (torch.randn(4, 3) for _ in range(3))
    network(a)
    network.eval()
    network(b)
    with pytest.raises(StateError, match="evaluation mode it saves nothing"):
        network.backward(g)
    network.train()
    got = network.backward(g)  # an evaluation disturbs no training step under way
    network(a)
    assert torch.equal(got, network.backward(g))


def test_a_frozen_layer_does_not_use_an_earlier_batch():
    network = Sequential(Linear(3), Tanh())
    network(torch.randn(4, 3))
    network[1].eval()
    network(torch.randn(4, 3))
    with pytest.raises(StateError, match="Tanh '1'.*evaluation mode"):
        network.backward(torch.randn(4, 3))


def test_a_loss_is_not_sent_back_in_evaluation_mode():
    network = Sequential(Linear(1))
    loss = lnc.MSE(network)
    x, y = torch.randn(4, 3), torch.randn(4, 1)
    loss(x, y)
    network.eval()
    loss(2 * x, y)
    with pytest.raises(StateError, match="training mode"):
        loss.backward()
    network.train()
    loss.backward()
