"""Losses for numbers: squared errors, and Poisson's for counts."""

from __future__ import annotations

import torch
from torch import Tensor

from lincoln._util.marks import recordable
from lincoln.errors import DataError
from lincoln.layers import Exp
from lincoln.losses.objective import Loss
from lincoln.losses.targets import first_place, refuse_not_finite


@recordable
class MSE(Loss):
    """l = sum_o (p_o - y_o)^2 / o, the squared error averaged over outputs, for p, y (n, o). dl/dp = 2 (p - y) / o."""

    def value(self, p: Tensor, y: Tensor) -> Tensor:
        return (p - y) ** 2 / p.shape[-1]

    def gradient(self, p: Tensor, y: Tensor) -> Tensor:
        return (p - y) * (2 / p.shape[-1])

    def check(self, target: Tensor, outputs: int) -> None:
        refuse_not_finite("MSE", target)


@recordable
class SquaredError(Loss):
    """l = sum_o (p_o - y_o)^2 / 2, for p, y (n, o), so dl/dp = p - y: scikit-learn's, and o / 2 times MSE."""

    def value(self, p: Tensor, y: Tensor) -> Tensor:
        return (p - y) ** 2 / 2

    def gradient(self, p: Tensor, y: Tensor) -> Tensor:
        return p - y

    def check(self, target: Tensor, outputs: int) -> None:
        refuse_not_finite("SquaredError", target)


@recordable
class PoissonLoss(Loss):
    """l = p - y + y log(y / p) summed over outputs, for rates p > 0 and counts y >= 0, (n, o): half the Poisson deviance.

    dl/dp = 1 - y / p. In logarithms z, where p = e^z: l = e^z - y z + y log y - y and dl/dz = p - y. The least is 0, at
    p = y; from a Poisson distribution's -log P(y) = p - y log p + log y! it differs by what does not depend on p.
    """

    link = Exp

    def value(self, p: Tensor, y: Tensor) -> Tensor:
        return p - y + torch.xlogy(y, y) - torch.xlogy(y, p)

    def gradient(self, p: Tensor, y: Tensor) -> Tensor:
        return 1 - y / p

    def value_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        return torch.exp(z) - y * z + torch.xlogy(y, y) - y

    def gradient_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        return torch.exp(z) - y

    def check(self, target: Tensor, outputs: int) -> None:
        wrong = ~(torch.isfinite(target) & (target >= 0))
        if wrong.any():
            raise DataError(f"PoissonLoss: targets hold {first_place(target, wrong)}; expected finite numbers, 0 or more")
