"""Callbacks: what to do at named points of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lincoln._util.settings import unexpected
from lincoln.training.state import RunState

POINTS = ("train_begin", "epoch_begin", "step_begin", "step_end", "epoch_end", "train_end")


class Callback:
    """Override the methods you need. Each receives the trainer; `trainer.stop(reason)` ends the run.

    A step is one update of the weights. At `epoch_end` validation is done and the history is up to date. A callback that
    must remember something when a run is resumed returns it from `state_dict` (numbers, strings, lists and dicts of them).
    One that changes nothing about network and loss is marked `@lincoln.recordable`; then steps may be replayed.
    """

    saved: bool = True
    """True if the callback is part of a run's checkpoints, and must be there when the run is resumed."""

    growing: tuple[str, ...] = ()
    """Keys of the state whose lists of tensors, all of one shape, only grow: a checkpoint writes what has been added."""

    def train_begin(self, trainer: RunState) -> None: ...
    def epoch_begin(self, trainer: RunState) -> None: ...
    def step_begin(self, trainer: RunState) -> None: ...
    def step_end(self, trainer: RunState) -> None: ...
    def epoch_end(self, trainer: RunState) -> None: ...
    def train_end(self, trainer: RunState) -> None: ...

    def close(self) -> None:
        """Called last, also when the run ended in an error."""

    def state_dict(self) -> dict[str, Any]:
        """Return what the callback must remember when the run is resumed."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` gave."""


class Callbacks:
    """Several callbacks as one call a point; a point that none of them overrides costs nothing.

    `first` and `last` are parts of the trainer that listen before and after the callbacks.
    """

    def __init__(
        self, callbacks: Sequence[Callback], first: Sequence[Callback] = (), last: Sequence[Callback] = ()
    ) -> None:
        self.all = tuple(callbacks)
        self._open: list[Callback] = []
        self.saved = [callback for callback in self.all if callback.saved]
        self.at = {
            point: [
                getattr(callback, point)
                for callback in (*first, *self.all, *last)
                if getattr(type(callback), point) is not getattr(Callback, point)
            ]
            for point in POINTS
        }

    def call(self, point: str, trainer: RunState) -> None:
        """Call every callback that listens at this point, in order."""
        for method in self.at[point]:
            method(trainer)

    def open(self) -> None:
        """Let `close` close all callbacks again."""
        self._open = list(self.all)

    def close(self) -> None:
        """Close each callback once, whatever the others raise. The first error is raised at the end."""
        errors: list[BaseException] = []
        while self._open:
            try:
                self._open.pop(0).close()
            except BaseException as error:
                errors.append(error)
        if errors:
            raise errors[0]


def checked(owner: str, callbacks: Sequence[Callback]) -> Sequence[Callback]:
    """Return the callbacks. Raises ArgumentError, in the name of `owner`, unless they are a list of callbacks."""
    if not isinstance(callbacks, list | tuple):
        raise unexpected(owner, "callbacks", callbacks, "a list of callbacks")
    for callback in callbacks:
        if isinstance(callback, type):
            raise unexpected(owner, "callbacks", callback, f"an instance: write {callback.__name__}(...)")
        if not isinstance(callback, Callback):
            raise unexpected(owner, "callbacks", callback, "instances of lincoln.Callback")
    return callbacks
