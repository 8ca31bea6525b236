"""A linear layer and its activation."""

import torch

import lincoln as lnc
from lincoln.layers import (
    Dense,
    Softmax,
)


def test_dense_takes_a_layer_as_activation():
    assert lnc.check_gradients(Dense(3, Softmax()), torch.randn(4, 2))
