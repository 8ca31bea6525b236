"""NetworkClassifier and NetworkRegressor: any network as a template, with any loss and optimizer."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from estimator_cases import (
    BINARY,
    CLASSES,
    COUNTS,
    LABELS,
    NETWORKS,
    NUMBERS,
    TARGETS,
    WEIGHTS,
    X,
    heard,
    net,
    ours,
    quietly,
    refusal,
    y_for,
)
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import lincoln as lnc
from lincoln import Dense, Dropout, Exp, Identity, Linear, ReLU, Sequential, Sigmoid, Softmax, schedules
from lincoln.estimators import NetworkClassifier, NetworkRegressor

each_kind = pytest.mark.parametrize("kind", NETWORKS)


def fitted(kind, y=None, weights=None, **settings):
    return quietly(ours(kind, **settings).fit, X, y_for(kind) if y is None else y, weights)


def built(seed=0, outputs=1):
    """A network that has weights already."""
    torch.manual_seed(seed)
    network = net(outputs)
    network(torch.zeros(1, 5))
    return network


def numbers(network):
    return network.flatten()[0].clone()


# ---- Networks that fit the targets

CASES = {
    "a function": ("NetworkClassifier", CLASSES, net, 3),
    "a function of two classes": ("NetworkClassifier", BINARY, net, 1),
    "one sigmoid": ("NetworkClassifier", BINARY, Sequential(Dense(6, "relu"), Dense(1, "sigmoid")), 1),
    "one log-odds": ("NetworkClassifier", BINARY, Sequential(Dense(6, "relu"), Dense(1, None)), 1),
    "softmax of two": ("NetworkClassifier", BINARY, Sequential(Dense(6, "relu"), Dense(2, "softmax")), 2),
    "two log-odds": ("NetworkClassifier", BINARY, Sequential(Linear(6), ReLU(), Linear(2)), 2),
    "softmax of three": ("NetworkClassifier", CLASSES, Sequential(Dense(6, "tanh"), Dense(3, "softmax")), 3),
    "several labels": ("NetworkClassifier", LABELS, net, 3),
    "several labels by sigmoid": ("NetworkClassifier", LABELS, Sequential(Dense(6), Dense(3, "sigmoid")), 3),
    "words": ("NetworkClassifier", np.array(["low", "mid", "high"])[CLASSES], net, 3),
    "softmax by itself": ("NetworkClassifier", CLASSES, Sequential(Linear(3), Softmax()), 3),
    "only a layer": ("NetworkClassifier", BINARY, Linear(1), 1),
    "nested": ("NetworkClassifier", BINARY, Sequential(Sequential(Linear(4), ReLU()), Sequential(Linear(1), Sigmoid())), 1),
    "dropout": ("NetworkClassifier", BINARY, Sequential(Dense(20, "relu"), Dropout(0.2), Dense(1, None)), 1),
    "identity last": ("NetworkClassifier", CLASSES, Sequential(Linear(3), Identity()), 3),
    "numbers": ("NetworkRegressor", NUMBERS, net, 1),
    "two outputs": ("NetworkRegressor", TARGETS, net, 2),
    "a layer for numbers": ("NetworkRegressor", NUMBERS, Linear(1), 1),
}


@pytest.mark.parametrize("case", CASES)
def test_networks_learn(case):
    kind, y, network, outputs = CASES[case]
    estimator = fitted(kind, y, network=network, max_iter=150, lr=0.02)
    assert estimator.n_outputs_ == outputs
    assert estimator.score(X, y) > (0.7 if y.ndim == 1 else 0.45)
    assert estimator.predict(X).shape == y.shape
    assert estimator.predict(X).dtype == np.asarray(y).dtype
    assert estimator.n_features_in_ == 5
    if kind == "NetworkClassifier":
        p = estimator.predict_proba(X)
        assert p.shape == (60, y.shape[1] if y.ndim == 2 else len(estimator.classes_))
        assert ((p >= 0) & (p <= 1)).all()
        if y.ndim == 1:
            assert_allclose(p.sum(1), 1)
            assert_array_equal(estimator.classes_[p.argmax(1)], estimator.predict(X))
        with np.errstate(divide="ignore"):
            assert_allclose(estimator.predict_log_proba(X), np.log(p))


@pytest.mark.parametrize(
    ("y", "network"),
    [
        (CLASSES, Sequential(Dense(6), Dense(4, "softmax"))),
        (CLASSES, Sequential(Dense(6), Dense(1, "sigmoid"))),
        (BINARY, Sequential(Dense(6), Dense(3, None))),
        (LABELS, Sequential(Dense(6), Dense(1, "sigmoid"))),
        (LABELS, lambda outputs: net(outputs + 1)),
    ],
)
def test_a_wrong_number_of_outputs_is_refused(y, network):
    estimator = ours("NetworkClassifier", network=network)
    with pytest.raises(ValueError, match=r"network: it has \d outputs, and y needs \d"):
        estimator.fit(X, y)
    assert not hasattr(estimator, "network_")
    with pytest.raises(ValueError, match="it has 1 outputs, and y needs 2"):
        ours("NetworkRegressor", network=Linear(1)).fit(X, TARGETS)


@pytest.mark.parametrize(
    "wrong", [3, None, "net", lambda outputs: outputs, lambda: net(1)], ids=["3", "None", "word", "number", "arity"]
)
@each_kind
def test_what_makes_no_network_is_refused(kind, wrong):
    with pytest.raises((ValueError, TypeError)):
        ours(kind, network=wrong).fit(X, y_for(kind))


# ---- The template


@each_kind
def test_the_template_is_never_touched(kind):
    for template in (built(), Sequential(Dense(6, "tanh"), Dense(1, None))):
        was = template.built, [copy.deepcopy(tensor) for tensor in template.parameters()], template.training, repr(template)
        estimator = ours(kind, network=template, warm_start=True)
        quietly(estimator.fit, X, y_for(kind))
        estimator.partial_fit(X, y_for(kind))
        quietly(estimator.fit, X, y_for(kind))
        assert estimator.network is template
        assert estimator.network_ is not template
        assert (template.built, template.training, repr(template)) == (was[0], *was[2:])
        assert all(torch.equal(a, b) for a, b in zip(template.parameters(), was[1], strict=True))
        assert estimator.network_.built
        assert not estimator.network_.training


@each_kind
def test_a_built_template_gives_its_weights(kind):
    template = built(7)
    estimator = fitted(kind, network=template, max_iter=1, lr=1e-12)
    assert_allclose(numbers(estimator.network_), numbers(template).double(), atol=1e-8)
    assert_array_equal(
        fitted(kind, network=template, random_state=1, shuffle=False).predict(X),
        fitted(kind, network=template, random_state=2, shuffle=False).predict(X),
    )


@each_kind
def test_random_state_makes_fits_reproducible(kind):
    for network in (net, Sequential(Dense(6, "relu"), Dropout(0.5), Dense(1, None))):
        fits = [fitted(kind, network=network, random_state=seed) for seed in (1, 1, 2)]
        assert fits[0].loss_curve_ == fits[1].loss_curve_ != fits[2].loss_curve_
        assert torch.equal(numbers(fits[0].network_), numbers(fits[1].network_))


@each_kind
def test_torchs_generator_is_left_alone(kind):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    fitted(kind, network=Sequential(Dense(6, "relu"), Dropout(0.5), Dense(1, None)))
    assert torch.equal(torch.rand(3), expected)


@each_kind
def test_a_clone_shares_nothing_with_what_it_was_made_from(kind):
    estimator = fitted(kind, network=built(3))
    twin = clone(estimator)
    assert_array_equal(quietly(twin.fit, X, y_for(kind)).predict(X), estimator.predict(X))
    assert twin.network_ is not estimator.network_
    again = quietly(clone(twin).fit, X, y_for(kind))
    assert_array_equal(again.predict(X), estimator.predict(X))


# ---- Loss, optimizer, learning rate


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


def test_a_penalty_is_in_the_loss():
    plain, penalized = (
        fitted("NetworkRegressor", loss=loss, max_iter=60, lr=0.05)
        for loss in (lnc.SquaredError, partial(lnc.SquaredError, l2=30))
    )
    assert numbers(penalized.network_).norm() < numbers(plain.network_).norm()


@each_kind
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


@each_kind
def test_schedule(kind):
    """It counts steps, and there are 4 in an epoch."""
    rates = fitted(kind, lr=0.1, schedule=schedules.step_decay(every=8, factor=0.1), max_iter=6).history_.learning_rates
    assert_allclose(rates, [0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    with pytest.raises(ValueError, match="schedule"):
        ours(kind, schedule="cosine").fit(X, y_for(kind))


# ---- Fits that go on


@each_kind
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


@each_kind
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


@each_kind
def test_dropout_draws_anew_in_each_partial_fit(kind):
    network = Sequential(Dense(20, "relu"), Dropout(0.5), Dense(1, None))
    estimator = ours(kind, network=network, lr=1e-12, batch_size=60, shuffle=False)
    more = {"classes": [0, 1]} if kind == "NetworkClassifier" else {}
    for _ in range(3):
        estimator.partial_fit(X, y_for(kind), **more)
    assert len(set(estimator.loss_curve_)) == 3


@each_kind
def test_early_stopping(kind):
    estimator = fitted(
        kind, early_stopping=True, max_iter=100, lr=0.1, n_iter_no_change=3, tol=0.01, validation_fraction=0.3
    )
    assert estimator.n_iter_ == len(estimator.validation_scores_) < 100
    assert estimator.best_validation_score_ == max(estimator.validation_scores_)
    assert estimator.best_loss_ is None
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        estimator.partial_fit(X, y_for(kind))


# ---- Weights, warnings, dimensions


@each_kind
def test_a_weight_of_two_is_the_example_twice(kind):
    y = y_for(kind)
    twice = np.concatenate([np.arange(60), np.arange(20)])
    settings = {"batch_size": 80, "shuffle": False}
    weighted = quietly(ours(kind, **settings | {"batch_size": 60}).fit, X, y, np.where(np.arange(60) < 20, 2, 1))
    repeated = quietly(ours(kind, **settings).fit, X[twice], y[twice])
    assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-8)


@each_kind
def test_what_is_said_of_a_fit_that_does_not_converge(kind):
    assert [category for category, _ in heard(ours(kind, max_iter=2).fit, X, y_for(kind))] == [ConvergenceWarning]
    assert heard(ours(kind, max_iter=50, tol=10).fit, X, y_for(kind)) == []
    with pytest.warns(ConvergenceWarning) as caught:
        ours(kind, max_iter=1).fit(X, y_for(kind))
    assert caught[0].filename == __file__


@each_kind
def test_a_template_for_other_features_is_refused(kind):
    error = refusal(ours(kind, network=built()).fit, X[:, :3], y_for(kind))
    assert isinstance(error, ValueError)
    assert "3 features" in str(error)


def test_the_network_is_the_only_argument_without_a_name():
    for kind in (NetworkClassifier, NetworkRegressor):
        assert kind(net).network is net
        with pytest.raises(TypeError):
            kind(net, None)
        with pytest.raises(TypeError):
            kind()
