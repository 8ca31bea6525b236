"""The estimators among scikit-learn's tools: pipelines, searches, copies and pickles, metadata routing, display."""

import copy
import io
import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from estimator_cases import BINARY, CLASSES, MLPS, NETWORKS, NUMBERS, WEIGHTS, X, heard, net, ours, quietly, theirs, y_for
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingRegressor, StackingClassifier, VotingClassifier, VotingRegressor
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_predict, cross_val_score, learning_curve
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lincoln.estimators
from lincoln import Dense, Sequential
from lincoln.estimators import MLPClassifier, NetworkClassifier

ALL = [*MLPS, *NETWORKS]
ROOT = Path(__file__).parents[2]
each_kind = pytest.mark.parametrize("kind", ALL)
each_mlp = pytest.mark.parametrize("kind", MLPS)


def through_pickle(estimator):
    return pickle.loads(pickle.dumps(estimator))


def through_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


COPIES = {"deepcopy": copy.deepcopy, "pickle": through_pickle, "joblib": through_joblib}
each_copy = pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)


# ---- Tools that take any estimator


TOOLS = {
    "pipeline": (lambda e: make_pipeline(StandardScaler(), e), "both"),
    "nested pipeline": (lambda e: make_pipeline(make_pipeline(StandardScaler()), make_pipeline(e)), "both"),
    "grid search": (lambda e: GridSearchCV(e, {"max_iter": [2, 6], "batch_size": [16, 30]}, cv=2), "both"),
    "random search": (lambda e: RandomizedSearchCV(e, {"tol": [1e-3, 1]}, n_iter=2, cv=2, random_state=0), "both"),
    "calibration": (lambda e: CalibratedClassifierCV(e, cv=2), "classifier"),
    "voting": (lambda e: VotingClassifier([("a", e), ("b", LogisticRegression())], voting="soft"), "classifier"),
    "stacking": (lambda e: StackingClassifier([("a", e)], LogisticRegression(), cv=2), "classifier"),
    "one against the rest": (OneVsRestClassifier, "classifier"),
    "voting on numbers": (lambda e: VotingRegressor([("a", e), ("b", e)]), "regressor"),
    "bagging": (lambda e: BaggingRegressor(e, n_estimators=2, random_state=0), "regressor"),
    "transformed target": (lambda e: TransformedTargetRegressor(e, transformer=StandardScaler()), "regressor"),
}


@pytest.mark.parametrize(
    ("kind", "tool"), [(k, t) for k in MLPS for t, (_, of) in TOOLS.items() if of in ("both", k[3:].lower())]
)
def test_tools_do_with_ours_what_they_do_with_scikit_learns(kind, tool):
    make, y = TOOLS[tool][0], CLASSES if kind == "MLPClassifier" else NUMBERS
    mine, other = (quietly(make(one(kind, max_iter=4)).fit, X, y) for one in (ours, theirs))
    assert_allclose(mine.score(X, y), other.score(X, y))
    if hasattr(other, "predict_proba"):
        assert_allclose(mine.predict_proba(X), other.predict_proba(X), rtol=1e-6)
    else:
        assert_allclose(mine.predict(X), other.predict(X), rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "tool"), [(k, t) for k in NETWORKS for t, (_, of) in TOOLS.items() if of in ("both", k[7:].lower())]
)
def test_tools_take_networks(kind, tool):
    model = quietly(TOOLS[tool][0](ours(kind, max_iter=3)).fit, X, y_for(kind))
    assert model.predict(X).shape == (60,)


@each_kind
def test_cross_validation(kind):
    y = y_for(kind)
    assert quietly(cross_val_score, ours(kind), X, y, cv=3, n_jobs=1).shape == (3,)
    assert quietly(cross_val_predict, ours(kind), X, y, cv=3).shape == (60,)
    assert quietly(learning_curve, ours(kind), X, y, cv=2, train_sizes=[0.5, 1.0])[1].shape == (2, 2)
    if kind in MLPS:
        scores = [quietly(cross_val_score, make(kind), X, y, cv=3) for make in (ours, theirs)]
        assert_allclose(*scores)


@pytest.mark.parametrize("kind", ["MLPClassifier", "NetworkRegressor"])
def test_search_in_two_processes(kind):
    parameters = {"max_iter": [1, 5]}
    searches = [quietly(GridSearchCV(ours(kind), parameters, cv=2, n_jobs=n).fit, X, y_for(kind)) for n in (1, 2)]
    assert_allclose(*(search.cv_results_["mean_test_score"] for search in searches), rtol=1e-6)
    assert_allclose(*(search.predict(X) for search in searches), rtol=1e-6)


def test_searches_reach_the_settings_of_a_network():
    templates = [net, Sequential(Dense(3, "relu"), Dense(1, None))]
    search = GridSearchCV(ours("NetworkClassifier"), {"network": templates, "lr": [0.01, 0.1]}, cv=2)
    assert quietly(search.fit, X, BINARY).best_params_["lr"] in (0.01, 0.1)
    assert len(search.cv_results_["params"]) == 4


def test_outputs_of_other_kinds():
    chain = quietly(ClassifierChain(ours("MLPClassifier"), random_state=0).fit, X, np.stack([BINARY, X[:, 0] > 0], 1))
    assert chain.predict(X).shape == (60, 2)
    several = quietly(MultiOutputRegressor(ours("MLPRegressor")).fit, X, np.stack([NUMBERS, -NUMBERS], 1))
    assert several.predict(X).shape == (60, 2)


@each_mlp
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_pipelines_that_hand_on_frames(kind, library):
    frame = {"pandas": pd, "polars": pl}[library].DataFrame({name: X[:, i] for i, name in enumerate("abcde")})
    pipeline = make_pipeline(StandardScaler(), ours(kind)).set_output(transform=library)
    quietly(pipeline.fit, frame, y_for(kind))
    assert pipeline[-1].feature_names_in_.tolist() == list("abcde")
    assert heard(pipeline.predict, frame) == []
    plain = quietly(make_pipeline(StandardScaler(), ours(kind)).fit, X, y_for(kind))
    assert_allclose(pipeline.predict(frame), plain.predict(X))


# ---- Metadata routing


@each_kind
def test_weights_are_routed_where_they_are_asked_for(kind):
    y = y_for(kind)
    with sklearn.config_context(enable_metadata_routing=True):
        asking = ours(kind).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = quietly(make_pipeline(scaler, asking).fit, X, y, sample_weight=WEIGHTS)
        scaled = StandardScaler().fit_transform(X)
        direct = quietly(ours(kind).fit, scaled, y, WEIGHTS)
        assert_array_equal(pipeline.predict(X), direct.predict(scaled))
        search = GridSearchCV(make_pipeline(scaler, asking), {"standardscaler__with_mean": [True]}, cv=2)
        quietly(search.fit, X, y, sample_weight=WEIGHTS)
        assert_array_equal(search.predict(X), direct.predict(scaled))
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            make_pipeline(scaler, ours(kind)).fit(X, y, sample_weight=WEIGHTS)
        assert asking.set_partial_fit_request(sample_weight=True) is asking


# ---- Copies


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


@each_kind
def test_set_params(kind):
    estimator = ours(kind).set_params(max_iter=3, tol=0.25)
    assert (estimator.get_params()["max_iter"], estimator.tol) == (3, 0.25)
    with pytest.raises(ValueError, match="Invalid parameter"):
        estimator.set_params(nonsense=1)


# ---- Display


@each_kind
def test_display(kind):
    unfitted = ours(kind)
    fitted = quietly(ours(kind).fit, X, y_for(kind))
    assert "not fitted" in unfitted._repr_html_().lower()
    page = fitted._repr_html_()
    assert kind in page
    assert "max_iter" in page
    assert "not fitted" not in page.lower()
    assert repr(fitted) == repr(unfitted)


def test_repr_shows_what_was_changed():
    assert repr(MLPClassifier()) == "MLPClassifier()"
    assert repr(MLPClassifier(alpha=1)) == "MLPClassifier(alpha=1)"
    assert repr(MLPClassifier((3,), dropout=0.5)) == "MLPClassifier(dropout=0.5, hidden_layer_sizes=(3,))"
    assert repr(NetworkClassifier(len, lr=0.5)) == "NetworkClassifier(lr=0.5, network=<built-in function len>)"


def test_kinds():
    for kind in ALL:
        assert is_classifier(ours(kind)) == kind.endswith("Classifier")
        assert is_regressor(ours(kind)) == kind.endswith("Regressor")
        assert kind in lincoln.estimators.__all__
        assert getattr(lincoln.estimators, kind).__doc__


# ---- Importing


def test_lincoln_imports_scikit_learn_only_with_its_estimators():
    code = (
        "import sys, lincoln; heavy = ('sklearn', 'scipy'); print([name for name in heavy if name in sys.modules]);"
        "import lincoln.estimators; print(lincoln.estimators.MLPClassifier.__name__, 'sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=120)
    assert done.stdout.split("\n")[:2] == ["[]", "MLPClassifier True"]
