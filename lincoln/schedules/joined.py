"""Schedules one after the other."""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lincoln._util.settings import Rule, instance_of, integer, setting, unexpected
from lincoln._util.text import short
from lincoln.errors import MatchError
from lincoln.schedules.base import Schedule

_SCHEDULE = instance_of(Schedule, "a Schedule, such as linear(100)")


def _begins(count: int) -> Rule:
    """Return the rule for the steps at which `count` schedules begin, one after the other."""
    return Rule(
        f"increasing integers above 0, one for each schedule after the first ({count} here): the step at which it begins",
        lambda at: tuple(map(integer, at)),
        lambda at: len(at) == count and all(earlier < later for earlier, later in zip((0, *at), at, strict=False)),
    )


@dataclass(frozen=True, init=False, repr=False)
class join(Schedule):
    """schedules[0](step) before step at[0], then schedules[1](step - at[0]) before step at[1], and so on.

    Each schedule receives every observation. The state holds the schedules' states by number, such as "1.best". As
    `torch`'s SequentialLR.
    """

    schedules: tuple[Schedule, ...]
    at: tuple[int, ...]

    def __init__(self, *schedules: Schedule, at: Iterable[int]) -> None:
        if not schedules:
            raise unexpected(self, "schedules", schedules, "schedules such as linear(100), cosine(900)")
        for number, schedule in enumerate(schedules):
            setting(self, f"schedules[{number}]", schedule, _SCHEDULE)
        vars(self).update(schedules=schedules, at=setting(self, "at", at, _begins(len(schedules) - 1)))

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
                raise MatchError(f"join: the state holds {short(path)}, but the schedules are 0 to {len(parts) - 1}")
            parts[int(number)][name] = value
        # copies take it first, so that a state that does not fit changes nothing
        for schedules in (copy.deepcopy(self.schedules), self.schedules):
            for schedule, part in zip(schedules, parts, strict=True):
                schedule.load_state_dict(part)

    def __repr__(self) -> str:
        return f"join({', '.join(map(repr, self.schedules))}, at={self.at})"
