"""A checkpoint file: named tensors and plain data, written whole or not at all, checked to the last bit, without pickle.

It is one safetensors file. Its header's metadata hold the format's name and version, the plain data as JSON, and a SHA-256
checksum of the whole file, taken with zeros in the checksum's place: safetensors alone does not notice a flipped bit.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from torch import Tensor

from lincoln.checkpoint.header import Header, blocks, content_of, read_header, read_tensors
from lincoln.errors import CheckpointError, DamagedFileError

FORMAT, VERSION = "lincoln", "1"
_ZEROS = "0" * 64
_FIELD = b'"checksum":"'


def write(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> Path:
    """Write tensors and state, which JSON must be able to hold, to one file at `path`. Return the file's path.

    At every instant `path` is the old file or the new one: the content goes to a temporary file beside it, to the disk,
    and then into its place. The permissions are those of the old file, or the usual ones for a new file. Raises
    CheckpointError if writing fails; the old file is then untouched, and the temporary one removed.
    """
    path = _resolved(path)
    content = _content(path, tensors, state)
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

    The header is read and checked first, then the checksum of the whole file, then the tensors: a file takes no more memory
    than its tensors, and time in proportion to its size. Raises CheckpointError, which says why, for a file that cannot be
    read, is no regular file, is no checkpoint, or is of another format version; DamagedFileError, which is one too, for a
    file that has been read and is not as it was written.
    """
    try:
        with open_regular(path) as file:
            header = _header(path, file)
            if header.metadata.get("version") != VERSION:  # before the checksum, which it may take in another way
                found = f"{header.metadata.get('version')!r:.20}".strip("'")
                raise CheckpointError(f"{path}: of format version {found}; this lincoln reads version {VERSION}")
            _check_checksum(path, file, header)
            file.seek(len(header.content))
            return read_tensors(file, header), _state(header.metadata["state"])
    except CheckpointError:
        raise
    except (KeyError, ValueError, RecursionError) as error:
        raise DamagedFileError(f"{path}: damaged ({error!s:.300})") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error


def peek(path: Path) -> dict[str, Any]:
    """Return the state of a checkpoint file without a look at its tensors or its checksum. Raises CheckpointError."""
    try:
        with open_regular(path) as file:
            return _state(_header(path, file).metadata["state"])
    except CheckpointError:
        raise
    except (KeyError, ValueError, RecursionError, OSError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error!s:.300})") from error


def _content(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> bytearray:
    """Return the bytes of the file, the checksum in its place. Raises CheckpointError for what has no form in it."""
    try:
        metadata = {"format": FORMAT, "version": VERSION, "checksum": _ZEROS, "state": json.dumps(state)}
        content = content_of(tensors, metadata)
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: could not be written ({error!s:.300}); what stood there before is untouched"
        ) from error
    place = content.index(_FIELD + _ZEROS.encode()) + len(_FIELD)  # nowhere else: quotes in names and words are escaped
    content[place : place + 64] = hashlib.sha256(content).hexdigest().encode()
    return content


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading. Raises CheckpointError for a pipe or a device, which might be read for ever."""
    try:
        _refuse_irregular(path, os.stat(path).st_mode)
    except ValueError as error:  # a path that holds a 0, or is no text
        raise CheckpointError(f"{str(path)!r:.200}: cannot be read ({error})") from error
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    file = os.fdopen(descriptor, "rb")
    try:
        _refuse_irregular(path, os.fstat(descriptor).st_mode)  # it may have been replaced in between
    except CheckpointError:
        file.close()
        raise
    return file


def _refuse_irregular(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        raise CheckpointError(f"{path}: cannot be read ({kind}; expected a regular file)")


def _header(path: Path, file: BinaryIO) -> Header:
    try:
        header = read_header(file, os.fstat(file.fileno()).st_size)
    except ValueError as error:
        raise DamagedFileError(f"{path}: damaged, truncated, or no safetensors file ({error!s:.300})") from error
    if header.metadata.get("format") != FORMAT:
        if FORMAT.encode() in header.content or _FIELD in header.content:
            raise DamagedFileError(f"{path}: damaged (its header is not as it was written)")
        raise CheckpointError(f"{path}: a safetensors file, but not a lincoln checkpoint")
    return header


def _check_checksum(path: Path, file: BinaryIO, header: Header) -> None:
    """Raise DamagedFileError unless the header's checksum is that of the file, which stands at the end of its header."""
    checksum = header.metadata.get("checksum", "").encode()
    place = header.content.find(checksum)
    if len(checksum) != 64 or place < 0:
        raise DamagedFileError(f"{path}: damaged (its checksum is not where it belongs)")
    found = hashlib.sha256(header.content[:place] + _ZEROS.encode() + header.content[place + 64 :])
    for block in blocks(file):
        found.update(block)
    if found.hexdigest().encode() != checksum:
        raise DamagedFileError(f"{path}: damaged (its checksum is not that of its content)")


def _state(text: str) -> dict[str, Any]:
    state = json.loads(text)
    if not isinstance(state, dict):
        raise ValueError("its state is no table")
    return state


def _resolved(path: Path) -> Path:
    """Return where to write: a symbolic link stays one, and the file that it names is written.

    Raises CheckpointError for what no file can take the place of.
    """
    try:
        path = path.resolve()
        if path.exists() and not path.is_file():
            raise CheckpointError(f"{path}: could not be written (expected a regular file, or none, in its place)")
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(f"{path}: could not be written ({error.strerror})") from error
    except (RuntimeError, ValueError) as error:  # a circle of links; a path that holds a 0
        raise CheckpointError(f"{path}: could not be written ({error})") from error
    return path


def _replace(path: Path, content: bytearray) -> None:
    """Put a file with this content, synced to the disk, in the place of `path`. No error leaves a temporary file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}.{secrets.token_hex(3)}."
    try:
        try:
            _write_beside(path, prefix, content)
        except BaseException:
            _remove(path.parent, prefix)
            raise
    except BaseException:
        _remove(path.parent, prefix)  # again, for an interrupt in the midst of the first
        raise


def _write_beside(path: Path, prefix: str, content: bytearray) -> None:
    """Write a temporary file, whose name starts with `prefix`, and put it in the place of `path`."""
    descriptor, temporary = tempfile.mkstemp(prefix=prefix, suffix=".tmp", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        os.chmod(temporary, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _remove(folder: Path, prefix: str) -> None:
    """Remove the files in a folder whose names start so. The names are not known if making one was interrupted."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(prefix):
                os.unlink(folder / name)


def _umask() -> int:
    """Return the permissions that new files do not get. Only Linux tells them without a change to them."""
    with contextlib.suppress(OSError), open("/proc/self/status") as status:
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """Sync a folder to the disk, so that a rename in it outlasts a loss of power. Windows has no such call."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
