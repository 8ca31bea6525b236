"""Networks and training runs in files."""

from lincoln.checkpoint.architecture import rebuild
from lincoln.checkpoint.file import read, write
from lincoln.checkpoint.folder import best_path, candidates, prune, set_aside, step_path
from lincoln.checkpoint.lock import FolderLock
from lincoln.checkpoint.network import (
    check,
    checked_path,
    describe,
    fill,
    flat,
    grouped,
    load,
    load_parts,
    portrait,
    save,
    sound_portrait,
)
from lincoln.checkpoint.rows import Rows, prune_rows, read_rows

__all__ = [
    "FolderLock",
    "Rows",
    "best_path",
    "candidates",
    "check",
    "checked_path",
    "describe",
    "fill",
    "flat",
    "grouped",
    "load",
    "load_parts",
    "portrait",
    "prune",
    "prune_rows",
    "read",
    "read_rows",
    "rebuild",
    "save",
    "set_aside",
    "sound_portrait",
    "step_path",
    "write",
]
