"""Gradient descent, with and without momentum."""

from __future__ import annotations

import torch
from torch import Tensor

from lincoln._util.settings import FLAG, NON_NEGATIVE, unexpected, within
from lincoln.layers import Layer
from lincoln.optim.base import Optimizer


class SGD(Optimizer):
    """w <- w - lr u, with u = g + weight_decay w; with momentum v <- momentum v + g + weight_decay w and u = v.

    With `nesterov`, u = g + weight_decay w + momentum v: the gradient looks ahead along the velocity v. As
    `torch.optim.SGD`; Sutskever et al. (2013).
    """

    velocity: Tensor  # v

    def __init__(
        self,
        network: Layer,
        lr: float = 0.003,
        momentum: float = 0,
        nesterov: bool = False,
        weight_decay: float = 0,
    ) -> None:
        super().__init__(network, lr)
        self.momentum = momentum
        self.nesterov = nesterov
        self.weight_decay = weight_decay
        within(self, momentum=NON_NEGATIVE, nesterov=FLAG, weight_decay=NON_NEGATIVE)
        if nesterov and not self.momentum:
            raise unexpected(self, "nesterov", nesterov, "a momentum above 0 with it, to look ahead along v")
        self.memory = ("velocity",) if self.momentum else ()

    def update(self, w: Tensor, g: Tensor) -> None:
        if self.weight_decay:
            g = g.add(w, alpha=self.weight_decay)
        if self.momentum:
            v = torch.add(g, self.velocity, alpha=self.momentum, out=self.velocity)
            g = g.add(v, alpha=self.momentum) if self.nesterov else v
        w.sub_(g, alpha=self.lr)


class Momentum(Optimizer):
    """v <- momentum v - lr g, then w <- w + v; with `nesterov`, w <- w + momentum v - lr g.

    Unlike the velocity of `SGD`, v contains the learning rates; with a constant lr both take the same steps. As
    scikit-learn and Keras; Sutskever et al. (2013).
    """

    memory = ("velocity",)
    velocity: Tensor  # v

    def __init__(self, network: Layer, lr: float = 0.001, momentum: float = 0.9, nesterov: bool = True) -> None:
        super().__init__(network, lr)
        self.momentum = momentum
        self.nesterov = nesterov
        within(self, momentum=NON_NEGATIVE, nesterov=FLAG)

    def update(self, w: Tensor, g: Tensor) -> None:
        v = self.velocity.mul_(self.momentum).sub_(g, alpha=self.lr)
        if self.nesterov:
            w.add_(v, alpha=self.momentum).sub_(g, alpha=self.lr)
        else:
            w.add_(v)
