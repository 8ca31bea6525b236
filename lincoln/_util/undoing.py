"""What must be undone, whatever happens, is undone: also after Ctrl-C at any instant."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def surely(body: Callable[[], T], undo: Callable[[], None]) -> T:
    """Return `body()`, and call `undo` after it, whatever it raises.

    `undo` must bear to be called again, and where `body` has not begun: if an interrupt cuts it off, it is called again.
    A `with` block cannot promise that: an interrupt may fall between its end and its `__exit__`, or into that. What `undo`
    raises after an error of `body` becomes a note to that error.
    """
    try:
        try:
            result = body()
        except BaseException as error:
            _undo_after(error, undo)
            raise
        undo()
        return result
    except BaseException:
        undo()
        raise


def _undo_after(error: BaseException, undo: Callable[[], None]) -> None:
    try:
        undo()
    except Exception as second:
        error.add_note(f"After this, cleaning up failed too: {type(second).__name__}: {second}")


def is_interrupt(error: BaseException | None) -> bool:
    """Return True for what is no fault of the work at hand: Ctrl-C, the program's end, no memory; also as a cause."""
    return error is not None and (
        not isinstance(error, Exception) or isinstance(error, MemoryError) or is_interrupt(error.__cause__)
    )
