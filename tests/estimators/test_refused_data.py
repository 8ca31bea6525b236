"""Data that are refused, where scikit-learn refuses them, with exceptions of the same kind."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from estimator_cases import (
    ALL,
    BINARY,
    CLASSES,
    COUNTS,
    FRAGILE,
    LABELS,
    NUMBERS,
    WEIGHTS,
    X,
    assert_both_refuse,
    beside,
    each_kind,
    each_mlp,
    ours,
    quietly,
    refusal,
    theirs,
    y_for,
)
from estimator_cases import one_thread as one_thread  # a fixture
from sklearn.exceptions import NotFittedError


def changed(array, value):
    array = np.array(array, dtype=float)
    array[3, 2] = value
    return array


FEATURES = {
    "nan": changed(X, np.nan),
    "infinity": changed(X, np.inf),
    "complex": X + 1j,
    "one dimension": X[:, 0],
    "three dimensions": X[:, :, None],
    "a number": 3.0,
    "no examples": X[:0],
    "no features": X[:, :0],
    "words": np.full((60, 5), "a"),
    "objects": np.full((60, 5), object()),
    "ragged": [[1, 2], [3]],
    "none": None,
    "too few": X[:59],
    "sparse nan": sp.csr_array(changed(X, np.nan)),
    "missing in a frame": pd.DataFrame({"a": [1.0, None] * 30}),
}


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("features", FEATURES)
@each_kind
def test_features_that_are_refused(kind, features, method):
    more = {"classes": [0, 1]} if method == "partial_fit" and "Classifier" in kind else {}
    error = assert_both_refuse(beside(kind), method, FEATURES[features], y_for(kind), **more)
    assert isinstance(error, ValueError | TypeError)


@pytest.mark.parametrize("features", [name for name in FEATURES if name != "too few"])
@each_kind
def test_features_that_are_refused_in_prediction(kind, features):
    pair = [quietly(estimator.fit, X, y_for(kind)) for estimator in beside(kind)]
    methods = ["predict", "predict_proba", "predict_log_proba"] if "Classifier" in kind else ["predict"]
    for method in methods:
        assert_both_refuse(pair, method, FEATURES[features])
    assert_both_refuse(pair, "score", FEATURES[features], y_for(kind))
    assert "features" in str(assert_both_refuse(pair, "predict", X[:, :3]))


CLASS_TARGETS = {
    "nan": np.where(BINARY, np.nan, 1.0),
    "infinity": np.where(BINARY, np.inf, 1.0),
    "continuous": NUMBERS,
    "none": None,
    "two columns of classes": np.stack([CLASSES, CLASSES], 1),
    "three dimensions": LABELS[:, :, None],
    "too few": BINARY[:59],
    "empty": BINARY[:0],
    "mixed": np.array([0, "a", 2.5] * 20, dtype=object),
    "missing": np.array(["a", None] * 30, dtype=object),
    "a number": 1,
}
NUMBER_TARGETS = {
    "nan": np.where(BINARY, np.nan, 1.0),
    "infinity": np.where(BINARY, np.inf, 1.0),
    "none": None,
    "words": np.array(["a", "b"] * 30),
    "three dimensions": LABELS[:, :, None],
    "too few": NUMBERS[:59],
    "empty": NUMBERS[:0],
    "complex": NUMBERS + 1j,
    "a number": 1.0,
}


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("kind", "target"),
    [(kind, target) for kind in ALL for target in (CLASS_TARGETS if "Classifier" in kind else NUMBER_TARGETS)],
)
def test_targets_that_are_refused(kind, target, method):
    y = (CLASS_TARGETS if "Classifier" in kind else NUMBER_TARGETS)[target]
    more = {"classes": [0, 1]} if method == "partial_fit" and "Classifier" in kind else {}
    error = assert_both_refuse(beside(kind), method, X, y, **more)
    assert isinstance(error, ValueError | TypeError)


SAMPLE_WEIGHTS = {
    "too few": WEIGHTS[:59],
    "nan": np.where(BINARY, np.nan, 1.0),
    "infinity": np.where(BINARY, np.inf, 1.0),
    "two dimensions": WEIGHTS[:, None] @ WEIGHTS[None],
    "words": np.full(60, "a"),
    "complex": WEIGHTS + 1j,
}


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("weights", SAMPLE_WEIGHTS)
@each_kind
def test_weights_that_are_refused(kind, weights, method):
    more = {"classes": [0, 1]} if method == "partial_fit" and "Classifier" in kind else {}
    assert_both_refuse(beside(kind), method, X, y_for(kind), SAMPLE_WEIGHTS[weights], **more)


@pytest.mark.parametrize("settings", [{}, {"solver": "sgd"}, {"solver": "lbfgs"}], ids=str)
@each_mlp
def test_weights_of_zero_are_refused(kind, settings):
    for make in (ours, theirs):
        with pytest.raises(ValueError, match="zero"):
            make(kind, **settings).fit(X, y_for(kind), np.zeros(60))


@each_kind
def test_not_fitted(kind):
    for estimator in beside(kind):
        for method in ("predict", "predict_proba") if "Classifier" in kind else ("predict",):
            with pytest.raises(NotFittedError):
                getattr(estimator, method)(X)


def test_poisson_loss_of_negative_numbers():
    """scikit-learn's documentation asks for y >= 0, but its class takes any y."""
    for settings in ({}, {"solver": "lbfgs"}):
        with pytest.raises(ValueError, match="0 or more"):
            ours("MLPRegressor", loss="poisson", **settings).fit(X, COUNTS - 1)


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize(("scale", "rate"), [(1e100, 1e200), (1e300, 0.01), (1, 1e10), (1, 1e300), (1e150, 1.0)])
@each_mlp
def test_training_that_diverges(kind, scale, rate, solver):
    """A fit diverges where scikit-learn's does, with the same error."""
    settings = {"solver": solver, "learning_rate_init": rate, "activation": "identity", "max_iter": 20}
    with np.errstate(all="ignore"):
        mine, other = (refusal(make(kind, **settings).fit, X * scale, y_for(kind)) for make in (ours, theirs))
    assert type(mine) is type(other)
    assert mine is None or str(mine).startswith(str(other))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@each_kind
def test_what_diverges_is_refused(kind, method):
    more = {"classes": [0, 1]} if method == "partial_fit" and "Classifier" in kind else {}
    estimator = ours(kind, **FRAGILE[kind[:3]])
    with pytest.raises(ValueError, match="non-finite parameter weights"):
        quietly(getattr(estimator, method), X * 1e300, y_for(kind), **more)
    assert not hasattr(estimator, "loss_")


@pytest.mark.parametrize("kind", ["MLPClassifier", "NetworkClassifier"])
def test_classes_that_are_refused(kind):
    assert_both_refuse(beside(kind), "partial_fit", X, BINARY)  # no classes in the first call
    assert_both_refuse(beside(kind), "partial_fit", X, CLASSES, classes=[0, 1])
    pair = beside(kind)
    for estimator in pair:
        quietly(estimator.partial_fit, X, CLASSES, classes=[0, 1, 2])
    assert_both_refuse(pair, "partial_fit", X, CLASSES + 1)
    assert_both_refuse(pair, "partial_fit", X, CLASSES, classes=[0, 1, 2, 3])
    assert_both_refuse(pair, "partial_fit", X, LABELS)
    warm = [quietly(estimator.fit, X, CLASSES) for estimator in beside(kind, warm_start=True)]
    assert_both_refuse(warm, "fit", X, BINARY)
    assert_both_refuse(warm, "fit", X, CLASSES + 1)
    assert_both_refuse(warm, "partial_fit", X, BINARY)


@each_kind
def test_other_features_after_the_first_fit(kind):
    pair = [quietly(estimator.fit, X, y_for(kind)) for estimator in beside(kind, warm_start=True)]
    for method in ("fit", "partial_fit"):
        assert "3 features" in str(assert_both_refuse(pair, method, X[:, :3], y_for(kind)))


def test_other_numbers_of_outputs_after_the_first_fit():
    for kind in ("MLPRegressor", "NetworkRegressor"):
        estimator = quietly(ours(kind, warm_start=True).fit, X, NUMBERS)
        for method in ("fit", "partial_fit"):
            with pytest.raises(ValueError):  # noqa: PT011
                quietly(getattr(estimator, method), X, np.stack([NUMBERS, NUMBERS], 1))
        assert estimator.n_outputs_ == 1
