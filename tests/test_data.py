"""Batches, standardizing, and what data are refused."""

import numpy as np
import pytest
import torch

import lincoln as lnc
from lincoln.data import DataLoader, Dataset
from lincoln.errors import ArgumentError, DataError


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


@pytest.mark.parametrize(
    ("n", "size", "sizes"), [(10, 4, [4, 4, 2]), (4, 4, [4]), (3, 10, [3]), (4096, 100, [100] * 40 + [96])]
)
def test_loader_batches(n, size, sizes):
    loader = DataLoader(Dataset(torch.arange(n)), size)
    assert [len(batch[0]) for batch in loader] == sizes
    assert len(loader) == len(sizes)
    assert torch.equal(torch.cat([batch[0] for batch in loader]), torch.arange(n))


def test_loader_shuffles_anew_and_repeatably(device):
    x = torch.arange(100, device=device)
    data = Dataset(x, x * 2)

    def epochs():
        loader = DataLoader(data, 30, shuffle=True, generator=torch.Generator().manual_seed(1))
        return [[torch.cat(parts) for parts in zip(*loader, strict=True)] for _ in range(2)]

    (x1, y1), (x2, _) = epochs()
    assert torch.equal(x1 * 2, y1)
    assert not torch.equal(x1, x2)
    assert not torch.equal(x1, x)
    assert torch.equal(x1.sort().values, x)
    again = epochs()
    assert torch.equal(again[0][0], x1)
    assert torch.equal(again[1][0], x2)


@pytest.mark.parametrize("size", [0, -1, 2.5, True, None])
def test_batch_size_below_one(size):
    with pytest.raises(ArgumentError, match=r"batch_size is .*; wanted an integer of at least 1"):
        DataLoader(Dataset(torch.zeros(3)), size)


def test_generate_batches_shuffles_pairs():
    """The notebook's shuffle is None and never shuffles."""
    x = np.arange(50.0)[:, None]
    batches = list(lnc.generate_batches(x, np.arange(50), size=20, generator=torch.Generator().manual_seed(0)))
    assert [tuple(a.shape) for a, _ in batches] == [(20, 1), (20, 1), (10, 1)]
    assert all(a.dtype == torch.float32 and b.shape == (len(a), 1) for a, b in batches)
    order = torch.cat([a for a, _ in batches])
    assert torch.equal(order.long(), torch.cat([b for _, b in batches]))
    assert order[:, 0].tolist() != list(range(50))
    assert sorted(order[:, 0].tolist()) == list(range(50))


def test_generate_batches_without_shuffling():
    """The notebook raises IndexError here for labels (n,)."""
    (x, y), (x2, _) = lnc.generate_batches([[1], [2], [3]], [0, 1, 0], size=2, shuffle=False)
    assert x.tolist() == [[1], [2]]
    assert y.tolist() == [[0], [1]]
    assert x2.tolist() == [[3]]


def test_generate_batches_keeps_image_shapes():
    images = np.zeros((5, 3, 8, 8), dtype=np.uint8)
    shapes = [tuple(x.shape) for x, _ in lnc.generate_batches(images, np.zeros(5), size=4)]
    assert shapes == [(4, 3, 8, 8), (1, 3, 8, 8)]


def test_generate_batches_of_unequal_lengths():
    with pytest.raises(ValueError, match="features 3, labels 2"):
        list(lnc.generate_batches(np.zeros((3, 1)), np.zeros(2)))


def test_generate_batches_keeps_tensors_where_they_are(device):
    x = torch.randn(4, 2, device=device, dtype=torch.float32)
    (xb, yb), *_ = lnc.generate_batches(x, torch.ones(4, device=device))
    assert xb.device.type == yb.device.type == device


@pytest.mark.parametrize("kind", ["array", "tensor"])
def test_standardize(kind):
    x = np.random.default_rng(0).normal(5, 3, (40, 3))
    x[:, 1] = 0.1  # constant, and no binary fraction
    given = x if kind == "array" else torch.tensor(x)
    scaled = np.asarray(lnc.standardize(given))
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(0), [1, 0, 1])
    assert (scaled[:, 1] == 0).all()
    new = np.full((2, 3), 0.7)
    expected = (new - x.mean(0)) / x.std(0)
    got = np.asarray(lnc.standardize(new if kind == "array" else torch.tensor(new), like=given))
    np.testing.assert_allclose(got[:, [0, 2]], expected[:, [0, 2]])
    assert (got[:, 1] == 0).all()


def test_standardize_keeps_type():
    assert lnc.standardize(np.ones((2, 2), dtype=np.float32)).dtype == np.float32
    assert lnc.standardize(np.ones((2, 2), dtype=np.int32)).dtype == np.float64
    assert lnc.standardize(torch.ones(2, 2, dtype=torch.int32)).dtype == torch.float32
    assert lnc.standardize(torch.ones(2, 3, 4)).shape == (2, 3, 4)


def test_standardize_refuses_what_does_not_fit():
    with pytest.raises(DataError, match="like has"):
        lnc.standardize(np.ones((2, 3)), like=np.ones((2, 4)))
    with pytest.raises(DataError, match="no examples"):
        lnc.standardize(np.ones((0, 3)))
    with pytest.raises(DataError, match="no real numbers"):
        lnc.standardize(np.array([["a"], ["b"]]))


@pytest.mark.parametrize("change", ["readonly", "reversed", "big-endian", "transposed"])
def test_arrays_of_unusual_memory(change):
    x = np.arange(12.0).reshape(3, 4)
    if change == "readonly":
        x.flags.writeable = False
    x = {"reversed": x[::-1], "big-endian": x.astype(">f8"), "transposed": x.T}.get(change, x)
    (batch, _), *_ = lnc.generate_batches(x, np.zeros(len(x)), shuffle=False)
    np.testing.assert_array_equal(batch.numpy(), x.astype(np.float32))
