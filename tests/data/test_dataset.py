"""Tensors that belong together."""

import pytest
import torch

from lincoln.data import Dataset


def test_dataset_takes_parts():
    x, y = torch.arange(12).reshape(6, 2), torch.arange(6)
    data = Dataset(x, y)
    assert len(data) == 6
    assert [part.tolist() for part in data[1]] == [[2, 3], 1]
    assert [part.tolist() for part in data[4:]] == [[[8, 9], [10, 11]], [4, 5]]
    assert data[torch.tensor([5, 0])][1].tolist() == [5, 0]
    assert data[y > 3][1].tolist() == [4, 5]
    assert repr(data) == "Dataset((6, 2), (6,))"


def test_dataset_of_unequal_lengths():
    with pytest.raises(ValueError, match=r"Batch dimension mismatch! Found lengths: \[4, 5\]"):
        Dataset(torch.zeros(4), torch.zeros(5))
