"""A linear layer with its activation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from lincoln._util.marks import recordable
from lincoln._util.text import short
from lincoln.errors import ArgumentError
from lincoln.init import Initializer
from lincoln.layers.activations import BY_NAME, Identity
from lincoln.layers.layer import Layer
from lincoln.layers.linear import Linear
from lincoln.layers.sequential import Sequential


@recordable
class Dense(Sequential):
    """p = f(x W + B): a linear layer and its activation.

    `activation` is a name (sigmoid, tanh, relu, softmax, exp, identity), a layer, or None for no activation; `bias` and
    `init` are `Linear`'s.
    """

    made_of_layers: ClassVar = False

    def __init__(
        self,
        size: int,
        activation: str | Layer | None = "sigmoid",
        bias: bool = True,
        init: Initializer | None = None,
    ) -> None:
        linear = Linear(size, bias, init)
        self.size, self.bias, self.init = linear.size, linear.bias, linear.init  # plain Python values by now
        self.activation = str(activation) if isinstance(activation, str) else activation
        super().__init__(linear=linear, activation=_activation(activation))

    def settings(self) -> dict[str, Any]:
        """Return the constructor's arguments by name."""
        return Layer.settings(self)

    def __repr__(self) -> str:
        return Layer.__repr__(self)

    def _arguments(self) -> Iterator[str]:
        return Layer._arguments(self)


def _activation(given: str | Layer | None) -> Layer:
    if isinstance(given, str):
        if given not in BY_NAME:
            raise ArgumentError(
                f"Dense: activation is {short(given)}; expected one of {', '.join(BY_NAME)}, a layer, or None"
            )
        return BY_NAME[given]()
    return Identity() if given is None else given
