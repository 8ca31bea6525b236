"""Data: datasets, shuffled batches, splits, standardizing, and generated examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Generator, Tensor

from lincoln._util.checks import as_tensor, at_least_one, same_length
from lincoln.errors import ArgumentError, DataError, MatchError

Array = TypeVar("Array", np.ndarray, Tensor)
Batch = tuple[Tensor, ...]


class Dataset:
    """Tensors of equal length that belong together, such as features and targets.

    `dataset[3]`, `dataset[10:20]`, `dataset[index_tensor]` and `dataset[mask]` are tuples of that part of each. Arrays
    become tensors without a copy; a numpy memmap stays on disk, and what is not asked for is never read.
    DataError (a ValueError) for unequal lengths.
    """

    def __init__(self, *tensors: Tensor | np.ndarray) -> None:
        self.tensors = tuple(as_tensor(f"tensor {index}", tensor) for index, tensor in enumerate(tensors))
        lengths = [len(tensor) for tensor in self.tensors]
        if not lengths or min(lengths) != max(lengths):
            raise DataError(f"Batch dimension mismatch! Found lengths: {lengths}")

    def __getitem__(self, window: int | slice | Sequence[int] | Tensor) -> Batch:
        return tuple(tensor[window] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __repr__(self) -> str:
        return f"Dataset({', '.join(str(tuple(tensor.shape)) for tensor in self.tensors)})"

    @property
    def nbytes(self) -> int:
        """Its size, in memory or on disk."""
        return sum(tensor.nbytes for tensor in self.tensors)


class DataLoader:
    """Batches of `batch_size` examples, `len(loader)` of them an epoch; the last is smaller, or left out by `drop_last`.

    With `shuffle`, each epoch draws a new order from `generator` (torch's own if None), or takes the indices that `shuffle`
    returns if that is a function of the number of examples. Data of up to `copy_budget` bytes (None: 4 MiB on the CPU, what
    stays in its cache; 1 GiB on a GPU, which they are moved to once) are copied in that order and cut into views, the
    rest, such as a memmap larger than memory, are gathered batch by batch. Batches come on `device`.

    `state_dict()` tells where in an epoch the loader is, and a loader that is given it by `load_state_dict` starts its next
    epoch there, with the same batches in the same order.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        shuffle: bool | Callable[[int], Tensor] = False,
        generator: Generator | None = None,
        drop_last: bool = False,
        device: str | torch.device | None = None,
        copy_budget: int | None = None,
    ) -> None:
        self.dataset = dataset
        self.batch_size = at_least_one("batch_size", batch_size)
        self.shuffle = shuffle
        self.generator = generator
        self.drop_last = drop_last
        self.device = None if device is None else torch.device(device)
        self.copy_budget = copy_budget
        self._tensors = dataset.tensors
        self._elsewhere = self.device is not None and self.device.type != dataset.tensors[0].device.type
        on_cpu = (self.device or dataset.tensors[0].device).type == "cpu"
        self._fits = dataset.nbytes <= (copy_budget if copy_budget is not None else 2**22 if on_cpu else 2**30)
        if self.device is not None and self._fits:
            self._tensors = tuple(tensor.to(self.device) for tensor in dataset.tensors)
        self._position = 0  # batches given out in this epoch
        self._start: Tensor | None = None  # the generator's state before it drew this epoch's order
        self._resume: tuple[Tensor | None, int] | None = None

    def __len__(self) -> int:
        n = len(self.dataset)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        order = self._order() if self.shuffle else None
        self._position = self._resume[1] if self._resume else 0
        self._resume = None
        for batch in self._cut(order, self._position) if self._copies(order) else self._gather(order, self._position):
            self._position += 1
            yield batch
        self._position, self._start = 0, None

    def state_dict(self) -> dict[str, Any]:
        """`position`, batches given out in this epoch, and `start`, the generator's state before the epoch or None."""
        return {"position": self._position, "start": self._start}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Start the next epoch where `state` was taken."""
        if not 0 <= state["position"] <= len(self):
            raise MatchError(f"DataLoader: the state is at batch {state['position']}, this loader has {len(self)}")
        self._resume = state["start"], state["position"]

    def _order(self) -> Tensor:
        if callable(self.shuffle):
            return self.shuffle(len(self.dataset)).to(self._tensors[0].device)
        generator = self.generator or torch.default_generator
        replayed = self._resume[0] if self._resume else None
        now = generator.get_state()
        if replayed is not None:
            generator.set_state(replayed)
        self._start = now if replayed is None else replayed
        order = torch.randperm(len(self.dataset), generator=generator, device=generator.device)
        if replayed is not None and self.generator is None:
            generator.set_state(now)  # torch's own generator has gone on since, and is restored by whoever resumes
        return order.to(self._tensors[0].device)

    def _copies(self, order: Tensor | None) -> bool:
        """Whether batches are views: of the data as they stand, or of one shuffled copy."""
        return self._fits or (order is None and not self._elsewhere)

    def _cut(self, order: Tensor | None, first: int) -> Iterator[Batch]:
        tensors = self._tensors
        if order is not None:
            tensors = tuple(tensor.index_select(0, order) for tensor in tensors)
        # views, as torch.split gives them, without its check of what autograd allows: there is no autograd
        parts = [torch.unsafe_split(tensor, self.batch_size) for tensor in tensors]
        return islice(zip(*parts, strict=True), first, len(self))

    def _gather(self, order: Tensor | None, first: int) -> Iterator[Batch]:
        for start in range(first * self.batch_size, len(self) * self.batch_size, self.batch_size):
            window = slice(start, start + self.batch_size)
            if order is None:
                yield tuple(tensor[window].to(self.device) for tensor in self._tensors)
            else:
                rows = order[window]
                yield tuple(tensor.index_select(0, rows).to(self.device) for tensor in self._tensors)


def random_split(
    dataset: Dataset, lengths: Sequence[int] | Sequence[float], generator: Generator | None = None
) -> list[Dataset]:
    """The dataset dealt out at random into parts of these `lengths`, or of these fractions of it, which sum to 1.

    What rounding leaves over goes to the first parts, one each. As `torch.utils.data.random_split`.
    """
    n = len(dataset)
    sizes = [int(length) for length in lengths]
    if any(isinstance(length, float) for length in lengths):
        if abs(sum(lengths) - 1) > 1e-6 or min(lengths) < 0:
            raise ArgumentError(f"random_split: fractions {list(lengths)} do not sum to 1")
        sizes = [int(n * fraction + 1e-9) for fraction in lengths]
        for index in range(n - sum(sizes)):
            sizes[index % len(sizes)] += 1
    if sum(sizes) != n or min(sizes) < 0:
        raise ArgumentError(f"random_split: lengths {list(lengths)} do not sum to the dataset's {n}")
    order = torch.randperm(n, generator=generator)
    return [Dataset(*dataset[part.to(dataset.tensors[0].device)]) for part in torch.split(order, sizes)]


def train_test_split(dataset: Dataset, test_size: float = 0.2, generator: Generator | None = None) -> list[Dataset]:
    """The dataset dealt out at random into [training, test], the latter `test_size` of it, rounded up."""
    n_test = math.ceil(len(dataset) * test_size - 1e-9)
    if not 0 < test_size < 1 or not 0 < n_test < len(dataset):
        raise ArgumentError(
            f"train_test_split: test_size is {test_size!r} of {len(dataset)} examples; both parts need some"
        )
    return random_split(dataset, [len(dataset) - n_test, n_test], generator)


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
    features = features if isinstance(features, Tensor) else np.asarray(features)
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


# ---- Generated data, for trying things out


def make_classification(
    num_samples: int, num_features: int, num_classes: int = 2, generator: Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Gaussian features X (n, d), and labels drawn from P(y = c | x) = softmax(x V)_c with V (d, classes) ~ N(0, 4).

    For two classes y is (n, 1) float32, as `LogLoss` likes it; for more, (n,) class indices, as `CrossEntropy` does.
    """
    at_least_one("num_samples", num_samples), at_least_one("num_features", num_features)
    if num_classes < 2:
        raise ArgumentError(f"num_classes is {num_classes!r}; expected an integer of at least 2")
    X = torch.randn(num_samples, num_features, generator=generator)
    V = 2 * torch.randn(num_features, num_classes, generator=generator)
    y = torch.multinomial(torch.softmax(X @ V, -1), 1, generator=generator)
    return X, y.float() if num_classes == 2 else y[:, 0]


def make_regression(
    num_samples: int, num_features: int, noise: float = 0.1, generator: Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Gaussian features X (n, d), and y = X w + b + noise e, (n, 1), with w, b and e ~ N(0, 1)."""
    at_least_one("num_samples", num_samples), at_least_one("num_features", num_features)
    X = torch.randn(num_samples, num_features, generator=generator)
    w = torch.randn(num_features, 1, generator=generator)
    b = torch.randn(1, generator=generator)
    return X, X @ w + b + noise * torch.randn(num_samples, 1, generator=generator)


def linearly_separable(b: float = 0.0, w: float = 1.0, sigma: float = 0.1, generator: Generator | None = None) -> Dataset:
    """400 points x = -2, -1.99, ..., 1.99, with y = 1 where b + w x + sigma e > 0, e ~ N(0, 1), else 0; both (400, 1)."""
    X = torch.arange(-2, 2, 0.01).view(-1, 1)
    e = torch.randn(X.shape, generator=generator)
    return Dataset(X, (b + w * X + sigma * e > 0).float())
