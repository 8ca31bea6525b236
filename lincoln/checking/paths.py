"""Reasons, in words, why a layer's gradient may be wrong: a path of the forward is missing, or has another factor.

The forward is a graph of operations. Each edge is in turn cut, or given another factor; a gradient that comes out as the
wrong one names the mistake.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node

from lincoln.checking.evidence import Evidence
from lincoln.checking.judge import Traced
from lincoln.checking.probes import Probe

Edge = tuple[Node, int]
Change = Callable[[Tensor, Tensor], Tensor | None]
"""A new gradient for an edge, of the gradient at the edge's end and that at its operation's output."""

_WORK = 20_000_000
_MOST = 400
_NAMES = {"mm": "matrix product", "bmm": "matrix product", "addmm": "matrix product", "mul": "product", "div": "quotient"}


def path(e: Evidence, probe: Probe) -> str:
    """Return the change of the forward's graph that gives the wrong gradient."""
    traced = probe.trace()
    root = traced.output.grad_fn
    if root is None or e.name not in traced.leaves:
        return ""
    edges = _edges(root)
    tries = min(_MOST, _WORK // max(traced.output.numel() + traced.leaves[e.name].numel(), 1))
    for words, changed, change in list(_changes(edges))[:tries]:
        if e.is_(_gradient(traced, probe.output_grad, e.name, changed, change)):
            return words
    return ""


def _edges(root: Node) -> list[Edge]:
    """Return each use of a tensor in the graph: an operation and the number of its argument, outermost first."""
    found: list[Edge] = []
    seen, waiting = {root}, [root]
    while waiting:
        node = waiting.pop(0)
        for index, (source, _) in enumerate(node.next_functions):
            if source is None:
                continue
            found.append((node, index))
            if source not in seen:
                seen.add(source)
                waiting.append(source)
    return found


def _changes(edges: list[Edge]) -> Iterator[tuple[str, list[Edge], Change]]:
    """Yield the changes to try: in words, the edges, and what to do with their gradients."""
    uses: dict[Node, list[Edge]] = {}
    kinds: dict[tuple[str, int], list[Edge]] = {}
    for node, index in edges:
        uses.setdefault(_source(node, index), []).append((node, index))
        kinds.setdefault((_operation(node), index), []).append((node, index))
    shared = [many for many in uses.values() if len(many) > 1]
    for many in shared:
        for edge in many:
            yield f"the path through {_operation(edge[0])} is missing", [edge], _cut
    for edge in edges:
        yield f"the derivative of {_operation(edge[0])}, a factor, is missing", [edge], _as_it_is
        yield f"the sign of the path through {_operation(edge[0])} is wrong", [edge], lambda inner, _: -inner
        yield from _other_factors(edge)
    for many in shared:
        for edge in many if len(many) > 2 else ():
            words = (
                f"it counts only one of {len(many)} uses in the forward, that in {_operation(edge[0])}: add up all of them"
            )
            yield words, [other for other in many if other != edge], _cut
    for (operation, _), many in kinds.items():
        if len(many) > 1:
            yield f"the path through {operation} is missing in every step", many, _cut
            yield f"the derivative of {operation}, a factor, is missing in every step", many, _as_it_is
            yield f"the sign of the path through {operation} is wrong in every step", many, lambda inner, _: -inner


def _other_factors(edge: Edge) -> Iterator[tuple[str, list[Edge], Change]]:
    operation = _operation(edge[0])
    if operation in ("mean", "var", "std"):
        yield f"the 1/n of {operation} is missing", [edge], lambda inner, outer: inner * (inner.numel() / outer.numel())
    if operation in ("var", "std"):
        yield f"n and n - 1 are confused in {operation}", [edge], lambda inner, outer: inner * _bessel(inner, outer)
        yield f"n and n - 1 are confused in {operation}", [edge], lambda inner, outer: inner / _bessel(inner, outer)
    if operation == "sum":
        yield (
            "it is divided by n: a mean where the forward has a sum",
            [edge],
            (lambda inner, outer: inner * (outer.numel() / inner.numel())),
        )
    yield f"a factor 2 is missing on the path through {operation}", [edge], lambda inner, _: inner / 2
    yield f"the path through {operation} is counted twice", [edge], lambda inner, _: inner * 2


def _bessel(inner: Tensor, outer: Tensor) -> float:
    n = inner.numel() / outer.numel()
    return (n - 1) / n


def _cut(inner: Tensor, outer: Tensor) -> Tensor:
    return torch.zeros_like(inner)


def _as_it_is(inner: Tensor, outer: Tensor) -> Tensor | None:
    return outer.expand_as(inner) if outer.shape == inner.shape else None


def _gradient(traced: Traced, output_grad: Tensor, name: str, changed: list[Edge], change: Change) -> Tensor | None:
    """Return the gradient of one leaf with the gradients of some edges changed; None where the change is none."""
    happened = False

    def hook(indices: list[int]) -> Any:
        def replaced(inner: tuple[Tensor | None, ...], outer: tuple[Tensor | None, ...]) -> Any:
            nonlocal happened
            new = list(inner)
            for index in indices:
                before, above = inner[index], outer[0]
                after = None if before is None or above is None else change(before, above)
                if after is not None:
                    new[index], happened = after, True
            return tuple(new)

        return replaced

    indices: dict[Node, list[int]] = {}
    for node, index in changed:
        indices.setdefault(node, []).append(index)
    handles = [node.register_hook(hook(some)) for node, some in indices.items()]
    try:
        (gradient,) = traced.gradients(output_grad, [traced.leaves[name]], keep=True)
    finally:
        for handle in handles:
            handle.remove()
    return gradient if happened else None


def _source(node: Node, index: int) -> Node:
    source: Node = node.next_functions[index][0]  # type: ignore[assignment]
    return source


def _operation(node: Node) -> str:
    """`mean` for MeanBackward1."""
    plain = re.sub(r"Backward\d*$", "", node.name())
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain).lower()
    return _NAMES.get(words, words)
