"""A training run as tensors and plain data, and the run again from them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from lincoln import checkpoint
from lincoln._util.settings import AT_LEAST_ONE
from lincoln._util.undoing import surely
from lincoln.data import Batch
from lincoln.errors import CheckpointError, MatchError
from lincoln.training.best import Best
from lincoln.training.config import TrainerConfig
from lincoln.training.random import random_state_of, set_random_state_of
from lincoln.training.saved import (
    Saved,
    best_weights,
    packed_history,
    plain_numbers,
    read_saved,
    refuse_other_dtypes,
    remembered,
)
from lincoln.training.state import POSITION, RunState

State = dict[str, Any]
_FIXED = ("train_minibatch_size", "accumulate", "shuffle_minibatches")  # in the middle of an epoch


class Stateful(Protocol):
    """Anything with a state of plain data."""

    def state_dict(self) -> State: ...
    def load_state_dict(self, state: State) -> None: ...


class Parts(NamedTuple):
    """The parts of a run that have a state of their own, beside the run's."""

    best: Best
    callbacks: Sequence[Stateful]


class Captured(NamedTuple):
    """A run as it stands between two steps: tensors by `group/name`, plain data, and lists of tensors that only grow."""

    tensors: dict[str, Tensor]
    state: State
    growing: dict[str, list[Tensor]]


def capture(run: RunState, parts: Parts) -> Captured:
    """Return a run as it stands between two steps.

    Raises CheckpointError for what has no form in a file: an argument of a layer, or what a callback remembers.
    """
    optimizer = run.optimizer.state_dict()
    groups, network = checkpoint.portrait(run.model)
    memory = remembered(parts.callbacks)
    history, of_history = packed_history(run)
    groups |= {
        "optimizer": {name: optimizer.pop(name) for name in run.optimizer.memory if name in optimizer},
        "random": random_state_of(run.train_batches),
        "epoch_random": run.epoch_random if run.in_epoch else {},
        "best": {} if parts.best.weights is None else parts.best.weights.tensors(),
        "callbacks": memory.tensors,
        "history": of_history,
    }
    schedule = run.schedule
    state = {
        "encoding": 2,
        "network": network,
        "optimizer": {"steps": optimizer["steps"], "lr": float(optimizer["lr"]), "class": type(run.optimizer).__name__},
        "position": {name: getattr(run, name) for name in POSITION},
        "tally": run.tally.state(),
        "settings": _settings(run.config),
        "num_epochs": run.config.num_epochs,
        "best": parts.best.state_dict(),
        "schedule": None if schedule is None else plain_numbers(schedule.state_dict()),
        "history": history,
        "callbacks": memory.plain,
    }
    return Captured(checkpoint.flat(groups), state, memory.growing)


def refuse_unwritable(run: RunState, parts: Parts) -> None:
    """Raise CheckpointError for what a checkpoint of the run could not hold, before the run begins."""
    checkpoint.describe(run.model)
    remembered(parts.callbacks)


def restore(run: RunState, parts: Parts, tensors: dict[str, Tensor], state: State) -> bool:
    """Put a captured run into a run that was made as that one was. Return True if it is to have more epochs than it had.

    To resume is to go on, so a reason to stop is dropped. Raises MatchError for the run of another network, optimizer,
    schedule or callbacks, and CheckpointError for anything that `capture` does not write; then nothing is changed.
    """
    if "position" not in state:
        raise CheckpointError("this file holds a network without the training run: load it with lincoln.load(path)")
    groups = checkpoint.grouped(tensors)
    try:
        _refuse_other_makes(run, parts, state)
        size = checkpoint.check(run.model, groups, state["network"])
        saved = read_saved(state, groups)
        optimizer = groups.get("optimizer", {}) | saved.optimizer
        run.optimizer.check_state(optimizer, size)
        refuse_other_dtypes(groups, state["network"])
        weights = best_weights(groups, state["network"], size)
        schedule = copy.deepcopy(run.schedule)
        if schedule is not None:
            schedule.load_state_dict(state["schedule"] or {})
        _rehearse(parts, state, saved)
        more_epochs: bool = run.config.num_epochs > AT_LEAST_ONE.plain(state.get("num_epochs", run.config.num_epochs))
    except MatchError:
        raise
    except Exception as error:  # whatever a stranger's file comes to
        raise CheckpointError(f"the checkpoint lacks what a run needs ({type(error).__name__}: {error!s:.300})") from error

    checkpoint.fill(run.model, groups["network"], state["network"])
    run.optimizer.load_state_dict(optimizer)
    for name, value in saved.position.items():
        setattr(run, name, value)
    run.stopped = ""
    run.tally.restore(saved.tally)
    run.history, run.step.schedule = saved.history, schedule
    run.step.restart()
    parts.best.load_state_dict(state["best"], weights)
    for callback, (_, remembers) in zip(parts.callbacks, saved.callbacks, strict=True):
        callback.load_state_dict(remembers)
    run.resumed, run.epoch_random = groups["random"], groups.get("epoch_random", {})
    return more_epochs


def remaining_batches(run: RunState) -> Iterator[Batch]:
    """Return what an interrupted epoch has left: the same order again, without the batches that are done."""
    batches = run.train_batches
    now = random_state_of(batches)

    def remaining() -> Iterator[Batch]:
        set_random_state_of(run.epoch_random, batches)
        left = iter(batches)
        for _ in islice(left, run.batch):
            pass
        return left

    return surely(remaining, lambda: set_random_state_of(now, batches))


def _rehearse(parts: Parts, state: State, saved: Saved) -> None:
    """Load each state into a copy first, so that one that does not fit changes nothing."""
    Best().load_state_dict(state["best"], None)
    for callback, (_, remembers) in zip(parts.callbacks, saved.callbacks, strict=True):
        copy.deepcopy(callback).load_state_dict(copy.deepcopy(remembers))


def _settings(config: TrainerConfig) -> State:
    """Return the settings that must not change in the middle of an epoch."""
    return {name: getattr(config, name) for name in _FIXED}


def _watched(history: Any) -> tuple[str, bool]:
    """Return what a run watched, and whether higher values were better; runs of older files watched the loss."""
    known = history if isinstance(history, dict) else {}
    return known.get("watch", "loss"), known.get("higher_is_better", False)


def _refuse_other_makes(run: RunState, parts: Parts, state: State) -> None:
    pairs = [
        ("optimizer", state["optimizer"].get("class"), type(run.optimizer).__name__),
        ("schedule", state["schedule"] is not None, run.schedule is not None),
        ("watch", _watched(state.get("history")), (run.history.watch, run.history.higher_is_better)),
        ("callbacks", [name for name, _ in state["callbacks"]], [type(part).__name__ for part in parts.callbacks]),
    ]
    if state["position"]["in_epoch"]:
        pairs += [(name, value, _settings(run.config)[name]) for name, value in state["settings"].items()]
    for what, saved, own in pairs:
        if saved != own:
            raise MatchError(f"the checkpoint's run has {what} {saved}, this trainer's {own}: make the trainer as it was")
