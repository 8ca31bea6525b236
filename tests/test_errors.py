"""The error messages of layers and losses: one table, one test. A new message is a new row."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

import lincoln as lnc
from lincoln.errors import ArgumentError, DataError, DimensionError, LincolnError, MatchError, StateError
from lincoln.layers import (
    Dense,
    Dropout,
    Identity,
    Layer,
    Linear,
    ReLU,
    Sequential,
    Sigmoid,
    SparseLinear,
    Tanh,
    csr_tensor,
)

nan, inf = float("nan"), float("inf")


def ones(*shape, **more):
    return torch.ones(shape, **more)


def built(layer, *shape):
    """Return the layer after one forward of an input of this shape."""
    layer(ones(*shape))
    return layer


def subclass(base, name="Mine", **methods):
    return type(name, (base,), methods)


class Returns(Layer):
    """y = x, whose backward returns what it was given."""

    def __init__(self, returned):
        self.returned = returned

    def _forward(self, input):
        return input

    def _backward(self, output_grad):
        return self.returned


class Mistaken(Linear):
    """A linear layer that writes its gradients in a wrong way."""

    def __init__(self, size, mistake):
        super().__init__(size)
        self.mistake = mistake

    def _backward(self, output_grad):
        x = self.saved
        if self.mistake == "transposed":
            self.grad["W"] = output_grad.t() @ x
        elif self.mistake == "no longer a row":
            self.grad["B"] = output_grad.sum()
        elif self.mistake == "unknown name":
            self.grad["V"] = output_grad.sum(0)
        return output_grad @ self.W.t()


def step_with(mistake):
    network = Sequential(Mistaken(2, mistake), Linear(1))
    loss, optimizer = lnc.MSE(network), lnc.SGD(network)
    loss(torch.randn(4, 5), torch.zeros(4, 1))
    loss.backward()
    optimizer.step()


class SharedInside(Layer):
    """A composite that holds its first layer in two attributes."""

    def __init__(self):
        self.parts = [Linear(3), Linear(1)]
        self.first = self.parts[0]

    def _forward(self, input):
        return self.parts[1].forward(self.first.forward(input))

    def _backward(self, output_grad):
        return self.first.backward(self.parts[1].backward(output_grad))


def used_twice():
    shared = Linear(4)
    Sequential(shared, Sequential(Sigmoid(), shared))


def tied(flat_before):
    network = built(Sequential(Linear(4), Linear(4)), 2, 4)
    if flat_before:
        network.flatten()
    network[1].W = network[0].W
    network.flatten()


def mixed_dtypes():
    network = built(Sequential(Linear(3), Linear(2)), 4, 5)
    network[1].to(dtype=torch.float64)
    network.flatten()


def half_built():
    network = Sequential(Linear(3), Linear(2))
    network[0](ones(2, 4))
    network.flatten()


def in_float32_then_float64(what):
    layer = built(Linear(1), 2, 3)
    if what == "input":
        layer(ones(2, 3, dtype=torch.float64))
    layer.backward(ones(2, 1, dtype=torch.float64))


LAYERS = [
    (
        "a vector",
        lambda: Sequential(first=Linear(3))(ones(4)),
        DimensionError,
        r"Linear 'first'.*at least 2 dimensions.*it has 1",
    ),
    (
        "another number of features",
        lambda: built(Sequential(Dense(2)), 5, 30)(ones(5, 29)),
        MatchError,
        r"Linear '0.linear': input has 29 features, W was built for 30",
    ),
    (
        "sparse features of another number",
        lambda: built(SparseLinear(3), 2, 4)(csr_tensor(csr_array((2, 5))).float()),
        MatchError,
        "input has 5 features, W was built for 4",
    ),
    (
        "integers",
        lambda: Linear(1)(ones(2, 3, dtype=torch.int64)),
        MatchError,
        "int64, expected floating point: use input.float",
    ),
    (
        "input of another dtype",
        partial(in_float32_then_float64, "input"),
        MatchError,
        "input is torch.float64, W is torch.float32",
    ),
    (
        "output_grad of another dtype",
        partial(in_float32_then_float64, "output_grad"),
        MatchError,
        "output_grad is torch.float64, W is torch.float32",
    ),
    (
        "input on another device",
        lambda: built(Linear(2), 2, 3)(ones(2, 3, device="meta")),
        MatchError,
        "input is on meta, W on cpu: move one of them",
    ),
    *[
        (f"Linear({size!r})", partial(Linear, size), ArgumentError, "integer of at least 1")
        for size in (0, -1, 2.0, True, "3", None)
    ],
    ("init is a number", lambda: Linear(3, init=0.01), ArgumentError, "init is 0.01; expected a function"),
    (
        "init that fills nothing",
        lambda: Linear(3, init=lambda W: torch.randn(W.shape))(ones(2, 2)),
        ArgumentError,
        "left NaN in W: it must fill the tensor it is given, in place",
    ),
    *[
        (
            f"Dropout({rate!r})",
            partial(Dropout, rate),
            ArgumentError,
            "Dropout: rate is .*; expected a number of at least 0 and below 1",
        )
        for rate in (-0.1, 1.0, 2, True, nan)
    ],
    ("a layer used twice", used_twice, ArgumentError, "the same Linear stands at '0' and '1.1'"),
    ("a name given twice", lambda: Sequential(Linear(1), **{"0": Linear(2)}), ArgumentError, "the name '0' is given twice"),
    *[
        (f"Sequential of {wrong!r}", partial(Sequential, Linear(1), wrong), TypeError, "expected a Layer")
        for wrong in (Linear, "sigmoid", None, torch.sigmoid)
    ],
    ("Sequential of nothing", Sequential, ArgumentError, "no layers"),
    (
        "unknown activation",
        lambda: Dense(3, "rely"),
        ArgumentError,
        "'rely'; expected one of sigmoid, tanh, relu, softmax, exp, identity",
    ),
    *[
        (f"{name} overridden", partial(subclass, Layer, **{name: lambda self, input: input}), TypeError, message)
        for name, message in {
            "forward": "Mine overrides forward.*write _forward instead",
            "backward": "Mine overrides backward.*write _backward instead",
            "__call__": "Mine overrides __call__.*write _forward instead",
        }.items()
    ],
    ("_forward unwritten", lambda: subclass(Layer)().forward(ones(1)), NotImplementedError, "must write _forward"),
    (
        "_backward unwritten",
        lambda: built(subclass(Layer, "Half", _forward=lambda self, input: input)(), 1).backward(ones(1)),
        NotImplementedError,
        "Half must write _backward",
    ),
    *[
        (
            f"_backward returns {returned}",
            lambda returned=returned: built(Returns(returned), 2, 3).backward(ones(2, 3)),
            MatchError,
            r"_backward returned .* the input had shape \(2, 3\)",
        )
        for returned in (None, ones(3))
    ],
    *[
        (f"gradient {mistake}", partial(step_with, mistake), MatchError, message)
        for mistake, message in {
            "transposed": r"Mistaken '0': the gradient of W was given shape \(2, 5\), expected \(5, 2\)",
            "no longer a row": r"the gradient of B was given shape \(\), expected \(1, 2\)",
            "unknown name": "was given V, but build returned no parameter of that name",
        }.items()
    ],
    ("flat before the first input", lambda: Sequential(Linear(1)).flatten(), StateError, "no parameters yet"),
    (
        "flat when half is built",
        half_built,
        StateError,
        "Linear has seen no input yet: run the whole network forward",
    ),
    ("flat of mixed dtypes", mixed_dtypes, MatchError, "torch.float32 on cpu, torch.float64 on cpu"),
    (
        "tied weights",
        partial(tied, False),
        MatchError,
        "Linear '1': W is the parameter of Linear '0'; a tensor belongs to one layer",
    ),
    ("weights tied when flat", partial(tied, True), MatchError, "belongs to one layer"),
    (
        "a layer in two places of a composite",
        lambda: built(SharedInside(), 2, 2).flatten(),
        ArgumentError,
        "holds a layer in two places",
    ),
]


def log_loss():
    return lnc.LogLoss(Dense(1))


def cross_entropy():
    return lnc.CrossEntropy(Dense(3, "softmax"))


def mse():
    return lnc.MSE(Dense(1))


def of_value(make, targets):
    return lambda: make()(torch.randn(3, 3), torch.tensor(targets))


class Flat(Layer):
    """The sum over features: an output of one dimension."""

    def _forward(self, input):
        return input.sum(-1)

    def _backward(self, output_grad):
        return output_grad


class Wrong(lnc.MSE):
    """Squared error, one formula of which returns a wrong shape."""

    def __init__(self, network, method):
        super().__init__(network)
        self.method = method

    def value(self, p, y):
        return super().value(p, y).mean() if self.method == "value" else super().value(p, y)

    def gradient(self, p, y):
        return super().gradient(p, y).mean(0, keepdim=True)


def a_step_of(loss):
    loss(torch.randn(4, 3), torch.zeros(4, 2))
    loss.backward()


LOSSES = [
    *[
        (
            f"{make.__name__}, targets of shape {shape}",
            lambda make=make, shape=shape: make()(ones(6, 3), torch.zeros(shape)),
            MatchError,
            r"targets have shape .* and the prediction \(6, 1\); expected .*\(6, 1\) or \(6,\)",
        )
        for make in (log_loss, mse)
        for shape in ((5,), (6, 2), (1, 6), (6, 1, 1), ())
    ],
    (
        "class indices in columns",
        lambda: cross_entropy()(ones(6, 3), torch.zeros(6, 3, dtype=torch.int64)),
        MatchError,
        r"expected targets of shape \(6,\) for class indices",
    ),
    (
        "class indices that are floats",
        lambda: cross_entropy()(ones(6, 3), torch.zeros(6)),
        MatchError,
        "class indices must be integers, not torch.float32",
    ),
    *[
        (f"{make.__name__}, targets {targets}", of_value(make, targets), DataError, message)
        for make, targets, message in (
            (log_loss, [0.0, 1.0, 2.0], r"targets hold 2 \(at \(2, 0\)\); expected 0 and 1 only"),
            (log_loss, [0.0, -1.0, 1.0], "targets hold -1"),
            (log_loss, [0.0, 1.5, 1.0], "targets hold 1.5"),
            (log_loss, [0.0, nan, 1.0], "targets hold nan"),
            (log_loss, [0.0, inf, 1.0], "targets hold inf"),
            (cross_entropy, [0, 3, 1], r"hold 3 \(at 1\); the network has 3 outputs, so expected 0 to 2"),
            (cross_entropy, [0, -1, 1], "hold -1"),
            (cross_entropy, [[1, 1, 0.0]] * 3, "0 or more and sum to 1"),
            (cross_entropy, [[2, -1, 0.0]] * 3, "0 or more and sum to 1"),
            (cross_entropy, [[nan, 1, 0.0]] * 3, "0 or more and sum to 1"),
            (mse, [0.0, nan, 1.0], r"targets hold nan \(at \(1, 0\)\); expected finite"),
        )
    ],
    (
        "negative counts",
        lambda: lnc.PoissonLoss(Dense(1, "exp"))(torch.randn(3, 2), torch.tensor([[1.0], [-1.0], [2.0]])),
        DataError,
        r"PoissonLoss: targets hold -1 \(at \(1, 0\)\); expected finite numbers, 0 or more",
    ),
    (
        "targets in an array",
        lambda: log_loss()(ones(2, 3), np.zeros(2)),
        MatchError,
        "targets are a ndarray, expected a torch.Tensor: use torch.as_tensor",
    ),
    (
        "targets on another device",
        lambda: lnc.MSE(Linear(1))(ones(3, 2), ones(3, 1, device="meta")),
        MatchError,
        r"targets are on meta, the prediction on cpu: use targets.to\('cpu'\)",
    ),
    *[
        (
            f"weights of shape {shape}",
            lambda shape=shape: mse()(ones(4, 3), torch.zeros(4), ones(*shape)),
            MatchError,
            "one weight for each of 4 examples",
        )
        for shape in ((3,), (4, 2), (1,), ())
    ],
    (
        "weights in a list",
        lambda: log_loss()(ones(3, 2), ones(3), [1, 1, 1]),
        MatchError,
        "sample_weight is a list, expected a torch.Tensor",
    ),
    (
        "an output of one dimension",
        lambda: lnc.MSE(Flat())(ones(3, 2), ones(3)),
        DimensionError,
        r"output has shape \(3,\), expected \(examples, outputs\)",
    ),
    *[
        (f"{method} of a wrong shape", lambda method=method: a_step_of(Wrong(Linear(2), method)), MatchError, message)
        for method, message in {
            "value": "Wrong: value returned shape",
            "gradient": "Wrong: gradient returned shape",
        }.items()
    ],
    (
        "forward overridden",
        partial(subclass, lnc.MSE, forward=lambda self: None),
        TypeError,
        "Mine overrides forward, which Loss keeps to itself: write value and gradient",
    ),
    *[
        (
            f"{kind.__name__} of {last}",
            lambda kind=kind, last=last: kind(Sequential(Dense(3), last)),
            ArgumentError,
            r"expects probabilities, and the network ends in .* or say from_logits=True",
        )
        for kind in (lnc.LogLoss, lnc.CrossEntropy)
        for last in (Linear(1), ReLU(), Tanh(), Dense(1, None), Sequential(Linear(1), Identity()))
    ],
    (
        "PoissonLoss of a linear layer",
        lambda: lnc.PoissonLoss(Sequential(Dense(3), Linear(1))),
        ArgumentError,
        r"PoissonLoss expects positive predictions.*end it in Exp\(\), or say from_logits",
    ),
    (
        "CrossEntropy of a sigmoid",
        lambda: lnc.CrossEntropy(Dense(3)),
        ArgumentError,
        r"CrossEntropy belongs to Softmax\(\), and the network ends in Sigmoid\(\)",
    ),
    (
        "LogLoss of a softmax",
        lambda: lnc.LogLoss(Dense(2, "softmax")),
        ArgumentError,
        "LogLoss belongs to Sigmoid.*or use CrossEntropy",
    ),
    (
        "two links in a row",
        lambda: lnc.LogLoss(Dense(1), from_logits=True),
        ArgumentError,
        "from_logits=True would put two Sigmoid in a row",
    ),
    (
        "from_logits without a link",
        lambda: lnc.MSE(Dense(1), from_logits=True),
        ArgumentError,
        "MSE: from_logits=True has no link function",
    ),
    (
        "unknown reduction",
        lambda: lnc.MSE(Dense(1), reduction="none"),
        ArgumentError,
        "reduction is 'none'; expected 'sum' or 'mean'",
    ),
    ("a network of torch's", lambda: lnc.MSE(torch.nn.Linear(1, 1)), ArgumentError, "expected a Layer"),
    *[
        (
            f"l2={l2}",
            lambda l2=l2: lnc.MSE(Dense(1), l2=l2),
            ArgumentError,
            "MSE: l2 is .*; expected a finite number of at least 0",
        )
        for l2 in (-1, nan, inf)
    ],
]


@pytest.mark.parametrize(("call", "error", "text"), [pytest.param(*row, id=name) for name, *row in LAYERS + LOSSES])
def test_a_mistake_is_explained(call, error, text):
    """The error has the right class and text, and is short enough to be read."""
    with pytest.raises(error, match=text) as caught:
        call()
    message = str(caught.value)
    assert len(message) <= 500
    if isinstance(caught.value, LincolnError):
        assert caught.value.message == message
