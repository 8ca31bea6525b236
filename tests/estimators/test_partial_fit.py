"""Fits in parts, by `partial_fit`."""

import numpy as np
import pytest
import scipy.sparse as sp
from estimator_cases import (
    CLASSES,
    MLPS,
    WEIGHTS,
    X,
    both,
    each_network,
    each_step,
    each_target,
    first,
    heard,
    ours,
    theirs,
    y_for,
)
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_allclose


@each_step
@each_target
def test_partial_fit_on_batches_of_any_size(kind, y, classes, settings):
    pair = ours(kind, **settings), theirs(kind, **settings)
    for i, rows in enumerate([slice(0, 20), slice(20, 23), slice(23, 60), slice(0, 60), slice(5, 6), slice(0, 60)]):
        both(pair, "partial_fit", X[rows], y[rows], **(first(classes) if i == 0 else {}))
    assert pair[0].n_iter_ == 1
    assert len(pair[0].loss_curve_) == 6
    assert pair[0].t_ == 20 + 3 + 37 + 60 + 1 + 60


@each_step
@each_target
def test_partial_fit_then_fit_then_partial_fit(kind, y, classes, settings):
    pair = ours(kind, **settings), theirs(kind, **settings)
    both(pair, "partial_fit", X[:30], y[:30], **first(classes))
    both(pair, "partial_fit", X[30:], y[30:])
    both(pair, "fit", X, y)
    both(pair, "partial_fit", X[:30], y[:30])
    both(pair, "partial_fit", X[30:], y[30:], WEIGHTS[30:])


@pytest.mark.parametrize("kind", MLPS)
def test_partial_fit_of_a_warm_starter(kind):
    pair = ours(kind, warm_start=True), theirs(kind, warm_start=True)
    both(pair, "fit", X, y_for(kind))
    both(pair, "partial_fit", X[:30], y_for(kind)[:30])
    both(pair, "fit", X, y_for(kind))


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_partial_fit_needs_not_see_every_class_at_once(form):
    pair = ours("MLPClassifier"), theirs("MLPClassifier")
    for digit in range(3):
        rows = np.flatnonzero(digit == CLASSES)
        both(pair, "partial_fit", form(X[rows]), CLASSES[rows], **({"classes": [0, 1, 2]} if digit == 0 else {}))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "settings", [{"solver": "sgd"}, {"solver": "sgd", "nesterovs_momentum": False}, {"solver": "adam"}]
)
@each_target
def test_one_step_from_assigned_coefficients(kind, y, classes, settings, weighted):
    """From the same coefficients, in float64 and without shuffling, one step ends at scikit-learn's to 1e-10."""
    pair = tuple(make(kind, shuffle=False, batch_size=60, alpha=0.3, **settings) for make in (ours, theirs))
    random = np.random.RandomState(9)
    for estimator in pair:
        estimator.partial_fit(X, y, **first(classes))
    coefs = [random.randn(*coef.shape) / 2 for coef in pair[0].coefs_]
    intercepts = [random.randn(*intercept.shape) / 2 for intercept in pair[0].intercepts_]
    for estimator in pair:  # in place: scikit-learn's optimizer holds these arrays
        for arrays, values in ((estimator.coefs_, coefs), (estimator.intercepts_, intercepts)):
            for array, value in zip(arrays, values, strict=True):
                array[...] = value
        estimator.partial_fit(X, y, WEIGHTS if weighted else None)
    for name in ("coefs_", "intercepts_"):
        for mine, other in zip(getattr(pair[0], name), getattr(pair[1], name), strict=True):
            assert_allclose(mine, other, rtol=1e-10, atol=1e-12)
    assert_allclose(pair[0].loss_, pair[1].loss_, rtol=1e-10)


def test_partial_fit_is_there_only_for_solvers_that_step():
    """In scikit-learn the regressor has it with "lbfgs" too, and runs a whole fit."""
    for kind in MLPS:
        assert hasattr(ours(kind, solver="adam"), "partial_fit")
        assert not hasattr(ours(kind, solver="lbfgs"), "partial_fit")
        with pytest.raises(AttributeError, match="partial_fit"):
            ours(kind, solver="lbfgs").partial_fit(X, y_for(kind))


@each_network
def test_partial_fit(kind):
    y = y_for(kind)
    estimator, other = ours(kind), ours(kind)
    more = {"classes": [0, 1]} if kind == "NetworkClassifier" else {}
    for one in (estimator, other):
        assert one.partial_fit(X[:30], y[:30], **more) is one
        for _ in range(20):
            one.partial_fit(X[:30], y[:30])
            one.partial_fit(X[30:], y[30:], WEIGHTS[30:])
    assert estimator.loss_curve_ == other.loss_curve_
    assert len(estimator.loss_curve_) == 41
    assert estimator.n_iter_ == 1
    assert estimator.loss_curve_[-2] < estimator.loss_curve_[0]
    assert heard(estimator.partial_fit, X[:1], y[:1])[0][1].startswith("Got `batch_size` less than 1")
