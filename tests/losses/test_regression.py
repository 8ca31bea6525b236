"""Losses of numbers and counts."""

import torch

import lincoln as lnc
from lincoln.layers import Linear


def test_poisson_is_least_and_zero_at_the_count():
    loss = lnc.PoissonLoss(Linear(1), from_logits=True, reduction="sum")
    y = torch.tensor([[0.0], [1.0], [5.0]], dtype=torch.float64)
    assert torch.allclose(loss.value_from_logits(torch.log(y), y)[1:], torch.zeros(2, 1, dtype=torch.float64))
    assert (loss.value_from_logits(torch.log(y + 1), y) > 0).all()
