"""A checkpoint file: named tensors and plain data, written whole or not at all, checked to the last bit, without pickle.

It is one safetensors file. Its header's metadata hold the format's name and version, the plain data as JSON, and a SHA-256
checksum of the whole file, taken with zeros in the checksum's place: safetensors alone does not notice a flipped bit.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from lincoln.errors import CheckpointError

FORMAT, VERSION = "lincoln", "1"
_ZEROS = "0" * 64


def write(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> Path:
    """Write tensors and state, which JSON must be able to hold, to one file at `path`. Return the file's path.

    At every instant `path` is the old file or the new one: the content goes to a temporary file beside it, to the disk,
    and then into its place. The permissions are those of the old file, or the usual ones for a new file. Raises
    CheckpointError if writing fails; the old file is then untouched, and the temporary one removed.
    """
    path = path.resolve()  # a symbolic link stays one: the file that it names is written
    content = _content(tensors, state)
    try:
        _replace(path, content)
    except OSError as error:
        raise CheckpointError(f"{path}: could not be written ({error}); what stood there before is untouched") from error
    try:
        _sync_folder(path.parent)
    except OSError as error:
        raise CheckpointError(f"{path}: written, but its folder could not be synced to the disk ({error})") from error
    return path


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the state of a checkpoint file.

    Raises CheckpointError, which says why, for a file that cannot be read, is damaged, is no checkpoint, or is of another
    format version.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load as from_bytes

    try:
        content = bytearray(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from error
    metadata = _metadata(path, content)
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path}: a safetensors file, but not a lincoln checkpoint")
    _check_checksum(path, content, metadata.get("checksum", ""))
    if metadata.get("version") != VERSION:
        raise CheckpointError(f"{path}: of format version {metadata.get('version')}; this lincoln reads version {VERSION}")
    try:
        return from_bytes(bytes(content)), json.loads(metadata["state"])
    except (SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged ({error})") from error


def candidates(path: Path) -> list[Path]:
    """Return the checkpoints of the run in the folder `path`, the newest first; if it is a file, that file alone."""
    return sorted(path.glob("step-*.safetensors"), reverse=True) if path.is_dir() else [path]


def prune(folder: Path, keep: int) -> None:
    """Remove all but the newest `keep` checkpoints of a run, and the temporary files of interrupted writes."""
    left = [*folder.glob(".step-*.safetensors.*.tmp"), *folder.glob(".best.safetensors.*.tmp")]
    for old in [*candidates(folder)[keep:], *left]:
        old.unlink(missing_ok=True)


def _content(tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> bytearray:
    """Return the bytes of the file, the checksum in its place."""
    from safetensors.torch import save as to_bytes

    metadata = {"format": FORMAT, "version": VERSION, "checksum": _ZEROS, "state": json.dumps(state)}
    flat = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = bytearray(to_bytes(flat, metadata))
    place = content.index(_ZEROS.encode())
    content[place : place + 64] = hashlib.sha256(content).hexdigest().encode()
    return content


def _check_checksum(path: Path, content: bytearray, checksum: str) -> None:
    """Raise CheckpointError unless `checksum` is that of the content. Leaves zeros in its place."""
    place = content.find(checksum.encode())
    if len(checksum) != 64 or place < 0:
        raise CheckpointError(f"{path}: damaged (its checksum is not where it belongs)")
    content[place : place + 64] = _ZEROS.encode()
    if hashlib.sha256(content).hexdigest() != checksum:
        raise CheckpointError(f"{path}: damaged (its checksum is not that of its content)")


def _metadata(path: Path, content: bytearray) -> dict[str, str]:
    """Return the header's metadata. safetensors reads them from files only, and this file is already in memory."""
    try:
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length].decode())
        metadata = header.get("__metadata__", {})
        if len(content) < 8 + length or not isinstance(metadata, dict):
            raise ValueError("its header is cut off")
    except (ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged, truncated, or no safetensors file ({error})") from error
    return metadata


def _replace(path: Path, content: bytearray) -> None:
    """Put a file with this content, synced to the disk, in the place of `path`. An OSError leaves no temporary file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.chmod(temporary, _mode(path))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _mode(path: Path) -> int:
    """Return the permissions of the file at `path`, or those that the process gives to new files."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    """Sync a folder to the disk, so that a rename in it outlasts a loss of power. Windows has no such call."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
