"""How much there is to compute: the multiplications of the largest product."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lincoln._util.dispatch import Mode
from lincoln._util.threads import PER_NUMBER

_PRODUCTS = ("mm", "bmm", "matmul", "mv", "addmm", "baddbmm", "addbmm", "addmv")
_CONTRACTIONS = ("einsum", "tensordot", "inner", "bilinear", "lstm", "gru", "rnn_tanh", "rnn_relu", "cdist")
_PREFIXES = ("scaled_dot_product", "_scaled_dot_product", "linalg", "_linalg")


class Largest(Mode):
    """Note the `work` of the largest operation inside the block, in multiplications."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.work = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.work = max(self.work, _work(func, _tensors(args), _tensors((result,))))
        return result


def _work(operation: Any, operands: list[Tensor], results: list[Tensor]) -> float:
    """Return the multiplications of one operation: at least 4 for each number of the result, and none for a view."""
    numbers = max((one.numel() for one in results), default=0) * PER_NUMBER
    if not operation._schema.is_mutable:
        memory = {operand.untyped_storage().data_ptr() for operand in operands}
        if all(one.untyped_storage().data_ptr() in memory for one in results):
            return 0.0
    return max(_product(str(operation._schema.name).removeprefix("aten::"), operands, results), numbers)


def _product(name: str, operands: list[Tensor], results: list[Tensor]) -> float:
    if name in _PRODUCTS:
        a, b = operands[-2:] if name.startswith(("add", "badd")) else operands[:2]  # (..., m, k) and (..., k, n)
        if a.dim() < 2 or b.dim() < 2:
            return float(max(a.numel(), b.numel()))
        return float(max(a.numel() * b.shape[-1], b.numel() * a.shape[-2]))
    if name == "linear":
        x, W = operands[:2]
        return float(x.numel() * (W.shape[0] if W.dim() == 2 else 1))
    if "conv" in name and len(operands) > 1:
        x, W = operands[:2]
        return max(x.numel(), results[0].numel()) * W.numel() / W.shape[0]
    if name in _CONTRACTIONS or name.startswith(_PREFIXES):
        return math.sqrt(math.prod(float(one.numel()) for one in (*operands[:2], *results[:1])))
    return 0.0


def _tensors(values: Sequence[Any]) -> list[Tensor]:
    """Return the strided tensors among these values and in lists of them."""
    flat = [part for value in values for part in (value if isinstance(value, list | tuple) else (value,))]
    return [part for part in flat if isinstance(part, Tensor) and part.layout == torch.strided]
