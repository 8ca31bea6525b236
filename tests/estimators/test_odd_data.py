"""Data that scikit-learn would read wrongly, or fail on without saying where."""

import numpy as np
import pandas as pd
import pytest
import torch
from estimator_cases import BINARY, X, each_kind, ours, quietly, y_for

from lincoln.errors import DataError

MASK = np.zeros(X.shape, dtype=bool)
MASK[3, 1] = True
REFUSED = {
    "masked": (np.ma.array(X, mask=MASK), r"X: masked values, the first at \(3, 1\)"),
    "a list of masked rows": (list(np.ma.array(X, mask=MASK)), r"X: masked values, the first at \(3, 1\)"),
    "sparse tensors": (torch.tensor(X).to_sparse(), "X: a sparse tensor .*scipy's sparse matrices"),
    "complex tensors": (torch.tensor(X) * 1j, "X: dtype torch.complex128 holds no real numbers"),
    "meta tensors": (torch.tensor(X).to("meta"), "X: a tensor on the meta device"),
    "a column of text": (pd.DataFrame(X).assign(t="x"), "X: column 't' holds text, the first 'x' in row 0"),
    "a column of dates": (pd.DataFrame(X).assign(t=pd.Timestamp(0)), "X: column 't' holds dates"),
}


@pytest.mark.parametrize("case", REFUSED)
@each_kind
def test_features_that_hold_no_numbers(kind, case):
    features, message = REFUSED[case]
    if "column" in case:  # named columns, which only their own fit has seen
        with pytest.raises(DataError, match=message):
            ours(kind).fit(features.rename(columns=str), y_for(kind))
        return
    fitted = quietly(ours(kind).fit, X, y_for(kind))
    for use in (ours(kind).fit, fitted.partial_fit, fitted.score):
        with pytest.raises(DataError, match=message):
            use(features, y_for(kind))
    with pytest.raises(DataError, match=message):
        fitted.predict(features)


@each_kind
def test_masked_targets_and_weights(kind):
    estimator = ours(kind)
    masked = np.ma.array(y_for(kind), mask=MASK[:, 1])
    weights = np.ma.array(np.ones(60), mask=MASK[:, 1])
    with pytest.raises(DataError, match="y: masked values, the first at 3"):
        estimator.fit(X, masked)
    with pytest.raises(DataError, match="sample_weight: masked values, the first at 3"):
        estimator.fit(X, y_for(kind), weights)
    quietly(estimator.fit, X, y_for(kind))
    with pytest.raises(DataError, match="y: masked values, the first at 3"):
        estimator.score(X, masked)
    with pytest.raises(DataError, match="sample_weight: masked values, the first at 3"):
        estimator.score(X, y_for(kind), weights)


@pytest.mark.parametrize(
    "form",
    [
        lambda x: torch.tensor(x, requires_grad=True),
        lambda x: torch.tensor(x).bfloat16(),
        lambda x: [torch.tensor(row, requires_grad=True) for row in x],
        lambda x: x.astype(np.longdouble),
        lambda x: np.ma.array(x),
    ],
    ids=["with gradients", "bfloat16", "a list of tensors", "long doubles", "a mask that hides nothing"],
)
@each_kind
def test_numbers_of_unusual_forms_are_taken(kind, form):
    estimator = quietly(ours(kind).fit, form(X), form(y_for(kind)) if "Regressor" in kind else y_for(kind))
    assert np.isfinite(estimator.predict(form(X))).all()
    assert np.isfinite(estimator.score(form(X), form(y_for(kind)) if "Regressor" in kind else y_for(kind)))


@pytest.mark.parametrize("weight", [np.nan, np.inf, -np.inf, None, "1"])
@pytest.mark.parametrize("kind", ["MLPClassifier", "NetworkClassifier"])
def test_class_weights_that_are_no_numbers(kind, weight):
    for method in ("fit", "partial_fit"):
        more = {"classes": [0, 1]} if method == "partial_fit" else {}
        estimator = ours(kind, class_weight={0: 1.0, 1: weight})
        with pytest.raises(ValueError, match=f"class_weight holds {weight!r}; expected a finite number"):
            getattr(estimator, method)(X, BINARY, **more)
        assert not hasattr(estimator, "network_")


def test_weights_whose_product_overflows():
    estimator = ours("MLPClassifier", class_weight={0: 1e200, 1: 1.0})
    with pytest.raises(ValueError, match="sample_weight times class_weight is not finite"), np.errstate(over="ignore"):
        estimator.fit(X, BINARY, np.full(60, 1e200))
