"""Reasons, in words, why a layer's gradient may be wrong: from what it becomes when a pass is repeated with one change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lincoln._util.text import few
from lincoln.checking.evidence import Evidence, agree, differ
from lincoln.checking.hand import Between, HandRun, run_by_hand
from lincoln.checking.judge import Traced, duplicate, input_name, network_of, restart
from lincoln.checking.points import Point
from lincoln.layers import Layer
from lincoln.losses import Loss

_WORK = 1_000_000
"""Elements that the gradients of single examples may have together."""


@dataclass(frozen=True)
class Probe:
    """A layer or a loss, with the inputs and parameters at which a gradient of it is wrong."""

    subject: Layer | Loss
    point: Point
    output_grad: Tensor
    dtype: torch.dtype
    seed: int

    def by_hand(self, output_grad: Tensor | None = None, between: Between | None = None) -> HandRun:
        """Repeat the hand-written pass on a new copy."""
        subject = self._copy()
        network_of(subject).to(dtype=self.dtype)
        given = self.output_grad if output_grad is None else output_grad
        return run_by_hand(subject, self.point.inputs, given, self.seed, between=between)

    def trace(self, change: Callable[[Layer], None] | None = None) -> Traced:
        """Repeat the forward under autograd, with the parameters changed."""
        subject = self._copy()
        if change is not None:
            with torch.no_grad():
                change(network_of(subject))
        return Traced(subject, self.point.inputs, self.seed)

    def slope(self, name: str, index: tuple[int, ...], step: float = 1e-5) -> float:
        """Return the derivative of output_grad . output by one element of the input or of a parameter, by differences."""
        return (self._value(name, index, step) - self._value(name, index, -step)) / (2 * step)

    def _value(self, name: str, index: tuple[int, ...], step: float) -> float:
        subject = self._copy()
        moved = [tensor.clone() for tensor in self.point.inputs]
        known = dict(network_of(subject).named_parameters()) | {input_name(subject): moved[0]}
        with torch.no_grad():
            known[name][index] += step
            restart(self.seed)
            return float((subject(*moved) * self.output_grad).sum())

    def _copy(self) -> Layer | Loss:
        subject: Layer | Loss = duplicate(self.subject)
        self.point.move(network_of(subject))
        return subject


def hidden_from_autograd(e: Evidence, probe: Probe) -> str:
    """Right by finite differences: the forward hides a part from autograd."""
    if e.got.shape != e.expected.shape or not torch.isfinite(e.got).all():
        return ""
    difference = (e.got - e.expected).abs()
    worst = tuple(int(index) for index in torch.unravel_index(difference.argmax(), difference.shape))
    got, expected = e.got[worst].item(), e.expected[worst].item()
    slope = probe.slope(e.name, worst)
    size = abs(got) + abs(expected)
    if abs(slope - got) < 1e-6 * size and abs(slope - expected) > 1e-4 * size:
        return (
            "finite differences agree with it and not with autograd: the forward hides a part of itself from autograd "
            "(detach, .data, .item(), no_grad, numpy), so autograd cannot judge it"
        )
    return ""


def drawn_again(e: Evidence, probe: Probe) -> str:
    """Another gradient with other random numbers after the forward."""
    got = probe.by_hand(between=lambda _network: restart(probe.seed + 1)).gradients.get(e.name)
    if got is not None and differ(got.double(), e.got, e.close):
        return "it changes with random numbers drawn in _backward: keep those of the forward, such as a mask, in self.saved"
    return ""


def not_proportional(e: Evidence, probe: Probe) -> str:
    """A gradient that does not double when output_grad does."""
    if e.is_(probe.trace().named_gradients(torch.ones_like(probe.output_grad)).get(e.name)):
        return "the factor output_grad is missing: it is the gradient for an output_grad of 1"
    got = probe.by_hand(output_grad=2 * probe.output_grad).gradients.get(e.name)
    if got is None or not differ(got.double(), 2 * e.got, e.close):
        return ""
    if not differ(got.double(), e.got, e.close):
        return "it does not depend on the size of output_grad: the factor output_grad is missing"
    return "it is not proportional to output_grad (clipped, squared, or with a number added): doubling output_grad shows it"


def wrong_tensor_saved(e: Evidence, probe: Probe) -> str:
    """Right with the output in self.saved instead of the input, or the other way round."""
    if e.input is None or e.output is None or e.input.shape != e.output.shape:
        return ""
    for old, new, words in (
        (e.input, e.output, "it is right if self.saved holds the output instead of the input"),
        (e.output, e.input, "it is right if self.saved holds the input instead of the output"),
    ):
        got = probe.by_hand(between=partial(_replace_saved, old, new)).gradients.get(e.name)
        if got is not None and agree(got.double(), e.expected, e.close):
            return words
    return ""


def _replace_saved(old: Tensor, new: Tensor, layer: Layer) -> None:
    def other(value: Any) -> Any:
        same = isinstance(value, Tensor) and value.shape == old.shape and torch.equal(value.double(), old.double())
        return new.to(value.dtype) if same else value

    layer.saved = tuple(map(other, layer.saved)) if isinstance(layer.saved, tuple) else other(layer.saved)


def parameter_forgotten(e: Evidence, probe: Probe) -> str:
    """The gradient for other values of a parameter: 1, 0, its transpose, its negative."""
    for name, value in e.parameters.items():
        changes = [("1", torch.ones_like(value)), ("0", torch.zeros_like(value)), ("its negative", -value)]
        if value.dim() == 2 and value.shape[0] == value.shape[1]:
            changes.insert(0, ("its transpose", value.mT.clone()))
        for d in range(value.dim()):
            if value.shape[d] > 1:
                changes.append((f"itself in reverse order along dimension {d}", value.flip(d)))
        for words, other in changes:
            got = probe.trace(partial(_set_parameter, name, other)).named_gradients(probe.output_grad)
            if e.is_(got.get(e.name)):
                forgotten = f": the factor {name} is missing" if words == "1" else ""
                return f"it is the gradient for {name} = {words}{forgotten}"
    return ""


def _set_parameter(name: str, value: Tensor, network: Layer) -> None:
    dict(network.named_parameters())[name].copy_(value)


def part_of_the_output(e: Evidence, probe: Probe) -> str:
    """The gradient of a part of the output alone: one example, one feature, one position, one sign of the input."""
    traced = probe.trace()
    G = probe.output_grad
    for words, mask in _masks(e, G):
        if e.is_(traced.named_gradients(torch.where(mask, G, 0.0), keep=True).get(e.name)):
            return f"it counts only {words}: the sum over the others is missing"
    return ""


def some_examples(e: Evidence, probe: Probe) -> str:
    """A sum over examples that leaves some out, or weighs them."""
    G = probe.output_grad
    n = len(G) if G.dim() > 1 else 0
    if e.is_input or not 2 <= n < e.got.numel() or n * (e.got.numel() + G.numel()) > _WORK:
        return ""
    traced = probe.trace()
    each = torch.zeros_like(G)
    parts = []
    for k in range(n):
        each.zero_()[k] = G[k]
        parts.append(traced.named_gradients(each, keep=True)[e.name].flatten())
    A = torch.stack(parts, 1)  # (elements, examples)
    weights = torch.linalg.lstsq(A, e.got.flatten()[:, None]).solution
    if torch.linalg.matrix_rank(A) < n or not agree((A @ weights)[:, 0], e.got.flatten(), e.close):
        return ""
    missing = (weights[:, 0].abs() < 1e-6).nonzero().flatten().tolist()
    right = (weights[:, 0] - 1).abs() < 1e-6
    if missing and len(missing) + int(right.sum()) == n:
        return f"the sum over the examples of the batch leaves out examples {few(missing)}"
    return "it weighs the examples of the batch: their sum has other factors than 1"


def _masks(e: Evidence, G: Tensor) -> Iterator[tuple[str, Tensor]]:
    for d, size in enumerate(G.shape):
        what = "example" if d == 0 else "output" if d == G.dim() - 1 else f"index of dimension {d} (position)"
        for index, word in ((0, "first"), (size - 1, "last")):
            one = torch.zeros_like(G, dtype=torch.bool)
            one.select(d, index).fill_(True)
            if size > 1:
                yield f"the {word} {what}", one
                if size > 2:
                    yield f"all but the {word} {what}", ~one
    for word, values in (("input", e.input), ("output", e.output), ("output_grad", G)):
        if values is not None and values.shape == G.shape and values.is_floating_point():
            yield f"where the {word} is positive ({word} > 0)", values > 0
            yield f"where the {word} is negative ({word} < 0)", values < 0
    if e.input is not None and not e.input.is_floating_point() and e.input.shape == G.shape[: e.input.dim()]:
        first = _first_of_each(e.input).reshape(*e.input.shape, *(1,) * (G.dim() - e.input.dim()))
        yield "the first of equal indices in the input (duplicates are lost)", first.expand_as(G)
        last = _first_of_each(e.input.flatten().flip(0)).flip(0).reshape(first.shape)
        yield "the last of equal indices in the input (duplicates are lost)", last.expand_as(G)


def _first_of_each(indices: Tensor) -> Tensor:
    flat = indices.flatten()
    return ~(flat[:, None] == flat[None, :]).tril(-1).any(1) if flat.numel() <= 4096 else torch.ones_like(flat).bool()


PROBES = (wrong_tensor_saved, parameter_forgotten, part_of_the_output, some_examples)
