"""Where gradients are compared: at the parameters and inputs given, and at others near them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lincoln.layers import Layer

EXAMPLES = 3
"""Made of one example, which cannot show a missing sum over examples."""


@dataclass(frozen=True)
class Point:
    """Inputs and parameters at which gradients are compared; `at` says in words how they differ from those given."""

    inputs: tuple[Tensor, ...]
    parameters: dict[str, Tensor]
    at: str = ""
    varied: bool = False

    def move(self, network: Layer) -> None:
        """Give the network these parameters."""
        own = dict(network.named_parameters()) if self.parameters else {}
        with torch.no_grad():
            for name, value in self.parameters.items():
                own[name].copy_(value)


def other_points(network: Layer, inputs: tuple[Tensor, ...], given: str) -> Iterator[Point]:
    """Yield points to try after the given one, the best first; the last is the given one itself.

    Parameters are moved off their values, such as the 1 and 0 of a scale and a shift, at which some mistakes do not show.
    Where all examples are the same, or there is but one, others are made of them.
    """
    own = {name: value.detach().clone() for name, value in network.named_parameters()}
    shifted = {name: moved(value) for name, value in own.items()}
    words = f"with the parameters moved off their {given} values" if own else ""
    for several in _several(inputs):
        yield Point(several, shifted, " and ".join(filter(None, (words, _input_words(inputs)))), varied=True)
    if own:
        yield Point(inputs, shifted, words)
    yield Point(inputs, own)


def moved(tensor: Tensor) -> Tensor:
    """Return other numbers of the same sign, half as large to as large; small ones of either sign in the place of 0."""
    draw = torch.rand(tensor.shape, dtype=torch.float64, device="cpu").to(tensor)
    near = tensor * (1 - draw / 2)
    return torch.where(tensor == 0, torch.where(draw < 0.5, draw - 0.6, draw - 0.4), near)


def _several(inputs: tuple[Tensor, ...]) -> Iterator[tuple[Tensor, ...]]:
    x = inputs[0]
    if x.dim() == 0 or (len(x) > 1 and bool((x != x[:1]).any())):
        return
    several = tuple(t.repeat(EXAMPLES, *(1,) * (t.dim() - 1)) if t.dim() and len(t) == 1 else t for t in inputs)
    if x.is_floating_point():
        yield (moved(several[0]), *several[1:])
    if len(x) == 1:
        yield several


def _input_words(inputs: tuple[Tensor, ...]) -> str:
    return f"on {EXAMPLES} examples made of the one given" if len(inputs[0]) == 1 else "with examples that differ"
