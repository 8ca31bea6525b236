"""Gradients by torch.autograd, which judges those written by hand. No other package of the library uses it."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lincoln._util.text import short
from lincoln.errors import LayerError, LincolnError
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
    prediction_grad: Tensor | None
    """dL/dprediction, for a loss whose prediction autograd can follow."""
    prediction: Tensor | None


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


class Traced:
    """A forward of a copy of `subject` under autograd, in float64, and the tensors that it is differentiated by.

    With `isolated`, each layer gets a copy of its input, so that one that changes its input spoils no other's gradient.
    """

    def __init__(self, subject: Layer | Loss, inputs: tuple[Tensor, ...], seed: int, isolated: bool = False) -> None:
        self.subject = duplicate(subject)
        network = network_of(self.subject).to(dtype=torch.float64)
        x = copied(inputs[0], torch.float64)
        self.leaves: Gradients = {input_name(subject): x.requires_grad_()} if x.is_floating_point() else {}
        self.seen: list[tuple[str, Tensor]] = []
        self.predictions: list[Tensor] = []
        for path, layer in network.named_layers():
            self.leaves |= _as_leaves(path, layer)
            if isolated or (path and next(layer.leaves()) is layer):
                self._note_inputs(path, layer, isolated)
        if isinstance(self.subject, Loss):
            self.subject.l2_penalty = SeenPenalty(network)
            self._note_predictions(self.subject)
        restart(seed)
        with torch.enable_grad():
            self.output = self.subject(x.clone(), *(copied(tensor, torch.float64) for tensor in inputs[1:]))
        if not self.output.is_floating_point():
            raise LayerError(f"{network.label}: its output is {self.output.dtype}, which has no gradient; expected numbers")

    def gradients(self, output_grad: Tensor, by: list[Tensor] | None = None, keep: bool = False) -> list[Tensor]:
        """Return the gradients by the leaves, or by these tensors; zeros for one that autograd finds no way to."""
        tensors = list(self.leaves.values()) if by is None else by
        found: tuple[Tensor | None, ...] = (None,) * len(tensors)
        if self.output.requires_grad:
            found = torch.autograd.grad(self.output, tensors, output_grad, retain_graph=keep, allow_unused=True)
        return [
            torch.zeros_like(tensor) if gradient is None else gradient
            for tensor, gradient in zip(tensors, found, strict=True)
        ]

    def named_gradients(self, output_grad: Tensor, keep: bool = False) -> Gradients:
        """Return the gradients of the leaves by name; with `keep` the graph can be asked again."""
        return dict(zip(self.leaves, self.gradients(output_grad, keep=keep), strict=True))

    def _note_inputs(self, path: str, layer: Layer, isolated: bool) -> None:
        noted = path and next(layer.leaves()) is layer

        def note(run: Any, input: Tensor) -> Tensor:
            if noted:
                self.seen.append((path, input.detach().clone()))
            output: Tensor = run(input.clone() if isolated else input)
            return output

        layer.intercept(forward=note)

    def _note_predictions(self, loss: Loss) -> None:
        match = loss.match

        def noted(prediction: Tensor, target: Tensor) -> Tensor:
            self.predictions.append(prediction)
            return match(prediction, target)

        loss.match = noted  # type: ignore[method-assign]


def by_autograd(subject: Layer | Loss, inputs: tuple[Tensor, ...], seed: int) -> Judgement:
    """Differentiate the forward of `subject` by autograd, in float64.

    A layer gets a random upstream gradient, drawn from `seed` after the forward; a loss gets 1. Raises LayerError for a
    forward that autograd cannot differentiate.
    """
    try:
        return _judged(Traced(subject, inputs, seed))
    except (RuntimeError, NotImplementedError) as first:
        try:
            return _judged(Traced(subject, inputs, seed, isolated=True))
        except LincolnError:
            raise
        except (RuntimeError, NotImplementedError):
            raise undifferentiable(subject, first) from first


def undifferentiable(subject: Layer | Loss, error: Exception) -> LayerError:
    """Return the error for a forward that autograd cannot differentiate."""
    label = subject.label if isinstance(subject, Layer) else repr(subject)
    return LayerError(
        f"{label}: torch.autograd, which judges the gradients, cannot differentiate its forward: "
        f"{str(error).splitlines()[0][:200]}. Write _forward without in-place operations, detach and numpy"
    )


def duplicate(subject: Any) -> Any:
    """Return a deep copy; tensors with a history, which torch does not copy, are copied without it.

    Raises LayerError for a subject that holds something which cannot be copied.
    """
    try:
        return copy.deepcopy(subject)
    except (RuntimeError, TypeError):  # a tensor with a history, perhaps
        owners = (subject, *(layer for _, layer in network_of(subject).named_layers()))
        held = [tensor for owner in owners for tensor in _tensors_in(vars(owner), depth=4) if tensor.grad_fn is not None]
        plain = {id(tensor): tensor.detach().clone() for tensor in held}
    try:
        return copy.deepcopy(subject, plain)
    except LincolnError:
        raise
    except (RuntimeError, TypeError) as error:
        raise LayerError(f"check_gradients: {short(subject)} cannot be copied: {short(error, 200)}") from error


def restart(seed: int) -> None:
    """Start the random numbers of torch, numpy and Python from `seed`."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def network_of(subject: Layer | Loss) -> Layer:
    """Return the network of a loss; a layer itself."""
    return subject.network if isinstance(subject, Loss) else subject


def input_name(subject: Layer | Loss) -> str:
    """Return the name of the first input in reports."""
    return "features" if isinstance(subject, Loss) else "input"


def copied(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a copy without history, in `dtype` if the tensor is floating point."""
    return tensor.detach().clone().to(dtype if tensor.is_floating_point() else tensor.dtype)


def _judged(traced: Traced) -> Judgement:
    output = traced.output
    output_grad = torch.ones_like(output) if isinstance(traced.subject, Loss) else _noise_like(output)
    output_grad = output_grad.detach()
    predictions = [prediction for prediction in traced.predictions[:1] if prediction.requires_grad]
    found = traced.gradients(output_grad, [*traced.leaves.values(), *predictions])
    gradients = dict(zip(traced.leaves, found, strict=False))
    if not predictions:
        return Judgement(gradients, output_grad, traced.seen, None, None)
    return Judgement(gradients, output_grad, traced.seen, found[-1], predictions[0].detach())


def _as_leaves(path: str, layer: Layer) -> Gradients:
    """Replace the parameters of one layer by copies that autograd differentiates, and return the leaves by path.

    The layer gets a copy of the leaf, which it may change in place.
    """
    leaves: Gradients = {}
    for name in layer.own:
        leaf = getattr(layer, name).detach().clone().requires_grad_()
        with torch.enable_grad():
            setattr(layer, name, leaf.clone())
        leaves[f"{path}.{name}" if path else name] = leaf
    return leaves


def _tensors_in(value: Any, depth: int) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif depth and isinstance(value, dict | list | tuple | set):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors_in(part, depth - 1)


def _noise_like(output: Tensor) -> Tensor:
    """Return random numbers drawn row by row, whatever the memory order of `output`."""
    return torch.randn_like(output, memory_format=torch.contiguous_format)
