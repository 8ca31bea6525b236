"""Parameters: assigned, moved, saved, and as one vector."""

import copy
import pickle

import pytest
import torch

import lincoln as lnc
from lincoln.errors import ArgumentError, MatchError, StateError
from lincoln.layers import (
    Dense,
    Layer,
    Linear,
    Sequential,
)


def test_assigned_parameters_are_adopted():
    network = Sequential(Linear(2))
    network(torch.randn(3, 2))
    network.flatten()
    network[0].W = torch.eye(2)
    values, _ = network.flatten()
    assert values[:4].tolist() == [1, 0, 0, 1]
    values.zero_()
    assert not network[0].W.any()
    network[0].W = torch.eye(3)
    with pytest.raises(MatchError, match=r"Linear '0': W was given shape \(3, 3\), expected \(2, 2\)"):
        network.flatten()


def test_flat_vectors_are_the_network():
    network = Sequential(Dense(3), Dense(2))
    x = torch.randn(4, 5)
    y = network(x)
    tensors = list(network.parameters())
    values, grads = network.flatten()
    assert all(a is b for a, b in zip(network.parameters(), tensors, strict=True)), "parameters keep their identity"
    assert values.shape == grads.shape == (5 * 3 + 3 + 3 * 2 + 2,)
    assert torch.equal(network(x), y)
    network.backward(torch.ones_like(y))
    pairs = zip(network.parameters(), network.grads(), strict=True)
    assert all(grad.stride() == tensor.stride() for tensor, grad in pairs)
    torch.testing.assert_close(grads.norm(), torch.cat([grad.reshape(-1) for grad in network.grads()]).norm())
    assert grads.any()
    values.zero_()
    assert all(not tensor.any() for tensor in tensors)
    assert network.flatten()[0] is values


def test_part_and_whole_can_both_be_flat():
    network = Sequential(Dense(3), Dense(2))
    x = torch.randn(4, 5)
    y = network(x)
    head = network[0]
    for order in ((network, head), (head, network), (network, head)):
        for part in order:
            part.flatten()[0].mul_(1.0)
    assert torch.equal(network(x), y)
    head.flatten()[0].zero_()
    assert torch.equal(network.flatten()[0][:18], torch.zeros(18))
    assert network.flatten()[0][18:].any()


def test_moving_a_flat_network():
    network = Sequential(Dense(3))
    x = torch.randn(4, 5)
    y = network(x)
    network.flatten()
    network.to(dtype=torch.float64)
    values, grads = network.flatten()
    assert values.dtype == grads.dtype == torch.float64
    torch.testing.assert_close(network(x.double()), y.double())


def test_state_that_does_not_fit_changes_nothing():
    network = Sequential(Dense(3), Dense(2))
    network(torch.randn(4, 5))
    before = network.state_dict()
    for change, message in {
        "missing": "1.linear.B is missing",
        "unknown": "extra is unknown",
        "shape": r"1.linear.B is \(7,\) torch.float32, expected \(1, 2\) torch.float32",
        "dtype": r"1.linear.B is \(1, 2\) torch.float64, expected \(1, 2\) torch.float32",
    }.items():
        state = {name: tensor + 1 for name, tensor in before.items()}
        if change == "missing":
            del state["1.linear.B"]
        elif change == "unknown":
            state["extra"] = torch.ones(1)
        else:
            state["1.linear.B"] = torch.ones(7) if change == "shape" else state["1.linear.B"].double()
        with pytest.raises(MatchError, match=message):
            network.load_state_dict(state)
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in before.items())
    with pytest.raises(StateError, match="run one forward"):
        Sequential(Dense(3)).load_state_dict(before)


def test_parameters_made_in_inference_mode_are_normal_tensors():
    network = Sequential(Dense(3))
    with torch.inference_mode():
        network(torch.randn(2, 2))
        network.flatten()
    assert not any(tensor.is_inference() for tensor in network.parameters())
    network.parameters().__next__().mul_(2)


def test_devices_and_dtypes_that_cannot_be():
    network = Dense(2)
    x = torch.randn(2, 3)
    network(x)
    for device in ("gpu", "cuda:99"):
        with pytest.raises(ArgumentError, match=f"device is '{device}', which cannot be used here"):
            network.to(device)
    with pytest.raises(ArgumentError, match=r"dtype is torch.int32; parameters are floating point"):
        network.to(dtype=torch.int32)
    assert network(x).dtype == torch.float32
    assert network.to(torch.float64)(x.double()).dtype == torch.float64


class Turned(Layer):
    """y = x W, with a W whose memory is not row by row."""

    def build(self, input):
        return {"W": torch.randn(2, input.shape[-1], dtype=input.dtype).t()}

    def _forward(self, input):
        self.saved = input
        return input @ self.W

    def _backward(self, output_grad):
        torch.mm(self.saved.t(), output_grad, out=self.grad["W"])
        return output_grad @ self.W.t()


@pytest.mark.parametrize("make", [lambda: Turned(), lambda: Linear(2), lambda: Dense(2)])
@pytest.mark.parametrize("how", ["copy", "pickle", "state", "assigned, then copied"])
def test_the_order_of_the_vector_is_the_networks_own(make, how):
    """The optimizer's state has the vector's order, so a copy of network and optimizer continues as the original does."""
    network = Sequential(make(), Linear(1))
    loss = lnc.MSE(network)
    optimizer = lnc.Adam(network, lr=0.1)
    x, y = torch.randn(10, 6, 3), torch.randn(10, 6, 1)

    def train(loss, optimizer, part):
        for features, targets in zip(x[part], y[part], strict=True):
            loss(features, targets)
            loss.backward()
            optimizer.step()

    train(loss, optimizer, slice(0, 5))
    if "assigned" in how:
        network[1].W = network[1].W.contiguous()
    if how == "state":
        twin = Sequential(make(), Linear(1))
        twin(x[0])
        twin.load_state_dict({name: tensor.contiguous() for name, tensor in network.state_dict().items()})
        twin_loss, twin_optimizer = lnc.MSE(twin), lnc.Adam(twin, lr=0.1)
        twin_optimizer.load_state_dict(optimizer.state_dict())
    elif how == "pickle":
        twin_loss, twin_optimizer = (
            pickle.loads(pickle.dumps((loss, optimizer)))
            if make().__class__ is not Turned
            else (copy.deepcopy((loss, optimizer)))
        )
    else:
        twin_loss, twin_optimizer = copy.deepcopy((loss, optimizer))
    train(loss, optimizer, slice(5, 10))
    train(twin_loss, twin_optimizer, slice(5, 10))
    assert torch.equal(network.flatten()[0], twin_loss.network.flatten()[0])


def test_assigned_tensors_are_adopted_before_anything_else():
    network = Sequential(Linear(3, bias=False))
    network(torch.randn(2, 4))
    w = torch.randn(4, 3)
    network[0].W = w
    network.to(torch.float64)
    assert network.flatten()[0].dtype == torch.float64
    assert w.dtype == torch.float32
    other = Sequential(Linear(3, bias=False))
    other(torch.randn(2, 4))
    other[0].W = w
    other.load_state_dict({"0.W": torch.zeros(4, 3)})
    assert w.any()
