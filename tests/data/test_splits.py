"""Random splits: sizes, fractions, and what is refused."""

import numpy as np
import pytest
import torch

import lincoln as lnc
from lincoln.data import Dataset
from lincoln.errors import ArgumentError


def test_random_split():
    data = Dataset(torch.arange(11), torch.arange(11) * 2)
    for lengths, sizes in (([8, 3], [8, 3]), ([0.8, 0.2], [9, 2]), ([0.5, 0.25, 0.25], [6, 3, 2]), ([11, 0], [11, 0])):
        parts = lnc.data.random_split(data, lengths, torch.Generator().manual_seed(0))
        assert [len(part) for part in parts] == sizes
        together = torch.cat([part.tensors[0] for part in parts])
        assert sorted(together.tolist()) == list(range(11))
        assert all(torch.equal(part.tensors[0] * 2, part.tensors[1]) for part in parts)
        again = lnc.data.random_split(data, lengths, torch.Generator().manual_seed(0))
        assert torch.equal(torch.cat([part.tensors[0] for part in again]), together)
        reference = torch.utils.data.random_split(range(11), lengths, torch.Generator().manual_seed(0))
        assert [len(part) for part in reference] == sizes
    for wrong in ([5, 5], [0.5, 0.6], [12, -1], [1.5, -0.5]):
        with pytest.raises(ArgumentError, match="random_split"):
            lnc.data.random_split(data, wrong)


def test_train_test_split():
    data = Dataset(torch.arange(10))
    train, test = lnc.data.train_test_split(data, 0.25, torch.Generator().manual_seed(0))
    assert (len(train), len(test)) == (7, 3)
    assert sorted([*train.tensors[0].tolist(), *test.tensors[0].tolist()]) == list(range(10))
    for wrong in (0, 1, 1.5, -0.1, 0.95):
        with pytest.raises(ArgumentError, match="both parts need some"):
            lnc.data.train_test_split(data, wrong)


def test_what_is_no_dataset():
    for wrong in (torch.ones(4), [1, 2], None, torch.utils.data.TensorDataset(torch.ones(4))):
        for use in (
            lambda wrong=wrong: lnc.data.random_split(wrong, [2, 2]),
            lambda wrong=wrong: lnc.data.train_test_split(wrong),
            lambda wrong=wrong: lnc.DataLoader(wrong, 2),
        ):
            with pytest.raises(ArgumentError, match=r"dataset is .*; expected a Dataset: Dataset\(features, targets\)"):
                use()


@pytest.mark.parametrize("wrong", ["a", None, float("nan"), [1]])
def test_sizes_that_are_no_numbers(wrong):
    data = Dataset(torch.arange(4))
    with pytest.raises(ArgumentError, match="random_split: "):
        lnc.data.random_split(data, [wrong, 0.5])
    with pytest.raises(ArgumentError, match="train_test_split: "):
        lnc.data.train_test_split(data, wrong)


def test_sizes_of_numpy():
    data = Dataset(torch.arange(4))
    assert [len(part) for part in lnc.data.random_split(data, np.array([3, 1]))] == [3, 1]
    assert [len(part) for part in lnc.data.random_split(data, np.array([0.5, 0.5]))] == [2, 2]
    assert [len(part) for part in lnc.data.random_split(data, torch.tensor([0.5, 0.5]))] == [2, 2]
