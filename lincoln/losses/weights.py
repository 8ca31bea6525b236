"""Weights of examples, and the factor that makes a sum a mean."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from lincoln.errors import MatchError

Reduction = Literal["sum", "mean"]


def share(reduction: Reduction, prediction: Tensor) -> float:
    """Return the factor on a sum over examples of weight 1: 1 for "sum", 1 / n for "mean"."""
    return 1.0 if reduction == "sum" else 1.0 / max(prediction.shape[:-1].numel(), 1)


def weighted(loss: str, reduction: Reduction, prediction: Tensor, sample_weight: Tensor) -> tuple[Tensor, float | Tensor]:
    """Return the weights w_k, (n,), times the factor on their sum, and the factor: 1 for "sum", 1 / sum_k w_k for "mean".

    Raises MatchError unless `sample_weight` is a tensor with one weight for each example.
    """
    examples = prediction.shape[:-1]
    if not isinstance(sample_weight, Tensor):
        raise MatchError(f"{loss}: sample_weight is a {type(sample_weight).__name__}, expected a torch.Tensor")
    if sample_weight.shape not in ((examples[0],), (examples[0], 1)):
        raise MatchError(
            f"{loss}: sample_weight has shape {tuple(sample_weight.shape)}, expected one weight for each of "
            f"{examples[0]} examples"
        )
    factor: float | Tensor = 1.0
    if reduction == "mean":
        total = sample_weight.sum().to(prediction.dtype) * examples[1:].numel()
        factor = 1 / torch.where(total > 0, total, torch.inf)  # a batch of weight 0 has loss 0
    return sample_weight.to(prediction.dtype).reshape(-1) * factor, factor


def spread(weight: Tensor, tensor: Tensor) -> Tensor:
    """Return the weights (n,) as (n, 1, ...) with the dimensions of `tensor`."""
    return weight.view(-1, *(1,) * (tensor.dim() - 1))
