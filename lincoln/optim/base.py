"""Optimizers: an update rule over the whole network as one vector."""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor

from lincoln.errors import ArgumentError, MatchError, StateError
from lincoln.layers import Layer


class Optimizer(ABC):
    """w <- w - update(dL/dw), with w every parameter of the network as one vector, dL/dw every gradient as another.

    A subclass lists in `memory` the vectors it remembers, which start as zeros shaped like w and are attributes of those
    names, and writes `update(w, g)`. `steps` counts the steps, the one under way included.
    """

    memory: tuple[str, ...] = ()

    def __init__(self, network: Layer, lr: float) -> None:
        if not isinstance(network, Layer):
            raise ArgumentError(f"{type(self).__name__}: network is {network!r}, expected a Layer")
        self.network = network
        self.lr = lr
        self.steps = 0
        self._bound: Tensor | None = None
        self._require(lr=lr >= 0)

    @abstractmethod
    def update(self, w: Tensor, g: Tensor) -> None:
        """Change `w` in place by its gradient `g`, which is left as it is."""

    def step(self) -> None:
        """One update by the gradients of the last backward. StateError if a layer has had none."""
        w, g = self.network.flatten()
        if w is not self._bound:
            self._bind(w)
        if not self._first.has_grad:
            raise StateError(f"{self._first.label} has no new gradient: call loss.backward() before each step()")
        self.steps += 1
        self.update(w, g)
        self._first.has_grad = False  # used up

    def vectors(self) -> dict[str, Tensor]:
        """The vectors it remembers, by name; none before the first step."""
        return {name: getattr(self, name) for name in self.memory if hasattr(self, name)}

    def to(self, device: torch.device | str) -> Self:
        """Move what it remembers; by itself that follows the network at the next step."""
        with torch.inference_mode(False):
            vars(self).update({name: vector.to(device) for name, vector in self.vectors().items()})
        self._bound = None
        return self

    def state_dict(self) -> dict[str, Any]:
        """A copy of what it remembers: `steps`, `lr`, and its vectors, which are absent before the first step."""
        with torch.inference_mode(False):
            copies = {name: vector.clone() for name, vector in self.vectors().items()}
        return {"steps": self.steps, "lr": self.lr} | copies

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave. MatchError, with nothing changed, if it is another optimizer's or network's."""
        self.check_state(state, sum(tensor.numel() for tensor in self.network.parameters()))
        vectors = {name: value for name, value in state.items() if name not in ("steps", "lr")}
        self.steps, self.lr = int(state["steps"]), float(state["lr"])
        for name in self.memory:
            vars(self).pop(name, None)
        with torch.inference_mode(False):
            vars(self).update({name: value.clone() for name, value in vectors.items()})
        self._bound = None

    def check_state(self, state: Mapping[str, Any], size: int) -> None:
        """MatchError unless `state` is of such an optimizer, of a network with `size` parameters."""
        vectors = {name: value for name, value in state.items() if name not in ("steps", "lr")}
        if not {"steps", "lr"} <= state.keys() or set(vectors) - set(self.memory) or 0 < len(vectors) < len(self.memory):
            raise MatchError(
                f"{type(self).__name__}: the state holds {sorted(state)}, expected steps, lr and {', '.join(self.memory)}"
            )
        for name, value in vectors.items():
            if value.shape != (size,):
                raise MatchError(f"{type(self).__name__}: {name} has shape {tuple(value.shape)}, expected ({size},)")

    def __repr__(self) -> str:
        shown = [f"lr={self.lr:g}"]
        for name, parameter in list(inspect.signature(type(self)).parameters.items())[2:]:
            value = getattr(self, name, parameter.default)
            if value != parameter.default:
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_bound": None}

    def _bind(self, w: Tensor) -> None:
        """The network has (new) vectors: see that its gradients are real, and keep the memory beside the values."""
        learning = [layer for _, layer in self.network.named_layers() if layer.own]
        for layer in learning:
            if not layer.has_grad:
                raise StateError(f"{layer.label} has no gradient yet: call loss.backward() before step()")
        self._first = learning[0]
        with torch.inference_mode(False):
            for name in self.memory:
                vector = getattr(self, name, None)
                setattr(self, name, torch.zeros_like(w) if vector is None else vector.to(w))
        self._bound = w

    def _require(self, **conditions: bool) -> None:
        for name, holds in conditions.items():
            if not holds:
                raise ArgumentError(
                    f"{type(self).__name__}: {name}={getattr(self, name)!r} is out of range ({_RANGES[name]})"
                )


_RANGES = {
    "lr": "0 or more",
    "momentum": "0 or more",
    "nesterov": "it looks ahead along the momentum, so momentum must be above 0",
    "weight_decay": "0 or more",
    "betas": "two numbers, each 0 or more and below 1",
    "eps": "0 or more",
}


class SGD(Optimizer):
    """w <- w - lr u, where u = g + weight_decay w without momentum, else the velocity v <- momentum v + g + weight_decay w.

    With `nesterov`, u = g + momentum v: the gradient, looked at from where the velocity is about to carry w.
    As in `torch.optim.SGD`; Sutskever et al. (2013).
    """

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
        self.memory = ("velocity",) if momentum else ()
        self._require(momentum=momentum >= 0, nesterov=not nesterov or momentum > 0, weight_decay=weight_decay >= 0)

    velocity: Tensor

    def update(self, w: Tensor, g: Tensor) -> None:
        if self.weight_decay:
            g = g.add(w, alpha=self.weight_decay)
        if self.momentum:
            v = torch.add(g, self.velocity, alpha=self.momentum, out=self.velocity)
            g = g.add(v, alpha=self.momentum) if self.nesterov else v
        w.sub_(g, alpha=self.lr)


class Momentum(Optimizer):
    """v <- momentum v - lr g, w <- w + v; with `nesterov`, w <- w + momentum v - lr g, a look ahead along the new velocity.

    Sutskever et al. (2013), as in scikit-learn and Keras. The velocity holds the learning rates it was gained at: as long
    as lr is constant, the steps are those of `SGD`, whose velocity is without them.
    """

    memory = ("velocity",)

    def __init__(self, network: Layer, lr: float = 0.001, momentum: float = 0.9, nesterov: bool = True) -> None:
        super().__init__(network, lr)
        self.momentum = momentum
        self.nesterov = nesterov
        self._require(momentum=momentum >= 0)

    velocity: Tensor

    def update(self, w: Tensor, g: Tensor) -> None:
        v = self.velocity.mul_(self.momentum).sub_(g, alpha=self.lr)
        if self.nesterov:
            w.add_(v, alpha=self.momentum).sub_(g, alpha=self.lr)
        else:
            w.add_(v)


class Adam(Optimizer):
    """w <- w - lr m' / (sqrt(s') + eps), with m' and s' the running means of g and g^2, freed of their start at zero.

    m <- b1 m + (1 - b1) g, m' = m / (1 - b1^t); s <- b2 s + (1 - b2) g^2, s' = s / (1 - b2^t). `weight_decay` adds
    weight_decay w to g. With `amsgrad`, s' comes from the largest s so far. As in `torch.optim.Adam`; Kingma and Ba (2015),
    algorithm 1; Reddi et al. (2018).
    """

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
        self.memory = ("mean", "square", "largest") if amsgrad else ("mean", "square")
        self._require(
            betas=len(betas) == 2 and all(0 <= beta < 1 for beta in betas), eps=eps >= 0, weight_decay=weight_decay >= 0
        )

    mean: Tensor
    square: Tensor
    largest: Tensor

    def update(self, w: Tensor, g: Tensor) -> None:
        if self.weight_decay:
            g = g.add(w, alpha=self.weight_decay)
        self._descend(w, g)

    def _descend(self, w: Tensor, g: Tensor) -> None:
        b1, b2 = self.betas
        self.mean.lerp_(g, 1 - b1)
        s = self.square.mul_(b2).addcmul_(g, g, value=1 - b2)
        if self.amsgrad:
            s = torch.maximum(self.largest, s, out=self.largest)
        c = math.sqrt(1 - b2**self.steps)  # sqrt(s') + eps = (sqrt(s) + c eps) / c
        w.addcdiv_(self.mean, s.sqrt().add_(self._beside_root(c)), value=-self.lr * c / (1 - b1**self.steps))

    def _beside_root(self, c: float) -> float:
        """What is added to the root of s, which is c times that of s'."""
        return c * self.eps


class AdamHat(Adam):
    """Adam with eps beside the root of s itself: w <- w - lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(s) + eps).

    So eps weighs more than Adam's in the first steps. As in scikit-learn and Keras; Kingma and Ba (2015), end of section 2,
    where this eps wears a hat.
    """

    def _beside_root(self, c: float) -> float:
        return self.eps


class AdamW(Adam):
    """Adam with the decay taken from the weights, w <- (1 - lr weight_decay) w, not mixed into the gradient.

    As in `torch.optim.AdamW`; Loshchilov and Hutter (2019), algorithm 2.
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
        self._descend(w, g)
