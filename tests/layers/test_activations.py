"""Activations by themselves."""

import pytest
import torch

from lincoln import ops
from lincoln.layers import (
    Softmax,
)


@pytest.mark.parametrize("shape", [(8, 1), (8, 3), (8, 32), (8, 33), (4, 5, 3), (0, 3)])
@pytest.mark.parametrize("by_columns", [False, True])
def test_softmax_is_torchs_however_its_input_lies(shape, by_columns):
    z = 300 * torch.randn(shape, dtype=torch.float64)
    if by_columns:
        z = z.mT.contiguous().mT
    torch.testing.assert_close(Softmax()(z), torch.softmax(z, -1))
    torch.testing.assert_close(ops.log_softmax(z), torch.log_softmax(z, -1))
