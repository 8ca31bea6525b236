"""One thread for steps too small to share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

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
    with _threads.one() if is_small(network, examples) else nullcontext():
        yield


class _Threads:
    """Torch's number of threads, set to one for the runs under way."""

    def __init__(self) -> None:
        self._lock = ProcessLock()
        self._running = 0  # runs under way, in all Python threads
        self._before = 1  # torch's setting before the first of them
        self._own = threading.local()  # .running: runs under way in this Python thread, one inside the other

    @contextmanager
    def one(self) -> Iterator[None]:
        """Set torch to one thread inside the block."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def forked(self) -> None:
        """In a forked child: of the runs under way only those of this Python thread are left, and one thread stays."""
        self._running, self._before = self._nested, 1
        torch.set_num_threads(1)

    @property
    def _nested(self) -> int:
        return int(getattr(self._own, "running", 0))

    def _enter(self) -> None:
        with self._lock.here:
            if self._running == 0:
                self._before = torch.get_num_threads()
            self._running += 1
            self._own.running = self._nested + 1
            torch.set_num_threads(1)

    def _leave(self) -> None:
        """Restore torch's setting: 1 inside another run, else that before the first."""
        with self._lock.here:
            self._running -= 1
            self._own.running -= 1
            # torch keeps the number for this Python thread and for those that start later
            torch.set_num_threads(1 if self._nested else self._before)


_threads = _Threads()
in_forked_children(_threads.forked)  # torch's other threads do not live on in the child: it would wait for them for ever
