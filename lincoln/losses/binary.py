"""Log loss, for two classes or several labels an example."""

from __future__ import annotations

import torch
from torch import Tensor

from lincoln import ops
from lincoln._util.marks import recordable
from lincoln.errors import DataError
from lincoln.layers import Sigmoid
from lincoln.losses.objective import Loss
from lincoln.losses.targets import first_place, floor
from lincoln.losses.weights import Reduction


@recordable
class LogLoss(Loss):
    """l = -y log p - (1 - y) log(1 - p) summed over outputs, for p, y (n, o), y in {0, 1}; added up over examples.

    dl/dp = (p - y) / (p (1 - p)). In log-odds z, where p = sigmoid(z): l = log(1 + e^z) - y z, which for y of 0 and
    1 is log(1 + e^((1 - 2y) z)), and dl/dz = p - y (docs/derivations/log_loss.md). On plain probabilities logarithms stop
    at -100, as in `torch.nn.BCELoss`. The default reduction is the notebook's, "sum".
    """

    link = Sigmoid
    reduction: Reduction = "sum"

    def value(self, p: Tensor, y: Tensor) -> Tensor:
        return -(y * torch.log(p).clamp(min=-100) + (1 - y) * torch.log1p(-p).clamp(min=-100))

    def gradient(self, p: Tensor, y: Tensor) -> Tensor:
        return (p - y) / (p * (1 - p)).clamp(min=floor(p))

    def value_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        return ops.softplus(ops.signed(z, y))

    def gradient_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        return torch.sigmoid(z) - y

    def check(self, target: Tensor, outputs: int) -> None:
        if not torch.equal(torch.sign(target), target * target):  # true of 0 and 1 alone: not of -1, 1/2, NaN or infinity
            wrong = (target != 0) & (target != 1)
            raise DataError(f"LogLoss: targets hold {first_place(target, wrong)}; expected 0 and 1 only")
