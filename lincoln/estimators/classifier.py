"""The methods that only classifiers have."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target

from lincoln._util.userdata import to_numpy, without_tensors
from lincoln.estimators.settings import learns_in_steps
from lincoln.estimators.targets import ClassTargets, Targets


class ClassifierMethods(ClassifierMixin):  # type: ignore[misc]  # scikit-learn has no types
    """For a `NetworkEstimator`: two classes, several, or several labels for each example."""

    classes_: np.ndarray
    _target_kind: type[Targets] = ClassTargets
    _targets: Any  # ClassTargets; mypy expects one type in all base classes

    @available_if(learns_in_steps)  # type: ignore[untyped-decorator]
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Train for one epoch on these data, of any number, from where the last fit ended: for data that come in parts.

        `classes`, all that there will be, are required in the first call. Raises what `fit` raises.
        """
        with self._unchanged_on_failure():
            y = without_tensors("y", y)
            if _check_partial_fit_first_call(self, classes):
                several = type_of_target(y).startswith("multilabel")
                self._targets = ClassTargets(y if several else classes, self.classes_)
            self._fit(X, y, sample_weight, incremental=True)
        return self

    def predict(self, X: Any) -> Any:
        """Return the likeliest class of each example, (n,); with several labels 1 where p > 1/2, (n, n_labels)."""
        decided = self._predictions(X, lambda encoding, p: encoding.decide(p))
        return self._targets.labels(decided)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities of the classes in the order of `classes_`, (n, n_classes), or of each label."""
        return to_numpy(self._predictions(X, lambda encoding, p: encoding.probabilities(p)))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return log(predict_proba(X))."""
        p = self.predict_proba(X)
        return np.log(p, out=p)  # type: ignore[no-any-return]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy of `predict(X)`, weighted by `sample_weight`; all labels of an example must be right."""
        y, weights = without_tensors("y", y), without_tensors("sample_weight", sample_weight)
        return float(super().score(X, y, weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = True
        return tags

    def _targets_of(self, y: Any, incremental: bool) -> ClassTargets:
        if hasattr(self, "classes_") and (self.warm_start or incremental):
            targets: ClassTargets = self._targets
            targets.refuse_changed(y, all_again=self.warm_start)
            return targets
        targets = ClassTargets(y)
        self.classes_ = targets.classes
        return targets
