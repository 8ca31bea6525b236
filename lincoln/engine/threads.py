"""One thread for steps too small to share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lincoln._util.forks import ProcessLock, in_forked_children
from lincoln._util.threads import PER_NUMBER, SMALL
from lincoln.layers import Layer


def is_small(network: Layer, examples: int) -> bool:
    """Return True if every product of a step on so many examples, and its update, are too small to share between threads.

    False if a layer that learns has not run yet.
    """
    largest = max(layer.multiplications(examples) for _, layer in network.named_layers())
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return max(largest, PER_NUMBER * parameters) < SMALL


@contextmanager
def threads_for(network: Layer, examples: int) -> Iterator[None]:
    """Run the block on one thread if a step on so many examples `is_small`, else on as many as torch is set to.

    torch's own setting is restored at the end. Where runs overlap, each in its own Python thread, that is the setting
    before the first of them.
    """
    few = FewThreads()
    try:
        try:
            few.enter(network, examples)
            yield
        finally:
            few.leave()
    except BaseException:
        few.leave()  # again, for an interrupt in the midst of the first
        raise


class FewThreads:
    """`threads_for` as two calls. `leave` may be called again, and without `enter`."""

    def enter(self, network: Layer, examples: int) -> None:
        """Set torch to one thread if a step on so many examples `is_small`."""
        if is_small(network, examples):
            _threads.enter(self)

    def leave(self) -> None:
        """Restore torch's setting."""
        _threads.leave(self)


class _Threads:
    """Torch's number of threads, set to one for the runs under way."""

    def __init__(self) -> None:
        self._lock = ProcessLock()
        self._running: dict[FewThreads, int] = {}  # the runs under way, and their Python threads
        self._before = 1  # torch's setting before the first of them

    def enter(self, run: FewThreads) -> None:
        with self._lock.here:
            if not self._running:
                self._before = torch.get_num_threads()
            self._running[run] = threading.get_ident()
            torch.set_num_threads(1)

    def leave(self, run: FewThreads) -> None:
        """Restore torch's setting: 1 inside another run of this Python thread, else that before the first of all."""
        with self._lock.here:
            if run in self._running:
                nested = any(own == threading.get_ident() for other, own in self._running.items() if other is not run)
                # torch keeps the number for this Python thread and for those that start later
                torch.set_num_threads(1 if nested else self._before)
                del self._running[run]

    def forked(self) -> None:
        """In a forked child: of the runs under way only those of this Python thread are left, and one thread stays."""
        self._running = {run: own for run, own in self._running.items() if own == threading.get_ident()}
        self._before = 1
        torch.set_num_threads(1)


_threads = _Threads()
in_forked_children(_threads.forked)  # torch's other threads do not live on in the child: it would wait for them for ever
