"""Adam and its variants: steps scaled by running means of the gradient and of its square."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from lincoln._util.settings import FLAG, NON_NEGATIVE, Rule, real, within
from lincoln.layers import Layer
from lincoln.optim.base import Optimizer


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(map(real, values))


_BETAS = Rule(
    "two numbers, each of at least 0 and below 1",
    _numbers,
    lambda betas: len(betas) == 2 and all(0 <= beta < 1 for beta in betas),
)


class Adam(Optimizer):
    """w <- w - lr m' / (sqrt(s') + eps), with m' = m / (1 - b1^t) and s' = s / (1 - b2^t) at step t.

    m <- b1 m + (1 - b1) g and s <- b2 s + (1 - b2) g^2 are running means that start at zero; the divisions remove the
    bias of that start. `weight_decay` adds weight_decay w to g. With `amsgrad`, the largest s so far takes the place of s.
    As `torch.optim.Adam`; Kingma and Ba (2015), algorithm 1; Reddi et al. (2018).
    """

    mean: Tensor  # m
    square: Tensor  # s
    largest: Tensor  # the largest s so far, entry by entry

    def __init__(
        self,
        network: Layer,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(network, lr)
        self.betas = betas
        self.eps = eps
        self.weight_decay = weight_decay
        self.amsgrad = amsgrad
        within(self, betas=_BETAS, eps=NON_NEGATIVE, weight_decay=NON_NEGATIVE, amsgrad=FLAG)
        self.memory = ("mean", "square", "largest") if self.amsgrad else ("mean", "square")

    def update(self, w: Tensor, g: Tensor) -> None:
        self.descend(w, g.add(w, alpha=self.weight_decay) if self.weight_decay else g)

    def descend(self, w: Tensor, g: Tensor) -> None:
        """w <- w - lr m' / (sqrt(s') + eps), where sqrt(s') + eps = (sqrt(s) + c eps) / c with c = sqrt(1 - b2^t)."""
        m, s = self.moments(g)
        b1, b2 = self.betas
        c = math.sqrt(1 - b2**self.steps)
        w.addcdiv_(m, s.sqrt().add_(c * self.eps), value=-self.lr * c / (1 - b1**self.steps))

    def moments(self, g: Tensor) -> tuple[Tensor, Tensor]:
        """Update the running means by `g` (p,) and return m and s, each (p,)."""
        b1, b2 = self.betas
        m = self.mean.lerp_(g, 1 - b1)
        s = self.square.mul_(b2).addcmul_(g, g, value=1 - b2)
        if self.amsgrad:
            s = torch.maximum(self.largest, s, out=self.largest)
        return m, s


class AdamHat(Adam):
    """w <- w - lr c / (1 - b1^t) m / (sqrt(s) + eps), with c = sqrt(1 - b2^t): eps is not scaled by the bias correction.

    In the first steps, where c is small, eps weighs more than in `Adam`. As scikit-learn and Keras; the epsilon-hat
    variant of Kingma and Ba (2015), end of section 2.
    """

    def descend(self, w: Tensor, g: Tensor) -> None:
        """w <- w - lr c / (1 - b1^t) m / (sqrt(s) + eps)."""
        m, s = self.moments(g)
        b1, b2 = self.betas
        c = math.sqrt(1 - b2**self.steps)
        w.addcdiv_(m, s.sqrt().add_(self.eps), value=-self.lr * c / (1 - b1**self.steps))


class AdamW(Adam):
    """w <- (1 - lr weight_decay) w, then Adam's step by g alone: the decay does not pass through the running means.

    As `torch.optim.AdamW`; Loshchilov and Hutter (2019), algorithm 2.
    """

    def __init__(
        self,
        network: Layer,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(network, lr, betas, eps, weight_decay, amsgrad)

    def update(self, w: Tensor, g: Tensor) -> None:
        w.mul_(1 - self.lr * self.weight_decay)
        self.descend(w, g)
