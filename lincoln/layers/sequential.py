"""Layers made of layers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import overload

from torch import Tensor

from lincoln.errors import ArgumentError, StateError
from lincoln.init import Initializer
from lincoln.layers.activations import _BY_NAME, Identity
from lincoln.layers.layer import Layer
from lincoln.layers.linear import Linear


class Sequential(Layer):
    """y = f_n(... f_2(f_1(x))), so gradients flow back through f_n, ..., f_2, f_1: the chain rule as two loops.

    Layers are named by position, `Sequential(Dense(10), Dense(1))`, or by you, `Sequential(hidden=Dense(10),
    output=Dense(1))`; `network[0]`, `network["hidden"]` and `network[1:]` take them out again.
    """

    recordable = True

    def __init__(self, /, *layers: Layer, **named: Layer) -> None:
        numbered = {str(index): layer for index, layer in enumerate(layers)}
        if numbered.keys() & named.keys():
            raise ArgumentError(f"{type(self).__name__}: the name {min(numbered.keys() & named.keys())!r} is given twice")
        names = numbered | named
        if not names:
            raise ArgumentError(f"{type(self).__name__}: no layers; give it at least one, or Identity()")
        for name, layer in names.items():
            if not isinstance(layer, Layer):
                hint = " (an instance: write its parentheses)" if isinstance(layer, type) else ""
                raise TypeError(f"{type(self).__name__}: {name!r} is {layer!r}, expected a Layer{hint}")
        self.names = tuple(names)
        self.layers = tuple(names.values())
        self._refuse_repeats()
        for layer, following in pairwise(leaf for leaf in self.leaves() if not isinstance(leaf, Identity)):
            if isinstance(layer, Linear):
                layer.suggested_init = following.suited_init

    def _forward(self, input: Tensor) -> Tensor:
        for layer in self.layers:
            input = layer.forward(input)
        self.saved = [layer._shapes for layer in self.layers]  # tells this forward of each layer from any other
        return input

    def _backward(self, output_grad: Tensor) -> Tensor | None:
        for layer, forward in zip(self.layers, self.saved, strict=True):
            if layer._shapes is not forward:
                raise StateError(f"{layer.label} has run again since {self.label} did: run {self.label} forward again")
        grad: Tensor = output_grad
        for layer in self.layers[:0:-1]:
            grad = layer.backward(grad)  # type: ignore[assignment]  # asked for, so never None
        return self.layers[0].backward(grad, self.needs_input_grad)

    def children(self) -> Iterator[tuple[str, Layer]]:
        yield from zip(self.names, self.layers, strict=True)
        own = {id(layer) for layer in self.layers}
        yield from (
            (name, layer) for name, layer in vars(self).items() if isinstance(layer, Layer) and id(layer) not in own
        )

    def leaves(self) -> Iterator[Layer]:
        """The layers in the order they run, with every Sequential inside this one unpacked."""
        for layer in self.layers:
            if isinstance(layer, Sequential) and layer.plain:
                yield from layer.leaves()
            else:
                yield layer

    @property
    def plain(self) -> bool:
        """Whether it does what its layers do and no more: a subclass may have a `_backward`, say, of its own."""
        hooks = ("_forward", "_backward", "build", "check")
        return all(getattr(type(self), hook) is getattr(Sequential, hook) for hook in hooks)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    @overload
    def __getitem__(self, key: int | str) -> Layer: ...
    @overload
    def __getitem__(self, key: slice) -> Sequential: ...
    def __getitem__(self, key: int | str | slice) -> Layer:
        if isinstance(key, slice):
            return Sequential(**dict(list(self.children())[key]))
        if isinstance(key, str):
            if key not in self.names:
                raise KeyError(f"{self.label} has no layer {key!r}; it has {', '.join(self.names)}")
            return self.layers[self.names.index(key)]
        return self.layers[key]

    def _refuse_repeats(self) -> None:
        seen: dict[int, str] = {}
        for path, layer in self.named_layers():
            if id(layer) in seen:
                raise ArgumentError(
                    f"{type(self).__name__}: the same {type(layer).__name__} stands at '{seen[id(layer)]}' and '{path}'. "
                    f"A layer remembers one forward at a time, so it has one place: make two layers"
                )
            seen[id(layer)] = path

    def _arguments(self) -> Iterator[str]:
        for name, layer in self.children():
            yield f"{layer!r}" if name.isdigit() else f"{name}={layer!r}"

    def __repr__(self) -> str:
        inner = ",\n".join(self._arguments()).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {inner})"


class Dense(Sequential):
    """p = f(x W + B): a linear layer and its activation.

    `activation` is a name (sigmoid, tanh, relu, softmax, exp, identity), a layer, or None for no activation; `bias` and
    `init` are `Linear`'s.
    """

    recordable = True

    def __init__(
        self,
        size: int,
        activation: str | Layer | None = "sigmoid",
        bias: bool = True,
        init: Initializer | None = None,
    ) -> None:
        self.size = size
        self.activation = activation
        self.bias = bias
        self.init = init
        super().__init__(linear=Linear(size, bias, init), activation=_activation(activation))

    def __repr__(self) -> str:
        return Layer.__repr__(self)

    def _arguments(self) -> Iterator[str]:
        return Layer._arguments(self)


def _activation(given: str | Layer | None) -> Layer:
    if isinstance(given, str):
        if given not in _BY_NAME:
            raise ArgumentError(f"Dense: activation is {given!r}; expected one of {', '.join(_BY_NAME)}, a layer, or None")
        return _BY_NAME[given]()
    return Identity() if given is None else given
