"""Fits that go on, `warm_start` and `partial_fit`, beside scikit-learn's; and frames with named columns."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from estimator_cases import (
    BINARY,
    CLASSES,
    LABELS,
    MLPS,
    NUMBERS,
    TARGETS,
    WEIGHTS,
    X,
    assert_alike,
    assert_same,
    heard,
    ours,
    quietly,
    refusal,
    side_by_side,
    theirs,
    y_for,
)
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_allclose, assert_array_equal

KINDS_AND_TARGETS = [
    ("MLPClassifier", BINARY, [0, 1]),
    ("MLPClassifier", np.array(["low", "mid", "high"])[CLASSES], ["high", "low", "mid"]),
    ("MLPClassifier", LABELS, [0, 1, 2]),
    ("MLPRegressor", NUMBERS, None),
    ("MLPRegressor", TARGETS, None),
]
TARGET_IDS = ["binary", "strings", "labels", "numbers", "two outputs"]
each_target = pytest.mark.parametrize(("kind", "y", "classes"), KINDS_AND_TARGETS, ids=TARGET_IDS)
STEPPED = [
    {"solver": "adam"},
    {"solver": "sgd"},
    {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1},
    {"solver": "sgd", "learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 1},
    {"solver": "sgd", "momentum": 0, "shuffle": False, "batch_size": 7},
]
each_step = pytest.mark.parametrize("settings", STEPPED, ids=lambda s: ",".join(map(str, s.values())))


def both(pair, method, *data, **more):
    """Call `method` of each; the warnings, too, are the same."""
    assert heard(getattr(pair[0], method), *data, **more) == heard(getattr(pair[1], method), *data, **more)
    assert_alike(*pair)


def first(classes):
    return {} if classes is None else {"classes": classes}


# ---- warm_start


@pytest.mark.parametrize(
    "settings",
    [*STEPPED, {"solver": "lbfgs", "max_iter": 3}],
    ids=lambda s: ",".join(map(str, s.values())),
)
@each_target
def test_warm_start_goes_on(kind, y, classes, settings):
    if settings.get("solver") == "lbfgs" and y is TARGETS:
        settings = {"solver": "sgd", "max_iter": 3}  # scikit-learn's L-BFGS works on another loss there
    pair = ours(kind, warm_start=True, **settings), theirs(kind, warm_start=True, **settings)
    epochs = 0
    for _ in range(3):
        both(pair, "fit", X, y)
        epochs += pair[0].n_iter_
    if settings.get("max_iter") != 3:
        assert len(pair[0].loss_curve_) == epochs > 8
        assert pair[0].t_ == epochs * 60


def test_warm_start_with_early_stopping_ends_with_the_best_weights_of_all_fits():
    """scikit-learn ends with the last ones if the last fit's scores are all below the best."""
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


# ---- partial_fit


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
    for estimator in pair:  # scikit-learn's optimizer holds the arrays that it was made with
        for arrays, values in ((estimator.coefs_, coefs), (estimator.intercepts_, intercepts)):
            for array, value in zip(arrays, values, strict=True):
                array[...] = value
        estimator.partial_fit(X, y, WEIGHTS if weighted else None)
    for name in ("coefs_", "intercepts_"):
        for mine, other in zip(getattr(pair[0], name), getattr(pair[1], name), strict=True):
            assert_allclose(mine, other, rtol=1e-10, atol=1e-12)
    assert_allclose(pair[0].loss_, pair[1].loss_, rtol=1e-10)


def test_partial_fit_is_there_only_for_solvers_that_step():
    """Of scikit-learn's two the regressor has it for "lbfgs", too, where it runs a whole fit."""
    for kind in MLPS:
        assert hasattr(ours(kind, solver="adam"), "partial_fit")
        assert not hasattr(ours(kind, solver="lbfgs"), "partial_fit")
        with pytest.raises(AttributeError, match="partial_fit"):
            ours(kind, solver="lbfgs").partial_fit(X, y_for(kind))


# ---- Coefficients that are changed from outside


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
    """In training, too: what follows is what would follow had they been written in place."""
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


# ---- Frames


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
@pytest.mark.parametrize("kind", MLPS)
def test_frames(kind, frame):
    y = y_for(kind)
    features = frame({name: X[:, i] for i, name in enumerate("abcde")})
    pair = side_by_side(kind, features, y)
    assert_alike(*pair, X=features)
    assert pair[0].feature_names_in_.tolist() == list("abcde")
    series = pd.Series(y) if frame is pd.DataFrame else pl.Series(y)
    assert_alike(*side_by_side(kind, features, series), X=features)
    assert heard(pair[0].predict, X) == heard(pair[1].predict, X) != []
    for wrong in (features[list("edcba")], features[list("abcd")], frame({n: X[:, i] for i, n in enumerate("vwxyz")})):
        for method in ("predict", "partial_fit"):
            errors = [refusal(getattr(e, method), wrong, *([y] if method == "partial_fit" else [])) for e in pair]
            assert isinstance(errors[0], ValueError)
            assert [(type(error), str(error).replace("MLP", "")) for error in errors[:1]] == [
                (type(error), str(error).replace("MLP", "")) for error in errors[1:]
            ]


@pytest.mark.parametrize("kind", MLPS)
def test_frames_of_mixed_numbers(kind):
    features = pd.DataFrame({"a": X[:, 0].astype("float32"), "b": (X[:, 1] * 5).astype(int), "c": X[:, 2] > 0})
    assert_alike(*side_by_side(kind, features, pd.Series(y_for(kind), index=range(100, 160))), X=features)
