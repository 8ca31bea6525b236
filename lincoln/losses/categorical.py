"""Cross entropy, for one class of several."""

from __future__ import annotations

import torch
from torch import Tensor

from lincoln import ops
from lincoln._util.marks import recordable
from lincoln.errors import DataError
from lincoln.layers import Softmax
from lincoln.losses.base import fuses
from lincoln.losses.objective import Loss
from lincoln.losses.targets import first_place, floor


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
        return -ops.one_hot(y, p) / p.clamp(min=floor(p))

    def value_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        return -ops.picked(ops.log_softmax(z), y)

    def gradient_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        return ops.softmax(z) - ops.one_hot(y, z)

    @fuses(value_from_logits, gradient_from_logits)
    def value_and_gradient_from_logits(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return ops.cross_entropy(z, y)

    def match(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Class indices as (n,) int64, probabilities as (n, c) in the prediction's dtype."""
        if target.is_floating_point():
            if target.shape != prediction.shape:
                expected = (
                    f"{tuple(prediction.shape)} for probabilities (class indices must be integers, not {target.dtype})"
                )
                raise self.mismatch(prediction, target, expected)
            return target.to(prediction.dtype)
        if target.dim() == prediction.dim() and target.shape[-1] == 1:
            target = target.squeeze(-1)
        if target.shape != prediction.shape[:-1]:
            raise self.mismatch(prediction, target, f"{tuple(prediction.shape[:-1])} for class indices")
        return target if target.dtype == torch.int64 else target.long()

    def check(self, target: Tensor, outputs: int) -> None:
        if not target.is_floating_point():
            wrong = (target < 0) | (target >= outputs)
            if wrong.any():
                raise DataError(
                    f"CrossEntropy: class indices hold {first_place(target, wrong)}; the network has {outputs} outputs, so "
                    f"expected 0 to {outputs - 1}"
                )
        elif not ((target >= 0).all() and torch.allclose(target.sum(-1), target.new_ones(()), atol=1e-3)):
            raise DataError("CrossEntropy: target probabilities must be 0 or more and sum to 1 over the last dimension")
