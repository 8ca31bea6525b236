"""Tables, sizes, places and long things as text."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def rendered(thing: Any, width: int = 110) -> str:
    """Return what rich prints of `thing`, without colours, at most `width` characters a line."""
    from rich.console import Console

    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(thing)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().rstrip().splitlines())


def shown(value: object, most: int = 80) -> str:
    """Return the `repr` of a value for an error message, cut off after `most` characters; its class, if it has none."""
    try:
        return f"{value!r:.{most}}"
    except Exception:  # an integer of thousands of digits, or a class with a `__repr__` that fails
        return f"<{type(value).__name__}>"


def bytes_text(count: int) -> str:
    """Return a number of bytes in words: 512 B, 5.0 KiB, 2.3 MiB."""
    if count < 1024:
        return f"{count} B"
    size = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1024:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} TiB"


def short(value: Any, length: int = 80) -> str:
    """Return an error's words, or the repr of anything else, on one line of at most `length` characters."""
    text = " ".join((str(value) if isinstance(value, BaseException) else repr(value)).split())
    return text if len(text) <= length else f"{text[: length - 3]}..."


def few(items: Sequence[Any] | np.ndarray, most: int = 5, length: int = 40, between: str = ", ") -> str:
    """Return the first few items, and how many there are in all: `a, b, c, d, e and 4,995 more`."""
    shown = [str(item) if len(str(item)) <= length else f"{str(item)[: length - 3]}..." for item in items[:most]]
    more = len(items) - len(shown)
    return between.join(shown) + (f" and {more:,} more" if more > 0 else "")


def place(index: Iterable[Any]) -> str:
    """Return a place in an array for a message: 3, or (3, 1)."""
    where = tuple(int(one) for one in index)
    return str(where[0] if len(where) == 1 else where)


def listed(array: np.ndarray, most: int = 20) -> str:
    """Return an array as numpy prints it, or, if it is long, the first few of its values and how many there are."""
    return str(array) if array.size <= most and len(str(array)) <= 150 else f"[{few(array.ravel())}]"


def names_in(state: Iterable[Any]) -> str:
    """Return the names that a state holds, sorted, in brackets."""
    return f"[{few(sorted(map(repr, state)))}]"
