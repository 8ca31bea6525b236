"""Reasons, in words, why a gradient is wrong: the layer keeps something that another forward changes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lincoln.checking.hand import Between, disturb
from lincoln.errors import LincolnError
from lincoln.layers import Layer

EVALUATED = (
    "an evaluation forward between forward and backward changes it: keep what _backward needs in self.saved, not in {where}"
)
USED = "it is wrong on a layer that has run before: something is kept from an earlier forward, in {where}"

Forget = Callable[[Layer], None]
Passes = Callable[[Between | None, Forget], bool]


def kept_state(passes: Passes, network: Layer, inputs: tuple[Tensor, ...]) -> str:
    """Return what is kept, if anything is, and where.

    `passes(between, forget)` says whether the gradient is right on a copy of `network` with a function called between
    forward and backward and another before both. `network` is a copy to try on.
    """
    if passes(None, _nothing):
        kept = _set_by_a_forward(network, inputs)
        text = USED if passes(disturb(inputs), _nothing) else EVALUATED
        return text.format(where=", ".join(kept) or "other attributes")
    for value in (None, _DELETED):
        try:
            if passes(None, lambda one, value=value: _forget(one, value)):  # type: ignore[misc]
                return USED.format(where=", ".join(_kept_tensors(network)))
        except (LincolnError, AttributeError):  # it needs what was taken away
            continue
    return ""


_DELETED = object()


def _nothing(network: Layer) -> None:
    """Leave the network as it is."""


def _forget(network: Layer, value: object) -> None:
    """Take away the tensors that the layers keep in attributes of their own, or put `value` in their place."""
    for _, layer in network.named_layers():
        for name in _own_tensors(layer):
            if value is _DELETED:
                delattr(layer, name)
            else:
                setattr(layer, name, value)


def _kept_tensors(network: Layer) -> list[str]:
    return sorted({f"self.{name}" for _, layer in network.named_layers() for name in _own_tensors(layer)})


def _own_tensors(layer: Layer) -> list[str]:
    known = {*layer.own, *layer.buffers, "saved"}
    return [name for name, value in vars(layer).items() if isinstance(value, Tensor) and name not in known]


def _set_by_a_forward(network: Layer, inputs: tuple[Tensor, ...]) -> list[str]:
    """Return the attributes that an evaluation forward sets."""
    before = {layer: dict(vars(layer)) for _, layer in network.named_layers()}
    with torch.no_grad():
        disturb(inputs)(network)
    return sorted(
        {
            f"self.{name}"
            for layer, old in before.items()
            for name, value in vars(layer).items()
            if name not in ("saved", "pending", "training", "built", *layer.buffers) and old.get(name) is not value
        }
    )
