"""Activations: functions of each number alone, and softmax. None of them learns."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lincoln import init
from lincoln.layers.layer import Layer


class Sigmoid(Layer):
    """p = 1 / (1 + e^-a), so dL/da = p (1 - p) dL/dp (docs/derivations/sigmoid.md)."""

    recordable = True
    backward_formula = "da = p (1 - p) dp"

    def _forward(self, input: Tensor) -> Tensor:
        self.saved = p = torch.sigmoid(input)
        return p

    def _backward(self, output_grad: Tensor) -> Tensor:
        p = self.saved
        q = p * output_grad
        return torch.addcmul(q, q, p, value=-1)  # q - q p


class Tanh(Layer):
    """t = tanh a, so dL/da = (1 - t^2) dL/dt."""

    recordable = True
    backward_formula = "da = (1 - t²) dt"

    def _forward(self, input: Tensor) -> Tensor:
        self.saved = t = torch.tanh(input)
        return t

    def _backward(self, output_grad: Tensor) -> Tensor:
        t = self.saved
        return torch.addcmul(output_grad, output_grad * t, t, value=-1)  # g - g t t


class ReLU(Layer):
    """r = max(a, 0), so dL/da = dL/dr where r > 0, else 0 (at a = 0 too, as everyone has it).

    It saves its output, which the next layer saves as its input anyway, so it costs no memory.
    """

    recordable = True
    backward_formula = "da = [r > 0] dr"
    suited_init = init.he()

    def _forward(self, input: Tensor) -> Tensor:
        self.saved = r = torch.relu(input)
        return r

    def _backward(self, output_grad: Tensor) -> Tensor:
        r: Tensor = self.saved
        return torch.sign(r).mul_(output_grad)  # as r >= 0; 2 us at 200 x 10, where output_grad * (r > 0) takes 5


class Softmax(Layer):
    """p_i = e^z_i / sum_j e^z_j over the last dimension, so dL/dz = p (g - sum_j g_j p_j), where g = dL/dp.

    docs/derivations/softmax.md. Under `CrossEntropy` the loss takes this layer's place and sends p - y instead.
    """

    recordable = True
    backward_formula = "dz = p (g - Σ g p)"

    def _forward(self, input: Tensor) -> Tensor:
        self.saved = p = by_rows(torch.softmax, input)
        return p

    def _backward(self, output_grad: Tensor) -> Tensor:
        p: Tensor = self.saved
        return p * (output_grad - (output_grad * p).sum(-1, keepdim=True))


class Exp(Layer):
    """e = e^a, so dL/da = e dL/de: what turns any number into a positive one, such as a rate."""

    recordable = True
    backward_formula = "da = e de"

    def _forward(self, input: Tensor) -> Tensor:
        self.saved = e = torch.exp(input)
        return e

    def _backward(self, output_grad: Tensor) -> Tensor:
        e: Tensor = self.saved
        return output_grad * e


class Identity(Layer):
    """y = x, so dL/dx = dL/dy."""

    recordable = True
    backward_formula = "dx = dy"

    def _forward(self, input: Tensor) -> Tensor:
        return input

    def _backward(self, output_grad: Tensor) -> Tensor:
        return output_grad


def by_rows(function: Callable[[Tensor, int], Tensor], z: Tensor) -> Tensor:
    """`function(z, -1)`, for torch's softmax and log_softmax.

    Where z lies column by column, as narrow linear layers leave it, they are taken down the columns of the transpose,
    which takes 3 us instead of 25 (200 x 10, float64, one thread).
    """
    if z.dim() == 2 and z.stride(0) == 1:
        return function(z.t(), 0).t()
    return function(z, -1)


_BY_NAME: dict[str, type[Layer]] = {
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "softmax": Softmax,
    "exp": Exp,
    "identity": Identity,
}
