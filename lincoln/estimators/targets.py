"""What targets and predictions are: classes, or numbers."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin, RegressorMixin, _fit_context
from sklearn.metrics import accuracy_score, r2_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels
from sklearn.utils.validation import column_or_1d, validate_data
from torch import Tensor

from lincoln._util.checks import as_tensor, to_numpy
from lincoln.estimators.base import NetworkEstimator

_FLOATS = (np.float64, np.float32)


def _learns_in_steps(estimator: Any) -> bool:
    return bool(estimator._check_solver())


class ClassifierPart(ClassifierMixin, NetworkEstimator):  # type: ignore[misc]
    """Two classes, several, or several labels an example."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"class_weight": [dict, list, StrOptions({"balanced"}), None]}
    _label_binarizer: LabelBinarizer

    @available_if(_learns_in_steps)  # type: ignore[untyped-decorator]
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """One epoch over these data, of any number, from where the last fit ended: for data that come piece by piece.

        `classes`, all that there will be, are required in the first call. Errors are those of `fit`.
        """
        with self._unchanged_if_it_fails():
            if _check_partial_fit_first_call(self, classes):
                several = type_of_target(y).startswith("multilabel")
                self._label_binarizer = LabelBinarizer().fit(y if several else classes)
            return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Any:
        """The likeliest class of each example, (n,); with several labels 1 where p > 1/2, (n, n_labels)."""
        return self._decode(self._decide(self._predictions(X)))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes in the order of `classes_`, (n, n_classes); with several labels each alone."""
        p = self._predictions(X)
        return np.hstack([1 - p, p]) if p.shape[1] == 1 else p

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """log(predict_proba(X))."""
        p = self.predict_proba(X)
        return np.log(p, out=p)  # type: ignore[no-any-return]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = True
        return tags

    # ---- Hooks

    def _validated(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        X, y = validate_data(self, X, y, accept_sparse="csr", multi_output=True, dtype=_FLOATS, reset=reset)
        return X, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _learn_labels(self, y: Any, incremental: bool) -> None:
        """Note what classes there are, or see that there are no others."""
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
            return
        found = unique_labels(y)
        if self.warm_start and set(found) != set(self.classes_):
            raise ValueError(
                f"warm_start can only be used where `y` has the same classes as in the previous call to fit. Previously "
                f"got {self.classes_}, `y` has {found}"
            )
        self._refuse_others(found)

    def _refuse_unknown(self, y: Any) -> None:
        self._refuse_others(unique_labels(y))

    def _refuse_others(self, found: np.ndarray) -> None:
        if len(np.setdiff1d(found, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {found}."
            )

    @property
    def _kind(self) -> str:
        """What scikit-learn calls these labels: binary, multiclass or multilabel-indicator."""
        return str(self._label_binarizer.y_type_)

    def _encode(self, y: Any) -> Tensor:
        if self._kind == "multilabel-indicator":
            indicators = self._label_binarizer.transform(y)
            return torch.from_numpy(
                (indicators.toarray() if issparse(indicators) else indicators).astype(bool).astype(np.float64)
            )
        return torch.from_numpy(np.searchsorted(self.classes_, y))

    def _outputs_for(self, targets: Tensor) -> int:
        if self._kind == "multilabel-indicator":
            return int(targets.shape[1])
        return len(self.classes_) if self._kind == "multiclass" else 1

    def _class_weights(self, y: np.ndarray, incremental: bool) -> np.ndarray | None:
        if self.class_weight is None:
            return None
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight 'balanced' is not supported by partial_fit, which does not see all of the data: use "
                "compute_class_weight('balanced', classes=classes, y=y) and pass its weights as a dict"
            )
        return np.asarray(compute_sample_weight(self.class_weight, y), dtype=np.float64)

    def _score_of(self, targets: Tensor, predictions: Tensor, weights: Tensor | None) -> float:
        p = to_numpy(predictions)
        if not np.isfinite(p).all():
            return float("nan")
        truth = to_numpy(targets)
        return float(
            accuracy_score(
                truth[:, 0] if truth.ndim == 2 and truth.shape[1] == 1 else truth,
                self._decide(p),
                sample_weight=None if weights is None else to_numpy(weights),
            )
        )

    def _decide(self, p: np.ndarray) -> np.ndarray:
        """Numbers of classes, or indicators."""
        if self._kind == "multilabel-indicator":
            return (p > 0.5).astype(int)
        return p.argmax(1) if p.shape[1] > 1 else (p[:, 0] > 0.5).astype(int)

    def _decode(self, decided: np.ndarray) -> Any:
        if self._kind == "multilabel-indicator":
            return self._label_binarizer.inverse_transform(decided)
        return self.classes_[np.minimum(decided, len(self.classes_) - 1)]

    def _strata(self, targets: Tensor) -> np.ndarray | None:
        return to_numpy(targets).ravel() if self._kind == "binary" else None


class RegressorPart(RegressorMixin, NetworkEstimator):  # type: ignore[misc]
    """One number an example, or several."""

    @available_if(_learns_in_steps)  # type: ignore[untyped-decorator]
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One epoch over these data, of any number, from where the last fit ended: for data that come piece by piece.

        Errors are those of `fit`.
        """
        with self._unchanged_if_it_fails():
            return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> np.ndarray:
        """Predictions, (n,), or (n, n_outputs) for more than one output."""
        p = self._predictions(X)
        return p[:, 0] if p.shape[1] == 1 else p

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # ---- Hooks

    def _validated(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        X, y = validate_data(self, X, y, accept_sparse="csr", multi_output=True, y_numeric=True, dtype=_FLOATS, reset=reset)
        return X, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _encode(self, y: np.ndarray) -> Tensor:
        if y.dtype.kind not in "biuf":
            raise TypeError(f"y has dtype {y.dtype}; a regressor's targets are numbers")
        targets = as_tensor("y", y.astype(np.float64) if y.dtype.kind == "f" and y.dtype.itemsize > 8 else y)
        return targets.unsqueeze(-1) if targets.dim() == 1 else targets

    def _learn_labels(self, y: np.ndarray, incremental: bool) -> None:
        pass

    def _refuse_unknown(self, y: np.ndarray) -> None:
        pass

    def _outputs_for(self, targets: Tensor) -> int:
        return int(targets.shape[1])

    def _class_weights(self, y: np.ndarray, incremental: bool) -> None:
        return None

    def _score_of(self, targets: Tensor, predictions: Tensor, weights: Tensor | None) -> float:
        p = to_numpy(predictions)
        if not np.isfinite(p).all():
            return float("nan")
        return float(r2_score(to_numpy(targets), p, sample_weight=None if weights is None else to_numpy(weights)))

    def _strata(self, targets: Tensor) -> None:
        return None
