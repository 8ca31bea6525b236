"""Is this hand-written backward right, and if not, where? torch.autograd judges; it is used nowhere else."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lincoln._util.text import rendered
from lincoln.errors import ArgumentError
from lincoln.layers import Layer
from lincoln.layers.observe import watch
from lincoln.losses import Loss
from lincoln.training.random import seeded

if TYPE_CHECKING:
    from rich.table import Table

Gradients = dict[str, Tensor]
_TOLERANCE = {torch.float64: 1e-7, torch.float32: 1e-3}
_UNWRITTEN = "no element was written"
_ADDED = "it was added to (+=) what stood there: gradients are overwritten, so use = or out="


@dataclass(frozen=True)
class Comparison:
    """One gradient, hand-written against autograd's. `error` is the largest relative error, at element `worst`."""

    name: str
    shape: tuple[int, ...]
    error: float
    passed: bool
    worst: tuple[int, ...]
    got: float
    expected: float
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.name}{list(self.worst)}" if self.worst else self.name
        hint = f"; {self.hint}" if self.hint else ""
        return f"{place}: got {self.got:.6g}, expected {self.expected:.6g} (relative error {self.error:.1e}){hint}"


@dataclass(frozen=True)
class GradientReport:
    """Every gradient of a layer, network or loss against autograd's. True if all agree; prints as a table."""

    subject: str
    comparisons: list[Comparison]
    culprits: list[tuple[str, Comparison]] = field(default_factory=list)
    """Layers whose own backward is wrong, each checked alone on the input that it gets in the network."""

    @property
    def passed(self) -> bool:
        return all(comparison.passed for comparison in self.comparisons)

    @property
    def failures(self) -> list[str]:
        """A sentence for each gradient that is wrong, then for each layer that is to blame."""
        wrong = [str(comparison) for comparison in self.comparisons if not comparison.passed]
        return wrong + [f"to blame: {label}, alone on its own input: {comparison}" for label, comparison in self.culprits]

    def __bool__(self) -> bool:
        return self.passed

    def __rich__(self) -> Table:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        title = f"{self.subject}, against torch.autograd"
        table = Table("gradient of", "shape", "relative error", "verdict", title=title, box=SIMPLE_HEAD)
        for row in self.comparisons:
            verdict = "[green]ok[/]" if row.passed else "[red]WRONG[/]"
            table.add_row(row.name, str(row.shape), f"{row.error:.1e}", verdict)
        return table

    def __str__(self) -> str:
        return "\n".join([rendered(self), *self.failures])

    __repr__ = __str__


def check_gradients(
    target: Layer | Loss,
    *inputs: Tensor,
    tolerance: float | None = None,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> GradientReport:
    """Compare the hand-written backward of `target` with torch.autograd over its own forward.

    `target` is a layer or a network, with one example input; or a loss, with features, targets and, optionally sample
    weights. It is checked in training mode and in `dtype`; autograd works in float64. The upstream gradient of a layer
    is random. The relative error of an element is |got - expected| / (|expected| + 0.001 max |expected|); it may be
    `tolerance`, by default 1e-7 in float64 and 1e-3 in float32. Gradients computed with `input_grad=False` must be the
    same.

    Everything happens on copies: the network keeps its values, gradients, saved state, mode, dtype and device, and torch
    its random state. A layer not built yet is checked with initial weights of its own. The report is false if any
    gradient is wrong, and names the parameter, its worst element, what was got and what was expected, and, in a network,
    the layer to blame.
    """
    if not isinstance(target, Layer | Loss):
        raise ArgumentError(f"check_gradients: {target!r} is neither a Layer nor a Loss (an instance, not a class)")
    expected = (1, 1) if isinstance(target, Layer) else (2, 3)
    if not expected[0] <= len(inputs) <= expected[1]:
        raise ArgumentError(
            "check_gradients: expected (layer, x), (loss, features, targets) or (loss, features, targets, weights)"
        )
    for tensor in inputs:
        if not isinstance(tensor, Tensor) or tensor.numel() == 0:
            found = f"a {type(tensor).__name__}" if not isinstance(tensor, Tensor) else f"empty, {tuple(tensor.shape)}"
            raise ArgumentError(f"check_gradients: an input is {found}; expected tensors with something in them")
    if dtype not in _TOLERANCE:
        raise ArgumentError(f"check_gradients: dtype is {dtype}; expected torch.float64 or torch.float32")
    tolerance = _TOLERANCE[dtype] if tolerance is None else tolerance
    with torch.inference_mode(False), seeded(seed):
        exact = tuple(_as(tensor, torch.float64) for tensor in inputs)
        subject = copy.deepcopy(target)
        network = subject.network if isinstance(subject, Loss) else subject
        network.to(dtype=torch.float64).eval()(exact[0])  # builds it, if it was not
        network.train()
        comparisons, seen = _examine(subject, exact, dtype, tolerance, seed)
        culprits = []
        if not all(comparison.passed for comparison in comparisons):
            culprits = list(_blame(seen, dtype, tolerance, seed))
    alone_already = isinstance(target, Layer) and not list(target.children())
    name = target.label if isinstance(target, Layer) else repr(target)
    return GradientReport(name, comparisons, [] if alone_already else culprits)


def _blame(
    seen: list[tuple[Layer, Tensor]], dtype: torch.dtype, tolerance: float, seed: int
) -> Iterator[tuple[str, Comparison]]:
    """What is wrong with each layer alone; a layer made of layers is to blame only if none in it is."""
    blamed: set[str] = set()
    for layer, input in sorted(seen, key=lambda pair: -pair[0].path.count(".")):
        if any(path.startswith(f"{layer.path}.") for path in blamed):
            continue
        comparisons, _ = _examine(layer, (input,), dtype, tolerance, seed)
        for comparison in comparisons:
            if not comparison.passed:
                blamed.add(layer.path)
                yield layer.label, comparison


def _examine(
    subject: Layer | Loss, inputs: tuple[Tensor, ...], dtype: torch.dtype, tolerance: float, seed: int
) -> tuple[list[Comparison], list[tuple[Layer, Tensor]]]:
    """Every gradient compared, and each layer in it with the input that it got."""
    expected, output_grad, seen = _by_autograd(copy.deepcopy(subject), inputs, seed)
    got = _by_hand(copy.deepcopy(subject), inputs, output_grad, dtype, seed, input_grad=True)
    lazy = _by_hand(copy.deepcopy(subject), inputs, output_grad, dtype, seed, input_grad=False)
    comparisons = [_compare(name, got[name], expected[name], tolerance) for name in expected]
    if any(comparison.hint.startswith(_UNWRITTEN) for comparison in comparisons):
        added = _by_hand(copy.deepcopy(subject), inputs, output_grad, dtype, seed, input_grad=True, before=0.0)
        comparisons = [
            replace(row, hint=_ADDED) if row.hint.startswith(_UNWRITTEN) and added[row.name].any() else row
            for row in comparisons
        ]
    right = {comparison.name for comparison in comparisons if comparison.passed}
    again = [_compare(f"{name}, input_grad=False", lazy[name], expected[name], tolerance) for name in lazy if name in right]
    return comparisons + [comparison for comparison in again if not comparison.passed], seen


def _by_hand(
    subject: Layer | Loss,
    inputs: tuple[Tensor, ...],
    output_grad: Tensor,
    dtype: torch.dtype,
    seed: int,
    input_grad: bool,
    before: float = torch.nan,
) -> Gradients:
    network = subject.network if isinstance(subject, Loss) else subject
    network.to(dtype=dtype)
    for _, layer in network.named_layers():
        for grad in layer.grad.values():
            grad.fill_(before)  # NaN: a gradient that is never written shows
    first = _input_name(subject)
    wants_input = input_grad and inputs[0].is_floating_point()
    torch.manual_seed(seed)
    output = subject(*(_as(tensor, dtype) for tensor in inputs))
    if isinstance(subject, Loss):
        at_input = subject.backward(input_grad=wants_input)
    else:
        at_input = subject.backward(output_grad.to(output.dtype), input_grad=wants_input)
    grads = dict(zip((name for name, _ in network.named_parameters()), network.grads(), strict=True))
    return {first: at_input} | grads if wants_input and at_input is not None else grads


def _by_autograd(
    subject: Layer | Loss, inputs: tuple[Tensor, ...], seed: int
) -> tuple[Gradients, Tensor, list[tuple[Layer, Tensor]]]:
    network = subject.network if isinstance(subject, Loss) else subject
    leaves: Gradients = {}
    x = _as(inputs[0], torch.float64)
    if x.is_floating_point():
        leaves[_input_name(subject)] = x.requires_grad_()
    seen: list[tuple[Layer, Tensor]] = []
    for path, layer in network.named_layers():
        for name in layer.own:
            leaf = getattr(layer, name).clone().requires_grad_()
            setattr(layer, name, leaf)
            leaves[f"{path}.{name}" if path else name] = leaf
        if path and next(layer.leaves()) is layer:
            watch(layer, lambda layer, input, _: seen.append((layer, input.detach().clone())))
    torch.manual_seed(seed)
    with torch.enable_grad():
        output = subject(x, *(_as(tensor, torch.float64) for tensor in inputs[1:]))
    output_grad = torch.ones_like(output) if isinstance(subject, Loss) else _noise_like(output)
    found = torch.autograd.grad(output, list(leaves.values()), output_grad, allow_unused=True)
    expected = {
        name: torch.zeros_like(leaf) if grad is None else grad
        for (name, leaf), grad in zip(leaves.items(), found, strict=True)
    }
    return expected, output_grad.detach(), [(_restored(layer), input) for layer, input in seen]


def _restored(layer: Layer) -> Layer:
    """The layer, and those in it, as they were before they were watched and their parameters were made leaves."""
    for _, inner in layer.named_layers():
        vars(inner).pop("_forward", None)
        inner.saved = inner.pending = None
        for name in inner.own:
            setattr(inner, name, getattr(inner, name).detach())
    return layer


def _compare(name: str, got: Tensor, expected: Tensor, tolerance: float) -> Comparison:
    if got.shape != expected.shape:
        hint = f"it has shape {tuple(got.shape)}, expected {tuple(expected.shape)}"
        return Comparison(name, tuple(got.shape), torch.inf, False, (), torch.nan, torch.nan, hint)
    got, expected = got.detach().double(), expected.detach()
    size = expected.abs()
    scale = size + 1e-3 * size.max() if size.numel() else size
    error = (got - expected).abs() / torch.where(scale > 0, scale, 1.0)
    error = torch.where(torch.isnan(got) & ~torch.isnan(expected), torch.inf, error)
    flat = int(error.argmax()) if error.numel() else 0
    worst = tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), error.shape)) if error.numel() else ()
    largest = error[worst].item() if error.numel() else 0.0
    at = (got[worst].item(), expected[worst].item()) if error.numel() else (0.0, 0.0)
    passed = largest <= tolerance
    return Comparison(name, tuple(got.shape), largest, passed, worst, *at, "" if passed else _hint(name, got, expected))


def _hint(name: str, got: Tensor, expected: Tensor) -> str:
    """What the pattern of the error tells, if anything."""
    if torch.isnan(got).all():
        parameter = name.split(",")[0].rsplit(".", 1)[-1]
        return f"{_UNWRITTEN}: _backward must fill self.grad[{parameter!r}]"
    ratios = (got / expected)[expected.abs() > 1e-6 * expected.abs().max()]
    if ratios.numel() > 1 and (ratios - ratios[0]).abs().max() < 1e-6 * ratios[0].abs():
        return f"every element is {ratios[0].item():.4g} times what it should be"
    if not got.any():
        return "every element is zero"
    return ""


def _as(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """A copy that belongs to nobody, in `dtype` if it is floating."""
    return tensor.detach().clone().to(dtype if tensor.is_floating_point() else tensor.dtype)


def _noise_like(output: Tensor) -> Tensor:
    """Random numbers in the order of the rows, however `output` lies in memory."""
    return torch.randn_like(output, memory_format=torch.contiguous_format)


def _input_name(subject: Layer | Loss) -> str:
    return "features" if isinstance(subject, Loss) else "input"
