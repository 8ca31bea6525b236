"""NetworkClassifier and NetworkRegressor: any network as a template."""

import copy

import numpy as np
import pytest
import torch
from estimator_cases import (
    BINARY,
    CLASSES,
    LABELS,
    NUMBERS,
    TARGETS,
    X,
    each_network,
    fitted,
    net,
    ours,
    quietly,
    refusal,
    y_for,
)
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_allclose, assert_array_equal

from lincoln import Dense, Dropout, Identity, Linear, ReLU, Sequential, Sigmoid, Softmax
from lincoln.estimators import NetworkClassifier, NetworkRegressor


def numbers(network):
    return network.flatten()[0].clone()


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
@each_network
def test_what_makes_no_network_is_refused(kind, wrong):
    with pytest.raises((ValueError, TypeError)):
        ours(kind, network=wrong).fit(X, y_for(kind))


@pytest.mark.parametrize("kind", [NetworkClassifier, NetworkRegressor])
def test_networks_with_nothing_to_learn(kind):
    network = Softmax() if kind is NetworkClassifier else Identity()
    with pytest.raises(ValueError, match=r"has no parameters, so there is nothing to learn"):
        kind(network).fit(X[:, :3], CLASSES if kind is NetworkClassifier else X[:, :3])


def built(seed=0, outputs=1):
    """Return a network that has weights."""
    torch.manual_seed(seed)
    network = net(outputs)
    network(torch.zeros(1, 5))
    return network


@each_network
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


@each_network
def test_a_built_template_gives_its_weights(kind):
    template = built(7)
    estimator = fitted(kind, network=template, max_iter=1, lr=1e-12)
    assert_allclose(numbers(estimator.network_), numbers(template).double(), atol=1e-8)
    assert_array_equal(
        fitted(kind, network=template, random_state=1, shuffle=False).predict(X),
        fitted(kind, network=template, random_state=2, shuffle=False).predict(X),
    )


@each_network
def test_random_state_makes_fits_reproducible(kind):
    for network in (net, Sequential(Dense(6, "relu"), Dropout(0.5), Dense(1, None))):
        fits = [fitted(kind, network=network, random_state=seed) for seed in (1, 1, 2)]
        assert fits[0].loss_curve_ == fits[1].loss_curve_ != fits[2].loss_curve_
        assert torch.equal(numbers(fits[0].network_), numbers(fits[1].network_))


@each_network
def test_a_template_for_other_features_is_refused(kind):
    error = refusal(ours(kind, network=built()).fit, X[:, :3], y_for(kind))
    assert isinstance(error, ValueError)
    assert "3 features" in str(error)
