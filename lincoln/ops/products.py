"""The products of a linear layer, for any leading dimensions and memory order."""

from __future__ import annotations

import torch
from torch import Tensor

_NARROW = 32
"""Outputs, from 3 up to which the transposed product is faster (docs/performance.md)."""


def affine(x: Tensor, W: Tensor, B: Tensor | None = None) -> Tensor:
    """x W + B, (..., o), for x (..., i), W (i, o) and B (1, o), or no bias.

    Narrow outputs of a matrix x are computed as (W^T x^T + B^T)^T: the same numbers, column by column in memory.
    """
    if x.dim() != 2:
        X = x.flatten(0, -2)  # (n, i)
        return (torch.mm(X, W) if B is None else torch.addmm(B, X, W)).view(*x.shape[:-1], W.shape[1])
    if 2 < W.shape[1] <= _NARROW:
        return (torch.mm(W.t(), x.t()) if B is None else torch.addmm(B.t(), W.t(), x.t())).t()
    return torch.mm(x, W) if B is None else torch.addmm(B, x, W)


def weight_grad(x: Tensor, G: Tensor, out: Tensor) -> None:
    """out <- x^T G, (i, o), summed over all leading dimensions of x (..., i) and G (..., o).

    Computed as G^T x into out^T, the order in which `by_columns` keeps W and its gradient.
    """
    if x.dim() != 2:
        x, G = x.flatten(0, -2), G.flatten(0, -2)  # (n, i), (n, o)
    torch.mm(G.t(), x, out=out.t())


def bias_grad(G: Tensor, out: Tensor) -> None:
    """out <- the sum of G (..., o) over all leading dimensions, (1, o)."""
    torch.sum(G if G.dim() == 2 else G.flatten(0, -2), 0, keepdim=True, out=out)


def input_grad(G: Tensor, W: Tensor, x: Tensor) -> Tensor:
    """G W^T, (..., i), for G (..., o) and W (i, o), in the memory order of x, with which the layer below combines it."""
    if x.dim() != 2:
        rows = input_grad(G.flatten(0, -2), W, x.flatten(0, -2))  # (n, i)
        return rows.view(*G.shape[:-1], W.shape[0])
    return torch.mm(W, G.t()).t() if x.stride(0) == 1 else torch.mm(G, W.t())


def by_columns(W: Tensor) -> Tensor:
    """Return a copy of the matrix W laid out in memory as its transpose, as `affine` and `weight_grad` prefer it."""
    return W.t().clone(memory_format=torch.contiguous_format).t()
