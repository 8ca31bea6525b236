"""Features of every kind: sparse matrices, frames, lists, float32, memory maps."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from estimator_cases import (
    BINARY,
    MLPS,
    SOLVERS,
    X,
    assert_alike,
    heard,
    named,
    ours,
    quietly,
    refusal,
    side_by_side,
    y_for,
)
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_allclose

import lincoln as lnc
import lincoln.estimators


@pytest.mark.parametrize("settings", SOLVERS, ids=named)
@pytest.mark.parametrize("form", [sp.csr_array, sp.csc_matrix, sp.coo_array, sp.csr_matrix], ids=lambda form: form.__name__)
@pytest.mark.parametrize("kind", MLPS)
def test_sparse_features(kind, form, settings):
    sparse = form(X * (X > 0.5))
    y = y_for(kind)
    pair = side_by_side(kind, sparse, y, **settings)
    assert_alike(*pair, X=sparse)
    dense = quietly(ours(kind, **settings).fit, sparse.toarray(), y)
    assert_allclose(pair[0].predict(sparse), dense.predict(sparse.toarray()), rtol=1e-12)


@pytest.mark.parametrize(
    "settings", [{"solver": "adam"}, {"solver": "sgd"}, {"solver": "adam", "early_stopping": True}], ids=named
)
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("kind", MLPS)
def test_float32_features_make_float32_weights(kind, sparse, settings):
    features = X.astype(np.float32)
    features = sp.csr_array(features) if sparse else features
    pair = side_by_side(kind, features, y_for(kind), **settings)
    assert_alike(*pair, X=features, rtol=1e-3, atol=1e-4)
    assert pair[0].coefs_[0].dtype == np.float32


@pytest.mark.parametrize("kind", MLPS)
def test_integers_and_lists_are_features(kind):
    for features in ((X * 3).astype(int), X.tolist(), np.asfortranarray(X), X[:, ::-1], np.broadcast_to(X[:, :1], (60, 5))):
        assert_alike(*side_by_side(kind, features, y_for(kind)), X=features)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
@pytest.mark.parametrize("kind", MLPS)
def test_frames(kind, frame):
    y = y_for(kind)
    features = frame({name: X[:, i] for i, name in enumerate("abcde")})
    pair = side_by_side(kind, features, y)
    assert_alike(*pair, X=features)
    assert pair[0].feature_names_in_.tolist() == list("abcde")
    series = pd.Series(y) if frame is pd.DataFrame else pl.Series(y)
    assert_alike(*side_by_side(kind, features, series), X=features)
    assert heard(pair[0].predict, X) == heard(pair[1].predict, X) != []
    for wrong in (features[list("edcba")], features[list("abcd")], frame({n: X[:, i] for i, n in enumerate("vwxyz")})):
        for method in ("predict", "partial_fit"):
            errors = [refusal(getattr(e, method), wrong, *([y] if method == "partial_fit" else [])) for e in pair]
            assert isinstance(errors[0], ValueError)
            assert [(type(error), str(error).replace("MLP", "")) for error in errors[:1]] == [
                (type(error), str(error).replace("MLP", "")) for error in errors[1:]
            ]


@pytest.mark.parametrize("kind", MLPS)
def test_frames_of_mixed_numbers(kind):
    features = pd.DataFrame({"a": X[:, 0].astype("float32"), "b": (X[:, 1] * 5).astype(int), "c": X[:, 2] > 0})
    assert_alike(*side_by_side(kind, features, pd.Series(y_for(kind), index=range(100, 160))), X=features)


def test_a_memory_map_is_not_copied(tmp_path):
    file = np.memmap(tmp_path / "x", np.float32, "w+", shape=X.shape)
    file[:] = X
    file.flush()
    seen = []

    class Look(lnc.Callback):
        def train_begin(self, trainer):
            seen.append(trainer.train_batches.dataset.tensors[0])

    mapped = np.memmap(tmp_path / "x", np.float32, "r", shape=X.shape)
    quietly(ours("MLPClassifier", callbacks=[Look()]).fit, mapped, BINARY)
    assert np.shares_memory(seen[0].numpy(), mapped)
