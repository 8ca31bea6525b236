"""Tables and sizes as text."""

from __future__ import annotations

import io
from typing import Any


def rendered(thing: Any, width: int = 110) -> str:
    """Return what rich prints of `thing`, without colours, at most `width` characters a line."""
    from rich.console import Console

    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(thing)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().rstrip().splitlines())


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
