"""Features on one scale."""

import numpy as np
import pytest
import torch

import lincoln as lnc
from lincoln.errors import DataError


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
