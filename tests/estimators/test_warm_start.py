"""Fits that continue the last one by `warm_start`."""

import numpy as np
import pytest
from estimator_cases import (
    BINARY,
    MLPS,
    STEPPED,
    TARGETS,
    WEIGHTS,
    X,
    assert_same,
    both,
    each_network,
    each_target,
    fitted,
    ours,
    quietly,
    side_by_side,
    theirs,
    y_for,
)
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_array_equal

import lincoln as lnc


@pytest.mark.parametrize(
    "settings",
    [*STEPPED, {"solver": "lbfgs", "max_iter": 3}],
    ids=lambda s: ",".join(map(str, s.values())),
)
@each_target
def test_warm_start_goes_on(kind, y, classes, settings):
    if settings.get("solver") == "lbfgs" and y is TARGETS:
        settings = {"solver": "sgd", "max_iter": 3}  # scikit-learn's L-BFGS minimises another loss there
    pair = ours(kind, warm_start=True, **settings), theirs(kind, warm_start=True, **settings)
    epochs = 0
    for _ in range(3):
        both(pair, "fit", X, y)
        epochs += pair[0].n_iter_
    if settings.get("max_iter") != 3:
        assert len(pair[0].loss_curve_) == epochs > 8
        assert pair[0].t_ == epochs * 60


def test_warm_start_with_early_stopping_ends_with_the_best_weights_of_all_fits():
    """scikit-learn ends with the last weights if all scores of the last fit are below the best."""
    mlp = quietly(ours("MLPClassifier", warm_start=True, early_stopping=True, max_iter=30).fit, X, BINARY)
    coefs, best = [coef.copy() for coef in mlp.coefs_], mlp.best_validation_score_
    quietly(mlp.set_params(learning_rate_init=1e-9, max_iter=2).fit, X, 1 - BINARY)
    assert max(mlp.validation_scores_[-mlp.n_iter_ :]) < best == mlp.best_validation_score_
    for found, kept in zip(mlp.coefs_, coefs, strict=True):
        assert_array_equal(found, kept)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    "changed",
    [
        {"alpha": 1},
        {"learning_rate_init": 0.1},
        {"solver": "sgd"},
        {"solver": "lbfgs"},
        {"batch_size": 5},
        {"shuffle": False},
    ],
    ids=lambda s: ",".join(f"{name}={value}" for name, value in s.items()),
)
@pytest.mark.parametrize("kind", MLPS)
def test_parameters_set_after_a_fit_hold_in_the_next(kind, changed, method):
    if method == "partial_fit" and "solver" in changed:
        pytest.skip("the optimizer goes on as it was made")
    pair = ours(kind, warm_start=True), theirs(kind, warm_start=True)
    y = y_for(kind)
    both(pair, "fit", X, y)
    for estimator in pair:
        estimator.set_params(**changed)
    both(pair, method, X[:31], y[:31])
    both(pair, method, X[31:], y[31:], WEIGHTS[31:])


@pytest.mark.parametrize("kind", MLPS)
def test_a_warm_fit_that_had_converged_stops_again(kind):
    settings = {"tol": 0.1, "n_iter_no_change": 3, "max_iter": 50, "warm_start": True}
    pair = ours(kind, **settings), theirs(kind, **settings)
    for _ in range(3):
        both(pair, "fit", X, y_for(kind))


@pytest.mark.parametrize("kind", MLPS)
def test_without_warm_start_a_fit_starts_anew(kind):
    pair = side_by_side(kind, X, y_for(kind))
    once = [coef.copy() for coef in pair[0].coefs_]
    quietly(pair[0].fit, X[:, :3], y_for(kind))
    both(pair, "fit", X, y_for(kind))
    for before, after in zip(once, pair[0].coefs_, strict=True):
        assert_array_equal(before, after)


@pytest.mark.parametrize("kind", MLPS)
def test_a_new_fit_leaves_the_arrays_of_the_last_alone(kind):
    estimator = quietly(ours(kind).fit, X, y_for(kind))
    coefs, curve = estimator.coefs_, estimator.loss_curve_
    kept = [coef.copy() for coef in coefs], list(curve)
    quietly(estimator.fit, X, y_for(kind), WEIGHTS)
    assert_same("before", ([*coefs], curve)[0], kept[0], 0, 0)
    assert curve == kept[1]


@each_network
def test_two_warm_fits_are_longer_than_one(kind):
    estimator = ours(kind, warm_start=True)
    for fits in (1, 2, 3):
        quietly(estimator.fit, X, y_for(kind))
        assert len(estimator.loss_curve_) == 8 * fits
        assert estimator.t_ == 8 * fits * 60
    assert estimator.loss_curve_[-1] < estimator.loss_curve_[7] < estimator.loss_curve_[0]
    network = estimator.network_
    estimator.set_params(warm_start=False)
    quietly(estimator.fit, X, y_for(kind))
    assert estimator.network_ is not network
    assert estimator.loss_curve_ == fitted(kind).loss_curve_


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_the_optimizer_goes_on_in_a_rebuilt_network(method):
    """As in scikit-learn the optimizer is that of the first call, whatever the solver is now."""
    mlp = quietly(ours("MLPClassifier", warm_start=method == "fit").fit, X, BINARY)
    mlp.set_params(solver="sgd", activation="tanh")
    quietly(getattr(mlp, method), X, BINARY)
    assert isinstance(mlp._optimizer, lnc.Momentum if method == "fit" else lnc.AdamHat)
    assert mlp._optimizer.network is mlp.network_
    assert "tanh" in repr(mlp.network_)


def test_a_dtype_set_later_holds_in_the_next_fit():
    mlp = quietly(ours("MLPClassifier", warm_start=True).fit, X, BINARY)
    quietly(mlp.set_params(dtype="float32").fit, X, BINARY)
    assert {coef.dtype for coef in mlp.coefs_} == {np.dtype(np.float32)}
    assert np.shares_memory(mlp.coefs_[0], mlp.network_[0]["linear"].W.numpy())
