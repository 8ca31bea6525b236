"""The linear layer for inputs that are mostly zeros."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from lincoln import ops
from lincoln.layers.linear import Linear


class SparseLinear(Linear):
    """a = x W + B as in `Linear`, for x (n, i) as a CSR tensor, of which only the stored entries are multiplied.

    Dense x serve too. `csr_tensor` makes such an x from a scipy matrix. The products of sparse x run on the CPU, by scipy.
    """

    takes_sparse = True
    memory: ClassVar = {}  # row by row: an entry of x picks a row of W

    def _forward(self, x: Tensor) -> Tensor:
        self.saved = x
        return ops.sparse_affine(x, self.W, self.B)  # a = x W + B

    def _backward(self, G: Tensor) -> Tensor | None:
        x = self.saved
        ops.sparse_weight_grad(x, G, out=self.grad["W"])  # dL/dW = x^T G
        if self.bias:
            ops.bias_grad(G, out=self.grad["B"])  # dL/dB = sum of G over examples
        return ops.sparse_input_grad(G, self.W, x) if self.needs_input_grad else None  # dL/dx = G W^T
