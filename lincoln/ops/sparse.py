"""Products of sparse matrices: only the entries that are stored are multiplied, by scipy on the CPU."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from lincoln.ops.products import affine, input_grad, weight_grad


def sparse_affine(x: Tensor, W: Tensor, B: Tensor | None = None) -> Tensor:
    """x W + B, (n, o), for x (n, i), W (i, o) and B (1, o), or no bias; for a dense x, (..., i), it is `affine`."""
    if not _is_csr(x):
        return affine(x, W, B)
    a = torch.from_numpy(_scipy(x) @ W.numpy())
    return a if B is None else a.add_(B)


def sparse_weight_grad(x: Tensor, G: Tensor, out: Tensor) -> None:
    """out <- x^T G, (i, o), for x (n, i) and G (n, o); for a dense x it is `weight_grad`."""
    if not _is_csr(x):
        weight_grad(x, G, out)
    else:
        out.copy_(torch.from_numpy(_scipy(x).T @ G.numpy()))


def sparse_input_grad(G: Tensor, W: Tensor, x: Tensor) -> Tensor:
    """G W^T, (n, i), dense; for a dense x it is `input_grad`."""
    return torch.mm(G, W.t()) if _is_csr(x) else input_grad(G, W, x)


def csr_tensor(matrix: Any, dtype: torch.dtype | None = None) -> Tensor:
    """Return a scipy CSR matrix as a torch CSR tensor, without a copy where dtype allows it."""
    rows, columns, values = (torch.from_numpy(part) for part in (matrix.indptr, matrix.indices, matrix.data))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "in beta state": only its parts are used here
        return torch.sparse_csr_tensor(rows, columns, values, matrix.shape, dtype=dtype, check_invariants=False)


def _is_csr(x: Tensor) -> bool:
    return x.layout == torch.sparse_csr


def _scipy(x: Tensor) -> Any:
    from scipy.sparse import csr_array

    parts = (part.numpy() for part in (x.values(), x.col_indices(), x.crow_indices()))
    return csr_array(tuple(parts), shape=x.shape)
