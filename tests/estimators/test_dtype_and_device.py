"""The dtype and the device of a fit."""

import pickle

import numpy as np
import pytest
import torch
from estimator_cases import X, assert_equal_fits, each_kind, each_mlp, fitted, ours, y_for
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_array_equal


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
