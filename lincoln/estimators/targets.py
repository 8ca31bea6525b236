"""A user's y: classes, or numbers, by scikit-learn's rules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.metrics import accuracy_score, r2_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.multiclass import unique_labels
from torch import Tensor

from lincoln._util.text import listed
from lincoln._util.userdata import to_numpy
from lincoln.metrics import Metric
from lincoln.models.encoding import Classes, ClassNumbers, Encoding, Indicators, Numbers, SortedLabels


class Targets(ABC):
    """The encoding of y, and what scikit-learn's rules add to it. An instance never changes."""

    numeric: ClassVar[bool]
    """True if y has to hold numbers."""
    encoding: Encoding
    possible_outputs: tuple[int, ...]
    """The numbers of network outputs that can serve; the first is the usual one."""

    @abstractmethod
    def encode(self, y: Any) -> Tensor:
        """Return y as targets, (n,) or (n, n_outputs)."""

    def for_outputs(self, outputs: int) -> Self:
        """Return these targets for a network with so many outputs, one of `possible_outputs`."""
        return self

    def refuse_unknown(self, y: Any) -> None:
        """Raise ValueError for labels that the training data did not have."""

    def strata(self, targets: Tensor) -> np.ndarray | None:
        """Return the groups whose shares a split for early stopping keeps, (n,), or None."""
        return None

    @abstractmethod
    def score(self, targets: Tensor, prediction: Tensor, weights: np.ndarray | None) -> float:
        """Return the estimator's score of a network's prediction, with a weight for each example."""

    def metric(self, weights: Tensor | None) -> Metric:
        """Return `score`, with these weights, as a metric for a trainer: NaN if the prediction is not finite."""
        array = None if weights is None else to_numpy(weights)

        def score(targets: Tensor, prediction: Tensor) -> float:
            return self.score(targets, prediction, array) if bool(prediction.isfinite().all()) else float("nan")

        return score

    def labels(self, decided: Tensor) -> Any:
        """Return targets, such as those that a network's prediction was decided to be, as labels."""
        return self.encoding.decode(decided)


class NumberTargets(Targets):
    """One number for each example, or several."""

    numeric = True

    def __init__(self, y: np.ndarray) -> None:
        self.encoding = Numbers(_numbers(y))
        self.possible_outputs = (1 if y.ndim == 1 else y.shape[1],)

    def encode(self, y: np.ndarray) -> Tensor:
        targets = self.encoding.encode(_numbers(y), "y")
        return targets.unsqueeze(-1) if targets.dim() == 1 else targets

    def score(self, targets: Tensor, prediction: Tensor, weights: np.ndarray | None) -> float:
        return float(r2_score(to_numpy(targets), to_numpy(prediction), sample_weight=weights))


class ClassTargets(Targets):
    """Two classes, several, or several labels for each example.

    A class is predicted where p > 1/2, where `lincoln.models.Classifier` has p >= 1/2.
    """

    numeric = False
    encoding: Classes | Indicators

    def __init__(self, y: Any, classes: np.ndarray | None = None) -> None:
        """Learn the classes of y; `classes` is what `classes_` shows, if it is not that."""
        self._binarizer = LabelBinarizer().fit(y)
        known = self._binarizer.classes_
        self.classes = known if classes is None else classes
        self.kind = str(self._binarizer.y_type_)  # binary, multiclass or multilabel-indicator
        if self.several_labels:
            self.encoding = Indicators(ClassNumbers(np.dtype(int)), at_threshold=False)
            self.possible_outputs = (len(known),)
        else:
            self.encoding = Classes(SortedLabels(known), exclusive=self.kind == "multiclass", at_threshold=False)
            self.possible_outputs = (1, 2) if self.kind == "binary" else (len(known),)

    @property
    def several_labels(self) -> bool:
        """True if each example has several labels."""
        return self.kind == "multilabel-indicator"

    def for_outputs(self, outputs: int) -> Self:
        if isinstance(self.encoding, Indicators) or self.encoding.exclusive == (outputs > 1):
            return self
        other = copy(self)
        other.encoding = Classes(self.encoding.labels, exclusive=outputs > 1, at_threshold=False)
        return other

    def encode(self, y: Any) -> Tensor:
        if self.several_labels:
            indicators = self._binarizer.transform(y)
            y = (indicators.toarray() if issparse(indicators) else indicators).astype(bool).astype(np.float64)
        return self.encoding.encode(y, "y")

    def refuse_unknown(self, y: Any) -> None:
        self._refuse_others(unique_labels(y))

    def refuse_changed(self, y: Any, all_again: bool) -> None:
        """Raise ValueError for classes that are not known, or, if `all_again`, if known ones are missing."""
        found = unique_labels(y)
        if all_again and set(found) != set(self.classes):
            raise ValueError(
                f"warm_start can only be used where `y` has the same classes as in the previous call to fit. Previously "
                f"got {listed(self.classes)}, `y` has {listed(found)}"
            )
        self._refuse_others(found)

    def strata(self, targets: Tensor) -> np.ndarray | None:
        return to_numpy(targets).ravel() if self.kind == "binary" else None

    def labels(self, decided: Tensor) -> Any:
        labels = super().labels(decided)
        return self._binarizer.inverse_transform(labels) if self.several_labels else labels  # sparse if y was

    def score(self, targets: Tensor, prediction: Tensor, weights: np.ndarray | None) -> float:
        truth = targets[:, 0] if targets.dim() == 2 and targets.shape[1] == 1 else targets
        decided = self.encoding.decide(prediction)
        if decided.dim() == 2 and decided.shape[1] == 1:
            decided = decided[:, 0]
        return float(accuracy_score(to_numpy(truth), to_numpy(decided), sample_weight=weights))

    def _refuse_others(self, found: np.ndarray) -> None:
        if len(np.setdiff1d(found, self.classes, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {listed(self.classes)}. "
                f"'y' has {listed(found)}."
            )


def _numbers(y: np.ndarray) -> np.ndarray:
    """Return y in a dtype that torch has. Raises TypeError if it does not hold numbers."""
    if y.dtype.kind not in "biuf":
        raise TypeError(f"y has dtype {y.dtype}; expected numbers, which are what a regressor learns")
    return y.astype(np.float64) if y.dtype.kind == "f" and y.dtype.itemsize > 8 else y
