"""What is known of a wrong gradient, and how numbers are compared when its reason is looked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

import torch
from torch import Tensor

from lincoln.checking.judge import Gradients
from lincoln.checking.report import relative_error


@dataclass(frozen=True)
class Evidence:
    """A wrong gradient, `got`, beside autograd's, and the tensors that it may have been made from by mistake.

    `input` is x, `output` y and `output_grad` G = dL/dy of the layer; None where the gradient is a whole network's.
    """

    name: str
    got: Tensor
    expected: Tensor
    examples: int
    close: float
    input: Tensor | None = None
    output: Tensor | None = None
    output_grad: Tensor | None = None
    parameters: Gradients = field(default_factory=dict)
    all_got: Gradients = field(default_factory=dict)
    all_expected: Gradients = field(default_factory=dict)
    input_word: str = "input"
    is_input: bool = False
    """True for the gradient by the input itself."""

    @property
    def parameter(self) -> str:
        """The parameter's own name, without its path."""
        return self.name.split(",")[0].rsplit(".", 1)[-1]

    def is_(self, other: Tensor | None) -> bool:
        """Return True if the gradient consists of these numbers, up to rounding."""
        return other is not None and agree(self.got, other, self.close)

    @property
    def wrong(self) -> Tensor:
        """True at each element that is wrong."""
        return relative_error(self.got, self.expected) > self.close

    @property
    def telling(self) -> Tensor:
        """True at each element that is not 0 in both, which would be right by any formula."""
        return (self.got != 0) | (self.expected != 0)


def agree(a: Tensor, b: Tensor, close: float) -> bool:
    """Return True if two tensors, not all 0, have one shape and the same numbers up to rounding."""
    if a.shape != b.shape or a.numel() == 0:
        return False
    largest = b.abs().max()
    return bool(torch.isfinite(largest)) and bool(largest > 0) and bool((a - b).abs().max() <= close * largest)


def differ(a: Tensor, b: Tensor, close: float) -> bool:
    """Return True if two tensors of one shape differ by more than rounding."""
    return bool((a - b).abs().max() > close * torch.maximum(a.abs().max(), b.abs().max()))


def sums(tensor: Tensor) -> list[tuple[tuple[int, ...], Tensor]]:
    """Return the sums of a tensor over each set of its dimensions, at least one, with the dimensions."""
    dims = range(tensor.dim())
    chosen = [some for count in range(1, tensor.dim() + 1) for some in combinations(dims, count)]
    return [(some, tensor.sum(some)) for some in chosen]


def shaped(tensor: Tensor, like: Tensor) -> Tensor | None:
    """Return a tensor in the shape of another, or None if they have different numbers of elements."""
    return tensor.reshape(like.shape) if tensor.numel() == like.numel() else None


def dims_words(dims: tuple[int, ...]) -> str:
    """Return dimensions in words: `dimension 0 (the examples)`."""
    if dims == (0,):
        return "dimension 0 (the examples of the batch)"
    return f"dimension {dims[0]}" if len(dims) == 1 else f"dimensions {', '.join(map(str, dims))}"
