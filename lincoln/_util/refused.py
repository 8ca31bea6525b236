"""What can never be used as data: masked, sparse, complex, quantized, text, dates. Each error says where, and the cure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lincoln._util.objects import not_numbers
from lincoln._util.text import place, short
from lincoln.errors import DataError

_SPARSE = (
    "use .toarray() or .to_dense(), the estimators of lincoln.estimators, which take scipy's sparse matrices, or "
    "lincoln.layers.csr_tensor with a SparseLinear layer in a loop of your own"
)
_KINDS = {
    "U": "text",
    "S": "text",
    "T": "text",
    "M": "dates",
    "m": "time spans",
    "c": "complex numbers",
    "V": "records: take one field",
}


def kind(name: str, array: np.ndarray, column: Any = None) -> DataError:
    """Return the error for an array of another kind than real numbers."""
    first, where = (array.ravel()[:1].tolist()[0], place([0] * max(array.ndim, 1))) if array.size else (None, "")
    return not_numbers(name, array.dtype, _KINDS.get(array.dtype.kind, "objects"), column, first, where)


def single(name: str, value: Any) -> DataError:
    """Return the error for a single number where each example has one."""
    return DataError(f"{name}: a single number ({short(value.item())}); expected one for each example, shape (n, ...)")


def masked(name: str, data: Any) -> None:
    """Raise DataError with the first masked place of a masked array, or of a list of them."""
    mask = _mask(data)
    if mask.any():
        raise _masked_at(name, np.argwhere(mask)[0].tolist())


def masked_tensor(name: str, tensor: Tensor) -> Tensor:
    """Return what a torch MaskedTensor holds; any other tensor unchanged. Raises DataError if anything in it is masked."""
    if not hasattr(tensor, "get_mask"):
        return tensor
    hidden = ~tensor.get_mask()
    if hidden.any():
        raise _masked_at(name, hidden.nonzero()[0].tolist())
    data: Tensor = tensor.get_data()  # type: ignore[attr-defined]
    return data


def sparse(name: str, data: Any) -> None:
    """Raise DataError for a sparse matrix, of scipy or built like it."""
    if hasattr(data, "nnz") and not isinstance(data, Tensor):
        raise DataError(f"{name}: a sparse {type(data).__name__} of shape {tuple(data.shape)}; expected dense: {_SPARSE}")


def tensor(name: str, tensor: Tensor) -> None:
    """Raise DataError unless the tensor lies dense in memory and holds real numbers."""
    if tensor.is_nested:
        raise DataError(f"{name}: a nested tensor; expected rows of one length: use .to_padded_tensor(0)")
    if tensor.is_mkldnn:
        raise DataError(f"{name}: a tensor in oneDNN's own layout; use .to_dense()")
    if tensor.layout != torch.strided:
        raise DataError(f"{name}: a sparse tensor ({tensor.layout}), expected dense: {_SPARSE}")
    if tensor.is_quantized:
        raise DataError(f"{name}: a quantized tensor ({tensor.dtype}); expected real numbers: use .dequantize()")
    if tensor.is_meta:
        raise DataError(f"{name}: a tensor on the meta device, which holds no numbers; expected one on a CPU or a GPU")
    if tensor.is_complex():
        raise DataError(f"{name}: dtype {tensor.dtype} holds no real numbers; use .real and .imag")


def _masked_at(name: str, where: Sequence[int]) -> DataError:
    return DataError(f"{name}: masked values, the first at {place(where)}: drop those rows or use .filled(value)")


def _mask(data: Any) -> np.ndarray:
    """Return the mask of a masked array, or of a nested list that holds some; other numbers are not masked."""
    if isinstance(data, list | tuple):
        masks = [_mask(part) for part in data]
        same = len({mask.shape for mask in masks}) == 1
        return np.stack(masks) if same else np.array([bool(mask.any()) for mask in masks])
    return np.ma.getmaskarray(data) if isinstance(data, np.ma.MaskedArray) else np.zeros(np.shape(data), bool)
