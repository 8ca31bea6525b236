"""What a fit shows while it runs."""

from __future__ import annotations

from collections.abc import Callable

from lincoln._util.settings import AT_LEAST_ONE, setting
from lincoln.callbacks import Callback
from lincoln.callbacks.display import LinePrinter, ProgressDisplay, on_terminal


def displays(print_every: int | None, progress: bool | None, lines: Callable[[int], LinePrinter]) -> list[Callback]:
    """Return the displays: `lines(print_every)` unless that is None or 0, and a progress bar on a terminal."""
    shown: list[Callback] = []
    if print_every:
        shown.append(lines(setting("fit", "print_every", print_every, AT_LEAST_ONE)))
    if progress is not False and on_terminal():
        shown.append(ProgressDisplay())
    return shown
