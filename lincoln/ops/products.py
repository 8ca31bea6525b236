"""The products of a linear layer: leading dimensions, memory order and narrow outputs are looked after here."""

from __future__ import annotations

import torch
from torch import Tensor

_NARROW = range(3, 33)
"""Numbers of outputs for which the transposed product pays (docs/performance.md)."""


def affine(x: Tensor, W: Tensor, B: Tensor | None = None) -> Tensor:
    """x W + B, (..., o), for x (..., i), W (i, o) and B (1, o), or no bias.

    Narrow outputs of a matrix x are computed as (W^T x^T + B^T)^T: the same numbers, column by column in memory.
    """
    X = _rows(x)  # (n, i)
    if X is x and W.shape[1] in _NARROW:
        XT, WT = x.t(), W.t()
        return (torch.mm(WT, XT) if B is None else torch.addmm(B.t(), WT, XT)).t()
    a = torch.mm(X, W) if B is None else torch.addmm(B, X, W)  # (n, o)
    return a if X is x else a.view(*x.shape[:-1], W.shape[1])


def weight_grad(x: Tensor, G: Tensor, out: Tensor) -> None:
    """out <- x^T G, (i, o), summed over all leading dimensions of x (..., i) and G (..., o).

    Computed as G^T x into out^T, the order in which `by_columns` keeps W and its gradient.
    """
    torch.mm(_rows(G).t(), _rows(x), out=out.t())


def bias_grad(G: Tensor, out: Tensor) -> None:
    """out <- the sum of G (..., o) over all leading dimensions, (1, o)."""
    torch.sum(_rows(G), 0, keepdim=True, out=out)


def input_grad(G: Tensor, W: Tensor, x: Tensor) -> Tensor:
    """G W^T, (..., i), for G (..., o) and W (i, o), in the memory order of x, with which the layer below combines it."""
    rows = _rows(G)  # (n, o)
    grad = torch.mm(W, rows.t()).t() if _rows(x).stride(0) == 1 else torch.mm(rows, W.t())  # (n, i)
    return grad if rows is G else grad.view(*G.shape[:-1], W.shape[0])


def by_columns(W: Tensor) -> Tensor:
    """A copy of the matrix W that lies in memory as its transpose: the order that `affine` and `weight_grad` prefer."""
    return W.t().clone(memory_format=torch.contiguous_format).t()


def _rows(t: Tensor) -> Tensor:
    """t (..., k) as a matrix (n, k); t itself if it is one."""
    return t if t.dim() == 2 else t.flatten(0, -2)
