"""What a process forked from this one needs: `multiprocessing` with start method "fork", joblib, preforking servers."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


def in_forked_children(call: Callable[[], None]) -> None:
    """Call `call` in every child that is forked from now on, before anything else runs there."""
    if hasattr(os, "register_at_fork"):  # Windows has no fork
        os.register_at_fork(after_in_child=call)


class ProcessLock:
    """`with lock.here:` lets one thread of this process in at a time, and again the thread that is inside.

    A forked child starts with a new lock: the thread that held the old one does not exist there, and would never open it.
    """

    def __init__(self) -> None:
        self._renew()
        in_forked_children(self._renew)

    def _renew(self) -> None:
        self.here = threading.RLock()
