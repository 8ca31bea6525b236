"""Losses: two formulas each, value and gradient; what all of them share is in loss.py."""

from __future__ import annotations

import torch
from torch import Tensor

from lincoln import ops
from lincoln._util.marks import recordable
from lincoln.errors import DataError
from lincoln.layers import Exp, Sigmoid, Softmax
from lincoln.losses.objective import Loss, Reduction

__all__ = ["MSE", "CrossEntropy", "LogLoss", "Loss", "PoissonLoss", "SquaredError"]


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
        return (p - y) / (p * (1 - p)).clamp(min=_floor(p))

    def value_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        return ops.softplus(ops.signed(z, y))

    def gradient_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        return torch.sigmoid(z) - y

    def check(self, target: Tensor, outputs: int) -> None:
        if not torch.equal(torch.sign(target), target * target):  # true of 0 and 1 alone: not of -1, 1/2, NaN or infinity
            wrong = (target != 0) & (target != 1)
            raise DataError(f"LogLoss: targets hold {_first(target, wrong)}; expected 0 and 1 only")


@recordable
class CrossEntropy(Loss):
    """l = -sum_c y_c log p_c, for p (n, c); y is class indices, (n,) integers, or probabilities, (n, c), that sum to 1.

    dl/dp_c = -y_c / p_c. In log-odds z, where p = softmax(z): log p = z - log sum_c e^z_c and dl/dz = p - y
    (docs/derivations/softmax.md). On plain probabilities logarithms stop at -100.
    """

    link = Softmax

    def value(self, p: Tensor, y: Tensor) -> Tensor:
        return -ops.picked(torch.log(p).clamp(min=-100), y)

    def gradient(self, p: Tensor, y: Tensor) -> Tensor:
        return -ops.one_hot(y, p) / p.clamp(min=_floor(p))

    def value_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        return -ops.picked(ops.log_softmax(z), y)

    def gradient_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        return ops.softmax(z) - ops.one_hot(y, z)

    def value_and_gradient_from_logits(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return ops.cross_entropy(z, y)

    def match(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Class indices as (n,) int64, probabilities as (n, c) in the prediction's dtype."""
        if target.is_floating_point():
            if target.shape != prediction.shape:
                expected = (
                    f"{tuple(prediction.shape)} for probabilities (class indices must be integers, not {target.dtype})"
                )
                raise self._mismatch(prediction, target, expected)
            return target.to(prediction.dtype)
        if target.dim() == prediction.dim() and target.shape[-1] == 1:
            target = target.squeeze(-1)
        if target.shape != prediction.shape[:-1]:
            raise self._mismatch(prediction, target, f"{tuple(prediction.shape[:-1])} for class indices")
        return target if target.dtype == torch.int64 else target.long()

    def check(self, target: Tensor, outputs: int) -> None:
        if not target.is_floating_point():
            wrong = (target < 0) | (target >= outputs)
            if wrong.any():
                raise DataError(
                    f"CrossEntropy: class indices hold {_first(target, wrong)}; the network has {outputs} outputs, so "
                    f"expected 0 to {outputs - 1}"
                )
        elif not ((target >= 0).all() and torch.allclose(target.sum(-1), target.new_ones(()), atol=1e-3)):
            raise DataError("CrossEntropy: target probabilities must be 0 or more and sum to 1 over the last dimension")


@recordable
class MSE(Loss):
    """l = sum_o (p_o - y_o)^2 / o, the squared error averaged over outputs, for p, y (n, o). dl/dp = 2 (p - y) / o."""

    def value(self, p: Tensor, y: Tensor) -> Tensor:
        return (p - y) ** 2 / p.shape[-1]

    def gradient(self, p: Tensor, y: Tensor) -> Tensor:
        return (p - y) * (2 / p.shape[-1])

    def check(self, target: Tensor, outputs: int) -> None:
        if not torch.isfinite(target).all():
            raise DataError(f"MSE: targets hold {_first(target, ~torch.isfinite(target))}; expected finite numbers")


@recordable
class SquaredError(Loss):
    """l = sum_o (p_o - y_o)^2 / 2, for p, y (n, o), so dl/dp = p - y: scikit-learn's, and o / 2 times MSE."""

    def value(self, p: Tensor, y: Tensor) -> Tensor:
        return (p - y) ** 2 / 2

    def gradient(self, p: Tensor, y: Tensor) -> Tensor:
        return p - y

    def check(self, target: Tensor, outputs: int) -> None:
        if not torch.isfinite(target).all():
            raise DataError(
                f"SquaredError: targets hold {_first(target, ~torch.isfinite(target))}; expected finite numbers"
            )


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
            raise DataError(f"PoissonLoss: targets hold {_first(target, wrong)}; expected finite numbers, 0 or more")


def _floor(p: Tensor) -> float:
    """What a product of probabilities is not let fall below before something is divided by it."""
    return max(1e-12, torch.finfo(p.dtype).tiny)


def _first(target: Tensor, wrong: Tensor) -> str:
    where = wrong.nonzero()[0].tolist()
    return f"{target[tuple(where)].item():g} (at {where[0] if len(where) == 1 else tuple(where)})"
