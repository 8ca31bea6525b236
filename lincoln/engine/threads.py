"""How many threads a run should use."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lincoln.layers import Layer

SMALL = 2**23
"""Multiplications in one product from which a second thread pays. Below it threads wait for each other: a step of a
64-100-10 network at 200 examples took 1.2 times as long on two threads as on one, and 6 times while other programs ran
(float64, 2 cores). Such steps are also those in which Python's share is worth saving (`lincoln.engine.replay`)."""


_lock = threading.Lock()
_running = 0
_before = 1
_own = threading.local()


@contextmanager
def threads_for(network: Layer, examples: int) -> Iterator[None]:
    """One thread inside, if the products of a step on so many examples are too small to share; else as many as there are.

    Only networks of linear layers are judged. torch's own setting is put back at the end; where runs overlap, which are
    in Python threads of their own, it is the one before the first of them.
    """
    if largest_product(network, examples) >= SMALL:
        yield
        return
    after = _enter()
    try:
        yield
    finally:
        _leave(after)


def _enter() -> int:
    """One thread from here on. Returns the number to set afterwards: 1 inside another run, else that before the first."""
    global _running, _before
    with _lock:
        if _running == 0:
            _before = torch.get_num_threads()
        _running += 1
        after = 1 if _inside() else _before  # a run inside a run, from a callback: the outer one goes on with one
        _own.running = _inside() + 1
        torch.set_num_threads(1)
        return after


def _leave(after: int) -> None:
    global _running
    with _lock:
        _running -= 1
        _own.running -= 1
        torch.set_num_threads(after)  # torch has it for this thread, and for threads yet to come


def _inside() -> int:
    """Runs under way in this Python thread that have one thread."""
    return int(getattr(_own, "running", 0))


def largest_product(network: Layer, examples: int) -> float:
    """Return the multiplications in it; infinity if a layer that learns cannot say."""
    return max(layer.multiplications(examples) for _, layer in network.named_layers())
