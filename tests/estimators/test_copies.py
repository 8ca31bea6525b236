"""Copies, pickles and clones."""

import copy
import io
import pickle

import joblib
import numpy as np
import pytest
import torch
from estimator_cases import BINARY, CLASSES, X, each_kind, each_mlp, each_network, fitted, net, ours, quietly, y_for
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError

import lincoln as lnc
import lincoln.estimators
from lincoln import Linear


def through_pickle(estimator):
    return pickle.loads(pickle.dumps(estimator))


def through_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


COPIES = {"deepcopy": copy.deepcopy, "pickle": through_pickle, "joblib": through_joblib}
each_copy = pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)


@each_copy
@each_kind
def test_a_copy_of_a_fitted_one_goes_on_as_it_does(kind, copied):
    y = y_for(kind)
    estimator = quietly(ours(kind, warm_start=True).fit, X, y)
    twin = copied(estimator)
    assert_array_equal(twin.predict(X), estimator.predict(X))
    assert twin.get_params().keys() == estimator.get_params().keys()
    assert (twin.loss_curve_, twin.t_, twin.n_iter_) == (estimator.loss_curve_, estimator.t_, estimator.n_iter_)
    look = "predict_proba" if is_classifier(estimator) else "predict"
    before = getattr(estimator, look)(X)
    for method in ("partial_fit", "fit", "partial_fit"):
        quietly(getattr(twin, method), X[:40], y[:40])
    assert_array_equal(getattr(estimator, look)(X), before)
    for method in ("partial_fit", "fit", "partial_fit"):
        quietly(getattr(estimator, method), X[:40], y[:40])
    assert_array_equal(twin.predict(X), estimator.predict(X))
    assert twin.loss_curve_ == estimator.loss_curve_
    assert (getattr(estimator, look)(X) != before).any()


@each_copy
@each_mlp
def test_the_coefficients_of_a_copy_are_its_own(kind, copied):
    estimator = quietly(ours(kind).fit, X, y_for(kind))
    twin = copied(estimator)
    kept = estimator.coefs_[0].copy()
    twin.coefs_[0][:] = 0
    assert_array_equal(estimator.coefs_[0], kept)
    assert twin.predict(X).tolist() != estimator.predict(X).tolist()
    estimator.coefs_ = [np.zeros_like(coef) for coef in estimator.coefs_]
    assert_array_equal(copied(estimator).predict(X), estimator.predict(X))
    assert not np.any(copied(estimator).coefs_[0])


@each_copy
@each_kind
def test_a_copy_of_an_unfitted_one_fits_as_it_does(kind, copied):
    estimator = ours(kind)
    twin = copied(estimator)
    with pytest.raises(NotFittedError):
        twin.predict(X)
    assert_array_equal(*(quietly(one.fit, X, y_for(kind)).predict(X) for one in (estimator, twin)))


@each_mlp
def test_lbfgs_is_pickled_and_goes_on(kind):
    estimator = quietly(ours(kind, solver="lbfgs", warm_start=True, max_iter=3).fit, X, y_for(kind))
    twin = through_pickle(estimator)
    for one in (estimator, twin):
        quietly(one.fit, X, y_for(kind))
    assert_array_equal(twin.predict(X), estimator.predict(X))


@each_kind
def test_a_clone_is_unfitted_and_fits_alike(kind):
    estimator = quietly(ours(kind, tol=0.5, early_stopping=True).fit, X, y_for(kind))
    twin = clone(estimator)
    assert not hasattr(twin, "network_")
    assert not hasattr(twin, "loss_")
    assert twin.tol == 0.5
    assert_array_equal(quietly(twin.fit, X, y_for(kind)).predict(X), estimator.predict(X))
    assert_array_equal(quietly(clone(twin).fit, X, y_for(kind)).predict(X), estimator.predict(X))


def built(seed=0, outputs=1):
    """Return a network that has weights."""
    torch.manual_seed(seed)
    network = net(outputs)
    network(torch.zeros(1, 5))
    return network


@each_network
def test_a_clone_shares_nothing_with_what_it_was_made_from(kind):
    estimator = fitted(kind, network=built(3))
    twin = clone(estimator)
    assert_array_equal(quietly(twin.fit, X, y_for(kind)).predict(X), estimator.predict(X))
    assert twin.network_ is not estimator.network_
    again = quietly(clone(twin).fit, X, y_for(kind))
    assert_array_equal(again.predict(X), estimator.predict(X))


both_copies = pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))], ids=["copy", "pickle"]
)


@both_copies
@pytest.mark.parametrize(
    "changed",
    [
        {"solver": "sgd"},
        {"solver": "lbfgs"},
        {"alpha": -1},
        {"learning_rate_init": "fast"},
        {"activation": "tanh"},
        {"dropout": 0.5},
        {"solver": "sgd", "activation": "tanh", "alpha": 1.0},
    ],
    ids=str,
)
def test_copies_made_after_parameters_were_set(changed, copied):
    """Copies predict as the original does; with valid parameters, further fits of both are equal."""
    mlp = quietly(ours("MLPClassifier", warm_start=True).fit, X, CLASSES).set_params(**changed)
    other = copied(mlp)
    assert_array_equal(other.predict_proba(X), mlp.predict_proba(X))
    if changed not in ({"alpha": -1}, {"learning_rate_init": "fast"}):
        quietly(mlp.fit, X, CLASSES), quietly(other.fit, X, CLASSES)
        assert repr(other.network_) == repr(mlp.network_)
        assert_array_equal(other.predict_proba(X), mlp.predict_proba(X))


@both_copies
@pytest.mark.parametrize("changed", [{"loss": lnc.MSE}, {"optimizer": lnc.SGD}, {"network": Linear(5)}], ids=str)
def test_copies_of_networks_made_after_parameters_were_set(changed, copied):
    fitted = quietly(ours("NetworkClassifier").fit, X, CLASSES).set_params(**changed)
    assert_array_equal(copied(fitted).predict_proba(X), fitted.predict_proba(X))


@both_copies
def test_copies_keep_the_best_weights(copied):
    mlp = quietly(ours("MLPClassifier", warm_start=True, early_stopping=True, max_iter=30).fit, X, BINARY)
    other = quietly(copied(mlp).set_params(learning_rate_init=1e-9, max_iter=2).fit, X, 1 - BINARY)
    for found, kept in zip(other.coefs_, mlp.coefs_, strict=True):
        assert_array_equal(found, kept)
