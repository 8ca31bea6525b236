"""What the estimators have beyond scikit-learn's: class weights, dropout, dtypes, devices."""

import pickle

import numpy as np
import pytest
import torch
from estimator_cases import (
    BINARY,
    CLASSES,
    LABELS,
    MLPS,
    NETWORKS,
    WEIGHTS,
    X,
    ours,
    quietly,
    theirs,
    y_for,
)
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from lincoln import Callback

ALL = [*MLPS, *NETWORKS]
CLASSIFIERS = ["MLPClassifier", "NetworkClassifier"]
each_kind = pytest.mark.parametrize("kind", ALL)
each_mlp = pytest.mark.parametrize("kind", MLPS)
each_classifier = pytest.mark.parametrize("kind", CLASSIFIERS)


def fitted(kind, y=None, weights=None, features=X, **settings):
    return quietly(ours(kind, **settings).fit, features, y_for(kind) if y is None else y, weights)


def assert_equal_fits(one, other):
    assert_array_equal(one.predict(X), other.predict(X))
    assert_allclose(one.loss_curve_, other.loss_curve_, rtol=1e-12)


# ---- class_weight

WORDS = np.array(["low", "mid", "high"])[CLASSES]


@pytest.mark.parametrize(
    ("y", "class_weight"),
    [
        (BINARY, {0: 3, 1: 0.5}),
        (BINARY, {1: 2.5}),
        (BINARY, "balanced"),
        (CLASSES, "balanced"),
        (WORDS, {"mid": 4, "low": 0}),
    ],
    ids=["binary", "a part", "balanced", "three balanced", "strings"],
)
@each_classifier
def test_class_weight_is_a_sample_weight(kind, y, class_weight):
    by_class = compute_sample_weight(class_weight, y)
    assert_equal_fits(fitted(kind, y, class_weight=class_weight), fitted(kind, y, by_class))
    assert_equal_fits(fitted(kind, y, WEIGHTS, class_weight=class_weight), fitted(kind, y, WEIGHTS * by_class))
    if kind == "MLPClassifier":
        other = quietly(theirs(kind).fit, X, y, by_class)
        assert_allclose(fitted(kind, y, class_weight=class_weight).coefs_[0], other.coefs_[0], rtol=1e-9)


def test_class_weight_with_lbfgs_and_with_early_stopping():
    for settings in ({"solver": "lbfgs", "max_iter": 5}, {"early_stopping": True}):
        weighted = fitted("MLPClassifier", class_weight={0: 5, 1: 1}, **settings)
        assert_allclose(weighted.loss_, fitted("MLPClassifier", weights=np.where(BINARY, 1, 5), **settings).loss_)


def test_class_weight_of_several_labels_is_one_for_each():
    class_weight = [{0: 1, 1: 2}, {0: 3, 1: 1}, {0: 1, 1: 1}]
    weighted = fitted("MLPClassifier", LABELS, class_weight=class_weight)
    assert_equal_fits(weighted, fitted("MLPClassifier", LABELS, compute_sample_weight(class_weight, LABELS)))


@each_classifier
def test_class_weight_in_partial_fit(kind):
    one, other = ours(kind, class_weight={0: 3, 1: 0.5}), ours(kind)
    for rows in (slice(0, 30), slice(30, 60)):
        one.partial_fit(X[rows], BINARY[rows], classes=[0, 1])
        other.partial_fit(X[rows], BINARY[rows], np.where(BINARY[rows], 0.5, 3), classes=[0, 1])
    assert_equal_fits(one, other)
    balanced = ours(kind, class_weight="balanced")
    with pytest.raises(ValueError, match="balanced.*partial_fit.*compute_class_weight"):
        balanced.partial_fit(X, BINARY, classes=[0, 1])
    assert not hasattr(balanced, "network_")
    weights = compute_class_weight("balanced", classes=np.array([0, 1]), y=BINARY)
    ours(kind, class_weight=dict(enumerate(weights))).partial_fit(X, BINARY, classes=[0, 1])


@pytest.mark.parametrize("wrong", ["nonsense", 3, {7: 1.0}, [1, 2], {0: "a"}], ids=str)
@each_classifier
def test_class_weight_of_other_kinds_is_refused(kind, wrong):
    with pytest.raises((ValueError, TypeError)):
        quietly(ours(kind, class_weight=wrong).fit, X, BINARY)


# ---- dropout


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


@pytest.mark.parametrize(
    "setting", [{"dropout": 0.1}, {"gradient_clip": 1.0}, {"callbacks": [Callback()]}, {"validation_data": (X, BINARY)}]
)
def test_what_needs_epochs_is_refused_with_lbfgs(setting):
    with pytest.raises(ValueError, match=f"{next(iter(setting))}.*lbfgs"):
        ours("MLPClassifier", solver="lbfgs", **setting).fit(X, BINARY)


# ---- dtype and device


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("given", ["float32", np.float32, np.dtype("float32"), torch.float32])
@pytest.mark.parametrize("features", [X, X.astype(np.float32)], ids=["from 64", "from 32"])
@each_mlp
def test_dtype_float32(kind, features, given, solver):
    estimator = fitted(kind, features=features, dtype=given, solver=solver)
    assert {a.dtype for a in [*estimator.coefs_, *estimator.intercepts_]} == {np.dtype("float32")}
    assert estimator.score(features, y_for(kind)) > -1


@pytest.mark.parametrize("given", ["float64", np.float64, np.dtype("float64"), torch.float64, float])
@each_kind
def test_dtype_float64(kind, given):
    estimator = fitted(kind, features=X.astype(np.float32), dtype=given)
    assert next(estimator.network_.parameters()).dtype == torch.float64
    if kind.endswith("Regressor"):
        assert estimator.predict(X).dtype == np.float64


@each_kind
def test_dtype_follows_features_where_none_is_given(kind):
    for features, expected in (
        (X, torch.float64),
        (X.astype(np.float32), torch.float32),
        ((X * 5).astype(int), torch.float64),
    ):
        assert next(fitted(kind, features=features).network_.parameters()).dtype == expected


@pytest.mark.parametrize("wrong", ["float16", "int64", "nonsense", np.int32, torch.bfloat16, int, 3, object])
@each_kind
def test_other_dtypes_are_refused(kind, wrong):
    with pytest.raises(ValueError, match="dtype"):
        ours(kind, dtype=wrong).fit(X, y_for(kind))


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu"), None])
@each_kind
def test_device_cpu(kind, device):
    assert_equal_fits(fitted(kind, device=device), fitted(kind))


@each_kind
def test_device_auto(kind):
    assert fitted(kind, device="auto", max_iter=60).score(X, y_for(kind)) > 0.3


@pytest.mark.parametrize("absent", ["xpu", "nonsense", "cuda:99", *([] if torch.cuda.is_available() else ["cuda"])])
@each_kind
def test_a_device_that_is_not_here_is_refused(kind, absent):
    estimator = ours(kind, device=absent)
    with pytest.raises(ValueError, match=absent.split(":")[0]):
        estimator.fit(X, y_for(kind))
    assert not hasattr(estimator, "network_")


@each_kind
def test_what_was_fitted_elsewhere_predicts_here(kind):
    estimator = fitted(kind, warm_start=True)
    estimator.set_params(device="cuda")
    twin = pickle.loads(pickle.dumps(estimator))
    assert_array_equal(twin.predict(X), estimator.predict(X))
