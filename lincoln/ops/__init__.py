"""Compute the formulas of layers and losses: memory order, matrix products, sparse products.

Each function gives the same numbers as its formula; docs/performance.md has what each form is worth, measured.
"""

from lincoln.ops.pointwise import HALF, minus_product, norm, signed, softplus, total, where_positive
from lincoln.ops.products import affine, bias_grad, by_columns, input_grad, weight_grad
from lincoln.ops.rows import cross_entropy, log_softmax, one_hot, picked, softmax
from lincoln.ops.sparse import csr_tensor, sparse_affine, sparse_input_grad, sparse_weight_grad

__all__ = [
    "HALF",
    "affine",
    "bias_grad",
    "by_columns",
    "cross_entropy",
    "csr_tensor",
    "input_grad",
    "log_softmax",
    "minus_product",
    "norm",
    "one_hot",
    "picked",
    "signed",
    "softmax",
    "softplus",
    "sparse_affine",
    "sparse_input_grad",
    "sparse_weight_grad",
    "total",
    "weight_grad",
    "where_positive",
]
