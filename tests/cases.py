"""Every layer and every loss, once: each property is one test over these tables. A new layer is a new row."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import lincoln as lnc
from lincoln.layers import (
    Dense,
    Dropout,
    Exp,
    Identity,
    Layer,
    Linear,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    SparseLinear,
    Tanh,
)


def numbers(shape: tuple[int, ...], dtype: torch.dtype, device: str) -> Tensor:
    return torch.randn(shape, dtype=dtype, device=device)


INPUTS: dict[str, Callable[..., Tensor]] = {"float": numbers}
"""Kinds of input, each a function of shape, dtype and device. Indices of an embedding would be another kind."""


@dataclass(frozen=True)
class LayerCase:
    """A layer, how to make it, an input shape for it, and torch's own version of its forward."""

    name: str
    make: Callable[[], Layer]
    shape: tuple[int, ...]
    reference: Callable[[Layer, Tensor], Tensor]
    input: str = "float"
    one_graph: bool = True  # torch.compile takes a step of it whole

    def example(
        self, shape: tuple[int, ...] | None = None, dtype: torch.dtype = torch.float64, device: str = "cpu"
    ) -> Tensor:
        """Return a random input for the layer, of its own shape unless another is given."""
        return INPUTS[self.input](shape or self.shape, dtype, device)


def linear(layer: Layer, x: Tensor) -> Tensor:
    state = layer.state_dict()
    return F.linear(x, state["W"].T, state["B"][0] if "B" in state else None)


def two_dense(layer: Layer, x: Tensor) -> Tensor:
    p = dict(layer.named_parameters())
    hidden = torch.relu(x @ p["0.linear.W"] + p["0.linear.B"])
    return torch.sigmoid(hidden @ p["1.linear.W"] + p["1.linear.B"])


LAYERS = [
    LayerCase("linear", lambda: Linear(3), (5, 4), linear),
    LayerCase("linear without bias", lambda: Linear(3, bias=False), (5, 4), linear),
    LayerCase("linear on sequences", lambda: Linear(3), (2, 3, 4), linear),
    LayerCase("linear on 4 dimensions", lambda: Linear(1), (2, 3, 2, 4), linear),
    LayerCase("sparse linear, on dense input", lambda: SparseLinear(3), (5, 4), linear, one_graph=False),
    LayerCase("sigmoid", Sigmoid, (5, 4), lambda layer, x: torch.sigmoid(x)),
    LayerCase("tanh", Tanh, (5, 4), lambda layer, x: torch.tanh(x)),
    LayerCase("relu", ReLU, (5, 4), lambda layer, x: torch.relu(x)),
    LayerCase("softmax", Softmax, (5, 4), lambda layer, x: torch.softmax(x, -1)),
    LayerCase("exp", Exp, (5, 4), lambda layer, x: torch.exp(x)),
    LayerCase("dropout of nothing", lambda: Dropout(0.0), (5, 4), lambda layer, x: F.dropout(x, 0.0)),
    LayerCase("identity", Identity, (5, 4), lambda layer, x: x),
    LayerCase("dense", lambda: Dense(3), (5, 4), lambda d, x: torch.sigmoid(linear(d["linear"], x))),
    LayerCase("dense, tanh", lambda: Dense(3, "tanh"), (2, 3, 4), lambda d, x: torch.tanh(linear(d["linear"], x))),
    LayerCase("dense, linear", lambda: Dense(3, None), (5, 4), lambda d, x: linear(d["linear"], x)),
    LayerCase("two layers", lambda: Sequential(Dense(6, "relu"), Dense(2)), (5, 4), two_dense),
    LayerCase(
        "nested", lambda: Sequential(Sequential(Dense(6, "relu"), Dense(2))), (5, 4), lambda n, x: two_dense(n[0], x)
    ),
]


@dataclass(frozen=True)
class LossCase:
    """A loss on a network of `outputs` outputs, with targets for n examples, and torch's own value of it."""

    name: str
    make: Callable[..., lnc.Loss]
    targets: Callable[[int], Tensor]
    reference: Callable[..., Tensor]  # (network's prediction, targets, reduction)


def zeros_and_ones(n: int, outputs: int) -> Tensor:
    return torch.randint(0, 2, (n, outputs)).double()


def between(n: int, outputs: int) -> Tensor:
    return torch.rand(n, outputs, dtype=torch.float64)


def probabilities(n: int, outputs: int) -> Tensor:
    return torch.softmax(torch.randn(n, outputs, dtype=torch.float64), -1)


@lnc.recordable
class Squash(Layer):
    """A link that no loss knows: (1 + tanh a) / 2 lies between 0 and 1, as a sigmoid does."""

    def _forward(self, input):
        self.saved = t = torch.tanh(input)
        return (1 + t) / 2

    def _backward(self, output_grad):
        return output_grad * (1 - self.saved**2) / 2


@lnc.recordable
class Shares(Layer):
    """Probabilities that are no softmax: a^2 + 1, divided by their sum."""

    def _forward(self, input):
        s = input**2 + 1
        self.saved = input, s
        return s / s.sum(-1, keepdim=True)

    def _backward(self, output_grad):
        a, s = self.saved
        total = s.sum(-1, keepdim=True)
        return 2 * a * (output_grad / total - (output_grad * s).sum(-1, keepdim=True) / total**2)


def bce(p: Tensor, y: Tensor, reduction: str) -> Tensor:
    return F.binary_cross_entropy(p, y, reduction="sum") / (len(p) if reduction == "mean" else 1)


def weighted_bce(z: Tensor, y: Tensor, reduction: str) -> Tensor:
    value = F.binary_cross_entropy_with_logits(z, y, pos_weight=z.new_tensor([3, 0.5]), reduction="sum")
    return value / (len(z) if reduction == "mean" else 1)


def ce(p: Tensor, y: Tensor, reduction: str) -> Tensor:
    return F.cross_entropy(torch.log(p), y, reduction=reduction)


def poisson(p: Tensor, y: Tensor, reduction: str) -> Tensor:
    value = F.poisson_nll_loss(p, y, log_input=False, eps=0, reduction="sum") + (torch.xlogy(y, y) - y).sum()
    return value / (len(p) if reduction == "mean" else 1)


def counts(n: int, outputs: int) -> Tensor:
    return torch.randint(0, 4, (n, outputs)).double()


def hidden(*layers: Layer) -> Sequential:
    return Sequential(Dense(4, "tanh"), *layers)


LOSSES = [
    LossCase("log loss", lambda **k: lnc.LogLoss(hidden(Dense(1)), **k), lambda n: zeros_and_ones(n, 1), bce),
    LossCase("log loss, 3 outputs", lambda **k: lnc.LogLoss(hidden(Dense(3)), **k), lambda n: zeros_and_ones(n, 3), bce),
    LossCase(
        "log loss, nested sigmoid",
        lambda **k: lnc.LogLoss(Sequential(hidden(Sequential(Linear(1), Sequential(Sigmoid())))), **k),
        lambda n: zeros_and_ones(n, 1),
        bce,
    ),
    LossCase(
        "log loss, from logits",
        lambda **k: lnc.LogLoss(hidden(Linear(2)), from_logits=True, **k),
        lambda n: zeros_and_ones(n, 2),
        lambda z, y, reduction: bce(torch.sigmoid(z), y, reduction),
    ),
    LossCase(
        "log loss, another link",
        lambda **k: lnc.LogLoss(hidden(Linear(2), Squash()), **k),
        lambda n: zeros_and_ones(n, 2),
        bce,
    ),
    LossCase("log loss, soft targets", lambda **k: lnc.LogLoss(hidden(Dense(2)), **k), lambda n: between(n, 2), bce),
    LossCase(
        "log loss, smooth labels",
        lambda **k: lnc.LogLoss(hidden(Dense(2)), label_smoothing=0.2, **k),
        lambda n: zeros_and_ones(n, 2),
        lambda p, y, reduction: bce(p, 0.8 * y + 0.1, reduction),
    ),
    LossCase(
        "log loss, positive weight",
        lambda **k: lnc.LogLoss(hidden(Linear(2)), from_logits=True, pos_weight=[3, 0.5], **k),
        lambda n: between(n, 2),
        weighted_bce,
    ),
    LossCase(
        "log loss, positive weight, another link",
        lambda **k: lnc.LogLoss(hidden(Linear(2), Squash()), pos_weight=[3, 0.5], **k),
        lambda n: between(n, 2),
        lambda p, y, reduction: weighted_bce(torch.logit(p), y, reduction),
    ),
    LossCase(
        "cross entropy", lambda **k: lnc.CrossEntropy(hidden(Dense(3, "softmax")), **k), lambda n: torch.arange(n) % 3, ce
    ),
    LossCase(
        "cross entropy, probabilities",
        lambda **k: lnc.CrossEntropy(hidden(Dense(3, "softmax")), **k),
        lambda n: probabilities(n, 3),
        ce,
    ),
    LossCase(
        "cross entropy, from logits",
        lambda **k: lnc.CrossEntropy(hidden(Linear(3)), from_logits=True, **k),
        lambda n: torch.arange(n) % 3,
        lambda z, y, reduction: F.cross_entropy(z, y, reduction=reduction),
    ),
    LossCase(
        "cross entropy, another link",
        lambda **k: lnc.CrossEntropy(hidden(Linear(3), Shares()), **k),
        lambda n: torch.arange(n) % 3,
        ce,
    ),
    LossCase(
        "cross entropy, another link, probabilities",
        lambda **k: lnc.CrossEntropy(hidden(Linear(3), Shares()), **k),
        lambda n: probabilities(n, 3),
        ce,
    ),
    LossCase(
        "cross entropy, smooth labels",
        lambda **k: lnc.CrossEntropy(hidden(Dense(3, "softmax")), label_smoothing=0.2, **k),
        lambda n: torch.arange(n) % 3,
        lambda p, y, reduction: F.cross_entropy(torch.log(p), y, label_smoothing=0.2, reduction=reduction),
    ),
    LossCase(
        "cross entropy, class weights",
        lambda **k: lnc.CrossEntropy(hidden(Dense(3, "softmax")), class_weight=[1, 3, 0.5], **k),
        lambda n: torch.arange(n) % 3,
        lambda p, y, reduction: F.cross_entropy(torch.log(p), y, p.new_tensor([1, 3, 0.5]), reduction=reduction),
    ),
    LossCase(
        "cross entropy, ignored class, another link",
        lambda **k: lnc.CrossEntropy(hidden(Linear(3), Shares()), ignore_index=1, **k),
        lambda n: torch.arange(n) % 3,
        lambda p, y, reduction: F.cross_entropy(torch.log(p), y, ignore_index=1, reduction=reduction),
    ),
    LossCase(
        "squared error",
        lambda **k: lnc.MSE(hidden(Linear(2)), **k),
        lambda n: torch.randn(n, 2, dtype=torch.float64),
        lambda p, y, reduction: F.mse_loss(p, y, reduction="mean") * (len(p) if reduction == "sum" else 1),
    ),
    LossCase(
        "half the squared error",
        lambda **k: lnc.SquaredError(hidden(Linear(2)), **k),
        lambda n: torch.randn(n, 2, dtype=torch.float64),
        lambda p, y, reduction: F.mse_loss(p, y, reduction="mean") * (len(p) if reduction == "sum" else 1),
    ),
    LossCase("poisson", lambda **k: lnc.PoissonLoss(hidden(Dense(2, "exp")), **k), lambda n: counts(n, 2), poisson),
    LossCase(
        "poisson, from logarithms",
        lambda **k: lnc.PoissonLoss(hidden(Linear(1)), from_logits=True, **k),
        lambda n: counts(n, 1),
        lambda z, y, reduction: poisson(torch.exp(z), y, reduction),
    ),
    LossCase(
        "poisson, another link",
        lambda **k: lnc.PoissonLoss(hidden(Linear(2), Squash()), **k),
        lambda n: counts(n, 2),
        poisson,
    ),
]

every_layer = pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)
every_loss = pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.name)
both_reductions = pytest.mark.parametrize("reduction", ["sum", "mean"])
