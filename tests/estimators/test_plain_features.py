"""Features that need no checks of scikit-learn's are predicted without them; all others get them."""

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch

from lincoln.estimators import MLPClassifier, MLPRegressor
from lincoln.estimators.data import is_plain

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)
FORMS = {
    "float64": X,
    "float32": X.astype(np.float32),
    "columns first": np.asfortranarray(X),
    "every other": np.repeat(X, 2, axis=0)[::2],
    "reversed": X[::-1][::-1],
    "big-endian": X.astype(">f8"),
    "a list": X.tolist(),
    "objects": X.astype(object),
    "float16": X.astype(np.float16),
    "a frame": pd.DataFrame(X),
    "a subclass": X.view(np.matrix).A,
}


@pytest.fixture(scope="module")
def mlp():
    return MLPClassifier((3,), max_iter=50, n_iter_no_change=1, tol=1, random_state=0).fit(X, Y)


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_are_predicted_alike(form, mlp):
    rough = 1e-2 if form == "float16" else 1e-5
    np.testing.assert_allclose(mlp.predict_proba(FORMS[form]), mlp.predict_proba(X), rtol=rough, atol=rough)
    assert (mlp.predict(FORMS[form]) == mlp.predict(X)).all() or form == "float16"
    assert is_plain(FORMS[form], vars(mlp)) == (
        form in ("float64", "float32", "columns first", "every other", "reversed", "a subclass")
    )


WRONG = {
    "NaN": np.where(np.arange(3) == 1, np.nan, X),
    "infinite": np.where(np.arange(3) == 1, np.inf, X),
    "both infinities": np.where(np.arange(3) == 1, np.inf, np.where(np.arange(3) == 2, -np.inf, X)),
    "columns": X[:, :2],
    "no rows": X[:0],
    "one dimension": X[0],
}


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_features_are_refused_as_before(wrong, mlp):
    theirs = sklearn.neural_network.MLPClassifier((3,), max_iter=50, n_iter_no_change=1, tol=1).fit(X, Y)
    messages = []
    for estimator in (mlp, theirs):
        with pytest.raises(ValueError, match=r".") as caught:
            estimator.predict(WRONG[wrong])
        messages.append(str(caught.value).replace("lincoln", ""))
    assert messages[0] == messages[1]


def test_numbers_whose_sum_overflows_are_taken(mlp):
    large = np.full((2, 3), 1e308)
    assert not is_plain(large, vars(mlp))
    assert mlp.predict(large * 0.1).shape == (2,)


def test_names_and_fits_are_still_asked_for():
    with pytest.raises(sklearn.exceptions.NotFittedError):
        MLPRegressor().predict(X)
    frame = pd.DataFrame(X, columns=list("abc"))
    named = MLPClassifier((3,), max_iter=50, n_iter_no_change=1, tol=1).fit(frame, Y)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        named.predict(X)


def test_a_network_that_was_moved_or_replaced_is_shown_anew(mlp):
    before = mlp.predict_proba(X)
    mlp.coefs_[0] = mlp.coefs_[0] * 0
    assert not np.allclose(mlp.predict_proba(X), before)
    mlp.network_.to(dtype=torch.float32)
    assert mlp.predict_proba(X).dtype == np.float32
    assert mlp.coefs_[0].dtype == np.float32
