"""Data in memory: datasets, shuffled batches, and standardizing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Generator, Tensor

from lincoln.errors import ArgumentError, DataError

Array = TypeVar("Array", np.ndarray, Tensor)
Batch = tuple[Tensor, ...]


class Dataset:
    """Tensors of equal length that belong together, such as features and targets.

    `dataset[3]`, `dataset[10:20]`, `dataset[index_tensor]` and `dataset[mask]` are tuples of that part of each.
    DataError (a ValueError) for unequal lengths.
    """

    def __init__(self, *tensors: Tensor) -> None:
        lengths = [len(tensor) for tensor in tensors]
        if not tensors or min(lengths) != max(lengths):
            raise DataError(f"Batch dimension mismatch! Found lengths: {lengths}")
        self.tensors = tensors

    def __getitem__(self, window: int | slice | Tensor) -> Batch:
        return tuple(tensor[window] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __repr__(self) -> str:
        return f"Dataset({', '.join(str(tuple(tensor.shape)) for tensor in self.tensors)})"


class DataLoader:
    """Batches of `batch_size` examples, the last perhaps smaller; `len(loader)` of them an epoch.

    With `shuffle`, each epoch draws a new order from `generator` (torch's own if None), copies the data once in that order
    and cuts it up: every batch is a view, which costs a fraction of gathering each batch by its indices.
    """

    def __init__(
        self, dataset: Dataset, batch_size: int, shuffle: bool = False, generator: Generator | None = None
    ) -> None:
        self.dataset = dataset
        self.batch_size = at_least_one("batch_size", batch_size)
        self.shuffle = shuffle
        self.generator = generator

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        tensors = self.dataset.tensors
        if self.shuffle:
            where = self.generator.device if self.generator else tensors[0].device
            order = torch.randperm(len(self.dataset), generator=self.generator, device=where).to(tensors[0].device)
            tensors = tuple(tensor.index_select(0, order) for tensor in tensors)
        return zip(*(torch.split(tensor, self.batch_size) for tensor in tensors), strict=True)


def generate_batches(
    features: ArrayLike | Tensor,
    labels: ArrayLike | Tensor,
    size: int = 32,
    shuffle: bool = True,
    generator: Generator | None = None,
) -> Iterator[Batch]:
    """Batches (x, y) of `size` examples, the last perhaps smaller: one pass through the data, in a new order if `shuffle`.

    x keeps the features' shape, images included, as torch's default float type unless it is a floating tensor already.
    y has at least two dimensions: labels (n,) come as (b, 1). DataError (a ValueError) for unequal lengths.
    """
    x, y = as_tensor("features", features), as_tensor("labels", labels)
    if not (isinstance(features, Tensor) and x.is_floating_point()):
        x = x.to(torch.get_default_dtype())
    if y.is_floating_point():
        y = y.to(x.dtype)
    same_length(features=x, labels=y)
    yield from DataLoader(Dataset(x, y.unsqueeze(-1) if y.dim() == 1 else y), size, shuffle, generator)


def standardize(features: Array, like: Array | None = None) -> Array:
    """(x - mean) / std for each column, with the statistics of `like`, by default of `features` themselves.

    New data is put on the training data's scale by `standardize(new, like=training)`. A column that is constant in `like`
    becomes 0: it tells nothing. Standard deviations divide by n. Arrays in, arrays out; tensors in, tensors out.
    """
    reference = as_tensor("like", features if like is None else like).double()
    x = as_tensor("features", features).double()
    if x.shape[1:] != reference.shape[1:]:
        raise DataError(f"standardize: features have shape {tuple(x.shape)}, like has {tuple(reference.shape)}")
    if len(reference) == 0:
        raise DataError("standardize: no examples to take the mean and standard deviation of")
    constant = (reference == reference[0]).all(0)
    std = torch.where(constant, torch.inf, reference.std(0, correction=0))
    scaled = (x - reference.mean(0)) / std
    if isinstance(features, Tensor):
        return scaled.to(features.dtype if features.is_floating_point() else torch.get_default_dtype())
    kind = features.dtype if np.issubdtype(features.dtype, np.floating) else np.float64
    return scaled.numpy().astype(kind)


# ---- What everything that takes data checks


def as_tensor(name: str, data: Any) -> Tensor:
    """`data` as a tensor, without a copy where there need be none. DataError if it is not numbers."""
    if isinstance(data, Tensor):
        return data.detach()
    array = np.asarray(data)
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name}: dtype {array.dtype} holds no real numbers; encode or drop such columns")
    if not array.flags.writeable or any(stride < 0 for stride in array.strides) or not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="), order="C", copy=True)
    return torch.from_numpy(array)


def check_numbers(name: str, tensor: Tensor) -> None:
    """DataError for a tensor that is empty or holds NaN or infinity, with the first place of it."""
    if tensor.numel() == 0:
        raise DataError(f"{name}: no data (shape {tuple(tensor.shape)})")
    if tensor.is_floating_point() and not torch.isfinite(tensor).all():
        wrong = ~torch.isfinite(tensor)
        place = wrong.nonzero()[0].tolist()
        raise DataError(
            f"{name}: {int(wrong.sum())} values are NaN or infinite, the first ({tensor[tuple(place)].item()}) at "
            f"{place[0] if len(place) == 1 else tuple(place)}: drop those rows or fill them in before training"
        )


def same_length(**tensors: Tensor) -> None:
    """DataError unless all have the same number of examples."""
    lengths = {name: len(tensor) if tensor.dim() else 0 for name, tensor in tensors.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(f"different numbers of examples: {found}; each example needs one of each")


def at_least_one(name: str, value: Any) -> int:
    """`value` as an int. ArgumentError unless it is an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ArgumentError(f"{name} is {value!r}; wanted an integer of at least 1")
    return int(value)
