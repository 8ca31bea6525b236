"""Callbacks that record the way of the weights."""

from __future__ import annotations

from typing import Any

import torch

from lincoln._util.marks import recordable
from lincoln._util.tensors import inference
from lincoln.callbacks.base import Callback
from lincoln.ops import norm
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
        norms = torch.stack([norm(tensor) for tensor in tensors]).tolist()  # one wait for the device
        for path, weight, gradient in zip(paths, norms[: len(paths)], norms[len(paths) :], strict=True):
            self.record.setdefault(path, []).append((weight, gradient))

    def state_dict(self) -> dict[str, Any]:
        return {"record": {path: torch.tensor(norms, dtype=torch.float64) for path, norms in self.record.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        rows = {path: torch.as_tensor(norms, dtype=torch.float64).tolist() for path, norms in state["record"].items()}
        self.record = {path: [(weight, gradient) for weight, gradient in pairs] for path, pairs in rows.items()}


@recordable
class WeightRecorder(Callback):
    """Copy all parameters, as one vector, before training and after each epoch (or step), into `path`.

    `lincoln.plots.loss_surface(loss, features, targets, recorder.path)` draws it for a network of two parameters.
    """

    growing = ("path",)

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
        with inference(False):
            self.path.append(trainer.model.flatten()[0].clone())

    def state_dict(self) -> dict[str, Any]:
        return {"path": list(self.path)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        dtype = {"float32": torch.float32, "float64": torch.float64}[state.get("dtype", "float32")]
        # older files have lists of numbers
        self.path = [row if isinstance(row, torch.Tensor) else torch.tensor(row, dtype=dtype) for row in state["path"]]
