"""NetworkClassifier and NetworkRegressor: any loss, optimizer, learning rate and schedule."""

from functools import partial

import pytest
from estimator_cases import BINARY, CLASSES, COUNTS, NUMBERS, X, each_network, fitted, net, ours, quietly, y_for
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_allclose, assert_array_equal

import lincoln as lnc
from lincoln import Exp, Linear, ReLU, Sequential, schedules


def test_loss():
    p = fitted("NetworkRegressor", COUNTS, network=Sequential(Linear(6), ReLU(), Linear(1), Exp()), loss=lnc.PoissonLoss)
    assert (p.predict(X) > 0).all()
    from_logits = fitted("NetworkRegressor", COUNTS, network=Sequential(Linear(6), ReLU(), Linear(1)), loss=lnc.PoissonLoss)
    assert_allclose(from_logits.loss_curve_, p.loss_curve_)
    assert_allclose(from_logits.predict(X), p.predict(X))
    mse, half = (fitted("NetworkRegressor", loss=loss, max_iter=1, shuffle=False) for loss in (None, lnc.SquaredError))
    assert mse.loss_curve_[0] > half.loss_curve_[0]
    classifier = fitted("NetworkClassifier", loss=partial(lnc.LogLoss, from_logits=True))
    assert_allclose(classifier.loss_curve_, fitted("NetworkClassifier").loss_curve_)
    with pytest.raises(ValueError, match="loss"):
        ours("NetworkRegressor", loss="mse").fit(X, NUMBERS)
    with pytest.raises(ValueError, match="loss"):
        ours("NetworkRegressor", loss=lambda network: 3).fit(X, NUMBERS)
    with pytest.raises(ValueError, match="0 or more"):
        ours("NetworkRegressor", loss=lnc.PoissonLoss).fit(X, NUMBERS)


def numbers(network):
    return network.flatten()[0].clone()


def test_a_penalty_is_in_the_loss():
    plain, penalized = (
        fitted("NetworkRegressor", loss=loss, max_iter=60, lr=0.05)
        for loss in (lnc.SquaredError, partial(lnc.SquaredError, l2=30))
    )
    assert numbers(penalized.network_).norm() < numbers(plain.network_).norm()


@each_network
def test_optimizer_and_learning_rate(kind):
    fits = {
        "given": fitted(kind, optimizer=lnc.Adam, lr=0.02),
        "partial": fitted(kind, optimizer=partial(lnc.Adam, lr=0.02), lr=None),
        "both": fitted(kind, optimizer=partial(lnc.Adam, lr=5), lr=0.02),
        "sgd": fitted(kind, optimizer=partial(lnc.SGD, momentum=0.9), lr=0.02),
        "default": fitted(kind, lr=None),
    }
    assert fits["given"].loss_curve_ == fits["partial"].loss_curve_ == fits["both"].loss_curve_
    assert len({tuple(fits[name].loss_curve_) for name in ("given", "sgd", "default")}) == 3
    for wrong in ("adam", 3, lambda network: 3):
        with pytest.raises((ValueError, TypeError), match="optimizer"):
            ours(kind, optimizer=wrong, lr=None).fit(X, y_for(kind))
    for wrong in (0, -1, "fast"):
        with pytest.raises(ValueError, match="lr"):
            ours(kind, lr=wrong).fit(X, y_for(kind))


@each_network
def test_schedule(kind):
    """A schedule counts steps; an epoch has 4."""
    rates = fitted(kind, lr=0.1, schedule=schedules.step_decay(every=8, factor=0.1), max_iter=6).history_.learning_rates
    assert_allclose(rates, [0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    with pytest.raises(ValueError, match="schedule"):
        ours(kind, schedule="cosine").fit(X, y_for(kind))


def test_a_loss_by_partial_takes_logits_too():
    plain, made = (
        quietly(ours("NetworkClassifier", network=net, loss=loss).fit, X, CLASSES)
        for loss in (lnc.CrossEntropy, partial(lnc.CrossEntropy, l2=0.0))
    )
    assert_array_equal(plain.predict_proba(X), made.predict_proba(X))


def test_a_schedule_taken_away_leaves_the_first_rate():
    fitted = ours("NetworkClassifier", lr=0.1, schedule=lnc.schedules.exponential(0.5))
    fitted.partial_fit(X, BINARY, classes=[0, 1])
    assert fitted._optimizer.lr < 0.1
    fitted.set_params(schedule=None).partial_fit(X, BINARY)
    assert fitted._optimizer.lr == 0.1
