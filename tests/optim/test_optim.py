"""Optimizers against torch.optim, and what they refuse."""

import copy
import itertools
import pickle

import numpy as np
import pytest
import torch

import lincoln as lnc
from lincoln.errors import ArgumentError, MatchError, StateError
from lincoln.layers import Dense, Linear, Sequential


def grid(**choices):
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


SETTINGS = [
    *(
        (lnc.SGD, torch.optim.SGD, settings)
        for settings in grid(lr=[0.003, 0.1], momentum=[0, 0.5, 0.9], nesterov=[False, True], weight_decay=[0, 0.01])
        if settings["momentum"] or not settings["nesterov"]
    ),
    *(
        (ours, theirs, settings)
        for ours, theirs in ((lnc.Adam, torch.optim.Adam), (lnc.AdamW, torch.optim.AdamW))
        for settings in grid(
            lr=[0.001, 0.05],
            betas=[(0.9, 0.999), (0.5, 0.9), (0.0, 0.0)],
            eps=[1e-8, 1e-3],
            weight_decay=[0, 0.01],
            amsgrad=[False, True],
        )
    ),
]


def problem():
    torch.manual_seed(3)
    network = Sequential(Dense(6, "tanh"), Dense(2, None)).to(dtype=torch.float64)
    loss = lnc.MSE(network)
    x, y = torch.randn(50, 8, 4, dtype=torch.float64), torch.randn(50, 8, 2, dtype=torch.float64)
    loss(x[0], y[0])
    return network, loss, x, y


@pytest.mark.parametrize(("ours", "theirs", "settings"), SETTINGS, ids=lambda v: str(v) if isinstance(v, dict) else None)
def test_fifty_steps_as_torch_optim(ours, theirs, settings):
    network, loss, x, y = problem()
    twins = [tensor.clone().requires_grad_() for tensor in network.parameters()]
    optimizer, reference = ours(network, **settings), theirs(twins, **settings)
    for features, targets in zip(x, y, strict=True):
        loss(features, targets)
        loss.backward()
        for twin, grad in zip(twins, network.grads(), strict=True):
            twin.grad = grad.clone()
        optimizer.step()
        reference.step()
    for mine, twin in zip(network.parameters(), twins, strict=True):
        torch.testing.assert_close(mine, twin.detach(), rtol=1e-10, atol=1e-13)


class ScikitLearn:
    """scikit-learn's own optimizers, in the shape of torch's."""

    def __init__(self, parameters, kind, **settings):
        from sklearn.neural_network import _stochastic_optimizers

        self.parameters = parameters
        self.arrays = [parameter.detach().numpy() for parameter in parameters]
        self.optimizer = getattr(_stochastic_optimizers, kind)(self.arrays, **settings)

    def step(self):
        self.optimizer.update_params(self.arrays, [parameter.grad.numpy() for parameter in self.parameters])


@pytest.mark.parametrize("rates", [(0.05,), (0.05, 0.01, 0.002)], ids=["one rate", "falling rates"])
@pytest.mark.parametrize(
    ("ours", "kind", "settings", "theirs"),
    [
        *(
            (lnc.optim.Momentum, "SGDOptimizer", {"momentum": m, "nesterov": n}, {"momentum": m, "nesterov": n})
            for m in (0.0, 0.5, 0.9, 1.0)
            for n in (False, True)
        ),
        *(
            (lnc.optim.AdamHat, "AdamOptimizer", {"betas": b, "eps": e}, {"beta_1": b[0], "beta_2": b[1], "epsilon": e})
            for b in ((0.9, 0.999), (0.5, 0.9), (0.0, 0.0))
            for e in (1e-8, 1e-2)
        ),
    ],
)
def test_fifty_steps_as_scikit_learns(ours, kind, settings, theirs, rates):
    network, loss, x, y = problem()
    twins = [tensor.clone() for tensor in network.parameters()]
    optimizer = ours(network, lr=rates[0], **settings)
    reference = ScikitLearn(twins, kind, learning_rate_init=rates[0], **theirs)
    for step, (features, targets) in enumerate(zip(x, y, strict=True)):
        rate = rates[step * len(rates) // len(x)]
        optimizer.lr = reference.optimizer.learning_rate = reference.optimizer.learning_rate_init = rate
        loss(features, targets)
        loss.backward()
        for twin, grad in zip(twins, network.grads(), strict=True):
            twin.grad = grad.clone()
        optimizer.step()
        reference.step()
    for mine, twin in zip(network.parameters(), twins, strict=True):
        torch.testing.assert_close(mine, twin, rtol=1e-10, atol=1e-13)


def test_momentum_is_sgd_where_the_rate_is_constant():
    ends = []
    for make in (lnc.optim.Momentum, lnc.SGD):
        network, loss, x, y = problem()
        optimizer = make(network, lr=0.05, momentum=0.9, nesterov=True)
        for features, targets in zip(x, y, strict=True):
            loss(features, targets)
            loss.backward()
            optimizer.step()
        ends.append(network.flatten()[0])
    torch.testing.assert_close(*ends, rtol=1e-10, atol=1e-13)


def test_adam_hat_is_adam_where_eps_is_nothing():
    ends = []
    for make in (lnc.optim.AdamHat, lnc.Adam):
        network, loss, x, y = problem()
        optimizer = make(network, eps=0.0, amsgrad=True, weight_decay=0.01)
        for features, targets in zip(x, y, strict=True):
            loss(features, targets)
            loss.backward()
            optimizer.step()
        ends.append(network.flatten()[0])
    torch.testing.assert_close(*ends, rtol=1e-8, atol=1e-12)


def test_training_improves(device):
    network = Sequential(Dense(8, "tanh"), Dense(1))
    loss = lnc.LogLoss(network)
    optimizer = lnc.Adam(network, lr=0.05)
    x = torch.randn(64, 2, device=device)
    y = (x[:, 0] * x[:, 1] > 0).float()
    first = loss(x, y).item()
    for _ in range(200):
        loss(x, y)
        loss.backward()
        optimizer.step()
    assert loss(x, y).item() < first / 5


def test_step_before_anything():
    with pytest.raises(StateError, match="no parameters yet; they are made by the first forward"):
        lnc.SGD(Dense(1)).step()


@pytest.mark.parametrize("kind", [lnc.SGD, lnc.Adam, lnc.AdamW])
def test_step_before_backward(kind):
    network = Sequential(Dense(1))
    loss = lnc.LogLoss(network)
    optimizer = kind(network)
    loss(torch.randn(3, 2), torch.ones(3))
    before = network.state_dict()
    with pytest.raises(StateError, match=r"Linear '0.linear' has no gradient yet: call loss.backward\(\) before step"):
        optimizer.step()
    assert optimizer.steps == 0
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in before.items())
    loss.backward()
    optimizer.step()
    assert optimizer.steps == 1


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (lnc.SGD, {"lr": -1}, "^SGD: lr is -1; expected a number of at least 0$"),
        (lnc.SGD, {"momentum": -0.1}, "^SGD: momentum is -0.1; expected a number of at least 0$"),
        (
            lnc.SGD,
            {"nesterov": True},
            "^SGD: nesterov is True; expected a momentum above 0 with it, to look ahead along v$",
        ),
        (lnc.SGD, {"weight_decay": -1}, "SGD: weight_decay is -1; expected"),
        (
            lnc.Adam,
            {"betas": (1.0, 0.9)},
            r"^Adam: betas is \(1.0, 0.9\); expected two numbers, each of at least 0 and below 1$",
        ),
        (lnc.Adam, {"eps": -1e-8}, "Adam: eps is -1e-08; expected a number of at least 0"),
        (lnc.AdamW, {"weight_decay": -1}, "AdamW: weight_decay is -1; expected"),
        (lnc.SGD, {"lr": float("nan")}, "lr is nan; expected"),
    ],
)
def test_settings_out_of_range(kind, settings, message):
    with pytest.raises(ArgumentError, match=message):
        kind(Dense(1), **settings)


def test_settings_become_plain_numbers():
    rate = torch.tensor(0.25)
    adam = lnc.Adam(Linear(1), rate, betas=[np.float32(0.5), 0], eps=np.float64(1e-3), amsgrad=np.bool_(True))
    rate.zero_()
    assert repr(adam) == "Adam(lr=0.25, betas=(0.5, 0.0), eps=0.001, amsgrad=True)"
    assert {type(value) for value in (adam.lr, adam.eps, *adam.betas)} == {float}


def test_network_of_another_kind():
    with pytest.raises(ArgumentError, match="SGD: network is .*; expected a Layer"):
        lnc.SGD([torch.zeros(1)])


def run(network, loss, optimizer, x, y):
    for features, targets in zip(x, y, strict=True):
        loss(features, targets)
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize("kind", [lambda n: lnc.SGD(n, momentum=0.9), lnc.Adam, lambda n: lnc.AdamW(n, amsgrad=True)])
@pytest.mark.parametrize("how", ["state", "copy", "pickle"])
def test_going_on_from_the_middle(kind, how):
    network, loss, x, y = problem()
    optimizer = kind(network)
    run(network, loss, optimizer, x[:20], y[:20])
    if how == "state":
        other_network, other_loss, _, _ = problem()
        other = kind(other_network)
        other_network.load_state_dict(network.state_dict())
        other.load_state_dict(optimizer.state_dict())
    elif how == "copy":
        other_network, other_loss, other = copy.deepcopy((network, loss, optimizer))
    else:
        other_network, other_loss, other = pickle.loads(pickle.dumps((network, loss, optimizer)))
    run(network, loss, optimizer, x[20:], y[20:])
    run(other_network, other_loss, other, x[20:], y[20:])
    assert torch.equal(network.flatten()[0], other_network.flatten()[0])
    assert optimizer.steps == other.steps == 50


def test_moving_the_network_takes_the_memory_along():
    network, loss, x, y = problem()
    optimizer = lnc.SGD(network, lr=0.01, momentum=0.9)
    run(network, loss, optimizer, x[:5], y[:5])
    velocity = optimizer.velocity.clone()
    network.to(dtype=torch.float32)
    run(network, loss, optimizer, x[5:6].float(), y[5:6].float())
    assert optimizer.velocity.dtype == torch.float32
    expected = velocity * 0.9 + network.flatten()[1].double()
    torch.testing.assert_close(optimizer.velocity.double(), expected, rtol=1e-5, atol=1e-6)


def test_state_that_does_not_fit():
    network, loss, x, y = problem()
    optimizer = lnc.Adam(network)
    run(network, loss, optimizer, x[:3], y[:3])
    state = optimizer.state_dict()
    with pytest.raises(MatchError, match="SGD: the state holds"):
        lnc.SGD(network, momentum=0.9).load_state_dict(state)
    with pytest.raises(MatchError, match=r"mean has shape \(3,\), expected \(44,\)"):
        optimizer.load_state_dict(state | {"mean": torch.zeros(3)})
    with pytest.raises(MatchError, match="expected steps, lr and mean, square"):
        optimizer.load_state_dict({"steps": 1})
    assert optimizer.steps == 3


def test_repr():
    assert repr(lnc.SGD(Linear(1), lr=0.01)) == "SGD(lr=0.01)"


def test_each_step_takes_a_gradient_of_its_own():
    network, loss, x, y = problem()
    optimizer = lnc.Adam(network)
    run(network, loss, optimizer, x[:2], y[:2])
    before = network.flatten()[0].clone()
    for other in (optimizer, copy.deepcopy(optimizer)):
        with pytest.raises(StateError, match=r"call loss.backward\(\) before"):
            other.step()
    assert torch.equal(network.flatten()[0], before)
    assert optimizer.steps == 2


def test_repr_is_the_settings():
    assert repr(lnc.SGD(Linear(1), momentum=0.9, nesterov=True)) == "SGD(lr=0.003, momentum=0.9, nesterov=True)"
