"""Checkpoints of a run: when they are written, and the newest sound one."""

from __future__ import annotations

import math
import os
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
from lincoln.errors import CheckpointError, DamagedFileError
from lincoln.training import resume
from lincoln.training.config import TrainerConfig
from lincoln.training.random import random_state_of
from lincoln.training.state import RunState
from lincoln.training.weights import all_finite

Restore = Callable[[dict[str, Tensor], dict[str, Any]], None]


@recordable
class Checkpoints(Callback):
    """Save the run in the config's folder every `checkpoint_interval` steps, or after each epoch if that is None.

    The last `keep_checkpoints` files are kept. The epoch with the best value of what is watched, by default the lowest
    loss, is `best.safetensors` too.
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
        self._lock = checkpoint.FolderLock(self.folder)
        self._rows = checkpoint.Rows(self.folder)
        self._own: set[str] = set()  # names of this run's checkpoints

    def open(self) -> None:
        """Take the folder for this run. Raises CheckpointError if another run has it, or has left its checkpoints there.

        The newer of two runs would win at a resume, and the older would remove its files.
        """
        self._lock.take()
        others = [path for path in checkpoint.candidates(self.folder) if path.name not in self._own]
        if others:
            raise CheckpointError(
                f"{self.folder} holds the checkpoints of an earlier run ({others[0].name} is the newest): go on from them "
                f"with resume(), or choose another checkpoint_folder, or remove them"
            )
        if not self._own:
            self._refuse_foreign_best()

    def close(self) -> None:
        self._lock.release()

    def restore_newest(self, path: Path, restore: Restore) -> Path:
        """Call `restore` with the checkpoint at `path`, or with the newest one in that folder. Return its path."""
        found = restore_newest(path, restore)
        inside = self.folder.is_dir() and os.path.samefile(found.parent, self.folder)
        self._own = {own.name for own in checkpoint.candidates(self.folder)} if inside else set()
        return found

    def train_begin(self, trainer: RunState) -> None:
        resume.refuse_unwritable(trainer, self.parts)

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
        tensors, state, growing = resume.capture(run, self.parts)
        if growing:
            state["growing"] = self._rows.add(growing)
        if best:
            checkpoint.write(checkpoint.best_path(self.folder), tensors, state)
        path = checkpoint.step_path(self.folder, run.history.steps)
        self._own.add(path.name)
        written = checkpoint.write(path, tensors, state)
        checkpoint.prune(self.folder, self.keep, path)
        checkpoint.prune_rows(self.folder, self._rows.name)
        return written

    def _refuse_foreign_best(self) -> None:
        """Raise CheckpointError if a new run would write over a best.safetensors that no run has written."""
        path = checkpoint.best_path(self.folder)
        if not os.path.lexists(path):
            return
        try:
            foreign, error = "position" not in checkpoint.read(path)[1], None
        except CheckpointError as unreadable:
            foreign, error = True, unreadable
        if foreign:
            raise CheckpointError(
                f"{path} is not of a run of lincoln's, and would be written over: move it, or choose another "
                f"checkpoint_folder{f' ({error})' if error else ''}"
            ) from error


def restore_newest(path: Path, restore: Restore) -> Path:
    """Call `restore` with the checkpoint at `path`, or with the newest one in that folder. Return its path.

    In a folder a checkpoint that has been read and is damaged is passed over with a warning for the one before it, and set
    aside under another name once that one is restored. Raises CheckpointError if none is sound, if another run is saving in
    the folder, or for a checkpoint that cannot be read or is of another version: that may be sound.
    """
    if not path.is_dir():
        restore(*_read_run(path))
        return path
    lock = checkpoint.FolderLock(path)
    try:
        lock.take()
        return _restore_newest_in(path, restore)
    finally:
        lock.release()


def _read_run(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the state of a checkpoint, and the rows that lie beside it."""
    tensors, state = checkpoint.read(path)
    if "growing" in state:
        rows = checkpoint.read_rows(path.resolve().parent, state["growing"])
        tensors |= {f"growing/{name}": tensor for name, tensor in rows.items()}
    return tensors, state


def _restore_newest_in(folder: Path, restore: Restore) -> Path:
    damaged: list[Path] = []
    for candidate in checkpoint.candidates(folder):
        try:
            tensors, state = _read_run(candidate)
        except DamagedFileError as error:
            warnings.warn(f"{error}; going back to the checkpoint before it", stacklevel=5)
            damaged.append(candidate)
            continue
        restore(tensors, state)
        for bad in damaged:
            checkpoint.set_aside(bad)
        return candidate
    raise CheckpointError(f"{folder}: no checkpoint that can be read")
