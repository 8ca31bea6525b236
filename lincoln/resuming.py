"""A training run as tensors and plain data, and the run again from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from lincoln import checkpoint
from lincoln.bookkeeping import Tally
from lincoln.data import DataLoader
from lincoln.errors import CheckpointError, MatchError
from lincoln.history import TrainerRunResult
from lincoln.seeding import random_state

if TYPE_CHECKING:
    from lincoln.trainer import Trainer


def capture(trainer: Trainer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """All of a run, as it stands between two steps: tensors by `group/name`, and the rest as plain data."""
    trainer.tally.read()
    optimizer = trainer.optimizer.state_dict()
    groups: dict[str, dict[str, Tensor]] = {
        "network": trainer.model.state_dict(),
        "optimizer": {name: optimizer[name] for name in trainer.optimizer.memory},
        "random": random_state(),
        "epoch_random": trainer._epoch_random if trainer._in_epoch else {},
        "best": {} if trainer.best.weights is None else {"weights": trainer.best.weights},
    }
    if trainer._in_epoch and isinstance(trainer._train_batches, DataLoader):
        start = trainer._train_batches.state_dict()["start"]
        groups["loader"] = {} if start is None else {"start": start}
    state = {
        "network": checkpoint.describe(trainer.model),
        "optimizer": {
            "class": type(trainer.optimizer).__name__,
            "steps": optimizer["steps"],
            "lr": optimizer["lr"],
        },
        "trainer": {
            "epoch": trainer.epoch,
            "batch": trainer.batch,
            "in_epoch": trainer._in_epoch,
            "stopped": trainer._stopped,
            "tally": [trainer.tally.total, trainer.tally.weight, trainer.tally.examples],
            "epoch_from": trainer._epoch_from,
            "base_lr": trainer.base_lr,
        },
        "best": trainer.best.state_dict(),
        "schedule": {} if trainer.schedule is None else trainer.schedule.state_dict(),
        "history": trainer.history.to_dict(),
        "callbacks": [callback.state_dict() for callback in trainer.callbacks.all],
    }
    return {f"{group}/{name}": tensor for group, part in groups.items() for name, tensor in part.items()}, state


def restore(trainer: Trainer, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Put a captured run into a trainer of the same make. MatchError, with nothing changed, if it is of another."""
    if "trainer" not in state:
        raise CheckpointError("this file holds a network without the training run: load it with lincoln.load(path)")
    if state["optimizer"]["class"] != type(trainer.optimizer).__name__:
        raise MatchError(f"the checkpoint is of {state['optimizer']['class']}, this trainer has {trainer.optimizer!r}")
    if len(state["callbacks"]) != len(trainer.callbacks.all):
        raise MatchError(
            f"the checkpoint is of a run with {len(state['callbacks'])} callbacks, this trainer has "
            f"{len(trainer.callbacks.all)}"
        )
    parts = checkpoint.grouped(tensors)
    optimizer = {"steps": state["optimizer"]["steps"], "lr": state["optimizer"]["lr"]} | parts.get("optimizer", {})
    size = sum(tensor.numel() for tensor in parts["network"].values())
    trainer.optimizer.check_state(optimizer, size)
    checkpoint.restore(trainer.model, parts["network"], state["network"])
    trainer.optimizer.load_state_dict(optimizer)
    run = state["trainer"]
    trainer.epoch, trainer.batch, trainer._in_epoch = run["epoch"], run["batch"], run["in_epoch"]
    trainer._stopped, trainer.base_lr = run["stopped"], run["base_lr"]
    trainer.tally = Tally(trainer.loss)
    trainer.tally.total, trainer.tally.weight, trainer.tally.examples = run["tally"]
    trainer._epoch_from = (run["epoch_from"][0], run["epoch_from"][1])
    trainer.best.load_state_dict(state["best"], parts.get("best", {}).get("weights"))
    if trainer.schedule is not None:
        trainer.schedule.load_state_dict(state["schedule"])
    trainer.history = TrainerRunResult.from_dict(state["history"])
    for callback, saved in zip(trainer.callbacks.all, state["callbacks"], strict=True):
        callback.load_state_dict(saved)
    trainer._resumed = parts["random"]
    trainer._epoch_random = parts.get("epoch_random", {})
    trainer._loader_start = parts.get("loader", {}).get("start")
