"""Weights of examples and of classes."""

import numpy as np
import pytest
from estimator_cases import (
    BINARY,
    CLASSES,
    LABELS,
    SOLVERS,
    TARGET_KINDS,
    WEIGHTS,
    X,
    assert_alike,
    assert_equal_fits,
    each_classifier,
    each_network,
    fitted,
    named,
    ours,
    quietly,
    side_by_side,
    theirs,
    y_for,
)
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_allclose
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight


@pytest.mark.parametrize("settings", SOLVERS, ids=named)
@pytest.mark.parametrize("target", ["three classes", "two strings", "several labels", "numbers", "two outputs"])
@pytest.mark.parametrize("weights", [WEIGHTS, (WEIGHTS > 1.5).astype(int).tolist()], ids=["any", "0 and 1"])
def test_sample_weight(target, settings, weights):
    kind, y = TARGET_KINDS[target]
    pair = side_by_side(kind, X, y, weights, **settings)
    assert_alike(*pair)
    scores = [estimator.score(X, y, sample_weight=weights) for estimator in pair]
    assert_allclose(*scores, rtol=1e-9)


@each_network
def test_a_weight_of_two_is_the_example_twice(kind):
    y = y_for(kind)
    twice = np.concatenate([np.arange(60), np.arange(20)])
    settings = {"batch_size": 80, "shuffle": False}
    weighted = quietly(ours(kind, **settings | {"batch_size": 60}).fit, X, y, np.where(np.arange(60) < 20, 2, 1))
    repeated = quietly(ours(kind, **settings).fit, X[twice], y[twice])
    assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-8)


def test_a_batch_that_weighs_nothing_has_no_part_in_the_fit():
    weights = np.r_[np.zeros(30), np.ones(30)]
    settings = {"batch_size": 30, "shuffle": False, "solver": "sgd", "momentum": 0.0, "alpha": 0.1}
    whole = quietly(ours("MLPClassifier", **settings).fit, X, BINARY, weights)
    half = quietly(ours("MLPClassifier", **settings).fit, X[30:], BINARY[30:])
    assert_allclose(whole.coefs_[0], half.coefs_[0], rtol=1e-12)


@pytest.mark.parametrize("given", [{"sample_weight": -np.ones(60)}, {"sample_weight": np.r_[-1, np.ones(59)]}])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_negative_weights_are_refused(given, solver):
    with pytest.raises(ValueError, match="Negative values in sample_weight or class_weight"):
        ours("MLPClassifier", solver=solver).fit(X, BINARY, **given)


WORDS = np.array(["low", "mid", "high"])[CLASSES]


@pytest.mark.parametrize(
    ("y", "class_weight"),
    [
        (BINARY, {0: 3, 1: 0.5}),
        (BINARY, {1: 2.5}),
        (BINARY, "balanced"),
        (CLASSES, "balanced"),
        (WORDS, {"mid": 4, "low": 0}),
    ],
    ids=["binary", "a part", "balanced", "three balanced", "strings"],
)
@each_classifier
def test_class_weight_is_a_sample_weight(kind, y, class_weight):
    by_class = compute_sample_weight(class_weight, y)
    assert_equal_fits(fitted(kind, y, class_weight=class_weight), fitted(kind, y, by_class))
    assert_equal_fits(fitted(kind, y, WEIGHTS, class_weight=class_weight), fitted(kind, y, WEIGHTS * by_class))
    if kind == "MLPClassifier":
        other = quietly(theirs(kind).fit, X, y, by_class)
        assert_allclose(fitted(kind, y, class_weight=class_weight).coefs_[0], other.coefs_[0], rtol=1e-9)


def test_class_weight_with_lbfgs_and_with_early_stopping():
    for settings in ({"solver": "lbfgs", "max_iter": 5}, {"early_stopping": True}):
        weighted = fitted("MLPClassifier", class_weight={0: 5, 1: 1}, **settings)
        assert_allclose(weighted.loss_, fitted("MLPClassifier", weights=np.where(BINARY, 1, 5), **settings).loss_)


def test_class_weight_of_several_labels_is_one_for_each():
    class_weight = [{0: 1, 1: 2}, {0: 3, 1: 1}, {0: 1, 1: 1}]
    weighted = fitted("MLPClassifier", LABELS, class_weight=class_weight)
    assert_equal_fits(weighted, fitted("MLPClassifier", LABELS, compute_sample_weight(class_weight, LABELS)))


@each_classifier
def test_class_weight_in_partial_fit(kind):
    one, other = ours(kind, class_weight={0: 3, 1: 0.5}), ours(kind)
    for rows in (slice(0, 30), slice(30, 60)):
        one.partial_fit(X[rows], BINARY[rows], classes=[0, 1])
        other.partial_fit(X[rows], BINARY[rows], np.where(BINARY[rows], 0.5, 3), classes=[0, 1])
    assert_equal_fits(one, other)
    balanced = ours(kind, class_weight="balanced")
    with pytest.raises(ValueError, match="balanced.*partial_fit.*compute_class_weight"):
        balanced.partial_fit(X, BINARY, classes=[0, 1])
    assert not hasattr(balanced, "network_")
    weights = compute_class_weight("balanced", classes=np.array([0, 1]), y=BINARY)
    ours(kind, class_weight=dict(enumerate(weights))).partial_fit(X, BINARY, classes=[0, 1])


@pytest.mark.parametrize("wrong", ["nonsense", 3, {7: 1.0}, [1, 2], {0: "a"}], ids=str)
@each_classifier
def test_class_weight_of_other_kinds_is_refused(kind, wrong):
    with pytest.raises((ValueError, TypeError)):
        quietly(ours(kind, class_weight=wrong).fit, X, BINARY)


def test_a_piece_whose_classes_weigh_nothing_changes_nothing_but_the_memory():
    mlp = ours("MLPClassifier", class_weight={0: 0, 1: 1, 2: 1})
    mlp.partial_fit(X, CLASSES, classes=[0, 1, 2])
    only = X[CLASSES == 0]
    mlp.set_params(solver="sgd").partial_fit(only, np.zeros(len(only), int))
    assert np.isfinite(mlp.loss_)


def test_negative_class_weights_are_refused():
    with pytest.raises(ValueError, match="Negative values in sample_weight or class_weight"):
        ours("MLPClassifier", class_weight={0: 1, 1: -1}).fit(X, BINARY)
