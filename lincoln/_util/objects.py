"""Numbers that came as objects: nullable columns, Decimal, Fraction, bools beside numbers, large integers."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np

from lincoln._util.text import place, short
from lincoln.errors import DataError

_TEXT = (str, bytes)
_DATES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)
_NUMBERS = (Real, Decimal, np.bool_, type(None))
_MISSING = ("NAType", "NaTType")  # the types of pandas' NA and NaT


def numbers(name: str, array: np.ndarray, column: Any = None) -> np.ndarray:
    """Return objects that are numbers as bool, int64 or float64, with NaN for what is missing.

    Raises DataError, with the first of them and its place, for objects that are no real numbers.
    """
    values = [value.item() if getattr(value, "shape", None) == () else value for value in array.ravel()]
    kinds = set(map(type, values))
    wrong = {one for one in kinds if not (issubclass(one, _NUMBERS) or one.__name__ in _MISSING)}
    if wrong:
        index = next(index for index, value in enumerate(values) if type(value) in wrong)
        where = place(np.unravel_index(index, array.shape))
        raise not_numbers(name, array.dtype, what(values[index]), column, values[index], where)
    if kinds and kinds <= {bool}:
        return array.astype(bool)
    if kinds and all(issubclass(one, int) for one in kinds):
        return _integers(values, array.shape)
    return np.array([_float(value) for value in values], dtype=np.float64).reshape(array.shape)


def is_missing(value: Any) -> bool:
    """Return True for None, NaN of any kind, and pandas' NA and NaT."""
    if value is None or type(value).__name__ in _MISSING:
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, Real) and bool(value != value)


def what(value: Any) -> str:
    """Return in words what a value is."""
    if isinstance(value, _TEXT):
        return "text"
    if isinstance(value, _DATES):
        return "dates"
    if isinstance(value, complex | np.complexfloating):
        return "complex numbers"
    return "numbers" if isinstance(value, _NUMBERS) else f"objects ({type(value).__name__})"


def not_numbers(name: str, dtype: Any, kind: str, column: Any, first: Any, where: str) -> DataError:
    """Return the error for data that are no real numbers: their kind, the first such value and its place."""
    found = f", the first {short(first)} at {where}" if where else ""
    cure = "use .real and .imag" if kind == "complex numbers" else "encode or drop such columns"
    if column is not None:
        return DataError(f"{name}: column {short(column)} holds {kind}{found.replace(' at ', ' in row ')}; {cure}")
    return DataError(f"{name}: dtype {str(dtype)[:40]} holds no real numbers ({kind}{found}); {cure}")


def _integers(values: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    """Return integers as int64, or as float64 where one is larger than that."""
    try:
        return np.array(values, dtype=np.int64).reshape(shape)
    except OverflowError:
        return np.array([_float(value) for value in values], dtype=np.float64).reshape(shape)


def _float(value: Any) -> float:
    if is_missing(value):
        return math.nan
    try:
        return float(value)
    except OverflowError:  # an integer or a fraction beyond 1.8e308
        return math.inf if value > 0 else -math.inf
