"""Callbacks that record the way of the weights."""

from __future__ import annotations

from typing import Any

import torch

from lincoln._util.marks import recordable
from lincoln.callbacks.base import Callback
from lincoln.training.state import RunState


@recordable
class ParameterRecorder(Callback):
    """Record the norms of each parameter and its last gradient after each epoch: `record[path]` lists (weight, gradient).

    `lincoln.plots.weights_and_gradients(recorder.record)` draws them.
    """

    def __init__(self) -> None:
        self.record: dict[str, list[tuple[float, float]]] = {}

    def epoch_end(self, trainer: RunState) -> None:
        paths = [path for path, _ in trainer.model.named_parameters()]
        tensors = [*trainer.model.parameters(), *trainer.model.grads()]
        norms = torch.stack([torch.linalg.vector_norm(tensor) for tensor in tensors]).tolist()  # one wait for the device
        for path, weight, gradient in zip(paths, norms[: len(paths)], norms[len(paths) :], strict=True):
            self.record.setdefault(path, []).append((weight, gradient))

    def state_dict(self) -> dict[str, Any]:
        return {"record": self.record}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.record = {path: [tuple(norms) for norms in rows] for path, rows in state["record"].items()}


@recordable
class WeightRecorder(Callback):
    """Copy all parameters, as one vector, before training and after each epoch (or step), into `path`.

    `lincoln.plots.loss_surface(loss, features, targets, recorder.path)` draws it for a network of two parameters.
    """

    def __init__(self, every: str = "epoch") -> None:
        self.every = every
        self.path: list[torch.Tensor] = []

    def train_begin(self, trainer: RunState) -> None:
        if not self.path:
            self._note(trainer)

    def step_end(self, trainer: RunState) -> None:
        if self.every == "step":
            self._note(trainer)

    def epoch_end(self, trainer: RunState) -> None:
        if self.every == "epoch":
            self._note(trainer)

    def _note(self, trainer: RunState) -> None:
        with torch.inference_mode(False):
            self.path.append(trainer.model.flatten()[0].clone())

    def state_dict(self) -> dict[str, Any]:
        dtype = str(self.path[0].dtype).removeprefix("torch.") if self.path else "float32"
        return {"path": [vector.tolist() for vector in self.path], "dtype": dtype}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.path = [torch.tensor(vector, dtype=getattr(torch, state["dtype"])) for vector in state["path"]]
