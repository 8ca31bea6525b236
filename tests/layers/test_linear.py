"""The linear layer by itself."""

import numpy as np
import pytest
import torch

import lincoln as lnc
from lincoln.layers import (
    Dense,
    Linear,
    ReLU,
    Sequential,
)


def test_linear_shapes():
    layer = Linear(3)
    layer(torch.randn(5, 4))
    assert layer.W.shape == (4, 3)
    assert layer.B.shape == (1, 3)
    assert not layer.B.any()


def test_initial_weights_suit_the_activation():
    x = torch.randn(2, 400)
    spread = {}
    for name in ("sigmoid", "tanh", "relu"):
        layer = Dense(300, name)
        layer(x)
        spread[name] = layer["linear"].W.std().item()
    glorot, he = (2 / 700) ** 0.5, (2 / 400) ** 0.5
    assert spread["sigmoid"] == pytest.approx(glorot, rel=0.02)
    assert spread["tanh"] == pytest.approx(glorot, rel=0.02)
    assert spread["relu"] == pytest.approx(he, rel=0.02)
    plain = Sequential(Sequential(Linear(300)), ReLU())
    plain(x)
    assert plain[0][0].W.std().item() == pytest.approx(he, rel=0.02)
    small = Dense(300, "relu", init=lnc.init.normal(std=0.01))
    small(x)
    assert small["linear"].W.std().item() == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize("init", [lnc.init.uniform(0.2), torch.nn.init.zeros_, torch.nn.init.orthogonal_])
def test_any_function_of_a_tensor_initialises(init):
    layer = Linear(3, init=init)
    layer(torch.randn(2, 4))
    assert layer.W.abs().max() <= 1


def test_sizes_from_numpy():
    assert Dense(np.int64(3))(torch.randn(2, 2)).shape == (2, 3)
