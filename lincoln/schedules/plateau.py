"""A schedule that depends on observed values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lincoln._util.settings import unexpected
from lincoln._util.text import names_in
from lincoln.errors import MatchError
from lincoln.schedules.base import Schedule


@dataclass(frozen=True)
class reduce_on_plateau(Schedule):
    """max(factor^n, min_factor) after n plateaus, each of patience + 1 observations in a row without improvement.

    A value improves if it is the first, or if it is below best (1 - threshold), where best is the last value that improved.
    With threshold_mode="abs", for values that can be negative, it must be below best - threshold. In mode "max" it must be
    above best (1 + threshold) or best + threshold. A value that is not finite never improves. The `cooldown`
    observations after a plateau do not count towards the next. As `torch`'s ReduceLROnPlateau with eps=0.

    Equality compares settings only; copies and pickles keep the state.
    """

    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: int = 0
    min_factor: float = 0.0
    mode: Literal["min", "max"] = "min"
    _state: dict[str, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.factor >= 1:
            raise unexpected(self, "factor", self.factor, "a number below 1, so that it reduces")
        vars(self)["_state"] = {"factor": 1.0, "bad": 0, "cooldown": 0}

    def value(self, step: int) -> float:
        return self._state["factor"]

    def observe(self, value: float) -> None:
        state, value = self._state, float(value)
        if self._improves(value):
            state["best"] = value
            state["bad"] = 0
        else:
            state["bad"] += 1
        if state["cooldown"] > 0:
            state["cooldown"] -= 1
            state["bad"] = 0
        if state["bad"] > self.patience:
            state["factor"] = max(state["factor"] * self.factor, self.min_factor)
            state["cooldown"] = self.cooldown
            state["bad"] = 0

    def state_dict(self) -> dict[str, float]:
        """Return `factor`, the count of `bad` observations in a row, the `cooldown` left, and `best` once there is one."""
        return dict(self._state)

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        if state.keys() - {"best"} != {"factor", "bad", "cooldown"}:
            raise MatchError(
                f"reduce_on_plateau: the state holds {names_in(state)}, expected factor, bad, cooldown and perhaps best"
            )
        vars(self)["_state"] = dict(state)

    def _improves(self, value: float) -> bool:
        if "best" not in self._state or not math.isfinite(value):
            return math.isfinite(value)
        best, sign = self._state["best"], -1 if self.mode == "min" else 1
        limit = best * (1 + sign * self.threshold) if self.threshold_mode == "rel" else best + sign * self.threshold
        return value < limit if self.mode == "min" else value > limit
