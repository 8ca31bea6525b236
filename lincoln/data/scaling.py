"""Features on one scale."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from lincoln._util.userdata import as_tensor
from lincoln.errors import DataError

Array = TypeVar("Array", np.ndarray, Tensor)


def standardize(features: Array, like: Array | None = None) -> Array:
    """Return (x - mean) / std for each column of the features, with mean and std of `like`, or of the features themselves.

    `standardize(new, like=training)` puts new data on the scale of the training data. std divides by n. A column that is
    constant in `like` becomes 0. Arrays give arrays, tensors give tensors, in the features' floating-point dtype. Raises
    DataError if the two differ in shape beyond the first dimension, or `like` is empty.
    """
    features = features if isinstance(features, Tensor) else np.asarray(features)
    reference = as_tensor("like", features if like is None else like).double()
    x = as_tensor("features", features).double()
    if x.shape[1:] != reference.shape[1:]:
        raise DataError(f"standardize: features have shape {tuple(x.shape)}, like has {tuple(reference.shape)}")
    if len(reference) == 0:
        raise DataError("standardize: no examples to take the mean and standard deviation of")
    constant = (reference == reference[0]).all(0)  # rounding can leave a constant column a std that is not 0
    std = torch.where(constant, torch.inf, reference.std(0, correction=0))
    scaled = (x - reference.mean(0)) / std
    if isinstance(features, Tensor):
        return scaled.to(features.dtype if features.is_floating_point() else torch.get_default_dtype())
    dtype = features.dtype if np.issubdtype(features.dtype, np.floating) else np.float64
    return scaled.numpy().astype(dtype)
