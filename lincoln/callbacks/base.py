"""Things to do at named points of a training run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from lincoln._util.marks import recordable

if TYPE_CHECKING:
    from lincoln.trainer import Trainer

POINTS = ("train_begin", "epoch_begin", "step_begin", "step_end", "epoch_end", "train_end")


class Callback:
    """Write the methods you want; each gets the trainer, which tells all and stops when told to (`trainer.stop(why)`).

    A step is one update of the weights. At `epoch_end` validation is done and the history is up to date. What a callback
    must remember when a run is resumed, it gives in `state_dict` (numbers, strings, lists and dicts of them).
    """

    def train_begin(self, trainer: Trainer) -> None: ...
    def epoch_begin(self, trainer: Trainer) -> None: ...
    def step_begin(self, trainer: Trainer) -> None: ...
    def step_end(self, trainer: Trainer) -> None: ...
    def epoch_end(self, trainer: Trainer) -> None: ...
    def train_end(self, trainer: Trainer) -> None: ...

    saved: bool = True
    """Whether it is part of a run's checkpoints, and must be there when the run is resumed."""

    def close(self) -> None:
        """Called last, also when the run ended in an error."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Callbacks:
    """Several callbacks as one call a point; points that nobody listens to cost nothing."""

    def __init__(self, callbacks: tuple[Callback, ...]) -> None:
        self.all = callbacks
        self.saved = [callback for callback in callbacks if callback.saved]
        self.at = {
            point: [
                getattr(callback, point)
                for callback in callbacks
                if getattr(type(callback), point) is not getattr(Callback, point)
            ]
            for point in POINTS
        }

    def call(self, point: str, trainer: Trainer) -> None:
        for method in self.at[point]:
            method(trainer)

    def close(self) -> None:
        for callback in self.all:
            callback.close()


@recordable
class ParameterRecorder(Callback):
    """The lengths of each parameter and its last gradient after each epoch: `record[path]` lists (weight, gradient) norms.

    `lincoln.plots.weights_and_gradients(recorder.record)` draws them.
    """

    def __init__(self) -> None:
        self.record: dict[str, list[tuple[float, float]]] = {}

    def epoch_end(self, trainer: Trainer) -> None:
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
    """A copy of all parameters, as one vector, before training and after each epoch (or step): the path descended."""

    def __init__(self, every: str = "epoch") -> None:
        self.every = every
        self.path: list[torch.Tensor] = []

    def train_begin(self, trainer: Trainer) -> None:
        if not self.path:
            self._note(trainer)

    def step_end(self, trainer: Trainer) -> None:
        if self.every == "step":
            self._note(trainer)

    def epoch_end(self, trainer: Trainer) -> None:
        if self.every == "epoch":
            self._note(trainer)

    def _note(self, trainer: Trainer) -> None:
        with torch.inference_mode(False):
            self.path.append(trainer.model.flatten()[0].clone())

    def state_dict(self) -> dict[str, Any]:
        dtype = str(self.path[0].dtype).removeprefix("torch.") if self.path else "float32"
        return {"path": [vector.tolist() for vector in self.path], "dtype": dtype}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.path = [torch.tensor(vector, dtype=getattr(torch, state["dtype"])) for vector in state["path"]]
