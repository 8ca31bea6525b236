"""Gradients by torch.autograd, which judges those written by hand. No other file of the library uses it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lincoln.layers import Layer
from lincoln.losses import Loss

Gradients = dict[str, Tensor]


@dataclass(frozen=True)
class Judgement:
    """The gradients by name that autograd finds, for the upstream gradient `output_grad`."""

    gradients: Gradients
    output_grad: Tensor
    seen: list[tuple[str, Tensor]]
    """The path of each layer inside the subject, and its input, in the order they ran; no plain `Sequential`."""


class SeenPenalty:
    """|W|^2 over all weights W of a network, taken from the weights themselves, which autograd can follow."""

    def __init__(self, network: Layer) -> None:
        self.network = network

    def squares(self) -> Tensor:
        """|W|^2, 0-d."""
        layers = [layer for _, layer in self.network.named_layers()]
        weights = [getattr(layer, name) for layer in layers for name in layer.penalized if name in layer.own]
        return sum(((W**2).sum() for W in weights), start=torch.zeros((), dtype=torch.float64))

    def add_gradient(self, factor: float | Tensor) -> None:
        """Do nothing: autograd differentiates `squares`."""


def by_autograd(subject: Layer | Loss, inputs: tuple[Tensor, ...], seed: int) -> Judgement:
    """Differentiate the forward of `subject` by autograd, in float64. The subject, a copy, is of no use afterwards.

    A layer gets a random upstream gradient, drawn from `seed` after the forward; a loss gets 1.
    """
    network = network_of(subject)
    x = copied(inputs[0], torch.float64)
    leaves = {input_name(subject): x.requires_grad_()} if x.is_floating_point() else {}
    seen: list[tuple[str, Tensor]] = []
    for path, layer in network.named_layers():
        leaves |= _as_leaves(path, layer)
        if path and next(layer.leaves()) is layer:
            _note_inputs(path, layer, seen)
    if isinstance(subject, Loss):
        subject.l2_penalty = SeenPenalty(network)
    torch.manual_seed(seed)
    with torch.enable_grad():
        output = subject(x, *(copied(tensor, torch.float64) for tensor in inputs[1:]))
    output_grad = torch.ones_like(output) if isinstance(subject, Loss) else _noise_like(output)
    found = torch.autograd.grad(output, list(leaves.values()), output_grad, allow_unused=True)
    gradients = {
        name: torch.zeros_like(leaf) if gradient is None else gradient
        for (name, leaf), gradient in zip(leaves.items(), found, strict=True)
    }
    return Judgement(gradients, output_grad.detach(), seen)


def network_of(subject: Layer | Loss) -> Layer:
    """Return the network of a loss; a layer itself."""
    return subject.network if isinstance(subject, Loss) else subject


def input_name(subject: Layer | Loss) -> str:
    """Return the name of the first input in reports."""
    return "features" if isinstance(subject, Loss) else "input"


def copied(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a copy without history, in `dtype` if the tensor is floating point."""
    return tensor.detach().clone().to(dtype if tensor.is_floating_point() else tensor.dtype)


def _as_leaves(path: str, layer: Layer) -> Gradients:
    """Replace the parameters of one layer by copies that autograd differentiates, and return these by path."""
    leaves: Gradients = {}
    for name in layer.own:
        leaf = getattr(layer, name).clone().requires_grad_()
        setattr(layer, name, leaf)
        leaves[f"{path}.{name}" if path else name] = leaf
    return leaves


def _note_inputs(path: str, layer: Layer, seen: list[tuple[str, Tensor]]) -> None:
    layer.observe(lambda _layer, input, _output: seen.append((path, input.detach().clone())))


def _noise_like(output: Tensor) -> Tensor:
    """Return random numbers drawn row by row, whatever the memory order of `output`."""
    return torch.randn_like(output, memory_format=torch.contiguous_format)
