"""One run at a time in a checkpoint folder."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from lincoln._util.forks import ProcessLock, in_forked_children
from lincoln.errors import CheckpointError

_HELD_BY_ANOTHER = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}


class FolderLock:
    """The right to write in a folder, which one run at a time has, whatever its process; it ends with the process.

    It is `flock` on the folder itself, so no file is left. Where that is not to be had (Windows, some network disks), only
    runs of one process exclude each other.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key: tuple[int, int] | None = None
        self._descriptor: int | None = None

    def take(self) -> None:
        """Make the folder if need be, and take it. Raises CheckpointError if another run has it, or it cannot be made."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            status = self.folder.stat()
            self._key = status.st_dev, status.st_ino
            with _registry.here:
                if _taken.setdefault(self._key, self) is not self:
                    raise BlockingIOError(errno.EWOULDBLOCK, "taken by a run of this process")
            self._flock()
        except BlockingIOError as error:
            self.release()
            raise CheckpointError(
                f"{self.folder}: another run is saving its checkpoints there: wait until it has ended, or choose another "
                f"checkpoint_folder"
            ) from error
        except OSError as error:
            self.release()
            raise CheckpointError(f"{self.folder}: cannot be used as checkpoint_folder ({error})") from error
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give the folder up, if this lock has it. May be called again."""
        self._close(unlock=True)
        with _registry.here:
            if self._key is not None and _taken.get(self._key) is self:
                del _taken[self._key]

    def forked(self) -> None:
        """In a forked child: close the folder, which the parent keeps."""
        self._close(unlock=False)

    def _flock(self) -> None:
        try:
            import fcntl
        except ImportError:
            return
        self._descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _HELD_BY_ANOTHER:
                raise BlockingIOError(error.errno, "taken by another process") from error
            # any other error: this disk has no such locks

    def _close(self, unlock: bool) -> None:
        descriptor = self._descriptor
        if descriptor is None:
            return
        if unlock:
            import fcntl

            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        self._descriptor = None
        os.close(descriptor)


_registry = ProcessLock()
_taken: dict[tuple[int, int], FolderLock] = {}  # by device and inode of the folder


def _forked() -> None:
    for lock in _taken.values():
        lock.forked()
    _taken.clear()


in_forked_children(_forked)
