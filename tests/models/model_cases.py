"""Data and models for the tests of models."""

from functools import partial

import numpy as np

import lincoln as lnc
from lincoln import Classifier
from lincoln.layers import Dense, Sequential


def two_blobs(n=200, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    return rng.normal(size=(n, 4)) + 2 * y[:, None], y


def classifier(**changes):
    settings = {"network": Sequential(Dense(5), Dense(1)), "optimizer": partial(lnc.SGD, lr=0.03)}
    return Classifier(**settings | changes)


def quiet_fit(model, x, y, **changes):
    return model.fit(x, y, **{"epochs": 20, "print_every": None, "seed": 0} | changes)


def with_value(x, value):
    x = x.copy()
    x[3, 2] = value
    return x
