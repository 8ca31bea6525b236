"""A fit that fails leaves an estimator as it was; any fit leaves the data as they were."""

import copy
import pickle

import numpy as np
import pytest
import torch
from estimator_cases import BINARY, FRAGILE, WEIGHTS, X, each_kind, each_mlp, heard, ours, quietly, refusal, y_for
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import lincoln as lnc
from lincoln import Callback


class Fails(Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def epoch_end(self, trainer):
        if len(trainer.history.losses) == self.epoch:
            raise RuntimeError("a callback's own")


class FailsInAStep(Callback):
    def step_end(self, trainer):
        raise RuntimeError("a callback's own")


FAILURES = {
    "a parameter": ({"tol": -1}, lambda X, y: (X, y)),
    "nan": ({}, lambda X, y: (X * np.nan, y)),
    "nan in y": ({}, lambda X, y: (X, y * np.nan)),
    "lengths": ({}, lambda X, y: (X, y[:5])),
    "features": ({"batch_size": "auto"}, lambda X, y: (X[:, :0], y)),
    "weights": ({}, lambda X, y: (X, y, np.ones(3))),
    "diverging": ({}, lambda X, y: (X * 1e300, y)),
    "a callback": ({"callbacks": [Fails(1)]}, lambda X, y: (X, y)),
    "a callback in a step": ({"callbacks": [FailsInAStep()]}, lambda X, y: (X, y)),
    "validation data": ({"validation_data": (X[:, :2], BINARY)}, lambda X, y: (X, y)),
    "clip": ({"gradient_clip": -1}, lambda X, y: (X, y)),
}
FIT_FAILURES = {
    "a later epoch": ({"callbacks": [Fails(3)]}, lambda X, y: (X, y)),
    "device": ({"device": "nonsense", "warm_start": False}, lambda X, y: (X, y)),
    "dtype": ({"dtype": "int8", "warm_start": False}, lambda X, y: (X, y)),
    "a small share": ({"early_stopping": True, "validation_fraction": 0.01}, lambda X, y: (X, y)),
}


def _plain(values):
    return [name for name in values if name not in ("network", "network_", "_loss", "_optimizer", "_shown", "callbacks")]


def state(estimator):
    """Return everything that an estimator holds, by value."""
    values = {name: value for name, value in vars(estimator).items() if not isinstance(value, Callback)}
    kept = {name: pickle.dumps(value) for name, value in values.items() if name in _plain(values)}
    weights = estimator.network_.flatten()[0].numpy().tobytes()
    optimizer = {n: v.numpy().tobytes() if hasattr(v, "numpy") else v for n, v in estimator._optimizer.state_dict().items()}
    return kept, sorted(vars(estimator)), weights, optimizer, estimator.predict(X).tobytes(), id(estimator.network_)


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize(
    ("method", "failure"),
    [
        *(("fit", name) for name in FAILURES | FIT_FAILURES),
        *(("partial_fit", name) for name in FAILURES if name not in ("a parameter", "clip")),
    ],
)
@each_kind
def test_a_fit_that_fails_changes_nothing(kind, method, failure, warm):
    y = y_for(kind)
    estimator, twin = (quietly(ours(kind, warm_start=warm, **FRAGILE[kind[:3]]).fit, X, y) for _ in range(2))
    settings, spoil = (FAILURES | FIT_FAILURES)[failure]
    before_settings = {name: getattr(estimator, name) for name in settings}
    arrays = [id(array) for array in getattr(estimator, "coefs_", [])]
    before = state(estimator)
    estimator.set_params(**settings)
    error = refusal(getattr(estimator, method), *spoil(X, y.astype(float)))
    assert isinstance(error, RuntimeError if "callback" in failure or "epoch" in failure else ValueError), error
    estimator.set_params(**before_settings)
    assert state(estimator) == before
    assert [id(array) for array in getattr(estimator, "coefs_", [])] == arrays
    for follow in ("partial_fit", "fit", "partial_fit"):
        for one in (estimator, twin):
            quietly(getattr(one, follow), X, y)
        assert_array_equal(estimator.predict(X), twin.predict(X))
        assert estimator.loss_curve_ == twin.loss_curve_


@each_kind
def test_a_first_fit_that_fails_leaves_an_unfitted_estimator(kind):
    for failure, (settings, spoil) in (FAILURES | FIT_FAILURES).items():
        estimator = ours(kind, **FRAGILE[kind[:3]] | settings)
        before = sorted(vars(estimator))
        assert refusal(estimator.fit, *spoil(X, y_for(kind).astype(float))) is not None, failure
        assert sorted(vars(estimator)) == before, failure
        with pytest.raises(NotFittedError):
            estimator.predict(X)


@each_mlp
def test_lbfgs_that_fails_changes_nothing(kind):
    estimator = quietly(ours(kind, solver="lbfgs", warm_start=True, max_iter=3).fit, X, y_for(kind))
    kept = [coef.tobytes() for coef in estimator.coefs_], estimator.predict(X), estimator.loss_, estimator.n_iter_
    for data in ((X * np.nan, y_for(kind)), (X, y_for(kind)[:4]), (X, y_for(kind), np.zeros(60))):
        assert isinstance(refusal(estimator.fit, *data), ValueError)
        assert [coef.tobytes() for coef in estimator.coefs_] == kept[0]
        assert_array_equal(estimator.predict(X), kept[1])
        assert (estimator.loss_, estimator.n_iter_) == kept[2:]


def test_a_failed_fit_with_changed_parameters_changes_nothing():
    mlp = quietly(ours("MLPClassifier", warm_start=True).fit, X, BINARY)
    before, state = mlp.predict_proba(X), mlp._optimizer.state_dict()

    class Stumble(lnc.Callback):
        def epoch_end(self, trainer):
            raise RuntimeError("stumbled")

    mlp.set_params(activation="tanh", callbacks=[Stumble()])
    with pytest.raises(RuntimeError, match="stumbled"):
        mlp.partial_fit(X, BINARY)
    assert_array_equal(mlp.predict_proba(X), before)
    torch.testing.assert_close(mlp._optimizer.state_dict(), state)


@each_kind
def test_the_data_are_not_written_to(kind):
    features, y, weights = copy.deepcopy((X, y_for(kind), WEIGHTS))
    for array in (features, y, weights):
        array.flags.writeable = False
    torch.set_warn_always(True)  # else torch warns only once that an array is read-only
    try:
        estimator = ours(kind)
        assert [category for category, _ in heard(estimator.fit, features, y, weights)] == [ConvergenceWarning]
        assert heard(estimator.predict, features) == heard(estimator.partial_fit, features, y, weights) == []
    finally:
        torch.set_warn_always(False)
    assert_array_equal(features, X)
