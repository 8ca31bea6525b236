"""Targets of every kind: classes, strings, several labels, numbers, several outputs, counts."""

import numpy as np
import pytest
import scipy.sparse as sp
from estimator_cases import (
    COUNTS,
    LABELS,
    NUMBERS,
    SOLVERS,
    TARGET_KINDS,
    TARGETS,
    X,
    assert_alike,
    fitted,
    named,
    ours,
    quietly,
    side_by_side,
    theirs,
)
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_allclose, assert_array_equal

SEVERAL_OUTPUTS = (
    "two outputs",
    "a list of lists",
)  # where scikit-learn's L-BFGS minimises another loss: see the next test


@pytest.mark.parametrize("settings", SOLVERS, ids=named)
@pytest.mark.parametrize("target", TARGET_KINDS)
def test_targets_of_every_kind(target, settings):
    if target in SEVERAL_OUTPUTS and settings["solver"] == "lbfgs":
        settings = {"solver": "sgd", "momentum": 0.5}
    kind, y = TARGET_KINDS[target]
    if sp.issparse(y) and settings.get("early_stopping"):
        y = sp.csr_matrix(y)
    pair = side_by_side(kind, X, y, **settings)
    assert_alike(*pair)
    assert_allclose(*(estimator.score(X, y) for estimator in pair), rtol=1e-9)


def test_lbfgs_on_several_outputs_goes_lower_than_scikit_learns():
    """scikit-learn gives L-BFGS the outputs' mean loss with the gradient of their sum; we give it the sum for both."""
    settings = {"solver": "lbfgs", "max_iter": 30, "alpha": 0.0}
    mine, other = (quietly(make("MLPRegressor", **settings).fit, X, TARGETS) for make in (ours, theirs))
    assert mine.loss_ < other.loss_
    assert_allclose(mine.loss_, np.mean((mine.predict(X) - TARGETS) ** 2) / 2)
    assert_allclose(other.loss_, np.mean((other.predict(X) - TARGETS) ** 2) / 2)


@pytest.mark.parametrize("settings", SOLVERS, ids=named)
@pytest.mark.parametrize(
    "y", [COUNTS, np.stack([COUNTS, COUNTS[::-1]], 1), COUNTS.astype(int)], ids=["one", "two", "integers"]
)
def test_poisson_loss(y, settings):
    mine, other = side_by_side("MLPRegressor", X, y, loss="poisson", **settings)
    assert_alike(mine, other)
    assert (mine.predict(X) > 0).all()


def test_several_outputs_weigh_alike():
    estimator = fitted("NetworkRegressor", TARGETS, max_iter=200, lr=0.05)
    assert estimator.predict(X).shape == (60, 2)
    assert estimator.score(X, TARGETS) > 0.5
    assert fitted("MLPRegressor", NUMBERS).predict(X).shape == (60,)


def test_labels_are_there_or_not_whatever_number_says_so():
    one, other = (quietly(ours("MLPClassifier").fit, X, labels) for labels in (LABELS, LABELS * 2))
    assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def test_long_doubles_are_numbers():
    assert_array_equal(
        *(quietly(ours("MLPRegressor").fit, X, y).predict(X) for y in (NUMBERS, NUMBERS.astype(np.longdouble)))
    )
