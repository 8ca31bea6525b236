"""Links: the functions p = h(z) that turn a network's last numbers z into predictions p, and what depends on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lincoln import ops
from lincoln._util.text import short
from lincoln.errors import ArgumentError
from lincoln.layers import Exp, Identity, Layer, Linear, ReLU, Sigmoid, Softmax, Tanh


def _as_it_is(p: Tensor) -> Tensor:
    return p


def _likely(p: Tensor) -> Tensor:
    return (p >= 0.5).to(p.dtype)


def _likeliest(p: Tensor) -> Tensor:
    return p.argmax(-1)


@dataclass(frozen=True)
class Link:
    """p = h(z), computed by `layer`."""

    layer: type[Layer]
    predictions: str = "predictions"
    """The name for p in errors."""
    decide: Callable[[Tensor], Tensor] = _as_it_is
    """Classes from predictions p."""
    exclusive: bool = False
    """True if each example belongs to one of several classes, and p holds their probabilities."""
    loss: str = ""
    """The name of the loss that belongs to the link, if it decides between classes."""
    function: Callable[[Tensor], Tensor] | None = None
    """h, where it need not be asked of a layer."""

    def of(self, z: Tensor) -> Tensor:
        """Return p = h(z)."""
        return self.layer().eval()(z) if self.function is None else self.function(z)


LOGIT = Link(Sigmoid, "probabilities", _likely, loss="LogLoss", function=torch.sigmoid)
SOFTMAX = Link(Softmax, "probabilities", _likeliest, exclusive=True, loss="CrossEntropy", function=ops.softmax)
LOG = Link(Exp, "positive predictions", function=torch.exp)

_KNOWN = {link.layer: link for link in (LOGIT, SOFTMAX, LOG)}
_UNBOUNDED = (Linear, ReLU, Tanh)


def link_of(layer: type[Layer] | None) -> Link:
    """Return the link that a class of layers computes; for None the identity, p = z."""
    return _KNOWN.get(layer or Identity) or Link(layer or Identity)


def ends_unbounded(network: Layer) -> bool:
    """Return True if the network's output can be any number, so that a loss's link is still to come."""
    return isinstance(last_of(tuple(network.leaves())), Linear)


def ends_exclusive(network: Layer) -> bool:
    """Return True if the network ends in probabilities of classes of which each example has one."""
    last = last_of(tuple(network.leaves()))
    return any(link.exclusive and type(last) is link.layer for link in _KNOWN.values())


def last_of(layers: Sequence[Layer]) -> Layer | None:
    """Return the last layer that is not an identity, or None."""
    return next((layer for layer in reversed(layers) if not isinstance(layer, Identity)), None)


def refuse_other_ending(loss: str, link: Link, layers: Sequence[Layer]) -> None:
    """Raise ArgumentError for layers that end in another loss's link, or in numbers that are no predictions p."""
    last = last_of(layers)
    name = link.layer.__name__
    other = next((one for one in _KNOWN.values() if one.loss and link.loss and type(last) is one.layer), None)
    if other is not None and other is not link:
        raise ArgumentError(
            f"{loss} belongs to {name}(), and the network ends in {short(last)}: end it in {name}(), or use {other.loss}"
        )
    if isinstance(last, _UNBOUNDED) and link.layer in _KNOWN:
        raise ArgumentError(
            f"{loss} expects {link.predictions}, and the network ends in {short(last)}: end it in {name}(), or say "
            f"from_logits=True"
        )
