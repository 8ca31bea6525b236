"""A whole network as two vectors: values and gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lincoln.errors import ArgumentError, MatchError, StateError

if TYPE_CHECKING:
    from lincoln.layers.layer import Layer


class Flat:
    """All parameters of a network side by side in `values`, their gradients in `grads`, both (n_parameters,).

    Each lies there as it lies in memory: the W of a `Linear` as its transpose.

    The parameters stay the tensors they were; only their memory moves. It stays `valid` until a layer is moved to
    another device or dtype, or is made part of another network's vectors.

    Source: `getParameters` of Torch7's nn.
    """

    def __init__(self, network: Layer) -> None:
        layers = [layer for _, layer in network.named_layers()]
        learning = [layer for layer in layers if layer._names]
        if not learning:
            raise StateError(f"{network.label}: no parameters yet; they are made by the first forward")
        if len({id(layer) for layer in layers}) < len(layers):
            raise ArgumentError(f"{network.label}: holds a layer in two places; a layer has one place: make two layers")
        for layer in layers:
            if layer.learns and not layer.built:
                raise StateError(f"{layer.label} has seen no input yet: run the whole network forward first")
            _refuse_tied(layer, layers)
            layer.adopt()
        self.entries = [(layer, name, *layer._own[name]) for layer in learning for name in layer._names]
        kinds = {(value.dtype, value.device) for _, _, value, _ in self.entries}
        if len(kinds) > 1:
            found = ", ".join(sorted(f"{dtype} on {device}" for dtype, device in kinds))
            raise MatchError(f"{network.label}: parameters differ ({found}); one call of network.to(...) makes them alike")
        with torch.inference_mode(False):
            self.values = _gather([value for _, _, value, _ in self.entries])
            self.grads = _gather([grad for _, _, _, grad in self.entries])
        self.valid = True
        for layer in layers:
            if layer._home is not None:
                layer._home.valid = False
            layer._home = self

    def adopt(self) -> None:
        """See that tensors that were assigned since the last time are taken into the vectors."""
        for layer, name, value, grad in self.entries:
            if layer.grad[name] is not grad or getattr(layer, name) is not value:
                _refuse_tied(layer, [other for other, _, _, _ in self.entries])
                layer.adopt()


def _gather(tensors: list[Tensor]) -> Tensor:
    """The tensors' memory, one after another, and each tensor a view of its part, with the strides it had."""
    vector = torch.cat([tensor.as_strided((tensor.numel(),), (1,)) for tensor in tensors])
    start = 0
    for tensor in tensors:
        part = vector[start : start + tensor.numel()]
        tensor.data = part.as_strided(tensor.shape, tensor.stride())
        start += tensor.numel()
    return vector


def _refuse_tied(layer: Layer, layers: list[Layer]) -> None:
    """A parameter that is another layer's tensor would be copied, and the two would part without a word."""
    for name in layer._names:
        for other in layers:
            if other is not layer and any(getattr(layer, name) is value for value, _ in other._own.values()):
                raise MatchError(
                    f"{layer.label}: {name} is the parameter of {other.label}; a tensor belongs to one layer. Copy it "
                    f"({name}.clone()), or write one layer that uses it twice"
                )
