"""The linear layer: every output is a weighted sum of all inputs."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from lincoln import init as initializers
from lincoln import ops
from lincoln._util.marks import recordable
from lincoln._util.settings import AT_LEAST_ONE, FLAG, Rule, optional, within
from lincoln._util.text import short
from lincoln.errors import ArgumentError, DimensionError, MatchError
from lincoln.layers.layer import Layer

_INIT = optional(Rule("a function that fills a tensor, such as init.normal(std=0.01)", lambda value: value, callable))


@recordable
class Linear(Layer):
    """a = x W + B, for x (..., i), W (i, o), B (1, o); i is read off the first input, o is `size`.

    With G = dL/da: dL/dW = x^T G, dL/dB = sum of G over all examples, dL/dx = G W^T (docs/derivations/linear.md).

    `init` fills W; by default it suits the activation that follows (Glorot for sigmoid and tanh, He for ReLU).
    B starts at zero. Raises DimensionError for an input of fewer than two dimensions, MatchError for another number of
    features than W was built for.
    """

    backward_formula = "dW = xᵀda\ndB = Σda\ndx = da Wᵀ"
    memory: ClassVar = {"W": ops.by_columns}
    penalized = ("W",)
    W: Tensor
    B: Tensor | None = None
    suggested_init: initializers.Initializer = initializers.glorot()

    def __init__(self, size: int, bias: bool = True, init: initializers.Initializer | None = None) -> None:
        self.size = size
        self.bias = bias
        self.init = init
        within(self, size=AT_LEAST_ONE, bias=FLAG, init=_INIT)

    def _forward(self, x: Tensor) -> Tensor:
        self.saved = x
        return ops.affine(x, self.W, self.B)  # a = x W + B

    def _backward(self, G: Tensor) -> Tensor | None:
        x = self.saved
        ops.weight_grad(x, G, out=self.grad["W"])  # dL/dW = x^T G
        if self.bias:
            ops.bias_grad(G, out=self.grad["B"])  # dL/dB = sum of G over examples
        return ops.input_grad(G, self.W, x) if self.needs_input_grad else None  # dL/dx = G W^T

    def build(self, input: Tensor) -> dict[str, Tensor]:
        W = input.new_full((input.shape[-1], self.size), torch.nan)
        (self.init or self.suggested_init)(W)
        if W.isnan().any():
            raise ArgumentError(
                f"{self.label}: init={short(self.init)} left NaN in W: it must fill the tensor it is given, in place"
            )
        return {"W": W, "B": input.new_zeros(1, self.size)} if self.bias else {"W": W}

    def parameter_shapes(self) -> dict[str, tuple[int | None, ...]]:
        return {"W": (None, self.size)} | ({"B": (1, self.size)} if self.bias else {})

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

    def followed_by(self, following: Layer) -> None:
        self.suggested_init = following.suited_init

    def multiplications(self, examples: int) -> float:
        counted_from_W = self.built and self.work is None  # no forward has shown them yet
        return self.W.numel() * examples if counted_from_W else super().multiplications(examples)
