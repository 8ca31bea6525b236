"""Datasets split at random."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Generator

from lincoln._util.settings import Rule, real, setting
from lincoln._util.text import few, short
from lincoln.data.dataset import A_DATASET, Dataset
from lincoln.errors import ArgumentError


def _length(value: Any) -> int | float:
    """Return a length as an int, a fraction as a float. Raises TypeError for anything else."""
    return int(value) if isinstance(value, Integral) else real(value)


_LENGTH = Rule("numbers of examples, or fractions of them", _length, math.isfinite)


def random_split(
    dataset: Dataset, lengths: Sequence[int] | Sequence[float], generator: Generator | None = None
) -> list[Dataset]:
    """Split the dataset at random into parts of these `lengths`, or of these fractions of it, which sum to 1.

    Parts of a memory map stay on the disk, as indices whose rows are read batch by batch; others are copies. The examples
    that rounding leaves over go to the first parts, one each. Raises ArgumentError if the lengths do not sum
    to the number of examples, or the fractions to 1. Source: `torch.utils.data.random_split`.
    """
    n = len(setting("random_split", "dataset", dataset, A_DATASET))
    lengths = [setting("random_split", "lengths", length, _LENGTH) for length in lengths]
    sizes = [int(length) for length in lengths]
    if any(isinstance(length, float) for length in lengths):
        if abs(sum(lengths) - 1) > 1e-6 or min(lengths) < 0:
            raise ArgumentError(f"random_split: fractions {few(list(lengths))} do not sum to 1")
        sizes = [int(n * fraction + 1e-9) for fraction in lengths]
        for index in range(n - sum(sizes)):
            sizes[index % len(sizes)] += 1
    if sum(sizes) != n or min(sizes) < 0:
        raise ArgumentError(f"random_split: lengths {few(list(lengths))} do not sum to the dataset's {n}")
    order = torch.randperm(n, generator=generator)
    return [dataset.chosen(part) for part in torch.split(order, sizes)]


def train_test_split(dataset: Dataset, test_size: float = 0.2, generator: Generator | None = None) -> list[Dataset]:
    """Split the dataset at random into [training, test]; the test part is the fraction `test_size` of it, rounded up.

    Raises ArgumentError if a part would be empty.
    """
    setting("train_test_split", "dataset", dataset, A_DATASET)
    test_size = setting("train_test_split", "test_size", test_size, Rule("a fraction between 0 and 1", real, math.isfinite))
    n_test = math.ceil(len(dataset) * test_size - 1e-9)
    if not 0 < test_size < 1 or not 0 < n_test < len(dataset):
        raise ArgumentError(
            f"train_test_split: test_size is {short(test_size)} of {len(dataset)} examples; both parts need some"
        )
    return random_split(dataset, [len(dataset) - n_test, n_test], generator)
