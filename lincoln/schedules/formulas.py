"""Schedules that depend on the step alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from lincoln._util.settings import unexpected
from lincoln.schedules.base import Schedule

# The classes are named as functions because they are called as functions: cosine(1000, warmup=100).


@dataclass(frozen=True)
class constant(Schedule):
    """factor at every step. `join(constant(), constant(0.1), at=(30,))` is `torch`'s MultiStepLR."""

    factor: float = 1.0

    def value(self, step: int) -> float:
        return self.factor


@dataclass(frozen=True)
class step_decay(Schedule):
    """factor^floor(step / every). As `torch`'s StepLR."""

    every: int
    factor: float = 0.1

    def value(self, step: int) -> float:
        return self.factor ** (step // self.every)


@dataclass(frozen=True)
class exponential(Schedule):
    """factor^step. As `torch`'s ExponentialLR; with a factor above 1, the learning rate range test of Smith (2017)."""

    factor: float

    def value(self, step: int) -> float:
        return self.factor**step


@dataclass(frozen=True)
class inverse_time(Schedule):
    """1 / (1 + rate step): one half after 1 / rate steps. Bottou (2012), section 5.2."""

    rate: float

    def value(self, step: int) -> float:
        return 1 / (1 + self.rate * step)


@dataclass(frozen=True)
class linear(Schedule):
    """start + (end - start) min(step / steps, 1): a warm-up, or a decay if start > end. As `torch`'s LinearLR."""

    steps: int
    start: float = 1 / 3
    end: float = 1.0

    def value(self, step: int) -> float:
        return _line(self.start, self.end, min(step / self.steps, 1))


@dataclass(frozen=True)
class cosine(Schedule):
    """(step + 1) / warmup while step < warmup, then final + (1 - final) (1 + cos(pi t)) / 2 with t from 0 to 1 at `steps`.

    t = (step - warmup) / (steps - warmup), so `steps` includes the warm-up; from step `steps` on the factor is `final`. No
    step before that has a factor of 0. Without warm-up, as `torch`'s CosineAnnealingLR up to its T_max. Loshchilov and
    Hutter (2017), equation 5; warm-up: Goyal et al. (2017).
    """

    steps: int
    warmup: int = 0
    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warmup >= self.steps:
            expected = f"fewer than steps={self.steps}, which include the warm-up; for a warm-up alone use linear"
            raise unexpected(self, "warmup", self.warmup, expected)

    def value(self, step: int) -> float:
        if step < self.warmup:
            return (step + 1) / self.warmup
        return _half_wave(1, self.final, min((step - self.warmup) / (self.steps - self.warmup), 1))


@dataclass(frozen=True)
class one_cycle(Schedule):
    """From 1 / div_factor up to 1 at step pct_start steps - 1, then down to 1 / (div_factor final_div_factor) at steps - 1.

    The optimizer's learning rate is thus the highest. Each way is half a cosine wave, or a line with anneal="linear"; after
    `steps` the factor stays. As `torch`'s OneCycleLR, but the momentum is left alone. Smith and Topin (2018).
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


def _line(start: float, end: float, t: float) -> float:
    """Return start at t = 0, end at t = 1, and the line between."""
    return start * (1 - t) + end * t


def _half_wave(start: float, end: float, t: float) -> float:
    """Return start at t = 0, end at t = 1, and half a cosine wave between, level at both ends."""
    return _line(start, end, (1 - math.cos(math.pi * t)) / 2)
