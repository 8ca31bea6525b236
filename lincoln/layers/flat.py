"""A whole network as two vectors: values and gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lincoln.errors import MatchError, StateError

if TYPE_CHECKING:
    from lincoln.layers.base import Layer


class Flat:
    """All parameters of a network side by side in `values`, their gradients in `grads`, both (n_parameters,).

    The parameters stay the tensors they were; only their memory moves. It stays `valid` until a layer is moved to
    another device or dtype, or is made part of another network's vectors.

    Source: `getParameters` of Torch7's nn.
    """

    def __init__(self, network: Layer) -> None:
        self.entries = [
            (layer, name, getattr(layer, name), layer.grad[name])
            for _, layer in network.named_layers()
            for name in layer._names
        ]
        if not self.entries:
            raise StateError(f"{network.label}: no parameters yet; they are made by the first forward")
        kinds = {(value.dtype, value.device) for _, _, value, _ in self.entries}
        if len(kinds) > 1:
            found = ", ".join(sorted(f"{dtype} on {device}" for dtype, device in kinds))
            raise MatchError(f"{network.label}: parameters differ ({found}); one call of network.to(...) makes them alike")
        with torch.inference_mode(False):
            self.values = _gather([value for _, _, value, _ in self.entries])
            self.grads = _gather([grad for _, _, _, grad in self.entries])
        self.valid = True
        for _, layer in network.named_layers():
            if layer._home is not None:
                layer._home.valid = False
            layer._home = self

    def adopt(self) -> None:
        """Take in tensors that were assigned (`layer.W = w`, `self.grad["W"] = x.t() @ g`) instead of written in place."""
        for layer, name, value, grad in self.entries:
            if layer.grad[name] is not grad:
                _copy(layer.grad[name], grad, f"{layer.label}: gradient of {name}")
                layer.grad[name] = grad
            if getattr(layer, name) is not value:
                _copy(getattr(layer, name), value, f"{layer.label}: {name}")
                setattr(layer, name, value)


def _gather(tensors: list[Tensor]) -> Tensor:
    vector = torch.cat([tensor.reshape(-1) for tensor in tensors])
    start = 0
    for tensor in tensors:
        stop = start + tensor.numel()
        tensor.data = vector[start:stop].view(tensor.shape)
        start = stop
    return vector


def _copy(assigned: Tensor, own: Tensor, what: str) -> None:
    if assigned.shape != own.shape:
        raise MatchError(f"{what} was given shape {tuple(assigned.shape)}, wanted {tuple(own.shape)}")
    own.copy_(assigned)
