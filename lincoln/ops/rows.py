"""Softmax and cross entropy over rows, down the columns where a matrix lies column by column."""

from __future__ import annotations

import torch
from torch import Tensor


def softmax(z: Tensor) -> Tensor:
    """p_c = e^z_c / sum_j e^z_j over the last dimension."""
    return torch.softmax(z.t(), 0).t() if _by_columns(z) else torch.softmax(z, -1)


def log_softmax(z: Tensor) -> Tensor:
    """log p_c = z_c - log sum_j e^z_j over the last dimension."""
    return torch.log_softmax(z.t(), 0).t() if _by_columns(z) else torch.log_softmax(z, -1)


def cross_entropy(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """-sum_c y_c log p_c, (n,), and its gradient, (n, c), for p = softmax(z), from one exponential.

    y is class indices, (n,) integers, with gradient p - y, or numbers, (n, c), with gradient p sum_c y_c - y.
    """
    log_p = log_softmax(z)
    p = torch.exp(log_p)
    if y.is_floating_point():
        return -picked(log_p, y), p * y.sum(-1, keepdim=True) - y
    c = y.unsqueeze(-1)
    log_pc = log_p.gather(-1, c)
    return -log_pc.squeeze(-1), p.scatter_(-1, c, torch.expm1(log_pc))  # p_c - 1 for the class c, p for all others


def picked(t: Tensor, y: Tensor) -> Tensor:
    """sum_c y_c t_c, (n,), for t (n, c) and y as numbers (n, c) or class indices (n,)."""
    return (y * t).sum(-1) if y.is_floating_point() else t.gather(-1, y.unsqueeze(-1)).squeeze(-1)


def one_hot(y: Tensor, like: Tensor) -> Tensor:
    """Class indices (n,) as rows of 0 and 1 shaped like `like`, (n, c); numbers (n, c) as they are."""
    return y if y.is_floating_point() else torch.zeros_like(like).scatter_(-1, y.unsqueeze(-1), 1.0)


def _by_columns(z: Tensor) -> bool:
    """Return True for a matrix whose columns are contiguous, as `affine` leaves narrow outputs."""
    return z.dim() == 2 and z.stride(0) == 1
