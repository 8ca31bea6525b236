"""Axes, colours and grids that the plots share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lincoln._util.text import short
from lincoln.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
COLORS = (BLUE, VERMILLION, GREEN, PURPLE, "#E69F00", "#56B4E9", "#000000")
"""The palette of Okabe and Ito (2008), whose colours colour-blind readers can tell apart."""
MARKERS = "o^sDvPX"


def axes(ax: Axes | None) -> Axes:
    """Return `ax`, or the axes of a new figure for None.

    Raises ArgumentError for anything but one matplotlib Axes, and ModuleNotFoundError if matplotlib is missing.
    """
    try:
        import matplotlib.pyplot as plt
        from matplotlib.axes import Axes
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "matplotlib":
            raise
        raise ModuleNotFoundError(
            "lincoln.plots needs matplotlib: pip install lincoln-nn[plot]", name=error.name
        ) from error
    if ax is None:
        return plt.subplots(layout="constrained")[1]
    if not isinstance(ax, Axes):
        raise ArgumentError(f"ax is {short(ax)}; expected one matplotlib Axes, as plt.subplots() returns second, or None")
    return ax


def numbers_around(values: np.ndarray, count: int, margin: float) -> np.ndarray:
    """Return `count` evenly spaced numbers from below the smallest value to above the largest.

    The distance on either side is `margin` times the range of the values, or `margin` if they are all equal.
    """
    room = margin * (np.ptp(values) or 1.0)
    return np.linspace(values.min() - room, values.max() + room, count)


def grid_points(columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return every point (column, row), row by row, (len(rows) * len(columns), 2)."""
    points: np.ndarray = np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2)
    return points
