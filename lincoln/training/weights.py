"""Copies of a network's parameters and buffers."""

from __future__ import annotations

import math
from typing import Self

from torch import Tensor

from lincoln._util.tensors import inference
from lincoln.layers import Layer


class Weights:
    """A copy of a network's parameters, as one vector, and of its buffers."""

    def __init__(self, values: Tensor, buffers: dict[str, Tensor]) -> None:
        self.values = values
        self.buffers = buffers

    @classmethod
    def of(cls, network: Layer) -> Self:
        """Copy the weights of a network as they are now."""
        with inference(False):
            buffers = {path: tensor.clone() for path, tensor in network.named_buffers()}
            return cls(network.flatten()[0].clone(), buffers)

    def to(self, device: str) -> Self:
        """Return a copy on that device."""
        return type(self)(self.values.to(device), {path: tensor.to(device) for path, tensor in self.buffers.items()})

    def put_back(self, network: Layer) -> None:
        """Copy the weights into the network."""
        network.flatten()[0].copy_(self.values)
        network.set_buffers(self.buffers)

    def tensors(self) -> dict[str, Tensor]:
        """Return the copies by name, for a checkpoint."""
        return {"weights": self.values} | {f"buffers/{path}": tensor for path, tensor in self.buffers.items()}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> Self | None:
        """Return the weights that `tensors()` gave; None for no tensors."""
        if "weights" not in tensors:
            return None
        buffers = {path.removeprefix("buffers/"): tensor for path, tensor in tensors.items() if path != "weights"}
        return cls(tensors["weights"], buffers)


def all_finite(network: Layer) -> bool:
    """Return True if no parameter is NaN or infinite. Waits for the device."""
    return math.isfinite(network.flatten()[0].abs().max().item())  # NaN and infinity exceed all others
