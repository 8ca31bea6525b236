"""Dropout."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import lincoln as lnc
from lincoln.layers import (
    Dense,
    Dropout,
    Sequential,
)


@given(
    rate=st.sampled_from([0.0, 0.1, 0.5, 0.9]),
    seed=st.integers(0, 10**6),
    dtype=st.sampled_from([torch.float64, torch.float32]),
)
def test_dropout_gradients_are_autograds(rate, seed, dtype):
    x = torch.randn(6, 5, dtype=torch.float64)
    network = Sequential(Dense(8, "tanh"), Dropout(rate), Dense(3, "sigmoid"), Dropout(rate))
    assert lnc.check_gradients(network, x, dtype=dtype, seed=seed)


def test_dropout_drops_its_share_and_keeps_the_mean(device):
    torch.manual_seed(0)
    x = torch.ones(400, 500, device=device)
    y = Dropout(0.3)(x)
    torch.testing.assert_close(y.unique().cpu(), torch.tensor([0.0, 1 / 0.7]))
    assert (y == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert y.mean().item() == pytest.approx(1, abs=0.01)


def test_dropout_is_nothing_in_evaluation():
    layer, x = Dropout(0.9).eval(), torch.randn(5, 4)
    assert torch.equal(layer(x), x)


def test_dropout_draws_the_same_from_the_same_seed():
    masks = []
    for dtype in (torch.float32, torch.float64):
        torch.manual_seed(3)
        masks.append(Dropout(0.5)(torch.ones(5, 7, dtype=dtype)).double())
    assert torch.equal(*masks)
    assert not torch.equal(Dropout(0.5)(torch.ones(5, 7)), masks[0].float())
