"""Check hand-written gradients against torch.autograd, and find the layer that is wrong."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lincoln.checking.judge import Gradients, by_autograd, copied, input_name, network_of
from lincoln.checking.report import ADDED, UNWRITTEN, Comparison, GradientReport, compare
from lincoln.errors import ArgumentError
from lincoln.layers import Layer
from lincoln.losses import Loss
from lincoln.training.random import seeded

_TOLERANCE = {torch.float64: 1e-7, torch.float32: 1e-3}


def check_gradients(
    target: Layer | Loss,
    *inputs: Tensor,
    tolerance: float | None = None,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> GradientReport:
    """Compare the hand-written gradients of `target` with those that torch.autograd finds for its own forward.

    `target` is a layer or a network, with one example input (n, ...); or a loss, with features, targets and optionally
    sample weights. It runs in training mode; the hand-written pass works in `dtype`, torch.float64 or torch.float32,
    autograd in float64. The upstream gradient of a layer is random, that of a loss is 1.

    The relative error of an element is |got - expected| / (|expected| + 0.001 max |expected|). A gradient passes if no
    error exceeds `tolerance`, by default 1e-7 in float64 and 1e-3 in float32. The gradients of the parameters must be the
    same under `backward(input_grad=False)`.

    Everything runs on copies: the network keeps its values, gradients, saved tensors, mode, dtype and device, and the
    random state is restored. A layer that is not built is checked with initial weights drawn from `seed`.

    The report is true if every gradient passes. A failure names the parameter, its worst element, the value got and the
    value expected, and in a network the layer to blame. Raises ArgumentError for a target, inputs or a dtype other than
    these, and for an empty input.
    """
    _refuse_misuse(target, inputs, dtype)
    tolerance = _TOLERANCE[dtype] if tolerance is None else tolerance
    with torch.inference_mode(False), seeded(seed):
        exact = tuple(copied(tensor, torch.float64) for tensor in inputs)
        subject = copy.deepcopy(target)
        network = network_of(subject)
        network.to(dtype=torch.float64).eval()(exact[0])  # builds layers that are not built yet
        network.train()
        examination = _Examination(subject, exact, dtype, tolerance, seed)
        comparisons, seen = examination.run()
        culprits = [] if all(row.passed for row in comparisons) else list(examination.culprits(seen))
    return GradientReport(target.label if isinstance(target, Layer) else repr(target), comparisons, culprits)


@dataclass(frozen=True)
class _Examination:
    """The subject of a check, in float64, built and in training mode; its inputs; and how it is checked."""

    subject: Layer | Loss
    inputs: tuple[Tensor, ...]
    dtype: torch.dtype
    tolerance: float
    seed: int

    def run(self) -> tuple[list[Comparison], list[tuple[str, Tensor]]]:
        """Compare every gradient. Return the comparisons, and the path and input of each layer inside the subject."""
        judged = by_autograd(copy.deepcopy(self.subject), self.inputs, self.seed)
        got = self._by_hand(judged.output_grad)
        rows = [compare(name, got[name], expected, self.tolerance) for name, expected in judged.gradients.items()]
        if any(row.hint.startswith(UNWRITTEN) for row in rows):
            added = self._by_hand(judged.output_grad, before=0.0)
            rows = [_unwritten_or_added(row, added[row.name]) for row in rows]
        return rows + self._without_input_grad(judged.gradients, judged.output_grad, rows), judged.seen

    def culprits(self, seen: list[tuple[str, Tensor]]) -> Iterator[tuple[str, Comparison]]:
        """Check each layer alone, innermost first; a layer of layers is to blame only if no layer in it is."""
        layers = dict(network_of(self.subject).named_layers())
        blamed: set[str] = set()
        for path, input in sorted(seen, key=lambda pair: -pair[0].count(".")):
            if any(inner.startswith(f"{path}.") for inner in blamed):
                continue
            rows, _ = replace(self, subject=layers[path], inputs=(input,)).run()
            for row in rows:
                if not row.passed:
                    blamed.add(path)
                    yield layers[path].label, row

    def _without_input_grad(self, expected: Gradients, output_grad: Tensor, rows: list[Comparison]) -> list[Comparison]:
        """Return the gradients that pass, but fail where dL/dinput is not asked for."""
        got = self._by_hand(output_grad, input_grad=False)
        passed = [row.name for row in rows if row.passed and row.name in got]
        again = [compare(f"{name}, input_grad=False", got[name], expected[name], self.tolerance) for name in passed]
        return [row for row in again if not row.passed]

    def _by_hand(self, output_grad: Tensor, input_grad: bool = True, before: float = torch.nan) -> Gradients:
        """Return the hand-written gradients by name. Each holds `before` until it is written."""
        subject = copy.deepcopy(self.subject)
        network = network_of(subject).to(dtype=self.dtype)
        for _, layer in network.named_layers():
            for gradient in layer.grad.values():
                gradient.fill_(before)
        input_grad = input_grad and self.inputs[0].is_floating_point()
        torch.manual_seed(self.seed)
        output = subject(*(copied(tensor, self.dtype) for tensor in self.inputs))
        if isinstance(subject, Loss):
            at_input = subject.backward(input_grad=input_grad)
        else:
            at_input = subject.backward(output_grad.to(output.dtype), input_grad=input_grad)
        grads = dict(zip((name for name, _ in network.named_parameters()), network.grads(), strict=True))
        return grads if at_input is None else {input_name(subject): at_input} | grads


def _refuse_misuse(target: object, inputs: tuple[object, ...], dtype: torch.dtype) -> None:
    if not isinstance(target, Layer | Loss):
        raise ArgumentError(f"check_gradients: {target!r} is neither a Layer nor a Loss (an instance, not a class)")
    if len(inputs) not in ((1,) if isinstance(target, Layer) else (2, 3)):
        raise ArgumentError(
            "check_gradients: expected (layer, x), (loss, features, targets) or (loss, features, targets, weights)"
        )
    for tensor in inputs:
        if not isinstance(tensor, Tensor) or tensor.numel() == 0:
            found = f"empty, {tuple(tensor.shape)}" if isinstance(tensor, Tensor) else f"a {type(tensor).__name__}"
            raise ArgumentError(f"check_gradients: an input is {found}; expected tensors with at least one element")
    if dtype not in _TOLERANCE:
        raise ArgumentError(f"check_gradients: dtype is {dtype}; expected torch.float64 or torch.float32")


def _unwritten_or_added(row: Comparison, from_zero: Tensor) -> Comparison:
    """Correct the hint of a gradient that looks unwritten, but differs from 0 when it starts at 0: it was added to."""
    added = row.hint.startswith(UNWRITTEN) and bool(from_zero.any())
    return replace(row, hint=ADDED) if added else row
