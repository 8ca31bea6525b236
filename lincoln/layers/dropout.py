"""Dropout: units are left out at random, so that a network does not depend on any one of them."""

from __future__ import annotations

import torch
from torch import Tensor

from lincoln._util.marks import recordable
from lincoln._util.settings import FRACTION_BELOW_ONE, within
from lincoln.layers.layer import Layer


@recordable
class Dropout(Layer):
    """y = m x, so dL/dx = m dL/dy, with m = 0 with probability `rate`, else 1 / (1 - rate), drawn for each number alone.

    The mean of m is 1, so in evaluation mode y = x. Numbers come from torch's generator. Srivastava et al. (2014).
    """

    backward_formula = "dx = m dy"

    def __init__(self, rate: float = 0.5) -> None:
        self.rate = rate
        within(self, rate=FRACTION_BELOW_ONE)

    def _forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return input
        # drawn in float32 whatever the input's dtype, so that one seed gives one mask
        kept = torch.rand(input.shape, dtype=torch.float32, device=input.device).ge_(self.rate)
        self.saved = m = kept.to(input.dtype).div_(1 - self.rate)
        return input * m

    def _backward(self, output_grad: Tensor) -> Tensor:
        m: Tensor = self.saved
        return output_grad * m
