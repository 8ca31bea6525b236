"""The best epoch of a run."""

from __future__ import annotations

import math
from typing import Any, Literal

from lincoln.layers import Layer
from lincoln.training.weights import Weights


class Best:
    """The best value seen, the weights it had, and the epochs since there was progress.

    In mode "min" a value v is progress if v < m - min_delta, where m is the last value that was progress; it is the best
    if v < best. In mode "max" all signs are reversed. With `inclusive`, as scikit-learn has it, v = m - min_delta is
    progress too, and m is the best value.
    """

    def __init__(self, min_delta: float = 0.0, mode: Literal["min", "max"] = "min", inclusive: bool = False) -> None:
        self.min_delta = min_delta
        self.sign = 1.0 if mode == "min" else -1.0
        self.inclusive = inclusive
        self.loss = math.inf
        """The best value; its negative in mode "max"."""
        self.mark = math.inf
        """The value that progress is measured from; its negative in mode "max"."""
        self.epochs_since = 0
        self.weights: Weights | None = None

    def observe(self, value: float, network: Layer | None) -> bool:
        """Return True if `value` is a new best. Then the weights of the network, if given, are copied."""
        loss = self.sign * value
        limit = self.mark - self.min_delta
        progress = not loss > limit if self.inclusive else loss < limit
        self.epochs_since = 0 if progress else self.epochs_since + 1
        improved = loss < self.loss
        if improved:
            self.loss = loss
            self.weights = None if network is None else Weights.of(network)
        if self.inclusive:
            self.mark = self.loss
        elif progress:
            self.mark = loss
        return improved

    def state_dict(self) -> dict[str, Any]:
        """Return all but the weights, as plain data."""
        return {"loss": self.loss, "mark": self.mark, "epochs_since": self.epochs_since}

    def load_state_dict(self, state: dict[str, Any], weights: Weights | None) -> None:
        """Continue from what `state_dict` gave, and the weights of the best epoch."""
        self.loss, self.mark, self.epochs_since = state["loss"], state["mark"], state["epochs_since"]
        self.weights = weights
