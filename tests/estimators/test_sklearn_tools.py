"""The estimators in scikit-learn's tools: pipelines, searches, ensembles, metadata routing."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from estimator_cases import (
    BINARY,
    CLASSES,
    MLPS,
    NETWORKS,
    NUMBERS,
    WEIGHTS,
    X,
    each_kind,
    each_mlp,
    heard,
    net,
    ours,
    quietly,
    theirs,
    y_for,
)
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingRegressor, StackingClassifier, VotingClassifier, VotingRegressor
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_predict, cross_val_score, learning_curve
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lincoln import Dense, Sequential

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
