"""The checkpoint folder of a run: the names of its files, the newest first, and the old ones to remove."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

from lincoln.errors import CheckpointError

_NUMBER = r"([0-9]{9}|[1-9][0-9]{9,})"  # f"{steps:09d}"
_STEP = re.compile(rf"step-{_NUMBER}\.safetensors")
_LEFT = re.compile(rf"\.(step-{_NUMBER}|best)\.safetensors\.([0-9a-f]{{6}}\.)?[a-z0-9_]{{8}}\.tmp")


def step_path(folder: Path, steps: int) -> Path:
    """Return the path of the checkpoint after so many steps."""
    return folder / f"step-{steps:09d}.safetensors"


def best_path(folder: Path) -> Path:
    """Return the path of the checkpoint of the best epoch."""
    return folder / "best.safetensors"


def candidates(path: Path) -> list[Path]:
    """Return the checkpoints of the run in the folder `path`, the newest first; if it is a file, that file alone.

    Only files count whose names are exactly as a run gives them. Raises CheckpointError for a folder that cannot be read.
    """
    try:
        if not path.is_dir():
            return [path]
        numbered = [(int(found[1]), path / name) for name in os.listdir(path) if (found := _STEP.fullmatch(name))]
        return [file for _, file in sorted(numbered, reverse=True) if file.is_file()]
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); nothing in it was changed") from error


def prune(folder: Path, keep: int, newest: Path | None = None) -> None:
    """Remove all but the last `keep` checkpoints of a run, and the temporary files of interrupted writes.

    With `newest`, checkpoints after that one are left alone: they are of a future that the run was put back from. A file
    that cannot be removed, or a folder that cannot be read, is a warning.
    """
    try:
        files = candidates(folder)
        left = [folder / name for name in os.listdir(folder) if _LEFT.fullmatch(name)]
    except OSError as error:
        warnings.warn(f"{folder}: old checkpoints were not removed ({error}); the run goes on", stacklevel=2)
        return
    start = files.index(newest) if newest in files else 0
    for old in [*(file for file in files[start + keep :] if not file.is_symlink()), *left]:
        try:
            old.unlink(missing_ok=True)
        except OSError as error:
            warnings.warn(f"{old}: could not be removed ({error}); the run goes on", stacklevel=2)


def set_aside(damaged: Path) -> None:
    """Rename a damaged checkpoint to the first free name of `.damaged`, `.damaged-2` ...; if that fails, warn."""
    number, aside = 1, damaged.with_name(f"{damaged.name}.damaged")
    try:
        while os.path.lexists(aside):
            number += 1
            aside = damaged.with_name(f"{damaged.name}.damaged-{number}")
        damaged.rename(aside)
    except OSError as error:
        warnings.warn(f"{damaged}: damaged, and could not be set aside ({error})", stacklevel=2)
