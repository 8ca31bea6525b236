"""The parameters that all estimators have: their ranges, and dtypes by their many names."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, InvalidParameterError, Options, StrOptions

from lincoln._util.text import short
from lincoln.callbacks import Callback
from lincoln.errors import ArgumentError

CONSTRAINTS: dict[str, list[Any]] = {
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "validation_data": [None, tuple, list],
    "callbacks": [None, tuple, list],
    "gradient_clip": [None, Interval(Real, 0, None, closed="neither")],
    "device": [None, str, torch.device],
    "dtype": [None, str, type, np.dtype, torch.dtype],
}
"""What scikit-learn checks the parameters against, by name."""

CLASS_CONSTRAINTS: dict[str, list[Any]] = {"class_weight": [dict, list, StrOptions({"balanced"}), None]}
"""The same for the parameters that only classifiers have."""

_DTYPES = {"float32": torch.float32, "float64": torch.float64}


def torch_dtype(given: Any) -> torch.dtype | None:
    """Return float32 or float64 as a dtype of torch, from any of its names; None for None. Raises ArgumentError."""
    if given is None:
        return None
    try:
        name = np.dtype(str(given).removeprefix("torch.") if isinstance(given, torch.dtype) else given).name
    except TypeError:
        name = str(given)
    if name not in _DTYPES:
        raise ArgumentError(f"dtype is {short(given)}; expected float32 or float64, or None for that of X")
    return _DTYPES[name]


def checked_callbacks(callbacks: Any) -> list[Callback]:
    """Return `callbacks` as a list. Raises InvalidParameterError for anything that is no Callback."""
    for callback in callbacks or ():
        if not isinstance(callback, Callback):
            raise InvalidParameterError(f"callbacks holds {short(callback)}; expected instances of lincoln.Callback")
    return list(callbacks or ())


def learns_in_steps(estimator: Any) -> bool:
    """Return True if the estimator has `partial_fit`. Raises AttributeError, with the reason, if it has not."""
    if getattr(estimator, "solver", None) == "lbfgs":
        raise AttributeError("partial_fit is only available for stochastic optimizers. lbfgs is not stochastic.")
    return True
