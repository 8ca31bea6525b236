"""Weights of examples and classes, and the factor that makes a sum a mean."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from lincoln import ops
from lincoln._util import refused
from lincoln._util.settings import Rule
from lincoln.errors import DataError, MatchError
from lincoln.losses.targets import first_place

Reduction = Literal["sum", "mean"]


def reduced(
    value: Tensor, gradient: Tensor | None, weight: Tensor | None, factor: float | Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Return L, in at least float32, and dL/dprediction, from the loss of each example, or entry, and its gradient.

    `weight` and `factor` are those of `weighting`.
    """
    if weight is not None:
        total = ops.total(value * _spread(weight, value))
        return total, None if gradient is None else gradient * _spread(weight.to(gradient.dtype), gradient)
    total = ops.total(value)
    if factor is None:
        return total, gradient
    return total * factor, None if gradient is None else gradient * factor


def weighting(
    reduction: Reduction, prediction: Tensor, sample_weight: Tensor | None, counted: Tensor | None
) -> tuple[Tensor | None, float | Tensor | None]:
    """Return (w_k c, c), (n,) and 0-d, with c = 1 / sum_k w_k for "mean"; for "sum" (w_k, None).

    The first is None without `sample_weight`. The loss's own weights `counted`, (n, ...), enter sum_k w_k only: the
    formulas contain them already. Weights for a prediction in half precision are in float32.
    """
    factor: float | Tensor | None = None
    if reduction == "mean" and sample_weight is None and counted is None:
        factor = 1.0 / max(prediction.shape[:-1].numel(), 1)
    elif reduction == "mean":
        total = summed(sample_weight, counted)
        factor = _inverse(total if counted is not None else total * prediction.shape[1:-1].numel(), prediction)
    if sample_weight is None:
        return None, factor
    weight = sample_weight.to(_wide(prediction.dtype)).reshape(-1)
    return weight if factor is None else weight * factor, factor


def summed(sample_weight: Tensor | None, counted: Tensor | None) -> Tensor:
    """Return the sum of the weights of the examples, each times its weights `counted` by the loss itself."""
    sample_weight = None if sample_weight is None else _common(sample_weight)
    if sample_weight is None or counted is None:
        known = counted if sample_weight is None else sample_weight
        assert known is not None
        return ops.total(known)
    return ops.total(_spread(sample_weight.reshape(-1).to(_wide(sample_weight.dtype)), counted) * counted)


def _spread(weight: Tensor, tensor: Tensor) -> Tensor:
    """Return the weights (n,) as (n, 1, ...) with the dimensions of `tensor`."""
    return weight.view(-1, *(1,) * (tensor.dim() - 1))


def refuse_misfit(loss: str, sample_weight: object, prediction: Tensor, check: bool) -> None:
    """Raise MatchError unless `sample_weight` is a tensor with one weight for each example.

    Raises DataError, if `check`, for numbers that cannot be weights.
    """
    examples = len(prediction)
    if not isinstance(sample_weight, Tensor):
        raise MatchError(f"{loss}: sample_weight is a {type(sample_weight).__name__}, expected a torch.Tensor")
    if sample_weight.shape not in ((examples,), (examples, 1)):
        raise MatchError(
            f"{loss}: sample_weight has shape {tuple(sample_weight.shape)}, expected one weight for each of "
            f"{examples} examples"
        )
    if check and not torch.compiler.is_compiling():
        refuse_unusable(f"{loss}: sample_weight", sample_weight)


def refuse_unusable(name: str, weight: Tensor) -> None:
    """Raise DataError, with the first place, for weights that are negative, NaN or infinite, or no real numbers."""
    if weight.dtype != torch.float32 or weight.layout != torch.strided:
        refused.tensor(name, weight)
        weight = _common(weight)
    if weight.dtype == torch.bool or not weight.numel():
        return
    low, high = torch.aminmax(weight)  # NaN if one is NaN
    if not (low.item() >= 0 and high.item() < math.inf):
        place = first_place(weight, ~((weight >= 0) & (weight < torch.inf)))
        raise DataError(f"{name}: holds {place}; expected finite numbers of at least 0, one for each example")


class OutputWeights:
    """The numbers of an option, such as class weights, kept on the device and in the dtype of the predictions."""

    def __init__(self, loss: str, name: str, values: Tensor) -> None:
        self._loss, self._name = loss, name
        self._values = self._latest = values

    def like(self, prediction: Tensor) -> Tensor:
        """Return the numbers for this prediction. Raises MatchError unless they are one, or one for each output."""
        if self._latest.dtype != prediction.dtype or self._latest.device != prediction.device:
            self._latest = self._values.to(prediction)
        self.refuse_other(prediction.shape[-1])
        return self._latest

    def on(self, device: torch.device) -> Tensor:
        """Return the numbers on a device, in the dtype of the last prediction."""
        return self._latest if self._latest.device == device else self._values.to(device)

    def refuse_other(self, outputs: int) -> None:
        """Raise MatchError unless the numbers are one, or one for each output."""
        if self._values.dim() and len(self._values) != outputs:
            raise MatchError(
                f"{self._loss}: {self._name} holds {len(self._values)} numbers, and the network has {outputs} outputs; "
                f"expected one for each"
            )


def _vector(value: Any) -> Tensor:
    """Return numbers as a float64 tensor on the CPU. Raises TypeError or ValueError for anything else."""
    if isinstance(value, Tensor):
        if value.layout != torch.strided or value.is_complex() or value.is_quantized or value.dtype == torch.bool:
            raise TypeError
        return value.detach().to("cpu", torch.float64, copy=True)
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise TypeError
    return torch.from_numpy(array.astype(np.float64))


def _usable(weights: Tensor) -> bool:
    return bool(torch.isfinite(weights).all() and (weights >= 0).all())


CLASS_WEIGHT = Rule(
    "finite numbers of at least 0, one for each class and not all of them 0, or None",
    lambda value: None if value is None else _vector(value),
    lambda w: w is None or (w.dim() == 1 and _usable(w) and bool(w.any())),
)
POS_WEIGHT = Rule(
    "a finite number of at least 0, or one for each output, or None",
    lambda value: None if value is None else _vector(value),
    lambda w: w is None or (w.dim() < 2 and w.numel() > 0 and _usable(w)),
)


def _common(weight: Tensor) -> Tensor:
    """Return weights in a dtype that torch compares and adds up: uint16 to uint64 and float8 as float64."""
    if weight.dtype in _UNCOMMON or (weight.is_floating_point() and weight.dtype.itemsize == 1):
        return weight.double()
    return weight


_UNCOMMON = (torch.uint16, torch.uint32, torch.uint64)


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype in ops.HALF else dtype


def _inverse(total: Tensor, prediction: Tensor) -> Tensor:
    """1 / total, or 0 if the total is 0: a batch of weight 0 has loss 0."""
    total = total.to(_wide(prediction.dtype))
    return 1 / torch.where(total > 0, total, torch.inf)
