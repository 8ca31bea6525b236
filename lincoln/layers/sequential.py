"""Layers one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import ClassVar, overload

from torch import Tensor

from lincoln._util.marks import recordable
from lincoln._util.text import few, short
from lincoln.errors import ArgumentError, StateError
from lincoln.layers.activations import Identity
from lincoln.layers.layer import Layer


@recordable
class Sequential(Layer):
    """y = f_n(... f_2(f_1(x))), so gradients flow back through f_n, ..., f_2, f_1: the chain rule as two loops.

    Layers are named by position, `Sequential(Dense(10), Dense(1))`, or by you, `Sequential(hidden=Dense(10),
    output=Dense(1))`; `network[0]`, `network["hidden"]` and `network[1:]` take them out again.
    """

    made_of_layers: ClassVar = True

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
                raise TypeError(f"{type(self).__name__}: {short(name)} is {short(layer)}, expected a Layer{hint}")
        self.names = tuple(names)
        self.layers = tuple(names.values())
        self._refuse_repeats()
        for layer, following in pairwise(leaf for leaf in self.leaves() if not isinstance(leaf, Identity)):
            layer.followed_by(following)

    def _forward(self, input: Tensor) -> Tensor:
        for layer in self.layers:
            input = layer.forward(input)
        self.saved = [layer.pending for layer in self.layers]  # tells this forward of each layer from any other
        return input

    def _backward(self, output_grad: Tensor) -> Tensor | None:
        for layer, forward in zip(self.layers, self.saved, strict=True):
            if layer.pending is not forward:
                raise StateError(f"{layer.label} has run again since {self.label} did: run {self.label} forward again")
        return run_back(self.layers, output_grad, self.needs_input_grad)

    def children(self) -> Iterator[tuple[str, Layer]]:
        yield from zip(self.names, self.layers, strict=True)
        own = {id(layer) for layer in self.layers}
        yield from (
            (name, layer) for name, layer in vars(self).items() if isinstance(layer, Layer) and id(layer) not in own
        )

    def leaves(self) -> Iterator[Layer]:
        """Yield the layers that compute, in the order they run, with every plain Sequential inside this one unpacked."""
        if not self._is_plain():
            yield self
            return
        for layer in self.layers:
            yield from layer.leaves()

    def settings(self) -> dict[str, Layer]:
        """Return the layers by name."""
        return dict(zip(self.names, self.layers, strict=True))

    def _is_plain(self) -> bool:
        """Return True if it does what its layers do and no more; a subclass may have a `_backward` of its own."""
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
                raise KeyError(f"{self.label} has no layer {short(key)}; it has {few(self.names, 10)}")
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


def run_back(layers: Sequence[Layer], grad: Tensor, input_grad: bool) -> Tensor | None:
    """Send a gradient back through layers that ran one after another: the chain rule. Return dL/dinput if asked for."""
    for layer in layers[:0:-1]:
        grad = layer.backward(grad)  # type: ignore[assignment]  # asked for, so never None
    if layers:
        return layers[0].backward(grad, input_grad)
    return grad if input_grad else None
