"""The base class of the optimizers."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, get_num_threads
from torch.compiler import is_dynamo_compiling

from lincoln._util.settings import NON_NEGATIVE, instance_of, within
from lincoln._util.tensors import inference
from lincoln._util.text import names_in
from lincoln._util.threads import on_few
from lincoln.errors import MatchError, StateError
from lincoln.layers import Layer


class Optimizer(ABC):
    """w <- w - update(dL/dw), for w (p,) all parameters of the network as one vector and dL/dw (p,) their gradients.

    A subclass writes `update(w, g)` and names in `memory` the vectors that it keeps from step to step. Each is an attribute
    of that name, has the shape of w and starts at zero. `steps` counts the steps, the present one included.

    Raises ArgumentError if `network` is not a Layer or a setting is out of range.
    """

    memory: tuple[str, ...] = ()
    _first: Layer  # the first layer with parameters: after a step its has_grad is False until the next backward
    _bound: Tensor | None  # the network's vector of parameters for which the memory was last prepared

    def __init__(self, network: Layer, lr: float) -> None:
        self.network = network
        self.lr = lr
        self.steps = 0
        self._bound = None
        within(self, network=instance_of(Layer, "a Layer"), lr=NON_NEGATIVE)

    @abstractmethod
    def update(self, w: Tensor, g: Tensor) -> None:
        """Change the parameters `w` (p,) in place by their gradient `g` (p,), and leave `g` unchanged."""

    def step(self) -> None:
        """Update the parameters once by the gradients of the last backward.

        Raises StateError if there was no backward since the last step, or if a layer has no gradient yet.
        """
        w, g = self.network.flatten()
        if w is not self._bound:
            self._bind(w)
        if not self._first.has_grad:
            raise StateError(f"{self._first.label} has no new gradient: call loss.backward() before each step()")
        self.steps += 1
        if is_dynamo_compiling() or get_num_threads() == 1:
            self.update(w, g)
        else:
            on_few(w.numel(), self.update, w, g)
        self._first.has_grad = False  # each gradient serves one step

    def vectors(self) -> dict[str, Tensor]:
        """Return the vectors in `memory` by name; none before the first step."""
        return {name: getattr(self, name) for name in self.memory if hasattr(self, name)}

    def to(self, device: torch.device | str) -> Self:
        """Move the memory to a device and return self. A step does this itself after the network has moved."""
        with inference(False):
            vars(self).update({name: vector.to(device) for name, vector in self.vectors().items()})
        self._bound = None
        return self

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of `steps`, `lr` and, after the first step, the vectors in `memory`."""
        with inference(False):
            copies = {name: vector.clone() for name, vector in self.vectors().items()}
        return {"steps": self.steps, "lr": self.lr} | copies

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a copy of a `state_dict`.

        Raises MatchError, and changes nothing, if the state belongs to another kind of optimizer or size of network.
        """
        self.check_state(state, sum(tensor.numel() for tensor in self.network.parameters()))
        vectors = {name: value for name, value in state.items() if name not in ("steps", "lr")}
        self.steps, self.lr = int(state["steps"]), float(state["lr"])
        for name in self.memory:
            vars(self).pop(name, None)
        with inference(False):
            vars(self).update({name: value.clone() for name, value in vectors.items()})
        self._bound = None

    def check_state(self, state: Mapping[str, Any], size: int) -> None:
        """Raise MatchError unless `state` fits this optimizer on a network of `size` parameters."""
        vectors = {name: value for name, value in state.items() if name not in ("steps", "lr")}
        if not {"steps", "lr"} <= state.keys() or set(vectors) - set(self.memory) or 0 < len(vectors) < len(self.memory):
            raise MatchError(
                f"{type(self).__name__}: the state holds {names_in(state)}, expected steps, lr and {', '.join(self.memory)}"
            )
        for name, value in vectors.items():
            if value.shape != (size,):
                raise MatchError(f"{type(self).__name__}: {name} has shape {tuple(value.shape)}, expected ({size},)")

    def __repr__(self) -> str:
        shown = [f"lr={self.lr:g}"]
        for name, parameter in list(inspect.signature(type(self)).parameters.items())[2:]:  # after network and lr
            value = getattr(self, name, parameter.default)
            if value != parameter.default:
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_bound": None}

    def _bind(self, w: Tensor) -> None:
        """Move the memory to the device and dtype of a new vector of parameters `w`.

        Raises StateError if a layer has no gradient yet.
        """
        learning = [layer for _, layer in self.network.named_layers() if layer.own]
        for layer in learning:
            if not layer.has_grad:
                raise StateError(f"{layer.label} has no gradient yet: call loss.backward() before step()")
        self._first = learning[0]
        with inference(False):
            for name in self.memory:
                vector = getattr(self, name, None)
                setattr(self, name, torch.zeros_like(w) if vector is None else vector.to(w))
        self._bound = w
