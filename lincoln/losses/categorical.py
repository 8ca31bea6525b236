"""Cross entropy, for one class of several."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lincoln import ops
from lincoln._util import refused
from lincoln._util.marks import recordable
from lincoln._util.settings import FRACTION, INTEGER, optional, within
from lincoln.errors import DataError
from lincoln.layers import Layer, Softmax
from lincoln.losses.base import fuses
from lincoln.losses.objective import Loss
from lincoln.losses.targets import first_place, floor, refuse_no_probabilities
from lincoln.losses.weights import CLASS_WEIGHT, OutputWeights, Reduction


@recordable
class CrossEntropy(Loss):
    """l = -sum_c y_c log p_c, for p (n, c); y is class indices, (n,) integers, or probabilities, (n, c), that sum to 1.

    dl/dp_c = -y_c / p_c. With logits z, where p = softmax(z): log p = z - log sum_c e^z_c and dl/dz = p sum_c y_c - y,
    which for probabilities y is p - y (docs/derivations/softmax.md). On plain probabilities logarithms stop at -100.
    One-hot rows may be integers or bools.

    The options are those of `torch.nn.CrossEntropyLoss`. `label_smoothing` e replaces y by (1 - e) y + e / c.
    `class_weight`, (c,), multiplies each term of the sum, and "mean" divides by the summed weights of the examples'
    classes; for probabilities by the number of examples. Examples whose class index is `ignore_index` have loss 0 and
    weight 0.
    """

    link = Softmax
    label_smoothing = 0.0
    class_weight: Tensor | None = None
    ignore_index: int | None = None

    def __init__(
        self,
        network: Layer,
        reduction: Reduction | None = None,
        from_logits: bool = False,
        check_targets: bool = True,
        l2: float = 0.0,
        *,
        label_smoothing: float = 0.0,
        class_weight: Any = None,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(network, reduction, from_logits, check_targets, l2)
        self.label_smoothing, self.class_weight, self.ignore_index = label_smoothing, class_weight, ignore_index
        within(self, label_smoothing=FRACTION, class_weight=CLASS_WEIGHT, ignore_index=optional(INTEGER))
        weight = self.class_weight
        self._weight = None if weight is None else OutputWeights(type(self).__name__, "class_weight", weight)
        self._counts = weight is not None or self.ignore_index is not None
        self._dims = 2  # of the last prediction

    def value(self, p: Tensor, y: Tensor) -> Tensor:
        return -ops.picked(torch.log(p).clamp(min=-100), y)

    def gradient(self, p: Tensor, y: Tensor) -> Tensor:
        return -ops.one_hot(y, p) / p.clamp(min=floor(p))

    def value_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        return -ops.picked(ops.log_softmax(z), y)

    def gradient_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        y = ops.one_hot(y, z)
        return ops.softmax(z) * y.sum(-1, keepdim=True) - y

    @fuses(value_from_logits, gradient_from_logits)
    def value_and_gradient_from_logits(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return ops.cross_entropy(z, y)

    def adjusted(self, target: Tensor, prediction: Tensor) -> Tensor:
        """w_c ((1 - e) y_c + e / c) for class weights w and label smoothing e, (n, c); 0 where an example is ignored."""
        e = self.label_smoothing
        if not (e or self._counts):
            return target
        self._dims = prediction.dim()
        y = ops.one_hot(self._known(target), prediction)
        if e:
            y = y * (1 - e) + e / prediction.shape[-1]
        if self._weight is not None:
            y = y * self._weight.like(prediction)
        ignores = self.ignore_index is not None and not target.is_floating_point()
        return y * self._kept(target).unsqueeze(-1) if ignores else y

    def counted(self, target: Tensor) -> Tensor | None:
        """The weight of each example's class, 0 for the ignored ones; None if each example counts 1."""
        if not self._counts:
            return None
        if target.is_floating_point() or (target.dim() == self._dims and target.shape[-1] > 1):
            return None  # probabilities, or one-hot rows
        weight = None if self._weight is None else torch.take(self._weight.on(target.device), self._known(target).long())
        if self.ignore_index is None:
            return weight
        return self._kept(target) if weight is None else weight * self._kept(target)

    def match(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Class indices as (n,) int64, probabilities and one-hot rows as (n, c) in the prediction's dtype."""
        if target.is_floating_point():
            if target.shape != prediction.shape:
                expected = (
                    f"{tuple(prediction.shape)} for probabilities (class indices must be integers, not {target.dtype})"
                )
                raise self.mismatch(prediction, target, expected)
            return target.to(prediction.dtype)
        if target.is_complex():
            refused.tensor(f"{type(self).__name__}: targets", target)
        if target.dim() == prediction.dim() and target.shape == prediction.shape and target.shape[-1] > 1:
            self._refuse_other_rows(prediction, target)
            return target.to(prediction.dtype)
        if target.dim() == prediction.dim() and target.shape[-1] == 1:
            target = target.squeeze(-1)
        if target.shape != prediction.shape[:-1]:
            raise self.mismatch(prediction, target, f"{tuple(prediction.shape[:-1])} for class indices")
        return target if target.dtype == torch.int64 else target.long()

    def check(self, target: Tensor, outputs: int) -> None:
        if self._weight is not None:
            self._weight.refuse_other(outputs)
        if target.is_floating_point():
            refuse_no_probabilities("CrossEntropy", target)
            return
        known = self._known(target)
        wrong = (known < 0) | (known >= outputs)
        if wrong.any():
            or_ignored = "" if self.ignore_index is None else f", or ignore_index, {self.ignore_index}"
            raise DataError(
                f"CrossEntropy: class indices hold {first_place(target, wrong)}; the network has {outputs} outputs, so "
                f"expected 0 to {outputs - 1}{or_ignored}"
            )

    def _refuse_other_rows(self, prediction: Tensor, target: Tensor) -> None:
        """Raise MatchError unless integers or bools of the prediction's shape are one-hot rows."""
        if torch.compiler.is_compiling():
            return
        wrong = (((target != 0) & (target != 1)).any(-1) | (target.sum(-1) != 1)).nonzero()
        if len(wrong):
            row = tuple(wrong[0].tolist())
            at = row[0] if len(row) == 1 else row
            expected = f"{tuple(prediction.shape[:-1])} for class indices, or one-hot rows of one 1 and else 0"
            raise self.mismatch(prediction, target, f"{expected}; the first that is none is row {at}")

    def _kept(self, target: Tensor) -> Tensor:
        """Return False for the class indices that are ignored, True for all others."""
        return torch.ne(target, self.ignore_index)  # type: ignore[arg-type]

    def _known(self, target: Tensor) -> Tensor:
        """Return class indices with 0 in place of `ignore_index`; probabilities as they are."""
        if self.ignore_index is None or target.is_floating_point():
            return target
        return target.masked_fill(target == self.ignore_index, 0)
