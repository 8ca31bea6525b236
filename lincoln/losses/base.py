"""The contract of a loss: two pure formulas, value and gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from torch import Tensor

from lincoln._util import refused
from lincoln.errors import MatchError
from lincoln.layers import Layer
from lincoln.losses.links import link_of

F = TypeVar("F", bound=Callable[..., tuple[Tensor, Tensor]])


class Formulas(ABC):
    """The loss l of each example and its gradient, for predictions p and targets y.

    A loss writes

    - `value(prediction, target)`: the loss of each example, (n,), or of each entry, (n, o), where an example's loss is the
      sum of its entries;
    - `gradient(prediction, target)`: dl/dprediction, shaped as the prediction.

    A loss that names the `link` it belongs to (log loss: `Sigmoid`, cross entropy: `Softmax`) also writes both for the
    link's input, `value_from_logits` and `gradient_from_logits`: exact where a probability rounds to 0 or 1, and cheaper.

    Training takes both at once. Where they share work, as the softmax in cross entropy, a loss may write them once more as
    one function, `value_and_gradient` or `value_and_gradient_from_logits`, marked with `@fuses(value, gradient)`.
    """

    link: ClassVar[type[Layer] | None] = None
    hard: bool | None = None
    """True if `check` has found only targets that allow a shorter formula with the same numbers; None before a check."""

    @abstractmethod
    def value(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each example (n,), or of each entry (n, o)."""

    @abstractmethod
    def gradient(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return dl/dprediction, shaped as the prediction."""

    def value_from_logits(self, z: Tensor, target: Tensor) -> Tensor:
        """Return `value` at link(z)."""
        raise NotImplementedError(f"{type(self).__name__} names a link, so it must write value_from_logits")

    def gradient_from_logits(self, z: Tensor, target: Tensor) -> Tensor:
        """Return dl/dz."""
        raise NotImplementedError(f"{type(self).__name__} names a link, so it must write gradient_from_logits")

    def value_and_gradient(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return `value` and `gradient`."""
        return self.value(prediction, target), self.gradient(prediction, target)

    def value_and_gradient_from_logits(self, z: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return `value_from_logits` and `gradient_from_logits`."""
        return self.value_from_logits(z, target), self.gradient_from_logits(z, target)

    def match(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return `target` in the shape and dtype of the prediction; (n,) becomes (n, 1). Raises MatchError for others."""
        if target.shape != prediction.shape:
            if prediction.shape[-1] != 1 or target.shape != prediction.shape[:-1]:
                or_flat = f" or {tuple(prediction.shape[:-1])}" if prediction.shape[-1] == 1 else ""
                raise self.mismatch(prediction, target, f"{tuple(prediction.shape)}{or_flat}")
            target = target.unsqueeze(-1)
        if target.dtype == prediction.dtype:
            return target
        if target.is_complex():
            refused.tensor(f"{type(self).__name__}: targets", target)
        return target.to(prediction.dtype)

    def check(self, target: Tensor, outputs: int) -> None:
        """Raise DataError for values of `target` that the loss is not defined for, with `outputs` outputs."""

    def adjusted(self, target: Tensor, prediction: Tensor) -> Tensor:
        """Return the targets y for the formulas: `target`, or the targets after label smoothing."""
        return target

    def counted(self, target: Tensor) -> Tensor | None:
        """Return the weight that the loss itself gives each example, (n, ...), by whose sum "mean" divides; None for 1."""
        return None

    def decide(self, prediction: Tensor) -> Tensor:
        """Return classes from predictions: p >= 1/2 for a sigmoid link, the likeliest class for a softmax."""
        return link_of(self.link).decide(prediction)

    def mismatch(self, prediction: Tensor, target: Tensor, expected: str) -> MatchError:
        """Return the error for targets whose shape does not fit the prediction's."""
        return MatchError(
            f"{type(self).__name__}: targets have shape {tuple(target.shape)} and the prediction "
            f"{tuple(prediction.shape)}; expected targets of shape {expected}"
        )

    def __repr__(self) -> str:
        return type(self).__name__


def fuses(value: Any, gradient: Any) -> Callable[[F], F]:
    """Mark a method that returns value and gradient together. If a subclass overrides either, it is not used."""

    def mark(both: F) -> F:
        both.fuses = value, gradient  # type: ignore[attr-defined]
        return both

    return mark


def stands_for(both: Any, value: Any, gradient: Any) -> bool:
    """Return True if `both` computes exactly these two methods; an unmarked method is trusted."""
    formulas = tuple(getattr(method, "__func__", method) for method in (value, gradient))
    return bool(getattr(both, "fuses", formulas) == formulas)
