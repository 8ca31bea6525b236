"""A training run as tensors and plain data, and the run again from them."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from torch import Generator, Tensor

from lincoln import checkpoint
from lincoln.errors import CheckpointError, MatchError
from lincoln.training.history import TrainerRunResult
from lincoln.training.random import random_state, set_random_state
from lincoln.training.tally import Snapshot, Tally, Weights

if TYPE_CHECKING:
    from lincoln.trainer import Trainer

State = dict[str, Any]
_POSITION = ("epoch", "batch", "in_epoch", "stopped", "epoch_from", "base_lr")


def capture(trainer: Trainer) -> tuple[dict[str, Tensor], State]:
    """All of a run, as it stands between two steps: tensors by `group/name`, and the rest as plain data."""
    trainer.tally.read()
    optimizer = trainer.optimizer.state_dict()
    groups = {
        "network": trainer.model.state_dict(),
        "optimizer": {name: optimizer.pop(name) for name in trainer.optimizer.memory if name in optimizer},
        "random": numbers(trainer.train_batches),
        "epoch_random": trainer.epoch_random if trainer.in_epoch else {},
        "best": {},
    }
    best = trainer.best.weights
    if best is not None:
        groups["best"] = {"weights": best.values} | {f"buffers/{path}": tensor for path, tensor in best.buffers.items()}
    state = {
        "network": checkpoint.describe(trainer.model),
        "optimizer": optimizer | {"class": type(trainer.optimizer).__name__},
        "position": {name: getattr(trainer, name) for name in _POSITION},
        "tally": [trainer.tally.total, trainer.tally.weight, trainer.tally.examples],
        "settings": _settings(trainer),
        "best": trainer.best.state_dict(),
        "schedule": None if trainer.schedule is None else trainer.schedule.state_dict(),
        "history": trainer.history.to_dict() | {"seconds": trainer.seconds},
        "callbacks": [[type(callback).__name__, callback.state_dict()] for callback in trainer.callbacks.saved],
    }
    return {f"{group}/{name}": tensor for group, part in groups.items() for name, tensor in part.items()}, state


def restore(trainer: Trainer, tensors: dict[str, Tensor], state: State) -> None:
    """Put a captured run into a trainer of the same make. MatchError, with nothing changed, if it is of another."""
    if "position" not in state:
        raise CheckpointError("this file holds a network without the training run: load it with lincoln.load(path)")
    parts = checkpoint.grouped(tensors)
    _refuse_other_makes(trainer, state)
    try:
        network, kept = parts["network"], parts.get("best", {})
        best = kept.pop("weights", None)
        size = checkpoint.check(trainer.model, network, state["network"])
        optimizer = {name: state["optimizer"][name] for name in ("steps", "lr")} | parts.get("optimizer", {})
        trainer.optimizer.check_state(optimizer, size)
        if best is not None and best.shape != (size,):
            raise MatchError(f"best/weights has shape {tuple(best.shape)}, expected ({size},)")
        tally = Tally(trainer.loss)
        tally.total, tally.weight, tally.examples = state["tally"]
        history = TrainerRunResult.from_dict(state["history"])
        schedule = copy.deepcopy(trainer.schedule)
        if schedule is not None:
            schedule.load_state_dict(state["schedule"] or {})
        for callback, (_, saved) in zip(trainer.callbacks.saved, state["callbacks"], strict=True):
            copy.deepcopy(callback).load_state_dict(saved)  # a rehearsal
        position = {name: state["position"][name] for name in _POSITION}
        if "torch" not in parts.get("random", {}):
            raise KeyError("random/torch")
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, MatchError):
            raise
        raise CheckpointError(f"the checkpoint lacks what a run needs ({type(error).__name__}: {error})") from error

    checkpoint.fill(trainer.model, network, state["network"])
    trainer.optimizer.load_state_dict(optimizer)
    vars(trainer).update(position)
    trainer.tally, trainer.history, trainer.schedule = tally, history, schedule
    buffers = {path.removeprefix("buffers/"): tensor for path, tensor in kept.items()}
    trainer.best.load_state_dict(state["best"], None if best is None else Weights(best, buffers))
    for callback, (_, saved) in zip(trainer.callbacks.saved, state["callbacks"], strict=True):
        callback.load_state_dict(saved)
    trainer.resumed, trainer.epoch_random = parts["random"], parts.get("epoch_random", {})
    trainer.last_finite = Snapshot(trainer.optimizer)
    trainer.forget_accumulated()


def numbers(batches: Iterable[Any]) -> dict[str, Tensor]:
    """The state of all random numbers that a run draws from: everybody's, and the loader's own generators."""
    return random_state() | {f"loader:{index}": own.get_state() for index, own in enumerate(_own_generators(batches))}


def set_numbers(state: dict[str, Tensor], batches: Iterable[Any]) -> None:
    """Go on from what `numbers` gave."""
    set_random_state(state)
    for index, own in enumerate(_own_generators(batches)):
        if f"loader:{index}" in state:
            own.set_state(state[f"loader:{index}"])


def _own_generators(batches: Iterable[Any]) -> list[Generator]:
    """Of lincoln's DataLoader or torch's, whose sampler may have one too."""
    found = [getattr(batches, "generator", None), getattr(getattr(batches, "sampler", None), "generator", None)]
    return [generator for generator in found if isinstance(generator, Generator)]


def _settings(trainer: Trainer) -> State:
    """What must not change in the middle of an epoch."""
    config = trainer.config
    return {
        "train_minibatch_size": config.train_minibatch_size,
        "accumulate": config.accumulate,
        "shuffle_minibatches": config.shuffle_minibatches,
    }


def _refuse_other_makes(trainer: Trainer, state: State) -> None:
    pairs = [
        ("optimizer", state["optimizer"].get("class"), type(trainer.optimizer).__name__),
        ("schedule", state["schedule"] is not None, trainer.schedule is not None),
        ("callbacks", [name for name, _ in state["callbacks"]], [type(c).__name__ for c in trainer.callbacks.saved]),
    ]
    if state["position"]["in_epoch"]:
        pairs += [(name, value, _settings(trainer)[name]) for name, value in state["settings"].items()]
    for what, saved, own in pairs:
        if saved != own:
            raise MatchError(f"the checkpoint's run has {what} {saved}, this trainer's {own}: make the trainer as it was")
