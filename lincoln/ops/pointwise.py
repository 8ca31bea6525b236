"""Elementwise formulas in the fewest passes over memory."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def minus_product(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """a - b c, in one pass."""
    return torch.addcmul(a, b, c, value=-1)


def signed(z: Tensor, y: Tensor) -> Tensor:
    """(1 - 2 y) z in one pass: z where y is 0, -z where y is 1."""
    return torch.addcmul(z, y, z, value=-2)


def where_positive(r: Tensor, g: Tensor) -> Tensor:
    """g where r > 0, else 0, for r >= 0, without a mask of bools."""
    return torch.sign(r).mul_(g)


def softplus(z: Tensor) -> Tensor:
    """log(1 + e^z), exact for every z: torch's own becomes z beyond its threshold, where it rounds to z in float64."""
    return F.softplus(z, threshold=40)


def total(t: Tensor) -> Tensor:
    """Return the sum of all entries, (). Half precision is added up in float32, so that the sum does not overflow."""
    return torch.sum(t, dtype=torch.float32) if t.dtype in HALF else torch.sum(t)


def norm(t: Tensor) -> Tensor:
    """Return the square root of the sum of squares of all entries, (); of half precision in float32, as `total`."""
    length: Tensor = torch.linalg.vector_norm(t, dtype=torch.float32 if t.dtype in HALF else None)
    return length


HALF = (torch.float16, torch.bfloat16)
"""Dtypes whose sums overflow, or lose their digits, after some thousands of terms."""
