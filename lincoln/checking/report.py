"""One gradient compared with autograd's, and the report on all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lincoln._util.text import rendered

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Comparison:
    """One hand-written gradient against autograd's. `error` is the largest relative error, at element `worst`.

    `hint` says what the mistake may be, in words. `at` says at which parameters and input the gradient is wrong; it is
    empty where it is wrong at all that were tried.
    """

    name: str
    shape: tuple[int, ...]
    error: float
    passed: bool
    worst: tuple[int, ...]
    got: float
    expected: float
    hint: str = ""
    at: str = ""

    def __str__(self) -> str:
        place = f"{self.name}{list(self.worst)}" if self.worst else self.name
        where = f" {self.at}" if self.at else ""
        hint = f"; {self.hint}" if self.hint else ""
        if math.isnan(self.got) and math.isnan(self.expected):  # nothing to compare: another shape, or no numbers
            return f"{place}:{where} {self.hint}"
        return f"{place}: got {self.got:.6g}, expected {self.expected:.6g} (relative error {self.error:.1e}){where}{hint}"


@dataclass(frozen=True)
class GradientReport:
    """Every gradient of a layer, network or loss against autograd's. True if all pass; prints as a table."""

    subject: str
    comparisons: list[Comparison]
    culprits: list[tuple[str, Comparison]] = field(default_factory=list)
    """The label of each layer whose own backward is wrong, checked alone on its input in the network, and the gradient.

    A loss stands first, if the gradient that it sends back to the prediction is wrong.
    """
    notes: list[str] = field(default_factory=list)
    """What the check could not see."""

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
        return "\n".join([rendered(self), *self.failures, *(f"note: {note}" for note in self.notes)])

    __repr__ = __str__


def compare(name: str, got: object, expected: Tensor, tolerance: float) -> Comparison:
    """Compare the gradient `got` with `expected`; it passes if its shape is the same and no relative error is larger."""
    if not isinstance(got, Tensor) or not got.is_floating_point():
        found = f"a tensor of {got.dtype}" if isinstance(got, Tensor) else f"a {type(got).__name__}"
        return failed(name, f"it is {found}, expected a tensor of floating point numbers")
    shape = tuple(got.shape)
    if got.shape != expected.shape:
        return failed(name, f"it has shape {shape}, expected {tuple(expected.shape)}", shape)
    if got.numel() == 0:
        return Comparison(name, shape, 0.0, True, (), 0.0, 0.0)
    got, expected = got.detach().double(), expected.detach()
    error = relative_error(got, expected)
    worst = tuple(int(index) for index in torch.unravel_index(error.argmax(), error.shape))
    largest = error[worst].item()
    return Comparison(name, shape, largest, largest <= tolerance, worst, got[worst].item(), expected[worst].item())


def failed(name: str, hint: str, shape: tuple[int, ...] = ()) -> Comparison:
    """Return the comparison of a gradient that has no numbers to compare."""
    return Comparison(name, shape, torch.inf, False, (), torch.nan, torch.nan, hint)


def relative_error(got: Tensor, expected: Tensor) -> Tensor:
    """|got - expected| / (|expected| + 0.001 max |expected|) of each element; infinite where only one is a number."""
    size = expected.abs()
    scale = size + 1e-3 * size.max()
    error = (got - expected).abs() / torch.where(scale > 0, scale, 1.0)
    if torch.isfinite(error.max()):
        return error
    scale = size + 1e-3 * torch.where(torch.isfinite(size), size, 0.0).max()
    error = (got - expected).abs() / torch.where(scale > 0, scale, 1.0)
    return torch.where(got == expected, 0.0, torch.where(torch.isfinite(error), error, torch.inf))
