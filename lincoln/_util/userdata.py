"""The one place that turns users' data into arrays and tensors: tensors, arrays, frames, lists, objects, missing values.

What cannot be used is a DataError that names the argument, the place, what came, and the cure. A missing value in numbers
(None, NaN, pandas' NA) becomes NaN, which `check_numbers` then reports with its place.
"""

from __future__ import annotations

import threading
import warnings
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lincoln._util import objects, refused
from lincoln._util.frames import columns_of, is_frame, is_mixed
from lincoln._util.text import short
from lincoln._util.threads import on_few
from lincoln.errors import DataError

_quiet = threading.Lock()  # the warning filters belong to the whole process
_CHUNK = 2**22  # numbers checked at a time, so that a memory map larger than memory can be checked


def as_tensor(name: str, data: Any) -> Tensor:
    """Return `data` as a tensor (n, ...), without a copy if possible. Raises DataError unless it holds real numbers."""
    if isinstance(data, Tensor):
        return plain_tensor(name, data)
    array = as_numbers(name, data)
    if array.ndim == 0:
        raise refused.single(name, array)
    if any(stride < 0 for stride in array.strides) or not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="), order="C", copy=True)
    if array.flags.writeable:
        return torch.from_numpy(array)
    with _quiet, warnings.catch_warnings():  # torch warns of memory that is not writable; nobody writes to it here
        warnings.simplefilter("ignore")
        return torch.from_numpy(array)


def plain_tensor(name: str, tensor: Tensor) -> Tensor:
    """Return a tensor without history. Raises DataError unless it is dense, holds real numbers and has a dimension."""
    tensor = refused.masked_tensor(name, tensor)
    refused.tensor(name, tensor)
    if tensor.dim() == 0:
        raise refused.single(name, tensor)
    tensor = tensor.detach()
    return tensor.float() if tensor.is_floating_point() and tensor.dtype.itemsize == 1 else tensor  # float8 has no isfinite


def as_numbers(name: str, data: Any) -> np.ndarray:
    """Return `data` as an array of real numbers that torch has a dtype for. Raises DataError for anything else."""
    if is_frame(data) and is_mixed(data):
        parts = [_numbers(name, as_array(name, column), title) for title, column in columns_of(data)]
        return np.stack(parts, axis=1)
    array = as_array(name, data)
    if is_frame(data) and array.dtype.kind not in "biuf":  # objects may be numbers; else the error names the column
        parts = [_numbers(name, column, title) for (title, _), column in zip(columns_of(data), array.T, strict=True)]
        return np.stack(parts, axis=1) if parts else array.astype(np.float64)
    return _numbers(name, array)


def as_array(name: str, data: Any) -> np.ndarray:
    """Return `data` as an array of whatever it holds: numbers, strings, objects.

    Raises DataError for what is masked or sparse, and for what is no collection of values.
    """
    refused.sparse(name, data)
    data = without_tensors(name, data)
    try:
        array = np.asarray(data)
    except Exception as error:  # whatever an object's own conversion raises
        raise DataError(f"{name}: a {type(data).__name__} that numpy cannot read as an array: {short(error)}") from error
    if array.ndim == 0 and array.dtype.kind not in "biufc":
        raise DataError(f"{name}: a {type(data).__name__}; expected an array, a tensor, a frame or a list")
    return array


def without_tensors(name: str, data: Any) -> Any:
    """Return tensors, and lists of them, as arrays that numpy can read, and anything else as it is.

    Raises DataError for masked arrays that hide something, and for tensors that hold no real numbers.
    """
    if isinstance(data, Tensor):
        return to_numpy(plain_tensor(name, data))
    if isinstance(data, np.ma.MaskedArray):
        refused.masked(name, data)
        return data.data
    return _plain_list(name, data) if isinstance(data, list | tuple) else data


def to_numpy(tensor: Tensor) -> np.ndarray:
    """Return the tensor as an array on the CPU; bfloat16, which numpy does not have, as float32."""
    tensor = tensor.detach().cpu().resolve_neg()
    array: np.ndarray = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array


def check_numbers(name: str, tensor: Any) -> None:
    """Raise DataError, with the first place, if the tensor is empty or holds NaN or infinity.

    `tensor` may be rows of a tensor on disk (`lincoln.data.rows`), which are read part by part.
    """
    if tensor.numel() == 0:
        raise DataError(f"{name}: no data (shape {tuple(tensor.shape)})")
    if not tensor.is_floating_point():
        return
    if isinstance(tensor, Tensor) and tensor.layout != torch.strided:
        tensor = tensor.to_dense()  # a batch of sparse features
    rows = max(1, _CHUNK * len(tensor) // tensor.numel())
    for start in range(0, len(tensor), rows):
        part = tensor[start : start + rows]
        if not on_few(part.numel(), all_finite, part):
            row, *rest = (~torch.isfinite(part)).nonzero()[0].tolist()
            raise DataError(
                f"{name}: NaN or infinite values, the first ({part[(row, *rest)].item()}) at "
                f"{(start + row, *rest) if rest else start + row}: drop those rows or fill them in before training"
            )


def all_finite(tensor: Tensor) -> bool:
    """Return True if no number is NaN or infinite."""
    return bool(torch.isfinite(tensor).all())


def same_length(**tensors: Tensor) -> None:
    """Raise DataError unless all tensors have the same number of examples."""
    lengths = {name: len(tensor) if tensor.dim() else 0 for name, tensor in tensors.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(f"different numbers of examples: {found}; each example needs one of each")


def _numbers(name: str, array: np.ndarray, column: Any = None) -> np.ndarray:
    """Return the array in a dtype of torch's; objects that are numbers are converted. `column` is its name in a frame."""
    if array.dtype.kind in "biuf":
        return array.astype(np.float64) if array.dtype.kind == "f" and array.dtype.itemsize > 8 else array
    if array.dtype.kind == "O":
        return objects.numbers(name, array, column)
    raise refused.kind(name, array, column)


def _plain_list(name: str, data: Any) -> Any:
    """Return a list whose tensors, masked arrays, frames and the like have become plain arrays."""
    kinds = _kinds(data)
    if any(issubclass(kind, np.ma.MaskedArray) for kind in kinds):
        refused.masked(name, data)
    if kinds & {str, bytes} and len(kinds - {list, tuple}) > 1:
        return np.array(data, dtype=object)  # else numpy writes NaN and numbers as text
    plain = {bool, int, float, complex, str, bytes, type(None), np.ndarray, list, tuple}
    return _unwrapped(name, data) if kinds - plain else data


def _unwrapped(name: str, data: Any) -> Any:
    if isinstance(data, list | tuple):
        return [_unwrapped(name, part) for part in data]
    if isinstance(data, Tensor):
        refused.tensor(name, refused.masked_tensor(name, data))
        return to_numpy(data) if data.dim() else data.item()
    refused.sparse(name, data)
    return data


def _kinds(data: Any) -> set[type]:
    """Return the types of what a nested list holds, looked up level by level."""
    kinds: set[type] = set()
    while True:
        level = set(map(type, data))
        kinds |= level
        nested = [part for part in data if isinstance(part, list | tuple)] if level & {list, tuple} else []
        if not nested:
            return kinds
        data = list(chain.from_iterable(nested))
