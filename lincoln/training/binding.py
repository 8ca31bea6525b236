"""Bind a loss and an optimizer to a network: from a class, a factory or an instance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lincoln._util.text import short
from lincoln.errors import ArgumentError
from lincoln.layers import Layer
from lincoln.losses import Loss
from lincoln.optim import Optimizer


def bind_loss(given: Loss | Callable[[Layer], Loss], network: Layer) -> Loss:
    """Return the loss of `network`, made by a class or factory, or given as an instance made from it.

    Raises ArgumentError for anything else, and for a loss of another network.
    """
    loss: Loss = given if isinstance(given, Loss) else _make("loss", Loss, given, network)
    _same_network("loss", loss.network, network)
    return loss


def bind_optimizer(given: Optimizer | Callable[[Layer], Optimizer], network: Layer) -> Optimizer:
    """Return the optimizer of `network`, by the rules of `bind_loss`."""
    optimizer: Optimizer = given if isinstance(given, Optimizer) else _make("optimizer", Optimizer, given, network)
    _same_network("optimizer", optimizer.network, network)
    return optimizer


def _make(role: str, kind: type, factory: Any, network: Layer) -> Any:
    made = factory(network) if callable(factory) else factory
    if not isinstance(made, kind):
        raise ArgumentError(
            f"{role} is {short(factory)}; expected a {kind.__name__} class, a factory that makes one from a network (such "
            f"as functools.partial), or an instance"
        )
    return made


def _same_network(role: str, bound: Layer, network: Layer) -> None:
    if bound is not network:
        raise ArgumentError(f"{role} is bound to another network than the one to be trained: make it from this one")
