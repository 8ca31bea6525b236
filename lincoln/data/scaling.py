"""Features on one scale."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from lincoln._util.frames import names_of, refuse_other_names
from lincoln._util.text import place
from lincoln._util.threads import on_few
from lincoln._util.userdata import as_numbers, as_tensor
from lincoln.errors import DataError

Array = TypeVar("Array", np.ndarray, Tensor)
_SAFE = 400  # binary exponents between which squares neither overflow nor vanish


def standardize(features: Array, like: Array | None = None) -> Array:
    """Return (x - mean) / std for each column of the features, with mean and std of `like`, or of the features themselves.

    `standardize(new, like=training)` puts new data on the scale of the training data. std divides by n. A column that is
    constant in `like`, but for rounding, becomes 0. Missing values (NaN) stay where they are, and mean and std are those of
    the others. Arrays and frames give arrays, tensors give tensors, in the features' floating-point dtype.

    Raises DataError for infinite values, if the two differ in shape beyond the first dimension or in the names of columns,
    or if `like` is empty.
    """
    refuse_other_names("standardize", names_of(features), names_of(like))
    if not isinstance(features, Tensor):
        array = as_numbers("features", features)
        scaled = _scaled(as_tensor("features", array), None if like is None else as_tensor("like", like)).numpy()
        return scaled.astype(array.dtype if array.dtype.kind == "f" else np.float64)
    scaled = _scaled(as_tensor("features", features), None if like is None else as_tensor("like", like))
    return scaled.to(features.dtype if features.is_floating_point() else torch.get_default_dtype())


def _scaled(x: Tensor, like: Tensor | None) -> Tensor:
    """Return the standardized features in float64."""
    return on_few(x.numel(), _scaled_to, x, like)


def _scaled_to(x: Tensor, like: Tensor | None) -> Tensor:
    dtype = x.dtype if like is None else like.dtype
    reference = (x if like is None else like).double()
    x = reference if like is None else x.double()
    if x.shape[1:] != reference.shape[1:]:
        raise DataError(f"standardize: features have shape {tuple(x.shape)}, like has {tuple(reference.shape)}")
    if len(reference) == 0:
        raise DataError("standardize: no examples to take the mean and standard deviation of")
    _refuse_infinite("features", x)
    _refuse_infinite("like", reference)
    scale = _powers_of_two(reference)
    if scale is not None:
        x, reference = x * scale, reference * scale
    mean, std = _statistics(reference, torch.finfo(dtype).eps if dtype.is_floating_point else 0.0)
    return (x - mean) / std


def _statistics(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Return mean and std of each column, without what is NaN; std is infinite where rounding explains the spread.

    The rounding of n numbers of mean m explains var <= n e var + (n m e)^2, with e of float64 (scikit-learn's
    `_is_constant_feature`), and that of the numbers themselves a spread of one unit in the last place, |m| eps.
    """
    mean, std, n = x.mean(0), x.std(0, correction=0), float(len(x))
    count = torch.full_like(mean, n)
    missing = x.isnan()
    if missing.any():
        count = n - missing.sum(0).double()
        mean = x.nanmean(0)
        std = (x - mean).square().nanmean(0).sqrt()
    e = torch.finfo(torch.float64).eps
    var = std.square()
    constant = (x == x[0]).all(0) | (var <= count * e * var + (count * mean * e).square()) | (std <= mean.abs() * (eps / 2))
    return mean, torch.where(constant, torch.inf, std)


def _powers_of_two(x: Tensor) -> Tensor | None:
    """Return the factor for each column that brings its numbers near 1, exactly; None if their squares are safe anyway."""
    largest = x.abs().nan_to_num(0.0).amax(0).cpu().numpy()
    exponents = np.where(largest > 0, np.frexp(largest)[1], 0)
    if (np.abs(exponents) <= _SAFE).all():
        return None
    return torch.from_numpy(np.asarray(np.ldexp(1.0, -np.clip(exponents, -1000, 1000)))).to(x.device)


def _refuse_infinite(name: str, x: Tensor) -> None:
    infinite = x.isinf()
    if infinite.any():
        where = infinite.nonzero()[0].tolist()
        raise DataError(
            f"{name}: infinite values, the first ({x[tuple(where)].item()}) at {place(where)}: drop those rows or fill "
            f"them in before standardizing"
        )
