"""The loss as scikit-learn reports it."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lincoln.losses import Loss
from lincoln.training.tally import Tally


class ReportedLoss(Tally):
    """The sum over all examples seen, of which each counts once, whatever its weight; `averaged` over outputs."""

    def __init__(self, loss: Loss, outputs: int) -> None:
        super().__init__(loss)
        self.loss = loss
        self.outputs = outputs

    def add(self, loss: Tensor, features: Tensor, targets: Tensor, weights: Tensor | None = None) -> None:
        if self.outputs > 1:
            loss = averaged(loss, self.loss.penalty, self.outputs)
        super().add(loss, features, targets)


def averaged(loss: Any, penalty: Any, outputs: int) -> Any:
    """Return (loss - penalty) / outputs + penalty."""
    return loss / outputs + penalty * (1 - 1 / outputs)
