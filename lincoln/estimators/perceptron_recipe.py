"""The network of a multilayer perceptron, its initial weights, its loss and its optimizer, as in scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.random import RandomState
from sklearn.utils._param_validation import InvalidParameterError
from torch import Tensor

from lincoln.estimators.coefficients import fill
from lincoln.estimators.recipe import Recipe
from lincoln.layers import Dense, Dropout, Layer, Sequential, SparseLinear
from lincoln.losses import CrossEntropy, LogLoss, Loss, PoissonLoss, SquaredError
from lincoln.optim import Optimizer

ACTIVATIONS = {"identity": None, "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
"""The activations of hidden layers, by scikit-learn's names."""
_OUTPUTS: dict[str, tuple[str | None, type[Loss]]] = {
    "identity": (None, SquaredError),
    "exp": ("exp", PoissonLoss),
    "logistic": ("sigmoid", LogLoss),
    "softmax": ("softmax", CrossEntropy),
}


@dataclass(frozen=True)
class PerceptronRecipe(Recipe):
    """Hidden layers of one kind. Two recipes are equal if they make the same network and loss."""

    sizes: tuple[int, ...]
    activation: str
    out_activation: str
    dropout: float
    alpha: float
    sparse_input: bool
    """True if the first layer multiplies only the entries that are not zero."""
    make_optimizer: Callable[[Layer], Optimizer] = field(compare=False)
    dtype: torch.dtype | None = field(default=None, compare=False)
    rate: Callable[[int], float] | None = field(default=None, compare=False)
    adaptive: bool = field(default=False, compare=False)

    @property
    def draws(self) -> bool:
        return self.dropout > 0

    def network(self, features: Tensor, possible_outputs: tuple[int, ...], random: RandomState) -> tuple[Layer, int]:
        outputs = possible_outputs[0]
        network = self.layers(outputs).to(features.device, features.dtype)
        coefs, intercepts = [], []
        for fan_in, fan_out in pairwise([features.shape[1], *self.sizes, outputs]):
            bound = np.sqrt((2.0 if self.activation == "logistic" else 6.0) / (fan_in + fan_out))
            coefs.append(random.uniform(-bound, bound, (fan_in, fan_out)))
            intercepts.append(random.uniform(-bound, bound, fan_out))
        fill(network, coefs, intercepts)
        return network, outputs

    def layers(self, outputs: int) -> Sequential:
        """Return the network without weights."""
        hidden = [(size, ACTIVATIONS[self.activation]) for size in self.sizes]
        layers: list[Layer] = []
        for size, activation in (*hidden, (outputs, _OUTPUTS[self.out_activation][0])):
            dense = Dense(size, activation)
            first = not layers
            layers.append(_for_sparse_input(dense) if first and self.sparse_input else dense)
            if self.dropout:
                layers.append(Dropout(self.dropout))
        if self.dropout:
            layers.pop()  # none after the output
        return Sequential(*layers)

    def loss(self, network: Layer) -> Loss:
        return _OUTPUTS[self.out_activation][1](network, reduction="mean", l2=float(self.alpha), check_targets=False)

    def optimizer(self, network: Layer) -> Optimizer:
        return self.make_optimizer(network)

    def averaged_outputs(self, outputs: int) -> int:
        return outputs if self.out_activation == "identity" else 1


def _for_sparse_input(dense: Dense) -> Sequential:
    return Sequential(linear=SparseLinear(dense.size), activation=dense["activation"])


def hidden_sizes(given: Any) -> tuple[int, ...]:
    """Return `hidden_layer_sizes`, one number or several, as integers. Raises InvalidParameterError or ValueError."""
    sizes = list(given) if hasattr(given, "__iter__") else [given]
    if not all(isinstance(size, Integral) and not isinstance(size, bool) for size in sizes):
        raise InvalidParameterError(f"hidden_layer_sizes must be integers, got {sizes}.")
    if not all(int(size) > 0 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return tuple(sizes)
