"""Weight initialisers: each fills a tensor in place.

`W` is (n_input, size), so an example's fan-in is `W.shape[0]`. Any function of one tensor serves; those of `torch.nn.init`
do too, but they read fan-in from the second dimension: swap their `mode`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class Initializer(Protocol):
    """Anything that fills a tensor in place when called with it."""

    def __call__(self, weights: Tensor, /) -> object: ...


# The classes are named as functions because they are called as functions: Linear(10, init=init.normal(std=0.01)).


@dataclass(frozen=True)
class normal:
    """W ~ N(0, std^2); std 0.01 is the notebook's."""

    std: float = 0.01

    def __call__(self, weights: Tensor) -> Tensor:
        return weights.normal_(0.0, self.std)


@dataclass(frozen=True)
class uniform:
    """W ~ U(-bound, bound)."""

    bound: float = 0.1

    def __call__(self, weights: Tensor) -> Tensor:
        return weights.uniform_(-self.bound, self.bound)


@dataclass(frozen=True)
class glorot:
    """W ~ U(-b, b), b = sqrt(6 / (n_input + size)): keeps the variance of sigmoid and tanh layers both ways.

    Glorot and Bengio (2010), equation 16.
    """

    def __call__(self, weights: Tensor) -> Tensor:
        bound = math.sqrt(6.0 / (weights.shape[0] + weights.shape[1]))
        return weights.uniform_(-bound, bound)


@dataclass(frozen=True)
class he:
    """W ~ N(0, 2 / n_input): makes up for the half of its input that ReLU throws away.

    He et al. (2015), equation 10.
    """

    def __call__(self, weights: Tensor) -> Tensor:
        return weights.normal_(0.0, math.sqrt(2.0 / weights.shape[0]))
