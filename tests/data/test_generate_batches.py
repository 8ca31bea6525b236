"""Batches (x, y) of arrays and tensors."""

import numpy as np
import pytest
import torch

import lincoln as lnc


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


@pytest.mark.parametrize("change", ["readonly", "reversed", "big-endian", "transposed"])
def test_arrays_of_unusual_memory(change):
    x = np.arange(12.0).reshape(3, 4)
    if change == "readonly":
        x.flags.writeable = False
    x = {"reversed": x[::-1], "big-endian": x.astype(">f8"), "transposed": x.T}.get(change, x)
    (batch, _), *_ = lnc.generate_batches(x, np.zeros(len(x)), shuffle=False)
    np.testing.assert_array_equal(batch.numpy(), x.astype(np.float32))
