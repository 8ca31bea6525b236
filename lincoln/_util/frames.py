"""Frames, of pandas, polars or anything built like them: their columns and the names of these. None of them is imported."""

from __future__ import annotations

from typing import Any

from lincoln._util.text import few
from lincoln.errors import DataError

Names = tuple[str, ...]


def is_frame(data: Any) -> bool:
    """Return True for a frame of pandas or polars, or one built like them."""
    return (hasattr(data, "iloc") or hasattr(data, "get_columns")) and hasattr(data, "columns")


def is_mixed(frame: Any) -> bool:
    """Return True if the columns of a frame have more than one dtype."""
    return len(set(map(str, frame.dtypes))) > 1


def columns_of(frame: Any) -> list[tuple[Any, Any]]:
    """Return name and values of each column of a frame."""
    if hasattr(frame, "iloc"):  # by place, because pandas' names may repeat
        return [(title, frame.iloc[:, place]) for place, title in enumerate(frame.columns)]
    return [(column.name, column) for column in frame.get_columns()]


def names_of(data: Any) -> Names | None:
    """Return the names of a frame's columns; None if it is no frame or they are not all strings."""
    titles = list(data.columns) if is_frame(data) else []
    return tuple(map(str, titles)) if titles and all(isinstance(title, str) for title in titles) else None


def refuse_other_names(name: str, found: Names | None, known: Names | None) -> None:
    """Raise DataError, in scikit-learn's words, if both have names and these differ, or come in another order."""
    if found is None or known is None or found == known:
        return
    unseen, missing = sorted(set(found) - set(known)), sorted(set(known) - set(found))
    reasons = [
        f"Feature names unseen at fit time: {few(unseen)}." if unseen else "",
        f"Feature names seen at fit time, yet now missing: {few(missing)}." if missing else "",
        "" if unseen or missing else "Feature names must be in the same order as they were in fit: use frame[names].",
    ]
    raise DataError(
        f"{name}: The feature names should match those that were passed during fit. {' '.join(filter(None, reasons))}"
    )
