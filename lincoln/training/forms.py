"""The form of a run's data: a Dataset, or batches of (features, targets) or (features, targets, weights)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lincoln._util.frames import is_frame
from lincoln._util.text import few, short
from lincoln.data import Batch, DataLoader, Dataset
from lincoln.errors import DataError
from lincoln.training.random import random_state_of, set_random_state_of

_EXPECTED = "(features, targets) or (features, targets, weights), tensors"
_COLLATE = "return them from a collate function: DataLoader(data, size, collate_fn=...)"


def refuse_other_forms(**data: Any) -> None:
    """Raise DataError for what is neither a Dataset nor an iterable of batches. Nothing is iterated."""
    for name, given in data.items():
        if given is None and name != "train_dataset":
            continue
        if isinstance(given, Iterator):
            raise DataError(f"{name} is an iterator, used up by one epoch: pass a list, a loader or a Dataset")
        if isinstance(given, Dataset):
            _refuse_number(name, repr(given), len(given.parts))
        elif isinstance(given, list | tuple) and given:
            _refuse_arrays(name, given)
            check_batch(name, given[0])
        elif not _is_loader(given):
            raise DataError(f"{name}: {described(given)}; expected a Dataset or batches{_cure_for_data(given)}")


def look(name: str, batches: Any) -> None:
    """Check the first batch of an iterable that can be iterated again, and leave no trace in the random numbers."""
    if isinstance(batches, DataLoader | list | tuple):
        return  # checked by refuse_other_forms, or made of a Dataset
    before = random_state_of(batches)
    try:
        iterator = iter(batches)
        if isinstance(batches, torch.utils.data.DataLoader) or iterator is not iter(batches):  # else it cannot be had again
            for batch in iterator:
                check_batch(name, batch)
                break
    finally:
        set_random_state_of(before, batches)


def checked_first(name: str, batches: Iterable[Batch]) -> Iterator[Batch]:
    """Return the batches. Raises DataError, with the random state put back, if the first is of another form."""
    if isinstance(batches, DataLoader):
        return iter(batches)
    before = random_state_of(batches)
    iterator = iter(batches)
    for batch in iterator:
        try:
            check_batch(name, batch)
        except DataError:
            set_random_state_of(before, batches)
            raise
        return chain([batch], iterator)
    return iterator


def check_batch(name: str, batch: Any, which: str = "its first batch") -> None:
    """Raise DataError unless a batch is (features, targets) or (features, targets, weights), all tensors."""
    check_parts(name, batch, which)
    for role, part in zip(("features", "targets", "weights"), batch, strict=False):
        if not isinstance(part, Tensor):
            raise DataError(f"{name}: {role} of {which} are {described(part)}; expected a tensor: {_cure_for_part(part)}")
        if part.dim() == 0:
            raise DataError(
                f"{name}: {role} of {which} are a single number; expected one row for each example: batch the examples, "
                f"with a Dataset or torch.utils.data.DataLoader(data, batch_size)"
            )


def check_parts(name: str, batch: Any, which: str) -> None:
    """Raise DataError unless a batch is a tuple or list of two or three parts."""
    if not isinstance(batch, tuple | list):
        raise DataError(f"{name}: {which} is {described(batch)}; expected {_EXPECTED}: {_cure_for_batch(batch)}")
    if len(batch) not in (2, 3):
        _refuse_number(name, f"{which} is {described(batch)}", len(batch))


def described(value: Any) -> str:
    """Return in words what came in place of data or of a batch."""
    if isinstance(value, Mapping):
        return f"a {type(value).__name__} with the keys {few([repr(key) for key in value])}"
    if isinstance(value, Tensor | np.ndarray) or is_frame(value):
        return f"a {type(value).__name__} of shape {tuple(value.shape)}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)} ({few([type(part).__name__ for part in value])})"
    return short(value) if value is None or isinstance(value, str | int | float) else f"a {type(value).__name__}"


def _refuse_number(name: str, found: str, parts: int) -> None:
    if parts not in (2, 3):
        cure = "pair the features with targets" if parts < 2 else "join the features with torch.cat"
        raise DataError(f"{name}: {found}; expected {_EXPECTED}: {cure}, as in Dataset(features, targets)")


def _refuse_arrays(name: str, data: Any) -> None:
    """Raise DataError for (X, y), which a list of batches is not."""
    if all(isinstance(part, Tensor | np.ndarray) or is_frame(part) for part in data):
        raise DataError(f"{name}: {described(data)}; expected a Dataset or batches: use Dataset(features, targets)")


def _is_loader(data: Any) -> bool:
    """Return True for what may give batches: an iterable that is neither one example at a time nor data itself."""
    if isinstance(data, torch.utils.data.Dataset) and not isinstance(data, torch.utils.data.IterableDataset):
        return False
    if isinstance(data, Tensor | np.ndarray | Mapping | str | bytes | set) or is_frame(data):
        return False
    return isinstance(data, Iterable) or hasattr(data, "__getitem__")


def _cure_for_data(data: Any) -> str:
    if isinstance(data, torch.utils.data.TensorDataset):
        return ": use Dataset(*data.tensors)"
    if isinstance(data, torch.utils.data.Dataset):
        return ", and this gives one example at a time: use torch.utils.data.DataLoader(data, batch_size)"
    return ": use Dataset(features, targets)"


def _cure_for_batch(batch: Any) -> str:
    if isinstance(batch, Mapping):
        names = [repr(key) for key in batch][:2]
        return f"for example (batch[{names[0]}], batch[{names[-1]}]); {_COLLATE}" if names else _COLLATE
    if isinstance(batch, Tensor | np.ndarray):
        return "pair the features with targets, as in Dataset(features, targets)"
    return _COLLATE


def _cure_for_part(part: Any) -> str:
    if isinstance(part, tuple | list | Mapping):
        return "join them with torch.cat, or torch.as_tensor for numbers"
    return "use torch.as_tensor"
