"""Rows that a run only adds to, in one file beside its checkpoints: each checkpoint adds those that are new.

The file is frames one after another: 8 bytes with the frame's length, then the new rows of each list as a safetensors file.
A checkpoint names the file, how much of it is its own, and the SHA-256 of that part. Nothing before it is ever changed, so
older checkpoints stay whole.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from lincoln.checkpoint.file import open_regular, peek
from lincoln.checkpoint.folder import best_path, candidates
from lincoln.checkpoint.header import blocks, content_of, read_header, read_tensors
from lincoln.errors import CheckpointError, DamagedFileError

_NAME = re.compile(r"recorded-[0-9a-f]{16}\.rows")
_Mark = tuple[int, Tensor, Tensor]  # how many rows are written, the first and the last of them

Reference = dict[str, Any]
"""The part of a file that a checkpoint's rows are: "file" (its name), "length" in bytes, "sha256"."""


class Rows:
    """The rows of one run, in a file that is begun at the first `add`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = ""
        self._length = 0
        self._hash = hashlib.sha256()
        self._marks: dict[str, _Mark] = {}

    def add(self, lists: Mapping[str, Sequence[Tensor]]) -> Reference:
        """Write the rows that are new in each list, down to the disk. Return the reference for a checkpoint.

        A list whose rows are not those of the last call with others after them makes a new file begin. Raises
        CheckpointError if writing fails; then the next call writes the same rows.
        """
        if not (self.name and (self.folder / self.name).exists() and all(self._grows(*item) for item in lists.items())):
            self._begin()
        new = {name: rows[self._marks[name][0] :] if name in self._marks else rows for name, rows in lists.items()}
        frame = content_of({name: torch.stack([row.cpu() for row in rows]) for name, rows in new.items() if rows}, {})
        if any(new.values()):
            try:
                self._append(len(frame).to_bytes(8, "little") + frame)
            except OSError as error:
                raise CheckpointError(f"{self.folder / self.name}: could not be written ({error})") from error
            self._marks = {name: (len(rows), rows[0], rows[-1]) for name, rows in lists.items()}
        return {"file": self.name, "length": self._length, "sha256": self._hash.hexdigest()}

    def _begin(self) -> None:
        self.name = f"recorded-{secrets.token_hex(8)}.rows"
        self._length = 0
        self._hash = hashlib.sha256()
        self._marks = {}

    def _grows(self, name: str, rows: Sequence[Tensor]) -> bool:
        if name not in self._marks:
            return True
        count, first, last = self._marks[name]
        return len(rows) >= count and rows[0] is first and rows[count - 1] is last

    def _append(self, content: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / self.name, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        with os.fdopen(descriptor, "r+b") as file:
            file.seek(self._length)  # over what a write that failed has left
            file.write(content)
            file.truncate()
            file.flush()
            os.fsync(descriptor)
        self._length += len(content)
        self._hash.update(content)


def read_rows(folder: Path, reference: Any) -> dict[str, Tensor]:
    """Return the rows of each list as one tensor, from the file that a checkpoint in `folder` names.

    Raises CheckpointError for a file that cannot be read, DamagedFileError for one that is not as it was written, and for
    anything but a reference.
    """
    try:
        name, length, expected = reference["file"], reference["length"], reference["sha256"]
        if not (isinstance(name, str) and _NAME.fullmatch(name) and type(length) is int and length > 0):
            raise ValueError("no name, or no length")
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(f"{folder}: a checkpoint's recorded rows are not named ({error!s:.80})") from error
    path = folder / name
    try:
        with open_regular(path) as file:
            found = hashlib.sha256()
            for block in blocks(file, most=length):
                found.update(block)
            if found.hexdigest() != expected or file.tell() != length:
                raise DamagedFileError(f"{path}: damaged (its checksum is not that of its content)")
            file.seek(0)
            return _frames(file, length)
    except CheckpointError:
        raise
    except (ValueError, RuntimeError) as error:
        raise DamagedFileError(f"{path}: damaged ({error!s:.300})") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); a checkpoint's recorded rows lie in it") from error


def prune_rows(folder: Path, current: str) -> None:
    """Remove files of rows that no checkpoint of the folder names. One that cannot be removed is a warning."""
    try:
        others = {name for name in os.listdir(folder) if _NAME.fullmatch(name)} - {current}
        if not others:
            return
        for name in others - _named(path for path in (*candidates(folder), best_path(folder)) if path.exists()):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:  # a CheckpointError too: a checkpoint that cannot be read may name any of them
        warnings.warn(f"{folder}: old recorded rows were not removed ({error}); the run goes on", stacklevel=2)


def _named(paths: Iterable[Path]) -> set[str]:
    found = (peek(path).get("growing") for path in paths)
    return {reference["file"] for reference in found if isinstance(reference, dict)}


def _frames(file: BinaryIO, length: int) -> dict[str, Tensor]:
    parts: dict[str, list[Tensor]] = defaultdict(list)
    while file.tell() < length:
        size = int.from_bytes(file.read(8), "little")
        if not 8 < size <= length - file.tell():
            raise ValueError("a frame is longer than the file")
        for name, tensor in read_tensors(file, read_header(file, size)).items():
            parts[name].append(tensor)
    return {name: torch.cat(tensors) for name, tensors in parts.items()}
