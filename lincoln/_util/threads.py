"""One thread for what is too small to share: two threads then mostly wait for each other.

torch's number of threads is changed for a single call and restored after it, so that a program's own setting stays. To ask
and to change it costs a fraction of a microsecond. Nothing is changed while torch.compile traces.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from torch import get_num_threads, set_num_threads
from torch.compiler import is_dynamo_compiling

D = TypeVar("D")
P = ParamSpec("P")
R = TypeVar("R")

SMALL = 2**23
"""Multiplications in one product from which a second thread saves time."""
PER_NUMBER = 4
"""Multiplications that take as long as another operation on one number."""


def on_one(function: Callable[[D], R], argument: D) -> R:
    """Return function(argument), run on one thread."""
    before = get_num_threads()
    try:
        try:
            set_num_threads(1)
            return function(argument)
        finally:
            set_num_threads(before)
    except BaseException:
        set_num_threads(before)  # again, for an interrupt just before the first
        raise


def on_few(numbers: int, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Return function(...), run on one thread if its operations are on so few numbers that sharing them takes longer."""
    if is_dynamo_compiling() or get_num_threads() == 1 or numbers * PER_NUMBER >= SMALL:
        return function(*args, **kwargs)
    return on_one(lambda _: function(*args, **kwargs), None)
