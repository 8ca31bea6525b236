"""Checkpoints of a run: when they are written, and the newest sound one."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from lincoln import checkpoint
from lincoln._util.marks import recordable
from lincoln.callbacks.base import Callback
from lincoln.callbacks.early_stopping import EarlyStopping
from lincoln.callbacks.finite import FiniteGuard
from lincoln.errors import CheckpointError
from lincoln.training import resume
from lincoln.training.config import TrainerConfig
from lincoln.training.random import random_state_of
from lincoln.training.state import RunState
from lincoln.training.weights import all_finite


@recordable
class Checkpoints(Callback):
    """Save the run in the config's folder every `checkpoint_interval` steps, or after each epoch if that is None.

    The last `keep_checkpoints` files are kept. The epoch with the lowest watched loss is `best.safetensors` too.
    """

    saved = False

    def __init__(self, config: TrainerConfig, parts: resume.Parts, stopping: EarlyStopping, guard: FiniteGuard) -> None:
        assert config.checkpoint_folder is not None
        self.folder = Path(config.checkpoint_folder)
        self.interval = config.checkpoint_interval
        self.keep = config.keep_checkpoints
        self.parts = parts
        self.stopping = stopping
        self.guard = guard

    def refuse_used_folder(self, run: RunState) -> None:
        """Raise CheckpointError for a new run in another run's folder: the newer of the two would win at a resume."""
        if run.history.steps == 0 and run.resumed is None:
            old = checkpoint.candidates(self.folder) if self.folder.is_dir() else []
            if old:
                raise CheckpointError(
                    f"{self.folder} holds the checkpoints of an earlier run ({old[0].name} is the newest): go on from "
                    f"them with resume(), or choose another checkpoint_folder, or remove them"
                )

    def epoch_begin(self, trainer: RunState) -> None:
        trainer.epoch_random = random_state_of(trainer.train_batches)

    def step_end(self, trainer: RunState) -> None:
        if self.interval is not None and trainer.history.steps % self.interval == 0:
            self.save(trainer)

    def epoch_end(self, trainer: RunState) -> None:
        if self.interval is None or self.stopping.improved:
            self.save(trainer, best=self.stopping.improved)

    def save(self, run: RunState, best: bool = False) -> Path:
        """Save the run as it stands between two steps. Return the file's path."""
        if not all_finite(run.model):
            self.guard.check(run, math.nan)  # weights that are not finite take no good checkpoint's place
        tensors, state = resume.capture(run, self.parts)
        if best:
            checkpoint.write(self.folder / "best.safetensors", tensors, state)
        path = checkpoint.write(self.folder / f"step-{run.history.steps:09d}.safetensors", tensors, state)
        checkpoint.prune(self.folder, self.keep)
        return path


def restore_newest(path: Path, restore: Callable[[dict[str, Tensor], dict[str, Any]], None]) -> Path:
    """Call `restore` with the checkpoint at `path`, or with the newest one in that folder. Return its path.

    In a folder a damaged checkpoint is passed over with a warning for the one before it, and set aside under another name
    once that one is restored. Raises CheckpointError if none can be read.
    """
    damaged: list[Path] = []
    for candidate in checkpoint.candidates(path):
        try:
            tensors, state = checkpoint.read(candidate)
        except CheckpointError as error:
            if not path.is_dir():
                raise
            warnings.warn(f"{error}; going back to the checkpoint before it", stacklevel=3)
            damaged.append(candidate)
            continue
        restore(tensors, state)
        for bad in damaged:
            bad.rename(bad.with_name(f"{bad.name}.damaged"))
        return candidate
    raise CheckpointError(f"{path}: no checkpoint that can be read")
