"""Log loss, for two classes or several labels an example."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lincoln import ops
from lincoln._util.marks import recordable
from lincoln._util.settings import FRACTION, within
from lincoln.errors import DataError
from lincoln.layers import Layer, Sigmoid
from lincoln.losses.objective import Loss
from lincoln.losses.targets import first_place, floor
from lincoln.losses.weights import POS_WEIGHT, OutputWeights, Reduction


@recordable
class LogLoss(Loss):
    """l = -w y log p - (1 - y) log(1 - p) for each entry of p, y (n, o), with 0 <= y <= 1 and w = `pos_weight`, else 1.

    dl/dp = ((1 - y) p - w y (1 - p)) / (p (1 - p)). With logits z, p = sigmoid(z): dl/dz = (1 - y) p - w y (1 - p), which
    for w = 1 is p - y (docs/derivations/log_loss.md). An example's loss is the sum over its outputs; the default reduction
    is the notebook's, "sum" over examples. On plain probabilities logarithms stop at -100, as in `torch.nn.BCELoss`, and
    p (1 - p) is kept at or above 1e-12.

    `label_smoothing` e replaces y by (1 - e) y + e / 2. `pos_weight` is a number, or one for each output, (o,). "mean"
    divides by the number of examples n, whatever w is (`torch.nn.BCEWithLogitsLoss` divides by n o).
    """

    link = Sigmoid
    reduction: Reduction = "sum"
    label_smoothing = 0.0
    pos_weight: Tensor | None = None

    def __init__(
        self,
        network: Layer,
        reduction: Reduction | None = None,
        from_logits: bool = False,
        check_targets: bool = True,
        l2: float = 0.0,
        *,
        label_smoothing: float = 0.0,
        pos_weight: Any = None,
    ) -> None:
        super().__init__(network, reduction, from_logits, check_targets, l2)
        self.label_smoothing = label_smoothing
        self.pos_weight = pos_weight
        within(self, label_smoothing=FRACTION, pos_weight=POS_WEIGHT)
        self._weight = (
            None if self.pos_weight is None else OutputWeights(type(self).__name__, "pos_weight", self.pos_weight)
        )

    def value(self, p: Tensor, y: Tensor) -> Tensor:
        a, b = self._coefficients(p, y)
        return -(a * torch.log(p).clamp(min=-100) + b * torch.log1p(-p).clamp(min=-100))

    def gradient(self, p: Tensor, y: Tensor) -> Tensor:
        if self.pos_weight is None:
            slope = p - y
        else:
            a, b = self._coefficients(p, y)
            slope = b * p - a * (1 - p)
        return slope / (p * (1 - p)).clamp(min=floor(p))

    def value_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        if self.pos_weight is not None:
            a, b = self._coefficients(z, y)
            return a * ops.softplus(-z) + b * ops.softplus(z)
        if self.hard and not self.label_smoothing:
            return ops.softplus(ops.signed(z, y))  # log(1 + e^((1 - 2y) z))
        return torch.lerp(ops.softplus(z), ops.softplus(-z), y)  # (1 - y) softplus(z) + y softplus(-z)

    def gradient_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        if self.pos_weight is not None:
            a, b = self._coefficients(z, y)
            return b * torch.sigmoid(z) - a * torch.sigmoid(-z)
        return torch.sigmoid(z) - y

    def adjusted(self, target: Tensor, prediction: Tensor) -> Tensor:
        """(1 - e) y + e / 2, for label smoothing e."""
        if not (e := self.label_smoothing):
            return target
        return target * (1 - e) + e / 2

    def check(self, target: Tensor, outputs: int) -> None:
        if self._weight is not None:
            self._weight.refuse_other(outputs)
        hard = torch.equal(torch.sign(target), target * target)  # true of 0 and 1 alone: not of -1, 1/2, NaN or infinity
        if not hard:
            wrong = ~((target >= 0) & (target <= 1))
            if wrong.any():
                place = first_place(target, wrong)
                raise DataError(f"LogLoss: targets hold {place}; expected 0 and 1 only, or probabilities between them")
        self.hard = hard and self.hard is not False

    def _coefficients(self, p: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return w y and 1 - y, the coefficients of -log p and -log(1 - p)."""
        return (y if self._weight is None else self._weight.like(p) * y), 1 - y
