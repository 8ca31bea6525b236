"""MLPClassifier and MLPRegressor beside scikit-learn's: from equal random states, equal fits."""

import numpy as np
import pytest
from estimator_cases import (
    ADAPTIVE,
    BINARY,
    MLPS,
    SCORE,
    X,
    assert_alike,
    named,
    ours,
    quietly,
    side_by_side,
    theirs,
    y_for,
)
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_allclose

SETTINGS = [
    *({"hidden_layer_sizes": sizes} for sizes in (7, 1, np.int64(3), (4,), (5, 3, 2), [4, 3], np.array([3, 4]), ())),
    *(
        {"activation": name, "solver": solver}
        for name in ("identity", "logistic", "tanh", "relu")
        for solver in ("sgd", "adam")
    ),
    *({"solver": "lbfgs", "activation": name, "max_iter": 4} for name in ("identity", "logistic", "tanh", "relu")),
    *({"solver": "lbfgs", "tol": tol, "hidden_layer_sizes": (2,), "max_iter": 400, "alpha": 1} for tol in (1e-2, 0.3)),
    *({"solver": "lbfgs", "max_fun": most} for most in (1, 5)),
    *({"alpha": alpha, "solver": solver} for alpha in (0, 0.5, 1) for solver in ("sgd", "adam")),
    {"alpha": 1, "solver": "lbfgs", "max_iter": 5},
    *({"batch_size": size} for size in ("auto", 1, 7, 20, 60, 61, 1000, np.int64(25))),
    *(
        {"solver": solver, "learning_rate": rate, "learning_rate_init": 0.1}
        for rate in ("constant", "invscaling", "adaptive")
        for solver in ("sgd", "adam")
    ),
    *({"solver": "sgd", "learning_rate": "invscaling", "power_t": power} for power in (0, 0.1, 1.0, 2)),
    ADAPTIVE,
    {**ADAPTIVE, "n_iter_no_change": 1, "batch_size": "auto"},
    {**ADAPTIVE, "early_stopping": True, "n_iter_no_change": 2},
    {**ADAPTIVE, "n_iter_no_change": 2, "learning_rate_init": 5e-6},
    *({"learning_rate_init": rate} for rate in (1e-5, 0.1)),
    *({"max_iter": most} for most in (1, 2, 30)),
    *({"shuffle": shuffle, "solver": solver} for shuffle in (False, True) for solver in ("sgd", "adam")),
    *({"random_state": seed} for seed in (0, 1, 12345)),
    *({"tol": tol, "max_iter": 40} for tol in (0, 1e-4, 0.01, 10)),
    *({"tol": 0.05, "max_iter": 40, "n_iter_no_change": patience} for patience in (1, 3, 10, 1000, np.inf)),
    *({"solver": "sgd", "momentum": m, "nesterovs_momentum": n} for m in (0, 0.5, 0.9, 1.0) for n in (False, True)),
    *({"early_stopping": True, "solver": solver, "max_iter": 30} for solver in ("sgd", "adam")),
    *({"early_stopping": True, "validation_fraction": share} for share in (0.05, 0.2, 0.5)),
    {"early_stopping": True, "n_iter_no_change": 2, "learning_rate_init": 0.1, "max_iter": 60},
    {"early_stopping": True, "shuffle": False},
    *({"beta_1": beta} for beta in (0, 0.5, 0.99)),
    *({"beta_2": beta} for beta in (0.5, 0.9)),
    {"beta_1": 0, "beta_2": 0, "epsilon": 0.1},
    *({"epsilon": epsilon} for epsilon in (1e-3, 1.0)),
]


@pytest.mark.parametrize("settings", SETTINGS, ids=named)
@pytest.mark.parametrize("kind", MLPS)
def test_a_fit_is_scikit_learns(kind, settings):
    assert_alike(*side_by_side(kind, X, y_for(kind), **settings))


def test_early_stopping_keeps_the_best_weights():
    mine, other = side_by_side("MLPClassifier", X, BINARY, early_stopping=True, max_iter=40, learning_rate_init=0.1)
    assert mine.best_validation_score_ == max(mine.validation_scores_) == other.best_validation_score_
    assert len(mine.validation_scores_) == mine.n_iter_ < 40
    assert mine.best_loss_ is None
    assert_allclose(mine.coefs_[0], other.coefs_[0], rtol=1e-9)


def test_the_held_out_share_keeps_the_share_of_classes():
    rare = (np.sort(SCORE)[-8] < SCORE).astype(int)
    assert_alike(*side_by_side("MLPClassifier", X, rare, early_stopping=True, validation_fraction=0.4, max_iter=15))


def test_random_state_may_be_a_generator_used_on_and_on():
    for kind in MLPS:
        pair = [make(kind, random_state=np.random.RandomState(4)) for make in (ours, theirs)]
        for _ in range(2):
            for estimator in pair:
                quietly(estimator.fit, X, y_for(kind))
            assert_alike(*pair)


def test_random_state_none_draws_from_numpy():
    np.random.seed(5)
    mine = quietly(ours("MLPClassifier", random_state=None).fit, X, BINARY)
    np.random.seed(5)
    other = quietly(theirs("MLPClassifier", random_state=None).fit, X, BINARY)
    assert_alike(mine, other)


@pytest.mark.parametrize("kind", MLPS)
def test_lbfgs_works_in_float64_whatever_comes(kind):
    mine, other = side_by_side(kind, X.astype(np.float32), y_for(kind), solver="lbfgs", max_iter=5)
    assert mine.coefs_[0].dtype == other.coefs_[0].dtype
    assert_allclose(mine.predict(X), other.predict(X), rtol=1e-4, atol=1e-4)
