"""Validation of the data that users pass in: features, targets and weights."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lincoln._util.forks import ProcessLock
from lincoln.errors import DataError

_quiet = ProcessLock()  # the warning filters belong to the whole process
_CHUNK = 2**22  # numbers checked at a time, so that a memory map larger than memory can be checked


def as_tensor(name: str, data: Any) -> Tensor:
    """Return `data` as a tensor, without a copy if possible. Raises DataError unless it holds real numbers."""
    if isinstance(data, Tensor):
        return data.detach()
    array = np.asarray(data)
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name}: dtype {array.dtype} holds no real numbers; encode or drop such columns")
    if any(stride < 0 for stride in array.strides) or not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="), order="C", copy=True)
    if array.flags.writeable:
        return torch.from_numpy(array)
    with _quiet.here, warnings.catch_warnings():  # torch warns of memory that is not writable; nobody writes to it here
        warnings.simplefilter("ignore")
        return torch.from_numpy(array)


def to_numpy(tensor: Tensor) -> np.ndarray:
    """Return the tensor as an array on the CPU; bfloat16, which numpy does not have, as float32."""
    tensor = tensor.detach().cpu()
    array: np.ndarray = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array


def check_numbers(name: str, tensor: Tensor) -> None:
    """Raise DataError, with the first place, if the tensor is empty or holds NaN or infinity."""
    if tensor.numel() == 0:
        raise DataError(f"{name}: no data (shape {tuple(tensor.shape)})")
    if not tensor.is_floating_point():
        return
    rows = max(1, _CHUNK * len(tensor) // tensor.numel())
    for start, part in zip(range(0, len(tensor), rows), torch.split(tensor, rows), strict=True):
        finite = torch.isfinite(part)
        if not finite.all():
            row, *rest = (~finite).nonzero()[0].tolist()
            place = (start + row, *rest)
            raise DataError(
                f"{name}: NaN or infinite values, the first ({tensor[place].item()}) at "
                f"{place if rest else place[0]}: drop those rows or fill them in before training"
            )


def same_length(**tensors: Tensor) -> None:
    """Raise DataError unless all tensors have the same number of examples."""
    lengths = {name: len(tensor) if tensor.dim() else 0 for name, tensor in tensors.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(f"different numbers of examples: {found}; each example needs one of each")
