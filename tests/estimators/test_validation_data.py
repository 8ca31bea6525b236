"""Validation data given by the user, and early stopping of networks."""

import numpy as np
import pytest
import torch
from estimator_cases import (
    BINARY,
    CLASSES,
    NUMBERS,
    WEIGHTS,
    Watcher,
    X,
    each_classifier,
    each_kind,
    each_network,
    fitted,
    ours,
    quietly,
    y_for,
)
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import accuracy_score, log_loss, r2_score

from lincoln.estimators import MLPRegressor

OUTSIDE = np.random.RandomState(8).randn(25, 5)


def outside_labels(kind):
    return (OUTSIDE[:, 0] > 0).astype(int) if kind.endswith("Classifier") else OUTSIDE[:, 0]


def probability(trainer):
    return trainer.loss.predict(torch.from_numpy(OUTSIDE)).numpy()


@pytest.mark.parametrize("weights", [None, WEIGHTS[:25]], ids=["plain", "weighted"])
def test_validation_loss_of_a_classifier(weights):
    y = outside_labels("MLPClassifier")
    watcher = Watcher(lambda trainer: log_loss(y, probability(trainer)[:, 0], sample_weight=weights))
    given = (OUTSIDE, y) if weights is None else (OUTSIDE, y, weights)
    estimator = fitted("MLPClassifier", validation_data=given, callbacks=[watcher], alpha=0)
    assert_allclose(estimator.validation_loss_curve_, watcher.found)
    assert len(estimator.validation_loss_curve_) == estimator.n_iter_ == 8


@pytest.mark.parametrize("weights", [None, WEIGHTS[:25]], ids=["plain", "weighted"])
def test_validation_loss_of_a_regressor(weights):
    y = outside_labels("MLPRegressor")
    watcher = Watcher(lambda trainer: np.average((probability(trainer)[:, 0] - y) ** 2, weights=weights) / 2)
    given = (OUTSIDE, y) if weights is None else [OUTSIDE, y, weights]
    estimator = fitted("MLPRegressor", validation_data=given, callbacks=[watcher], alpha=0)
    assert_allclose(estimator.validation_loss_curve_, watcher.found)


@each_kind
def test_validation_data_change_nothing_but_what_is_watched(kind):
    watched, plain = fitted(kind, validation_data=(OUTSIDE, outside_labels(kind))), fitted(kind)
    assert_array_equal(watched.predict(X), plain.predict(X))
    assert plain.validation_loss_curve_ is None
    assert watched.loss_curve_ == plain.loss_curve_


@each_kind
def test_validation_data_take_the_place_of_the_split(kind):
    y = outside_labels(kind)
    score = (lambda p: accuracy_score(y, p > 0.5)) if kind.endswith("Classifier") else lambda p: r2_score(y, p)
    watcher = Watcher(lambda trainer: score(probability(trainer)[:, 0]))
    settings = {"validation_data": (OUTSIDE, y), "early_stopping": True, "tol": 0.01, "n_iter_no_change": 3, "max_iter": 40}
    estimator = fitted(kind, callbacks=[watcher], **settings)
    assert_allclose(estimator.validation_scores_, watcher.found)
    assert estimator.best_validation_score_ == max(estimator.validation_scores_)
    assert_allclose(estimator.score(OUTSIDE, y), estimator.best_validation_score_)
    assert estimator.t_ == estimator.n_iter_ * len(X)
    assert len(estimator.validation_loss_curve_) == estimator.n_iter_


@pytest.mark.parametrize(
    "wrong",
    [
        (X,),
        (X, BINARY, WEIGHTS, 1),
        (X, BINARY[:5]),
        (X[:, :2], BINARY),
        (X * np.nan, BINARY),
        (X, BINARY + 5),
        3,
        "ab",
        (X, None),
    ],
    ids=["one", "four", "lengths", "features", "nan", "classes", "number", "word", "none"],
)
@each_classifier
def test_wrong_validation_data_are_refused(kind, wrong):
    estimator = ours(kind, validation_data=wrong)
    with pytest.raises(ValueError):  # noqa: PT011  the words are scikit-learn's, and differ
        quietly(estimator.fit, X, BINARY)
    assert not hasattr(estimator, "network_")


def test_validation_data_may_lack_a_class():
    y = np.where(CLASSES == 2, 0, CLASSES)
    mlp = ours("MLPClassifier", warm_start=True, validation_data=(X, y))
    assert len(quietly(mlp.fit, X, CLASSES).validation_scores_) == mlp.n_iter_


def test_validation_data_of_one_example():
    with pytest.raises(ValueError, match="The validation set is too small"):
        MLPRegressor(validation_data=(X[:1], NUMBERS[:1])).fit(X, NUMBERS)


@each_network
def test_early_stopping(kind):
    estimator = fitted(
        kind, early_stopping=True, max_iter=100, lr=0.1, n_iter_no_change=3, tol=0.01, validation_fraction=0.3
    )
    assert estimator.n_iter_ == len(estimator.validation_scores_) < 100
    assert estimator.best_validation_score_ == max(estimator.validation_scores_)
    assert estimator.best_loss_ is None
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        estimator.partial_fit(X, y_for(kind))
