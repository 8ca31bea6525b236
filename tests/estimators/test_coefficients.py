"""`coefs_` and `intercepts_`: edited in place, assigned, moved."""

import numpy as np
import pytest
import torch
from estimator_cases import BINARY, MLPS, X, assert_alike, assert_same, ours, quietly, theirs, y_for
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_array_equal


@pytest.mark.parametrize("kind", MLPS)
def test_coefficients_edited_in_place_are_used(kind):
    estimator = quietly(ours(kind).fit, X, y_for(kind))
    other = quietly(theirs(kind).fit, X, y_for(kind))
    for one in (estimator, other):
        one.coefs_[0][:2] = 0.25
        one.intercepts_[1][:] = -1
    assert_alike(estimator, other)
    estimator.partial_fit(X, y_for(kind))
    other.partial_fit(X, y_for(kind))
    assert_alike(estimator, other)


@pytest.mark.parametrize("method", ["partial_fit", "fit"])
@pytest.mark.parametrize("kind", MLPS)
def test_coefficients_assigned_are_used(kind, method):
    """Predictions and further training are those of coefficients that were written in place."""
    assigned, written = (quietly(ours(kind, warm_start=True).fit, X, y_for(kind)) for _ in range(2))
    random = np.random.RandomState(1)
    coefs, intercepts = ([random.randn(*a.shape) for a in arrays] for arrays in (assigned.coefs_, assigned.intercepts_))
    assigned.coefs_, assigned.intercepts_[1] = [coef.copy() for coef in coefs], intercepts[1].tolist()
    for array, value in zip(written.coefs_, coefs, strict=True):
        array[...] = value
    written.intercepts_[1][...] = intercepts[1]
    assert_array_equal(assigned.predict(X), written.predict(X))
    for estimator in (assigned, written):
        quietly(getattr(estimator, method), X, y_for(kind))
    assert_same("coefs_", assigned.coefs_, written.coefs_, 0, 0)
    assert_same("intercepts_", assigned.intercepts_, written.intercepts_, 0, 0)
    assert_array_equal(assigned.predict(X), written.predict(X))


@pytest.mark.parametrize("kind", MLPS)
def test_coefficients_of_the_wrong_shape_are_refused(kind):
    y = y_for(kind)
    for wrong in ([np.ones((5, 6))], [np.ones((6, 5)), np.ones((6, 1))], [np.ones((5, 7)), np.ones((7, 1))], []):
        estimator = quietly(ours(kind, warm_start=True).fit, X, y)
        estimator.coefs_ = wrong
        for call in (
            lambda e=estimator: e.predict(X),
            lambda e=estimator: e.partial_fit(X, y),
            lambda e=estimator: e.fit(X, y),
        ):
            with pytest.raises(ValueError, match="shape"):
                call()
    estimator = quietly(ours(kind).fit, X, y)
    estimator.coefs_[0] = np.full((5, 6), "a")
    with pytest.raises((ValueError, TypeError)):
        estimator.predict(X)


def test_a_network_that_was_moved_is_shown_where_it_is():
    mlp = quietly(ours("MLPClassifier").fit, X, BINARY)
    mlp.network_.to(dtype=torch.float32)
    before = mlp.predict_proba(X)
    assert mlp.coefs_[0].dtype == np.float32
    mlp.coefs_[0][:] = 0
    assert (mlp.predict_proba(X) != before).any()
