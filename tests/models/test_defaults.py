"""Classifier's default loss and optimizer, and the warning after a fit that has hardly learned."""

import warnings
from functools import partial

import numpy as np
import pytest
from model_cases import classifier, quiet_fit, two_blobs
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

import lincoln as lnc
from lincoln import Classifier, schedules
from lincoln.errors import LearningWarning
from lincoln.layers import Dense, Linear, Sequential, Softmax

DATA = {"digits": load_digits, "breast cancer": load_breast_cancer, "wine": load_wine}


def held_out(name, standardized):
    x, y = DATA[name](return_X_y=True)
    train, test, *labels = train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)
    if standardized:
        train, test = lnc.standardize(train), lnc.standardize(test, like=train)
    return train, test, *labels


def last(y):
    classes = len(np.unique(y))
    return Dense(1) if classes == 2 else Dense(classes, "softmax")


def warned(model, x, y, **how):
    """Return the warning of a fit, or ""."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        quiet_fit(model, x, y, **how)
    assert all(warning.category is LearningWarning for warning in caught)
    assert len(caught) < 2
    assert all(warning.filename.endswith("model_cases.py") for warning in caught), "the line that called fit"
    return str(caught[0].message) if caught else ""


@pytest.mark.parametrize("standardized", [True, False])
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("hidden", [None, 10, 64])
def test_defaults_reach_scikit_learns_accuracy_or_warn_with_the_cure(data, standardized, hidden):
    train, test, y_train, y_test = held_out(data, standardized)
    expected = LogisticRegression(max_iter=5000).fit(train, y_train).score(test, y_test)
    layers = [] if hidden is None else [Dense(hidden, "relu" if hidden == 64 else "sigmoid")]
    model = Classifier(Sequential(*layers, last(y_train)))
    message = warned(model, train, y_train, epochs=100)
    if standardized:
        assert not message
    if message:
        assert "standardize the features, lincoln.standardize(features)" in message
    else:
        assert model.score(test, y_test) >= expected - 0.015  # two of some 140 test examples
    assert len(message) <= 500


def test_the_loss_follows_the_networks_end():
    assert type(Classifier(Dense(1)).loss) is lnc.LogLoss
    assert type(Classifier(Sequential(Linear(3), Softmax())).loss) is lnc.CrossEntropy
    assert repr(Classifier(Dense(3, "softmax")).optimizer) == repr(Classifier(Dense(1)).optimizer) == "SGD(lr=0.003)"


REDUCTIONS = [
    (None, None, "sum"),
    (lnc.CrossEntropy, None, "sum"),
    (partial(lnc.CrossEntropy, label_smoothing=0.1), None, "sum"),
    (partial(lnc.CrossEntropy, reduction="mean"), None, "mean"),
    (lambda network: lnc.CrossEntropy(network), None, "mean"),
    (lnc.CrossEntropy, lnc.SGD, "mean"),
    (lnc.CrossEntropy, lnc.Adam, "mean"),
    (None, lnc.Adam, "mean"),
]


@pytest.mark.parametrize(("loss", "optimizer", "reduction"), REDUCTIONS, ids=str)
def test_only_with_the_default_optimizer_a_class_adds_up(loss, optimizer, reduction):
    network = Dense(3, "softmax")
    assert Classifier(network, loss, optimizer).loss.reduction == reduction
    instance = lnc.CrossEntropy(network)
    assert Classifier(network, instance).loss.reduction == "mean"


def test_the_default_rate_on_an_average_is_warned_of():
    train, _, y, _ = held_out("digits", standardized=True)
    model = Classifier(Sequential(Dense(10), Dense(10, "softmax")), lnc.CrossEntropy, lnc.SGD)
    message = warned(model, train, y, epochs=50)
    assert "The loss was still falling" in message
    assert "0.003 is small for a loss averaged over the batch; leave the optimizer out" in message
    assert len(message) <= 500


def test_a_rate_of_ones_own_is_not_commented_on():
    train, _, y, _ = held_out("digits", standardized=True)
    model = Classifier(Sequential(Dense(10), Dense(10, "softmax")), lnc.CrossEntropy, partial(lnc.SGD, lr=0.004))
    assert not warned(model, train, y, epochs=50)


def test_one_class_for_all_is_warned_of():
    x = np.random.default_rng(0).normal(size=(400, 4))
    rare = (np.arange(400) % 20 == 0).astype(int)
    names = np.array(["common", "rare"])[rare]
    message = warned(Classifier(Dense(1)), x, names, epochs=40)
    assert "5.0% of the training labels are still predicted wrong, all as 'common'" in message
    assert "class_weight='balanced'" in message


@pytest.mark.parametrize("scale", [1e-4, 300.0])
def test_features_of_unusual_size_are_named(scale):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    y = (x[:, 0] + rng.normal(size=300) > 0).astype(int)
    x = x * (scale if scale < 1 else np.array([1.0, scale, 1.0]))
    message = warned(Classifier(Dense(1), optimizer=partial(lnc.SGD, lr=1e-6)), x, y, epochs=40)
    assert ("Feature 1 is" in message) == (scale > 1)
    assert "standardize the features" in message


def test_short_fits_and_good_ones_are_silent():
    train, _, y, _ = held_out("breast cancer", standardized=False)
    assert not warned(Classifier(Dense(1)), train, y, epochs=3)
    x, y = two_blobs()
    model = classifier()
    assert not warned(model, x, y, epochs=100)
    assert model.score(x, y) > 0.95


def test_the_schedule_of_a_fit_does_not_lower_the_rate_of_the_next():
    x, y = two_blobs()
    model = Classifier(Dense(1))
    for _ in range(2):
        history = quiet_fit(model, x, y, epochs=5, schedule=schedules.cosine(35))
        assert history.learning_rates[0] > history.learning_rates[-1]
        assert model.optimizer.lr == 0.003
