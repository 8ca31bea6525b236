"""Weights of examples: the user's own, and those of their classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lincoln._util.settings import FINITE_NON_NEGATIVE, setting, unexpected
from lincoln._util.userdata import as_tensor, check_numbers, same_length
from lincoln.errors import DataError
from lincoln.models.encoding.labels import label_array

_EXPECTED = "None, 'balanced', or a dict of class to weight"


def example_weights(x: Tensor, sample_weight: Any, by_class: Tensor | None) -> Tensor | None:
    """Return the weight of each example of features `x`, its own times its class's, (n,); None if all weigh 1."""
    own = sample_weights("sample_weight", sample_weight, x)
    if by_class is None:
        return own
    same_length(features=x, labels=by_class)
    return sample_weights("class_weight", by_class if own is None else own.cpu() * by_class, x)


def sample_weights(name: str, given: Any, like: Tensor) -> Tensor | None:
    """Return the weight of each example, (n,), in the dtype and on the device of `like`; None for None.

    Raises DataError, with the place, unless there is a finite number of at least 0 for each example, one of them above 0.
    """
    if given is None:
        return None
    weights = as_tensor(name, given)
    if weights.shape not in ((len(like),), (len(like), 1)):
        raise DataError(f"{name}: shape {tuple(weights.shape)}; expected one weight for each of {len(like)} examples")
    weights = weights.reshape(-1).to(like)
    check_numbers(name, weights)
    if (weights < 0).any():
        place = int((weights < 0).nonzero()[0])
        raise DataError(f"{name}: {weights[place].item():g} at {place}; expected weights of at least 0")
    if not weights.any():
        raise DataError(f"{name}: all weights are 0, so there is nothing to learn from; expected some above 0")
    return weights


def class_weights(labels: Any, class_weight: Any) -> Tensor | None:
    """Return the weight of each example's class, (n,) in float64; None for None.

    "balanced" weighs each of k classes with n_c of n examples n / (k n_c), as scikit-learn does, so that all classes count
    the same. A dict holds weights by class, as the labels name it; a class that it does not name weighs 1. Raises
    ArgumentError for anything else, DataError for a class that the labels do not have, or for several labels an example.
    """
    if class_weight is None:
        return None
    array = label_array("labels", labels)
    if array.ndim != 1 and array.shape != (len(array), 1):
        raise DataError(
            f"class_weight: labels have shape {array.shape}; expected (n,), one class for each example: use sample_weight"
        )
    classes, place, counts = np.unique(array.reshape(-1), return_inverse=True, return_counts=True)
    if isinstance(class_weight, str) and class_weight == "balanced":
        weights = len(array) / (len(classes) * counts)
    elif isinstance(class_weight, Mapping):
        weights = _by_class(class_weight, classes)
    else:
        raise unexpected("fit", "class_weight", class_weight, _EXPECTED)
    return torch.from_numpy(weights[place.reshape(-1)])


def _by_class(given: Mapping[Any, Any], classes: np.ndarray) -> np.ndarray:
    weights = np.ones(len(classes))
    places = {label: number for number, label in enumerate(classes.tolist())}
    for label, weight in given.items():
        if label not in places:
            shown = ", ".join(f"{name!r:.40}" for name in list(places)[:5])
            raise DataError(
                f"class_weight: {label!r:.100} is no class of the labels ({shown}{', ...' if len(places) > 5 else ''})"
            )
        weights[places[label]] = setting("fit", f"class_weight[{label!r:.40}]", weight, FINITE_NON_NEGATIVE)
    return weights
