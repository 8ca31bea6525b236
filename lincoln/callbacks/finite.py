"""The guard against divergence: finite weights are kept, and put back when the loss or the weights are not finite."""

from __future__ import annotations

import math

from torch import Tensor

from lincoln.errors import DivergenceError, StateError
from lincoln.optim import Optimizer
from lincoln.training.state import RunState
from lincoln.training.weights import Weights, all_finite


class Snapshot:
    """A network's weights and its optimizer's state, as they were when last seen to be finite."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.when = ""
        self._kept: dict[str, tuple[Tensor, Tensor]] = {}  # each vector and its copy; the weights' name is ""
        self._has_buffers = any(layer.buffers for _, layer in optimizer.network.named_layers())

    def take(self, when: str) -> None:
        """Keep the present state, and the words for when it was."""
        optimizer, network = self.optimizer, self.optimizer.network
        self.when = when
        self._steps, self._lr = optimizer.steps, optimizer.lr
        self._buffers = {path: tensor.clone() for path, tensor in network.named_buffers()} if self._has_buffers else {}
        for name, vector in (optimizer.vectors() | {"": network.flatten()[0]}).items():
            of, copy = self._kept.get(name, (None, vector))
            self._kept[name] = vector, copy.copy_(vector) if of is vector else vector.clone()  # the last copy, if it fits

    def restore(self) -> None:
        """Put the kept state back."""
        vectors = {name: copy for name, (_, copy) in self._kept.items()}
        Weights(vectors.pop(""), self._buffers).put_back(self.optimizer.network)
        self.optimizer.load_state_dict({"steps": self._steps, "lr": self._lr} | vectors)


class FiniteGuard:
    """Keep the last finite weights of a run, and raise DivergenceError when loss or weights are not finite."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.last = Snapshot(optimizer)
        self.begun = False
        """True once weights have been kept."""

    def forget(self) -> None:
        """Drop what was kept: the run continues from other weights."""
        self.last = Snapshot(self.last.optimizer)
        self.begun = False

    def begin(self, run: RunState) -> None:
        """Keep the weights before the first update. Raises StateError if they are not finite."""
        if not all_finite(run.model):
            raise StateError("the network's weights are not finite before the first step: make or load them again")
        self.last.take("the start" if run.history.steps == 0 else f"step {run.history.steps}")
        self.begun = True

    def check_and_keep(self, run: RunState, loss: float) -> None:
        """Keep the weights of the epoch's end. Raises DivergenceError, with the last finite ones restored, by `check`."""
        self.check(run, loss)
        self.last.take(f"the end of epoch {run.epoch}")

    def check(self, run: RunState, loss: float) -> None:
        """Raise DivergenceError if the loss or the weights are not finite, with the last finite weights restored."""
        if math.isfinite(loss) and all_finite(run.model):
            return
        rate, step = run.optimizer.lr, run.history.steps
        self.last.restore()
        raise DivergenceError(
            f"training diverged in epoch {run.epoch}: loss {loss:g}, learning rate {rate:g}. The network is back at the "
            f"weights of {self.last.when} (this is step {step}). Lower the learning rate, standardize the features, "
            f"or clip the gradient"
        )
