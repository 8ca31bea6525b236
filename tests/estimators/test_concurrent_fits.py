"""Several fits at once."""

import random
import threading
import warnings

import joblib
import numpy as np
import torch
from estimator_cases import BINARY, CLASSES, X
from numpy.testing import assert_array_equal

from lincoln import Dense, Dropout, Linear, Sequential
from lincoln.estimators import MLPClassifier, NetworkClassifier


def test_concurrent_fits_are_those_of_one_after_another_and_leave_random_numbers_alone():
    def fitted(seed):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
        return NetworkClassifier(Sequential(Dense(6, "relu"), Dropout(0.3), Linear(3)), tol=1e9, random_state=seed).fit(
            X, CLASSES
        )

    numpys, pythons, torchs = np.random.get_state()[1].copy(), random.getstate(), torch.get_rng_state()
    together = joblib.Parallel(n_jobs=4, backend="threading")(joblib.delayed(fitted)(seed) for seed in range(6))
    assert_array_equal(np.random.get_state()[1], numpys)
    assert random.getstate() == pythons
    assert torch.equal(torch.get_rng_state(), torchs)
    for seed, one in enumerate(together):
        assert_array_equal(one.predict_proba(X), fitted(seed).predict_proba(X))


def test_concurrent_fits_leave_torchs_threads_alone():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        fits = [threading.Thread(target=MLPClassifier((4,), tol=1e9).fit, args=(X, BINARY)) for _ in range(4)]
        for fit in fits:
            fit.start()
        for fit in fits:
            fit.join()
        seen = []
        fresh = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        fresh.start()
        fresh.join()
        assert seen == [2] == [torch.get_num_threads()]
    finally:
        torch.set_num_threads(before)
