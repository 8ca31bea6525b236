"""Errors of a layer's own code, in words that name the layer, what came and what was expected."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lincoln._util.tensors import described
from lincoln.errors import LayerError, LincolnError, MatchError
from lincoln.layers.parameters import Parameters

_ABOUT_THE_LAYER = (
    RuntimeError,
    TypeError,
    AttributeError,
    IndexError,
    KeyError,
    ValueError,
    ArithmeticError,
    AssertionError,
)


def is_clear(error: BaseException) -> bool:
    """Return True if an error says all that a user needs, or is not about the layer at all (an interrupt)."""
    return isinstance(error, LincolnError | NotImplementedError) or not isinstance(error, _ABOUT_THE_LAYER)


def explained(layer: Parameters[Any], error: BaseException, role: str, tensor: Any) -> LincolnError:
    """Return the error to raise when `_forward` (role "input") or `_backward` (role "output_grad") failed for `tensor`."""
    if not isinstance(tensor, Tensor):
        return not_a_tensor(layer, role, tensor)
    for name, (own, _) in layer.own.items():
        if own.device != tensor.device:
            return MatchError(
                f"{layer.label}: {role} is on {tensor.device}, {name} on {own.device}: move one of them with .to(device)"
            )
        if own.dtype != tensor.dtype:
            return MatchError(
                f"{layer.label}: {role} is {tensor.dtype}, {name} is {own.dtype}: use {role}.to({own.dtype}) "
                f"or network.to(dtype=...)"
            )
    method = "_forward" if role == "input" else "_backward"
    return LayerError(f"{layer.label}: {method} failed for {role} {described(tensor)}: {error}")


def not_a_tensor(layer: Parameters[Any], role: str, value: Any) -> MatchError:
    """Return the error for a value that is no tensor."""
    return MatchError(
        f"{layer.label}: {role} is a {type(value).__name__}, expected a torch.Tensor: use torch.as_tensor({role})"
    )
