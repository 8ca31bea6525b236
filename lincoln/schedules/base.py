"""The base class of the schedules, and the rules for their settings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from lincoln._util.settings import (
    AT_LEAST_ONE,
    FINITE_NON_NEGATIVE,
    FINITE_POSITIVE,
    FRACTION,
    WHOLE,
    one_of,
    unexpected,
    within,
)
from lincoln._util.text import names_in
from lincoln.errors import MatchError

_RULES = {
    **dict.fromkeys(("steps", "every"), AT_LEAST_ONE),
    **dict.fromkeys(("warmup", "patience", "cooldown"), WHOLE),
    **dict.fromkeys(("factor", "div_factor", "final_div_factor"), FINITE_POSITIVE),
    **dict.fromkeys(("rate", "start", "end", "final", "threshold"), FINITE_NON_NEGATIVE),
    **dict.fromkeys(("pct_start", "min_factor"), FRACTION),
    "anneal": one_of("cos", "linear"),
    "mode": one_of("min", "max"),
    "threshold_mode": one_of("rel", "abs"),
}
"""A setting's name means the same in every schedule, so its rule is written once."""


class Schedule(ABC):
    """lr(step) = lr * schedule(step), with steps counted from 0: schedule(0) is the factor of the first step.

    A subclass writes `value(step)`. Its settings never change; a schedule that depends on observed values keeps them in its
    state. Settings that have a name of `_RULES` are checked by that rule: ArgumentError if one fails.
    """

    def __call__(self, step: int) -> float:
        """Return the factor for `step`. Raises ArgumentError if it is below 0."""
        if not step >= 0:
            raise unexpected(self, "step", step, "a number of at least 0, and 0 for the first step")
        return self.value(step)

    @abstractmethod
    def value(self, step: int) -> float:
        """Return the factor for a step of at least 0."""

    def observe(self, value: float) -> None:
        """Take note of a watched number, such as an epoch's loss. Only `reduce_on_plateau` depends on it."""

    def state_dict(self) -> dict[str, float]:
        """Return a copy of the state as plain numbers; empty if the factor depends on the step alone."""
        return {}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Continue from a `state_dict`. Raises MatchError, and changes nothing, if it is another kind of schedule's."""
        if state:
            raise MatchError(f"{type(self).__name__}: the state holds {names_in(state)}, expected an empty one")

    def __post_init__(self) -> None:
        """Check the settings by their names and make them plain Python values."""
        within(self, **{name: _RULES[name] for name in vars(self) if name in _RULES})
