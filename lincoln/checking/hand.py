"""The hand-written pass on a copy: its gradients, and what it changed that was not its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lincoln.checking.judge import Gradients, copied, input_name, network_of, restart
from lincoln.checking.report import Comparison, compare
from lincoln.errors import LincolnError
from lincoln.layers import Layer
from lincoln.losses import Loss

Between = Callable[[Layer], None]

_RULES = {
    "input": "the input belongs to the layer before",
    "output": "the output belongs to the layer after",
    "output_grad": "output_grad may have another reader, such as the skip path of a residual",
}


@dataclass
class HandRun:
    """One forward and backward by hand."""

    gradients: Gradients = field(default_factory=dict)
    """Those written, by name, the input's included; of whatever type and shape the layer made them."""
    output: Tensor | None = None
    error: LincolnError | None = None
    """What the backward raised. Then there may be no gradients."""
    changes: list[Comparison] = field(default_factory=list)
    """The tensors that a layer changed in place and that are not its own."""
    changed_parameters: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    """Parameters before and after, of those that the passes changed."""
    prediction_grad: Tensor | None = None
    """What the loss sent back: dL/dprediction."""


def run_by_hand(
    subject: Layer | Loss,
    inputs: tuple[Tensor, ...],
    output_grad: Tensor,
    seed: int,
    *,
    input_grad: bool = True,
    before: float = torch.nan,
    watch: bool = False,
    between: Between | None = None,
) -> HandRun:
    """Run `subject`, a copy, forward and back. Each gradient holds `before` until it is written.

    `between` is called with the network after the forward. An error of the forward is raised, one of the backward noted.
    """
    network = network_of(subject)
    for _, layer in network.named_layers():
        for gradient in layer.grad.values():
            gradient.fill_(before)
    dtype = network.where[1] or output_grad.dtype
    run = HandRun()
    values = {name: value.clone() for name, value in network.named_parameters()} if watch else {}
    input_grad = input_grad and inputs[0].is_floating_point()
    with torch.no_grad(), _watched(network, run, watch) as returned:
        restart(seed)
        run.output = subject(*(copied(tensor, dtype) for tensor in inputs))
        if between is not None:
            between(network)
        try:
            if isinstance(subject, Loss):
                at_input = subject.backward(input_grad=input_grad)
            else:
                at_input = subject.backward(output_grad.to(run.output.dtype), input_grad=input_grad)
        except LincolnError as error:
            run.error, at_input = error, returned.get("")
        except (AttributeError, TypeError) as error:  # a `_backward` that returns no tensor
            run.error, at_input = LincolnError(f"{type(error).__name__}: {error}"), returned.get("")
    if at_input is not None and input_grad:
        run.gradients[input_name(subject)] = at_input.clone() if isinstance(at_input, Tensor) else at_input
    run.gradients |= _parameter_gradients(network)
    after = dict(network.named_parameters())
    run.changed_parameters = {n: (value, after[n]) for n, value in values.items() if not _same(value, after[n])}
    return run


def disturb(inputs: tuple[Tensor, ...]) -> Between:
    """Return a function that runs a network on other numbers than `inputs`, in evaluation mode."""

    def between(network: Layer) -> None:
        network.eval()
        for other in _others(inputs[0]):
            try:
                network(other.to(network.where[1] if other.is_floating_point() else None))
                break
            except LincolnError:  # numbers that the network refuses: try the next ones
                continue
        network.train()

    return between


class _Watch:
    """Compares what passes through the layers with copies made before."""

    def __init__(self, run: HandRun) -> None:
        self.run = run
        self.returned: dict[str, Any] = {}
        self._held: dict[str, list[tuple[str, Tensor, Tensor]]] = {}
        self._flagged: list[Tensor] = []
        self._last: tuple[Tensor, Tensor] | None = None  # the last layer's output, and a copy: the next layer's input

    def forward(self, path: str, run: Any, input: Tensor) -> Tensor:
        before = self._copy(input)
        output: Tensor = run(input)
        if self._look(path, "_forward", [("input", input, before)]):
            before = input.clone()
        self._held[path] = [("input", input, before)]
        if isinstance(output, Tensor):
            self._last = output, before if output is input else output.clone()
            self._held[path].append(("output", *self._last))
        return output

    def backward(self, path: str, run: Any, output_grad: Tensor) -> Any:
        before = output_grad.clone()
        if self.run.prediction_grad is None:
            self.run.prediction_grad = before
        self.returned[path] = returned = run(output_grad)
        self._look(path, "_backward", [("output_grad", output_grad, before), *self._held.pop(path, ())])
        return returned

    def _copy(self, input: Tensor) -> Tensor:
        return self._last[1] if self._last is not None and self._last[0] is input else input.clone()

    def _look(self, path: str, method: str, held: list[tuple[str, Tensor, Tensor]]) -> bool:
        """Note what differs from its copy. Return True if anything does."""
        changed = [part for part in held if not any(part[1] is one for one in self._flagged) and not _same(*part[1:])]
        for role, now, before in changed:
            self._flagged.append(now)
            name = f"{path}: {role}" if path else role
            row = compare(f"{name} after {method}", now, before.double(), 0.0)
            hint = f"{method} changed {role} in place, and {_RULES[role]}: work on a copy"
            self.run.changes.append(replace(row, passed=False, hint=hint))
        return bool(changed)


@contextmanager
def _watched(network: Layer, run: HandRun, watch: bool) -> Iterator[dict[str, Any]]:
    """Note in `run` what each layer changes in place; give what each `_backward` returned, by path."""
    seen = _Watch(run)
    layers = list(network.named_layers()) if watch else []
    ends = [
        layer.intercept(forward=partial(seen.forward, path), backward=partial(seen.backward, path))
        for path, layer in layers
    ]
    try:
        yield seen.returned
    finally:
        for end in ends:
            end()


def _parameter_gradients(network: Layer) -> Gradients:
    """Return copies of the gradients, and forget tensors that the layers have put in their place."""
    found: Gradients = {}
    for path, layer in network.named_layers():
        for name, (_, own) in layer.own.items():
            written = layer.grad.get(name)
            layer.grad[name] = own
            found[f"{path}.{name}" if path else name] = written.clone() if isinstance(written, Tensor) else written  # type: ignore[assignment]
    return found


def _others(input: Tensor) -> Iterator[Tensor]:
    """Yield inputs of the same shape with other numbers: first of other signs, then of the same."""
    rolled = input.reshape(-1).roll(1).reshape(input.shape)
    if input.is_floating_point():
        yield -0.7 * rolled - 0.1
        yield 0.7 * rolled
    yield rolled


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and (torch.equal(a, b) or bool(((a == b) | (a != a) & (b != b)).all()))
