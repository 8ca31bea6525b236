"""Schedules: the learning rate as a function of the step.

A schedule gives a factor, without unit, on the optimizer's own learning rate: at step t the rate is lr * schedule(t). What
a step is, is for whoever counts to say: an optimizer step or an epoch.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, Literal

from lincoln.errors import ArgumentError, MatchError


class Schedule(ABC):
    """lr(step) = lr * schedule(step), for steps counted from 0: schedule(0) is the factor for the first step.

    A subclass writes `value(step)`. What was observed, if that matters, is its state; settings never change.
    """

    def __call__(self, step: int) -> float:
        """The factor for `step`. ArgumentError if it is below 0."""
        if not step >= 0:
            raise ArgumentError(f"{type(self).__name__}: step={step!r} is out of range (0 for the first step, then up)")
        return self.value(step)

    @abstractmethod
    def value(self, step: int) -> float:
        """The formula, for a step of 0 or more."""

    def observe(self, value: float) -> None:
        """Take note of this epoch's loss, or another watched number; only `reduce_on_plateau` minds it."""

    def state_dict(self) -> dict[str, float]:
        """A copy of what it remembers, as plain numbers; empty where the step says it all."""
        return {}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Take over what `state_dict` gave. MatchError, with nothing changed, if it is another schedule's."""
        if state:
            raise MatchError(f"{type(self).__name__}: the state holds {sorted(state)}, expected an empty one")

    def __post_init__(self) -> None:
        """Settings of the names in `_RANGES` are checked, a subclass's own too, and become plain numbers."""
        for name, value in vars(self).items():
            if name in _RANGES:
                expected, plain, holds = _RANGES[name]
                kind = {int: Integral, float: Real}.get(plain, plain)
                if isinstance(value, bool) or not isinstance(value, kind) or not holds(value):
                    raise ArgumentError(f"{type(self).__name__}: {name}={value!r} is out of range ({expected})")
                vars(self)[name] = plain(value)


# The classes are named as functions because they are called as functions: cosine(1000, warmup=100).


@dataclass(frozen=True)
class constant(Schedule):
    """factor, at every step. `join(constant(), constant(0.1), at=(30,))` is `torch`'s MultiStepLR."""

    factor: float = 1.0

    def value(self, step: int) -> float:
        return self.factor


@dataclass(frozen=True)
class step_decay(Schedule):
    """factor^floor(step / every). As in `torch`'s StepLR."""

    every: int
    factor: float = 0.1

    def value(self, step: int) -> float:
        return self.factor ** (step // self.every)


@dataclass(frozen=True)
class exponential(Schedule):
    """factor^step. As in `torch`'s ExponentialLR; a factor above 1 makes a learning rate range test (Smith, 2017)."""

    factor: float

    def value(self, step: int) -> float:
        return self.factor**step


@dataclass(frozen=True)
class inverse_time(Schedule):
    """1 / (1 + rate step), with `rate` per step: half after 1 / rate steps. Bottou (2012), section 5.2."""

    rate: float

    def value(self, step: int) -> float:
        return 1 / (1 + self.rate * step)


@dataclass(frozen=True)
class linear(Schedule):
    """start + (end - start) min(step / steps, 1): a warm-up, or with start above end a decay. As in `torch`'s LinearLR."""

    steps: int
    start: float = 1 / 3
    end: float = 1.0

    def value(self, step: int) -> float:
        return _line(self.start, self.end, min(step / self.steps, 1))


@dataclass(frozen=True)
class cosine(Schedule):
    """(step + 1) / warmup while step < warmup, then final + (1 - final) (1 + cos(pi t)) / 2 with t from 0 to 1 at `steps`.

    t = (step - warmup) / (steps - warmup), so `steps` counts the warm-up in; from there on the factor is `final`. Neither
    the first step nor, of `steps` steps, the last is wasted on a factor of 0. Without warm-up as `torch`'s
    CosineAnnealingLR up to its T_max. Loshchilov and Hutter (2017), equation 5; warm-up: Goyal et al. (2017).
    """

    steps: int
    warmup: int = 0
    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warmup >= self.steps:
            raise ArgumentError(
                f"cosine: warmup={self.warmup} leaves none of steps={self.steps}, which counts it in, for the cosine; "
                f"lower it, or use linear for a warm-up alone"
            )

    def value(self, step: int) -> float:
        if step < self.warmup:
            return (step + 1) / self.warmup
        return _half_wave(1, self.final, min((step - self.warmup) / (self.steps - self.warmup), 1))


@dataclass(frozen=True)
class one_cycle(Schedule):
    """1 / div_factor up to 1 at step pct_start steps - 1, then down to 1 / (div_factor final_div_factor) at step steps - 1.

    The optimizer's own learning rate is the highest. Each way is half a cosine wave, or a line with anneal="linear"; after
    `steps` the factor stays. The learning rate of `torch`'s OneCycleLR, without its cycling of the momentum. Smith and
    Topin (2018).
    """

    steps: int
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    anneal: Literal["cos", "linear"] = "cos"

    def value(self, step: int) -> float:
        way = _half_wave if self.anneal == "cos" else _line
        peak, last = self.pct_start * self.steps - 1, self.steps - 1
        step = min(step, last)
        first = 1 / self.div_factor
        if step <= peak and peak > 0:
            return way(first, 1, step / peak)
        return way(1, first / self.final_div_factor, (step - peak) / (last - peak) if last > peak else 0)


@dataclass(frozen=True)
class reduce_on_plateau(Schedule):
    """max(factor^n, min_factor) after n plateaus, a plateau being patience + 1 observations in a row without improvement.

    A value improves on the best so far if it is below best (1 - threshold), or below best - threshold with
    threshold_mode="abs", which suits values that can be negative; in mode "max", above the same with a plus. The first
    value does, one that is not finite does not. For `cooldown` observations after a plateau the count stays at 0. As
    `torch`'s ReduceLROnPlateau with eps=0. Two are equal if their settings are; a copy or a pickle keeps what was observed.
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
            raise ArgumentError(f"reduce_on_plateau: factor={self.factor!r} would not reduce; expected a number below 1")
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
        """The present `factor`, how many in a row were `bad`, the `cooldown` left, and the `best`, once there is one."""
        return dict(self._state)

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        if state.keys() - {"best"} != {"factor", "bad", "cooldown"}:
            raise MatchError(
                f"reduce_on_plateau: the state holds {sorted(state)}, expected factor, bad, cooldown and perhaps best"
            )
        vars(self)["_state"] = dict(state)

    def _improves(self, value: float) -> bool:
        if "best" not in self._state or not math.isfinite(value):
            return math.isfinite(value)
        best, sign = self._state["best"], -1 if self.mode == "min" else 1
        expected = best * (1 + sign * self.threshold) if self.threshold_mode == "rel" else best + sign * self.threshold
        return value < expected if self.mode == "min" else value > expected


@dataclass(frozen=True, init=False, repr=False)
class join(Schedule):
    """schedules[0] for the steps before at[0], then schedules[1] from its own step 0 for those before at[1], and so on.

    All of them hear every observation, and what one remembers has its number in the state: "1.best". As in `torch`'s
    SequentialLR.
    """

    schedules: tuple[Schedule, ...]
    at: tuple[int, ...]

    def __init__(self, *schedules: Schedule, at: Iterable[int]) -> None:
        for schedule in schedules:
            if not isinstance(schedule, Schedule):
                raise ArgumentError(
                    f"join: {schedule!r} is no Schedule; expected schedules such as linear(100), cosine(900)"
                )
        steps = tuple(at) if isinstance(at, Iterable) else (None,)
        if len(steps) != len(schedules) - 1 or not all(isinstance(step, Integral) for step in steps):
            raise ArgumentError(
                f"join: at={at!r} for {len(schedules)} schedules; expected a tuple of integers, one fewer than "
                f"schedules: the step at which each one after the first begins"
            )
        if any(later <= earlier for earlier, later in zip((0, *steps), steps, strict=False)):
            raise ArgumentError(f"join: at={at!r} does not increase from above 0: each schedule needs a step at least")
        vars(self).update(schedules=schedules, at=tuple(int(step) for step in steps))

    def value(self, step: int) -> float:
        number = bisect_right(self.at, step)
        return self.schedules[number](step - (0, *self.at)[number])

    def observe(self, value: float) -> None:
        for schedule in {id(schedule): schedule for schedule in self.schedules}.values():
            schedule.observe(value)

    def state_dict(self) -> dict[str, float]:
        return {
            f"{number}.{name}": value
            for number, schedule in enumerate(self.schedules)
            for name, value in schedule.state_dict().items()
        }

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        parts: list[dict[str, float]] = [{} for _ in self.schedules]
        for path, value in state.items():
            number, _, name = path.partition(".")
            if number not in map(str, range(len(parts))):
                raise MatchError(f"join: the state holds {path!r}, but the schedules are 0 to {len(parts) - 1}")
            parts[int(number)][name] = value
        # on copies first, so that a state that does not fit changes nothing
        for schedules in (copy.deepcopy(self.schedules), self.schedules):
            for schedule, part in zip(schedules, parts, strict=True):
                schedule.load_state_dict(part)

    def __repr__(self) -> str:
        return f"join({', '.join(map(repr, self.schedules))}, at={self.at})"


def _line(start: float, end: float, t: float) -> float:
    """From start at t = 0 to end at t = 1."""
    return start * (1 - t) + end * t


def _half_wave(start: float, end: float, t: float) -> float:
    """From start at t = 0 to end at t = 1, level at both."""
    return _line(start, end, (1 - math.cos(math.pi * t)) / 2)


_Range = tuple[str, type, Callable[[Any], bool]]

_ABOVE_0: _Range = ("a number above 0", float, lambda x: 0 < x < math.inf)
_FROM_0: _Range = ("a number, 0 or more", float, lambda x: 0 <= x < math.inf)
_FROM_0_TO_1: _Range = ("a number from 0 to 1", float, lambda x: 0 <= x <= 1)
_WHOLE_ABOVE_0: _Range = ("an integer above 0", int, lambda n: n > 0)
_WHOLE_FROM_0: _Range = ("an integer, 0 or more", int, lambda n: n >= 0)

_RANGES: dict[str, _Range] = {
    **dict.fromkeys(("steps", "every"), _WHOLE_ABOVE_0),
    **dict.fromkeys(("warmup", "patience", "cooldown"), _WHOLE_FROM_0),
    **dict.fromkeys(("factor", "div_factor", "final_div_factor"), _ABOVE_0),
    **dict.fromkeys(("rate", "start", "end", "final", "threshold"), _FROM_0),
    **dict.fromkeys(("pct_start", "min_factor"), _FROM_0_TO_1),
    "anneal": ("cos or linear", str, ("cos", "linear").__contains__),
    "mode": ("min or max", str, ("min", "max").__contains__),
    "threshold_mode": ("rel or abs", str, ("rel", "abs").__contains__),
}
