"""Networks from PyTorch and for PyTorch: the same outputs, the same weights."""

import copy
from collections import OrderedDict

import pytest
import torch
from cases import LAYERS
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import lincoln as lnc
from lincoln.errors import ArgumentError, StateError
from lincoln.interop import from_torch, to_torch
from lincoln.layers import Dense, Identity, Layer, Linear, ReLU, Sequential, Sigmoid, Softmax, Tanh


def named(**modules):
    return nn.Sequential(OrderedDict(modules))


class MLP(nn.Sequential):
    """A user class that runs its layers in order, as nn.Sequential does."""

    def __init__(self):
        super().__init__(nn.Linear(4, 3), nn.ReLU())


MODULES = {
    "linear": lambda: nn.Linear(4, 3),
    "linear without bias": lambda: nn.Linear(4, 3, bias=False),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "softmax": lambda: nn.Softmax(-1),
    "identity": nn.Identity,
    "sequential": lambda: nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2, bias=False), nn.Softmax(-1)),
    "named": lambda: named(hidden=nn.Linear(4, 5), squash=nn.Tanh(), output=nn.Linear(5, 1)),
    "nested": lambda: nn.Sequential(named(linear=nn.Linear(4, 5), activation=nn.Sigmoid()), nn.Sequential(nn.Linear(5, 2))),
    "dropout": lambda: nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.4)).eval(),
    "empty": lambda: nn.Sequential(nn.Sequential(), nn.Linear(4, 2)),
    "a subclass of Sequential": MLP,
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("make", MODULES.values(), ids=MODULES)
def test_from_torch_computes_the_same(make, dtype, device):
    module = make().to(device, dtype)
    network = from_torch(module)
    x = torch.randn(6, 4, device=device, dtype=dtype)
    torch.testing.assert_close(network(x), module(x).detach())
    assert all(p.dtype == dtype and p.device == x.device for p in network.parameters())
    assert len(list(network.parameters())) == len(list(module.parameters()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)
def test_to_torch_computes_the_same(case, dtype, device):
    """Skips layers that torch does not have: they are refused by name."""
    network = case.make().to(device, dtype)
    x = torch.randn(case.shape, device=device, dtype=dtype)
    y = network(x)
    try:
        module = to_torch(network)
    except ArgumentError as error:
        pytest.skip(error.message)
    torch.testing.assert_close(module(x).detach(), y)
    assert all(p.requires_grad and p.dtype == dtype and p.is_contiguous() for p in module.parameters())


@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=4),
    st.sampled_from(["sigmoid", "tanh", "relu", "softmax", "identity", None]),
    st.booleans(),
)
def test_there_and_back(sizes, activation, bias):
    network = Sequential(**{f"layer{i}": Dense(size, activation, bias) for i, size in enumerate(sizes[1:])})
    x = torch.randn(3, sizes[0])
    y = network(x)
    back = from_torch(to_torch(network))
    assert back.state_dict().keys() == network.state_dict().keys()
    assert all(torch.equal(p, q) for p, q in zip(back.parameters(), network.parameters(), strict=True))
    torch.testing.assert_close(back(x), y, rtol=0, atol=0)


@pytest.mark.parametrize("make", MODULES.values(), ids=MODULES)
def test_back_and_there(make):
    module = make()
    again = to_torch(from_torch(module))
    assert again.state_dict().keys() == module.state_dict().keys()
    assert all(torch.equal(p, q) for p, q in zip(again.parameters(), module.parameters(), strict=True))


def test_structure_and_names():
    network = from_torch(MODULES["nested"]())
    assert repr(network) == repr(
        Sequential(Sequential(linear=Linear(5), activation=Sigmoid()), Sequential(Linear(2))),
    )
    assert [path for path, _ in network.named_parameters()] == ["0.linear.W", "0.linear.B", "1.0.W", "1.0.B"]
    assert network[0]["linear"].label == "Linear '0.linear'"
    dense = Dense(2, "tanh")
    dense(torch.randn(3, 4))
    assert list(to_torch(dense).state_dict()) == ["linear.weight", "linear.bias"]
    assert isinstance(to_torch(dense).activation, nn.Tanh)
    assert isinstance(from_torch(nn.Sequential()), Identity)


def test_weights_are_transposed_copies():
    module = nn.Linear(4, 3)
    network = from_torch(module)
    assert torch.equal(network.W, module.weight.T)
    assert torch.equal(network.B, module.bias.reshape(1, 3))
    before = copy.deepcopy(module.state_dict())
    again = to_torch(network)
    network.flatten()[0].zero_()
    assert torch.equal(module.weight, before["weight"])
    assert torch.equal(again.weight, before["weight"])


def test_mode_is_kept_module_by_module():
    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    module[1].eval()
    network = from_torch(module)
    assert [layer.training for _, layer in network.named_layers()] == [True, True, False]
    assert [part.training for part in to_torch(network).modules()] == [True, True, False]


def test_no_random_numbers_are_drawn():
    module = nn.Linear(4, 3)
    state = torch.get_rng_state()
    to_torch(from_torch(module))
    assert torch.equal(torch.get_rng_state(), state)


def test_both_sides_can_be_trained():
    """Gradients by hand and by torch's autograd agree; a network converted in inference mode is trainable too."""
    with torch.inference_mode():
        network = from_torch(MODULES["sequential"]().double())
        module = to_torch(network)
    x, g = torch.randn(6, 4).double(), torch.randn(6, 2).double()
    x.requires_grad_()
    module(x).backward(g)
    network(x.detach())
    input_grad = network.backward(g)
    torch.testing.assert_close(input_grad, x.grad)
    expected = [p.grad.T if p.dim() == 2 else p.grad[None] for p in module.parameters()]
    torch.testing.assert_close(list(network.grads()), expected)


def test_a_converted_network_trains():
    network = from_torch(nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1), nn.Sigmoid()))
    x = torch.randn(100, 2)
    history = lnc.Classifier(network).fit(x, x[:, 0] * x[:, 1] > 0, epochs=5, print_every=None, progress=False, seed=0)
    assert history.losses[-1] < history.losses[0]
    assert lnc.check_gradients(lnc.LogLoss(network), x, (x[:, :1] > 0).float())


class Doubled(nn.Linear):
    def forward(self, input):
        return 2 * super().forward(input)


class Backwards(nn.Sequential):
    def forward(self, input):
        for module in reversed(self):
            input = module(input)
        return input


def hooked():
    module = nn.Sequential(nn.ReLU())
    module[0].register_forward_hook(lambda module, args, output: output + 1)
    return module


def tied():
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    return nn.Sequential(first, second)


SHARED = nn.Linear(4, 4)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            named(conv=nn.Conv2d(1, 1, 3)),
            r"Conv2d 'conv' has no counterpart in lincoln; what can be converted: Dropout, Identity, L",
        ),
        (nn.Sequential(nn.Sequential(nn.ELU())), r"from_torch: ELU '0\.0' has no counterpart"),
        (nn.ELU(), "from_torch: ELU has no counterpart"),
        (Doubled(4, 3), "Doubled has no counterpart"),
        (Backwards(nn.ReLU()), "Backwards has no counterpart"),
        (nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)), "ParametrizedLinear has no counterpart"),
        (nn.Sequential(nn.Softmax(1)), r"Softmax '0' is over dimension 1, lincoln's is over the last: .*Softmax\(dim=-1\)"),
        (nn.Softmax(), "Softmax is over dimension None"),
        (nn.Sequential(nn.LazyLinear(3)), r"LazyLinear '0' has no weights yet: run module\(features\) once"),
        (hooked(), "ReLU '0' has forward hooks, which lincoln cannot run: remove them"),
        (tied(), r"'0\.weight' and '1\.weight' are one tensor"),
        (nn.Sequential(SHARED, nn.ReLU(), SHARED), r"'0\.weight' and '2\.weight' are one tensor"),
        (nn.Linear, "module is <class .*Linear'>, expected a torch.nn.Module"),
        (Dense(3), "it is a lincoln network already"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_modules_that_cannot_be_converted(module, message):
    with pytest.raises(ArgumentError, match=message):
        from_torch(module)


def test_lazy_linear_that_has_run():
    module = nn.Sequential(nn.LazyLinear(3))
    x = torch.randn(2, 4)
    torch.testing.assert_close(module(x).detach(), from_torch(module)(x))


def test_one_activation_in_two_places():
    """It has no weights, so there is nothing to share."""
    relu = nn.ReLU()
    module = nn.Sequential(nn.Linear(4, 3), relu, nn.Linear(3, 2), relu)
    x = torch.randn(5, 4)
    network = from_torch(module)
    torch.testing.assert_close(network(x), module(x).detach())
    assert [type(layer) for layer in network] == [Linear, ReLU, Linear, ReLU]


class Cube(Layer):
    def _forward(self, input):
        return input**3


class Reversed(Sequential):
    def _forward(self, input):
        for layer in reversed(self.layers):
            input = layer(input)
        return input


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            Cube(),
            "to_torch: Cube has no counterpart in torch.nn; what can be converted: Dense, Dropout, Identity, Linear",
        ),
        (Sequential(Tanh(), Sequential(power=Cube())), r"Cube '1\.power' has no counterpart"),
        (Reversed(Tanh()), "Reversed has no counterpart"),
        (Sequential(Softmax(), Sequential(train=Tanh())), "Sequential '1' has a layer whose name torch refuses, .*train"),
        (Dense, "network is <class .*Dense'>, expected a lincoln Layer"),
        (nn.ReLU(), "it is a torch module already"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_networks_that_cannot_be_converted(network, message):
    with pytest.raises(ArgumentError, match=message):
        to_torch(network)


def test_network_not_built():
    with pytest.raises(StateError, match=r"Linear '0\.linear' has no weights yet: run network\(features\) once"):
        to_torch(Sequential(Dense(3), Dense(1)))
