"""Regressor: one number for each example, or several."""

from functools import partial

import numpy as np
from model_cases import quiet_fit
from sklearn.metrics import mean_absolute_error

import lincoln as lnc
from lincoln import Regressor
from lincoln.layers import Linear


def test_regression():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    y = x @ [1.0, -2.0, 0.5] + 3
    model = Regressor(Linear(1), optimizer=partial(lnc.SGD, lr=0.1))
    history = quiet_fit(model, x, y, validation_data=(x[:50], y[:50]))
    assert model.predict(x).shape == (300,)
    assert model.score(x, y) > 0.999
    assert history.metric == "r2"
    both = np.stack([y, -y], 1)
    pair = Regressor(Linear(2), optimizer=partial(lnc.SGD, lr=0.1), metric=mean_absolute_error)
    quiet_fit(pair, x, both)
    assert pair.predict(x).shape == (300, 2)
    assert pair.score(x, both) < 0.05
    assert pair.evaluate(x, both).keys() == {"loss", "mean_absolute_error"}


def test_regression_of_sequences():
    x = np.random.default_rng(0).normal(size=(32, 5, 4))
    y = x.sum(-1)
    model = Regressor(Linear(1), optimizer=partial(lnc.SGD, lr=0.1), metric=lambda t, p: float(np.abs(t - p).max()))
    quiet_fit(model, x, y)
    assert model.predict(x).shape == (32, 5)
    np.testing.assert_allclose(model.predict(x), y, atol=0.2)
