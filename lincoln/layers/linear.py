"""The linear layer: every output a weighted sum of all inputs."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from lincoln import init as initializers
from lincoln._util.checks import at_least_one
from lincoln.errors import ArgumentError, DimensionError, MatchError
from lincoln.layers.layer import Layer


class Linear(Layer):
    """a = x W + B, for x (..., i), W (i, o), B (1, o); i is read off the first input, o is `size`.

    With G = dL/da: dL/dW = x^T G, dL/dB = sum of G over examples, dL/dx = G W^T (docs/derivations/linear.md).

    `init` fills W; by default it suits the activation that follows (Glorot for sigmoid and tanh, He for ReLU).
    B starts at zero. `DimensionError` for an input of fewer than two dimensions, `MatchError` for another number of
    features than W was built for.
    """

    recordable = True
    backward_formula = "dW = xᵀda\ndB = Σda\ndx = da Wᵀ"
    # As in torch's own nn.Linear. At 128 x 30 x 10 the three products then take 12.0 us instead of 15.3, at 32 x 256 x 10
    # 12.8 instead of 23.9 (one thread, MKL); at 784 x 512 there is no difference.
    transposed: ClassVar[tuple[str, ...]] = ("W",)
    penalized = ("W",)
    W: Tensor
    B: Tensor
    suggested_init: initializers.Initializer = initializers.glorot()

    def __init__(self, size: int, bias: bool = True, init: initializers.Initializer | None = None) -> None:
        if init is not None and not callable(init):
            raise ArgumentError(
                f"Linear: init is {init!r}; expected a function that fills a tensor, such as init.normal(std=0.01)"
            )
        self.size = at_least_one("Linear: size", size)
        self.bias = bias
        self.init = init

    def build(self, input: Tensor) -> dict[str, Tensor]:
        W = input.new_full((input.shape[-1], self.size), torch.nan)
        (self.init or self.suggested_init)(W)
        if W.isnan().any():
            raise ArgumentError(
                f"{self.label}: init={self.init!r} left NaN in W: it must fill the tensor it is given, in place"
            )
        return {"W": W, "B": input.new_zeros(1, self.size)} if self.bias else {"W": W}

    def check(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise DimensionError(
                f"{self.label}: input should have at least 2 dimensions, (examples, features); instead it has "
                f"{input.dim()}, shape {tuple(input.shape)}. For one example use input.reshape(1, -1)"
            )
        if not input.is_floating_point():
            raise MatchError(f"{self.label}: input is {input.dtype}, expected floating point: use input.float()")
        if self.built and input.shape[-1] != self.W.shape[0]:
            raise MatchError(f"{self.label}: input has {input.shape[-1]} features, W was built for {self.W.shape[0]}")

    def _forward(self, input: Tensor) -> Tensor:
        x = input if input.dim() == 2 else input.flatten(0, -2)  # (n, i)
        self.saved = x
        if x is input and 2 < self.size <= 32:
            return self._by_columns(x)
        a = torch.addmm(self.B, x, self.W) if self.bias else torch.mm(x, self.W)  # (n, o)
        return a if x is input else a.view(*input.shape[:-1], self.size)

    def _by_columns(self, x: Tensor) -> Tensor:
        """a^T = W^T x^T + B^T: the same numbers, in memory column by column, which pays where o is small.

        At 200 x 30 x 10 it takes 7.1 us instead of 10.6, at 200 x 256 x 10 36 instead of 65 (float64, one thread, MKL);
        there is nothing to gain from o = 50 on, and for one or two columns it costs more.
        """
        xT, WT = x.t(), self.W.t()
        return (torch.addmm(self.B.t(), WT, xT) if self.bias else torch.mm(WT, xT)).t()

    def _backward(self, output_grad: Tensor) -> Tensor | None:
        x = self.saved
        G = output_grad if output_grad.dim() == 2 else output_grad.flatten(0, -2)  # (n, o)
        torch.mm(G.t(), x, out=self.grad["W"].t())  # dL/dW^T = G^T x: in the order of W's memory
        if self.bias:
            torch.sum(G, 0, keepdim=True, out=self.grad["B"])
        if not self.needs_input_grad:
            return None
        # In memory as x is, column by column or row by row: the layer below meets the two together.
        input_grad = torch.mm(self.W, G.t()).t() if x.stride(0) == 1 else torch.mm(G, self.W.t())  # (n, i)
        return input_grad if G is output_grad else input_grad.view(*output_grad.shape[:-1], x.shape[-1])
