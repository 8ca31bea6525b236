"""Dropout in fits, and the random numbers that it draws."""

import torch
from estimator_cases import X, each_mlp, each_network, fitted, ours, y_for
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_array_equal

from lincoln import Dense, Dropout, Sequential


@each_mlp
def test_dropout(kind):
    plain, dropped, again = (fitted(kind, dropout=rate, max_iter=60) for rate in (0, 0.3, 0.3))
    assert dropped.loss_curve_ == again.loss_curve_ != plain.loss_curve_
    assert_array_equal(dropped.coefs_[0], again.coefs_[0])
    assert dropped.loss_curve_[-1] < dropped.loss_curve_[0]
    assert_array_equal(dropped.predict(X), dropped.predict(X))
    assert dropped.score(X, y_for(kind)) > 0.5
    assert fitted(kind, dropout=0.3, random_state=4).loss_curve_ != fitted(kind, dropout=0.3).loss_curve_
    assert len(dropped.coefs_) == len(plain.coefs_) == 2


@each_mlp
def test_dropout_leaves_torchs_generator_alone(kind):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    fitted(kind, dropout=0.5)
    assert torch.equal(torch.rand(3), expected)


@each_mlp
def test_dropout_in_partial_fit_draws_anew_and_reproducibly(kind):
    y = y_for(kind)
    one, other = (ours(kind, dropout=0.5) for _ in range(2))
    for _ in range(3):
        for estimator in (one, other):
            estimator.partial_fit(X, y, **({"classes": [0, 1]} if kind == "MLPClassifier" else {}))
    assert one.loss_curve_ == other.loss_curve_


@each_network
def test_dropout_draws_anew_in_each_partial_fit(kind):
    network = Sequential(Dense(20, "relu"), Dropout(0.5), Dense(1, None))
    estimator = ours(kind, network=network, lr=1e-12, batch_size=60, shuffle=False)
    more = {"classes": [0, 1]} if kind == "NetworkClassifier" else {}
    for _ in range(3):
        estimator.partial_fit(X, y_for(kind), **more)
    assert len(set(estimator.loss_curve_)) == 3


@each_network
def test_torchs_generator_is_left_alone(kind):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    fitted(kind, network=Sequential(Dense(6, "relu"), Dropout(0.5), Dense(1, None)))
    assert torch.equal(torch.rand(3), expected)
