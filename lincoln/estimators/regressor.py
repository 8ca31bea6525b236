"""The methods that only regressors have."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils.metaestimators import available_if

from lincoln._util.userdata import without_tensors
from lincoln.estimators.settings import learns_in_steps
from lincoln.estimators.targets import NumberTargets, Targets


class RegressorMethods(RegressorMixin):  # type: ignore[misc]  # scikit-learn has no types
    """For a `NetworkEstimator`: one number for each example, or several."""

    _target_kind: type[Targets] = NumberTargets
    _targets: Any  # NumberTargets; mypy expects one type in all base classes

    @available_if(learns_in_steps)  # type: ignore[untyped-decorator]
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch on these data, of any number, from where the last fit ended: for data that come in parts.

        Raises what `fit` raises.
        """
        with self._unchanged_on_failure():
            self._fit(X, y, sample_weight, incremental=True)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions, (n,), or (n, n_outputs) for more than one output."""
        decided = self._predictions(X, lambda encoding, p: encoding.decide(p))
        labels: np.ndarray = self._targets.labels(decided)
        return labels

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R^2 of `predict(X)`, weighted by `sample_weight`."""
        y, weights = without_tensors("y", y), without_tensors("sample_weight", sample_weight)
        return float(super().score(X, y, weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _targets_of(self, y: Any, incremental: bool) -> NumberTargets:
        continues = hasattr(self, "network_") and (self.warm_start or incremental)
        targets: NumberTargets = self._targets if continues else NumberTargets(y)
        return targets
