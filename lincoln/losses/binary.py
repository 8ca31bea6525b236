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
from lincoln.losses.weights import POS_WEIGHT, Numbers, Reduction


@recordable
class LogLoss(Loss):
    """l = -w y log p - (1 - y) log(1 - p) summed over outputs, for p, y (n, o), y from 0 to 1; added up over examples.

    dl/dp = (p - y) / (p (1 - p)) for w = 1. In log-odds z, where p = sigmoid(z): l = log(1 + e^z) - y z, which for y of 0
    and 1 is log(1 + e^((1 - 2y) z)), and dl/dz = p - y (docs/derivations/log_loss.md). On plain probabilities logarithms
    stop at -100, as in `torch.nn.BCELoss`. The default reduction is the notebook's, "sum".

    Targets may be soft, between 0 and 1. `label_smoothing` e replaces them by (1 - e) y + e / 2. `pos_weight` w, a number
    or one for each output, (o,), weighs the class 1; "mean" still divides by the number of examples, as
    `torch.nn.BCEWithLogitsLoss` does.
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
        self._weight = None if self.pos_weight is None else Numbers(type(self).__name__, "pos_weight", self.pos_weight)

    def value(self, p: Tensor, y: Tensor) -> Tensor:
        a, b = self._masses(p, y)
        return -(a * torch.log(p).clamp(min=-100) + b * torch.log1p(-p).clamp(min=-100))

    def gradient(self, p: Tensor, y: Tensor) -> Tensor:
        slope = p - y
        if self.pos_weight is not None:
            a, b = self._masses(p, y)
            slope = b * p - a * (1 - p)
        return slope / (p * (1 - p)).clamp(min=floor(p))

    def value_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        if self.pos_weight is not None:
            a, b = self._masses(z, y)
            return a * ops.softplus(-z) + b * ops.softplus(z)
        if self.hard and not self.label_smoothing:
            return ops.softplus(ops.signed(z, y))
        return torch.lerp(ops.softplus(z), ops.softplus(-z), y)

    def gradient_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        if self.pos_weight is not None:
            a, b = self._masses(z, y)
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

    def _masses(self, p: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """a = w y and b = 1 - y: what -log p and -log(1 - p) are multiplied by."""
        return (y if self._weight is None else self._weight.like(p) * y), 1 - y
