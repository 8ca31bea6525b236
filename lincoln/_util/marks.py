"""Marks: what a class promises of itself alone, not of its subclasses."""

from __future__ import annotations

from typing import Any, TypeVar
from weakref import WeakSet

C = TypeVar("C", bound=type)
_RECORDABLE: WeakSet[type] = WeakSet()


def recordable(cls: C) -> C:
    """Mark a class of layers, losses or callbacks whose part in a training step can be recorded once and run again.

    - A layer or a loss promises that it runs the same tensor operations for every input of a shape, and does nothing else:
      no `.item()`, no choice that depends on numbers (`x[x > 0]`), no numpy, no printing, no state from step to step.
    - A callback promises that it changes nothing about network and loss: no settings, no train or eval mode.

    The mark holds for this class alone; a subclass that keeps the promise is marked itself. `TrainerConfig.replay` says
    what follows from it.
    """
    _RECORDABLE.add(cls)
    return cls


def is_recordable(part: Any) -> bool:
    """Return True if the class of `part` is marked `@recordable`."""
    return type(part) in _RECORDABLE
