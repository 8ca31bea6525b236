"""One gradient compared with autograd's, and the report on all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lincoln._util.text import rendered

if TYPE_CHECKING:
    from rich.table import Table

UNWRITTEN = "no element was written"
ADDED = "it was added to (+=) what stood there: gradients are overwritten, so use = or out="


@dataclass(frozen=True)
class Comparison:
    """One hand-written gradient against autograd's. `error` is the largest relative error, at element `worst`."""

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
    """Every gradient of a layer, network or loss against autograd's. True if all pass; prints as a table."""

    subject: str
    comparisons: list[Comparison]
    culprits: list[tuple[str, Comparison]] = field(default_factory=list)
    """The label of each layer whose own backward is wrong, checked alone on its input in the network, and the gradient."""

    @property
    def passed(self) -> bool:
        """True if every gradient passed."""
        return all(comparison.passed for comparison in self.comparisons)

    @property
    def failures(self) -> list[str]:
        """One sentence for each wrong gradient, then one for each wrong gradient of a layer to blame."""
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


def compare(name: str, got: Tensor, expected: Tensor, tolerance: float) -> Comparison:
    """Compare the gradient `got` with `expected`; it passes if its shape is the same and no relative error is larger."""
    shape = tuple(got.shape)
    if got.shape != expected.shape:
        hint = f"it has shape {shape}, expected {tuple(expected.shape)}"
        return Comparison(name, shape, torch.inf, False, (), torch.nan, torch.nan, hint)
    if got.numel() == 0:
        return Comparison(name, shape, 0.0, True, (), 0.0, 0.0)
    got, expected = got.detach().double(), expected.detach()
    error = _relative_error(got, expected)
    worst = tuple(int(index) for index in torch.unravel_index(error.argmax(), error.shape))
    passed = error[worst].item() <= tolerance
    hint = "" if passed else _hint(name, got, expected)
    return Comparison(name, shape, error[worst].item(), passed, worst, got[worst].item(), expected[worst].item(), hint)


def _relative_error(got: Tensor, expected: Tensor) -> Tensor:
    """|got - expected| / (|expected| + 0.001 max |expected|) of each element; infinity where only `got` is NaN."""
    size = expected.abs()
    scale = size + 1e-3 * size.max()
    error = (got - expected).abs() / torch.where(scale > 0, scale, 1.0)
    return torch.where(torch.isnan(got) & ~torch.isnan(expected), torch.inf, error)


def _hint(name: str, got: Tensor, expected: Tensor) -> str:
    """Return the likely mistake, if the error has a pattern: never written, off by a factor, or zero."""
    if torch.isnan(got).all():
        parameter = name.split(",")[0].rsplit(".", 1)[-1]
        return f"{UNWRITTEN}: _backward must fill self.grad[{parameter!r}]"
    ratios = (got / expected)[expected.abs() > 1e-6 * expected.abs().max()]
    if ratios.numel() > 1 and (ratios - ratios[0]).abs().max() < 1e-6 * ratios[0].abs():
        return f"every element is {ratios[0].item():.4g} times what it should be"
    return "" if got.any() else "every element is zero"
