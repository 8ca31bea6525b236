"""Activations: functions of each number alone, and softmax. None of them learns."""

from __future__ import annotations

import torch
from torch import Tensor

from lincoln import init, ops
from lincoln._util.marks import recordable
from lincoln.layers.layer import Layer


@recordable
class Sigmoid(Layer):
    """p = 1 / (1 + e^-a), so dL/da = p (1 - p) dL/dp (docs/derivations/sigmoid.md)."""

    backward_formula = "da = p (1 - p) dp"

    def _forward(self, input: Tensor) -> Tensor:
        self.saved = p = torch.sigmoid(input)
        return p

    def _backward(self, output_grad: Tensor) -> Tensor:
        p = self.saved
        q = p * output_grad
        return ops.minus_product(q, q, p)  # q - q p = p (1 - p) dL/dp


@recordable
class Tanh(Layer):
    """t = tanh a, so dL/da = (1 - t^2) dL/dt."""

    backward_formula = "da = (1 - t²) dt"

    def _forward(self, input: Tensor) -> Tensor:
        self.saved = t = torch.tanh(input)
        return t

    def _backward(self, output_grad: Tensor) -> Tensor:
        t = self.saved
        return ops.minus_product(output_grad, output_grad * t, t)  # dL/dt - dL/dt t t


@recordable
class ReLU(Layer):
    """r = max(a, 0), so dL/da = dL/dr where r > 0, else 0 (at a = 0 too, as is usual).

    It saves its output, which the next layer saves as its input anyway, so it costs no memory.
    """

    backward_formula = "da = [r > 0] dr"
    suited_init = init.he()

    def _forward(self, input: Tensor) -> Tensor:
        self.saved = r = torch.relu(input)
        return r

    def _backward(self, output_grad: Tensor) -> Tensor:
        return ops.where_positive(self.saved, output_grad)


@recordable
class Softmax(Layer):
    """p_i = e^z_i / sum_j e^z_j over the last dimension, so dL/dz = p (g - sum_j g_j p_j), where g = dL/dp.

    docs/derivations/softmax.md. Under `CrossEntropy` the loss takes this layer's place and sends p - y instead.
    """

    backward_formula = "dz = p (g - Σ g p)"

    def _forward(self, input: Tensor) -> Tensor:
        self.saved = p = ops.softmax(input)
        return p

    def _backward(self, output_grad: Tensor) -> Tensor:
        p: Tensor = self.saved
        return p * (output_grad - (output_grad * p).sum(-1, keepdim=True))


@recordable
class Exp(Layer):
    """e = e^a, so dL/da = e dL/de. It makes any number a positive one, such as a rate."""

    backward_formula = "da = e de"

    def _forward(self, input: Tensor) -> Tensor:
        self.saved = e = torch.exp(input)
        return e

    def _backward(self, output_grad: Tensor) -> Tensor:
        e: Tensor = self.saved
        return output_grad * e


@recordable
class Identity(Layer):
    """y = x, so dL/dx = dL/dy."""

    backward_formula = "dx = dy"

    def _forward(self, input: Tensor) -> Tensor:
        return input

    def _backward(self, output_grad: Tensor) -> Tensor:
        return output_grad


BY_NAME: dict[str, type[Layer]] = {
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "softmax": Softmax,
    "exp": Exp,
    "identity": Identity,
}
"""The activations that `Dense` knows by name."""
