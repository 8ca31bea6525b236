"""Initialisers: functions that fill a tensor of weights in place.

The weights of a linear layer have shape (n_input, size), so `shape[0]` is the fan-in, the number of inputs. Any function
of one tensor can be an initialiser. Those of `torch.nn.init` take the second dimension for the fan-in: swap their `mode`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from lincoln._util.settings import FINITE_NON_NEGATIVE, within


class Initializer(Protocol):
    """A function that fills a tensor in place."""

    def __call__(self, weights: Tensor, /) -> object: ...


# The classes are named as functions because they are called as functions: Linear(10, init=init.normal(std=0.01)).


@dataclass(frozen=True)
class normal:
    """W ~ N(0, std^2)."""

    std: float = 0.01

    def __post_init__(self) -> None:
        within(self, std=FINITE_NON_NEGATIVE)

    def __call__(self, weights: Tensor) -> Tensor:
        return weights.normal_(0.0, self.std)


@dataclass(frozen=True)
class uniform:
    """W ~ U(-bound, bound)."""

    bound: float = 0.1

    def __post_init__(self) -> None:
        within(self, bound=FINITE_NON_NEGATIVE)

    def __call__(self, weights: Tensor) -> Tensor:
        return weights.uniform_(-self.bound, self.bound)


@dataclass(frozen=True)
class glorot:
    """W ~ U(-b, b), with b = sqrt(6 / (n_input + size)).

    Keeps the variance of activations and of gradients about constant from layer to layer, for tanh and sigmoid. Glorot and
    Bengio (2010), equation 16.
    """

    def __call__(self, weights: Tensor) -> Tensor:
        bound = math.sqrt(6.0 / (weights.shape[0] + weights.shape[1]))
        return weights.uniform_(-bound, bound)


@dataclass(frozen=True)
class he:
    """W ~ N(0, 2 / n_input). The 2 makes up for the half of its inputs that ReLU sets to zero.

    He et al. (2015), equation 10.
    """

    def __call__(self, weights: Tensor) -> Tensor:
        return weights.normal_(0.0, math.sqrt(2.0 / weights.shape[0]))
