"""MLPClassifier and MLPRegressor side by side with scikit-learn's: from equal random states, equal fits."""

import inspect

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.neural_network
from estimator_cases import (
    BINARY,
    CLASSES,
    COUNTS,
    LABELS,
    MLPS,
    NUMBERS,
    SCORE,
    TARGETS,
    WEIGHTS,
    X,
    assert_alike,
    fitted_attributes,
    heard,
    ours,
    quietly,
    side_by_side,
    theirs,
    y_for,
)
from estimator_cases import one_thread as one_thread  # a fixture
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning

import lincoln.estimators

ADAPTIVE = {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.3, "tol": 0.01, "max_iter": 120}

SETTINGS = [
    *({"hidden_layer_sizes": sizes} for sizes in (7, 1, np.int64(3), (4,), (5, 3, 2), [4, 3], np.array([3, 4]), ())),
    *(
        {"activation": name, "solver": solver}
        for name in ("identity", "logistic", "tanh", "relu")
        for solver in ("sgd", "adam")
    ),
    *({"solver": "lbfgs", "activation": name, "max_iter": 4} for name in ("identity", "logistic", "tanh", "relu")),
    *({"solver": "lbfgs", "tol": tol, "hidden_layer_sizes": (2,), "max_iter": 400, "alpha": 1} for tol in (1e-2, 0.3)),
    *({"solver": "lbfgs", "max_fun": most} for most in (1, 5)),
    *({"alpha": alpha, "solver": solver} for alpha in (0, 0.5, 1) for solver in ("sgd", "adam")),
    {"alpha": 1, "solver": "lbfgs", "max_iter": 5},
    *({"batch_size": size} for size in ("auto", 1, 7, 20, 60, 61, 1000, np.int64(25))),
    *(
        {"solver": solver, "learning_rate": rate, "learning_rate_init": 0.1}
        for rate in ("constant", "invscaling", "adaptive")
        for solver in ("sgd", "adam")
    ),
    *({"solver": "sgd", "learning_rate": "invscaling", "power_t": power} for power in (0, 0.1, 1.0, 2)),
    ADAPTIVE,
    {**ADAPTIVE, "n_iter_no_change": 1, "batch_size": "auto"},
    {**ADAPTIVE, "early_stopping": True, "n_iter_no_change": 2},
    {**ADAPTIVE, "n_iter_no_change": 2, "learning_rate_init": 5e-6},
    *({"learning_rate_init": rate} for rate in (1e-5, 0.1)),
    *({"max_iter": most} for most in (1, 2, 30)),
    *({"shuffle": shuffle, "solver": solver} for shuffle in (False, True) for solver in ("sgd", "adam")),
    *({"random_state": seed} for seed in (0, 1, 12345)),
    *({"tol": tol, "max_iter": 40} for tol in (0, 1e-4, 0.01, 10)),
    *({"tol": 0.05, "max_iter": 40, "n_iter_no_change": patience} for patience in (1, 3, 10, 1000, np.inf)),
    *({"solver": "sgd", "momentum": m, "nesterovs_momentum": n} for m in (0, 0.5, 0.9, 1.0) for n in (False, True)),
    *({"early_stopping": True, "solver": solver, "max_iter": 30} for solver in ("sgd", "adam")),
    *({"early_stopping": True, "validation_fraction": share} for share in (0.05, 0.2, 0.5)),
    {"early_stopping": True, "n_iter_no_change": 2, "learning_rate_init": 0.1, "max_iter": 60},
    {"early_stopping": True, "shuffle": False},
    *({"beta_1": beta} for beta in (0, 0.5, 0.99)),
    *({"beta_2": beta} for beta in (0.5, 0.9)),
    {"beta_1": 0, "beta_2": 0, "epsilon": 0.1},
    *({"epsilon": epsilon} for epsilon in (1e-3, 1.0)),
]


def named(settings):
    return ",".join(f"{name}={value}" for name, value in settings.items()) if isinstance(settings, dict) else None


@pytest.mark.parametrize("settings", SETTINGS, ids=named)
@pytest.mark.parametrize("kind", MLPS)
def test_a_fit_is_scikit_learns(kind, settings):
    assert_alike(*side_by_side(kind, X, y_for(kind), **settings))


TARGET_KINDS = {
    "three classes": ("MLPClassifier", CLASSES),
    "strings": ("MLPClassifier", np.array(["low", "mid", "high"])[CLASSES]),
    "two strings": ("MLPClassifier", np.array(["no", "yes"])[BINARY]),
    "objects": ("MLPClassifier", np.array(["no", "yes"], dtype=object)[BINARY]),
    "booleans": ("MLPClassifier", BINARY.astype(bool)),
    "integers of any value": ("MLPClassifier", CLASSES * 100 - 7),
    "whole floats": ("MLPClassifier", CLASSES.astype(float)),
    "one class": ("MLPClassifier", np.ones(60, dtype=int)),
    "one string": ("MLPClassifier", np.full(60, "only")),
    "a list": ("MLPClassifier", BINARY.tolist()),
    "several labels": ("MLPClassifier", LABELS),
    "sparse labels": ("MLPClassifier", sp.csr_array(LABELS)),
    "boolean labels": ("MLPClassifier", LABELS.astype(bool)),
    "a column of classes": ("MLPClassifier", CLASSES[:, None]),
    "numbers": ("MLPRegressor", NUMBERS),
    "whole numbers": ("MLPRegressor", CLASSES),
    "float32 numbers": ("MLPRegressor", NUMBERS.astype(np.float32)),
    "a column": ("MLPRegressor", NUMBERS[:, None]),
    "two outputs": ("MLPRegressor", TARGETS),
    "a list of lists": ("MLPRegressor", TARGETS.tolist()),
}
SOLVERS = [
    {"solver": "adam"},
    {"solver": "sgd", "alpha": 0.5},
    {"solver": "lbfgs", "max_iter": 6, "alpha": 0.5},
    {"solver": "adam", "early_stopping": True, "validation_fraction": 0.3},
]


SEVERAL_OUTPUTS = ("two outputs", "a list of lists")  # where scikit-learn's L-BFGS works on another loss: see below


@pytest.mark.parametrize("settings", SOLVERS, ids=named)
@pytest.mark.parametrize("target", TARGET_KINDS)
def test_targets_of_every_kind(target, settings):
    if target in SEVERAL_OUTPUTS and settings["solver"] == "lbfgs":
        settings = {"solver": "sgd", "momentum": 0.5}
    kind, y = TARGET_KINDS[target]
    if sp.issparse(y) and settings.get("early_stopping"):
        y = sp.csr_matrix(y)
    pair = side_by_side(kind, X, y, **settings)
    assert_alike(*pair)
    assert_allclose(*(estimator.score(X, y) for estimator in pair), rtol=1e-9)


def test_lbfgs_on_several_outputs_goes_lower_than_scikit_learns():
    """Theirs gives L-BFGS a loss averaged over outputs with the gradient of their sum; ours gives it the sum for both."""
    settings = {"solver": "lbfgs", "max_iter": 30, "alpha": 0.0}
    mine, other = (quietly(make("MLPRegressor", **settings).fit, X, TARGETS) for make in (ours, theirs))
    assert mine.loss_ < other.loss_
    assert_allclose(mine.loss_, np.mean((mine.predict(X) - TARGETS) ** 2) / 2)
    assert_allclose(other.loss_, np.mean((other.predict(X) - TARGETS) ** 2) / 2)


@pytest.mark.parametrize("settings", SOLVERS, ids=named)
@pytest.mark.parametrize(
    "y", [COUNTS, np.stack([COUNTS, COUNTS[::-1]], 1), COUNTS.astype(int)], ids=["one", "two", "integers"]
)
def test_poisson_loss(y, settings):
    mine, other = side_by_side("MLPRegressor", X, y, loss="poisson", **settings)
    assert_alike(mine, other)
    assert (mine.predict(X) > 0).all()


@pytest.mark.parametrize("settings", SOLVERS, ids=named)
@pytest.mark.parametrize("target", ["three classes", "two strings", "several labels", "numbers", "two outputs"])
@pytest.mark.parametrize("weights", [WEIGHTS, (WEIGHTS > 1.5).astype(int).tolist()], ids=["any", "0 and 1"])
def test_sample_weight(target, settings, weights):
    kind, y = TARGET_KINDS[target]
    pair = side_by_side(kind, X, y, weights, **settings)
    assert_alike(*pair)
    scores = [estimator.score(X, y, sample_weight=weights) for estimator in pair]
    assert_allclose(*scores, rtol=1e-9)


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
def test_lbfgs_works_in_float64_whatever_comes(kind):
    mine, other = side_by_side(kind, X.astype(np.float32), y_for(kind), solver="lbfgs", max_iter=5)
    assert mine.coefs_[0].dtype == other.coefs_[0].dtype
    assert_allclose(mine.predict(X), other.predict(X), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", MLPS)
def test_integers_and_lists_are_features(kind):
    for features in ((X * 3).astype(int), X.tolist(), np.asfortranarray(X), X[:, ::-1], np.broadcast_to(X[:, :1], (60, 5))):
        assert_alike(*side_by_side(kind, features, y_for(kind)), X=features)


# ---- What is printed and warned of


@pytest.mark.parametrize("verbose", [False, True, 5])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"tol": 1, "max_iter": 30},
        ADAPTIVE,
        {"early_stopping": True, "max_iter": 40, "tol": 0.1},
        {**ADAPTIVE, "tol": 1},
    ],
    ids=named,
)
@pytest.mark.parametrize("kind", MLPS)
def test_verbose_prints_the_same(kind, settings, verbose, capsys):
    printed = []
    for make in (ours, theirs):
        quietly(make(kind, **settings, verbose=verbose).fit, X, y_for(kind))
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert bool(printed[0]) == bool(verbose)


@pytest.mark.parametrize("kind", MLPS)
def test_warnings(kind):
    y = y_for(kind)
    assert [category for category, _ in heard(ours(kind, max_iter=2).fit, X, y)] == [ConvergenceWarning]
    assert ConvergenceWarning in [category for category, _ in heard(ours(kind, solver="lbfgs", max_iter=2).fit, X, y)]
    assert DataConversionWarning in [category for category, _ in heard(ours(kind).fit, X, y[:, None])]
    assert any("`batch_size`" in text for _, text in heard(ours(kind, batch_size=61).fit, X, y))
    assert heard(ours(kind, tol=10, max_iter=50).fit, X, y) == []
    assert heard(ours(kind, max_iter=1).partial_fit, X, y, *([None, [0, 1]] if y is BINARY else [])) == []


@pytest.mark.parametrize("kind", MLPS)
def test_warnings_point_at_the_call(kind):
    with pytest.warns(ConvergenceWarning) as caught:
        ours(kind, max_iter=1).fit(X, y_for(kind))
    assert caught[0].filename == __file__


# ---- Parameters and attributes


@pytest.mark.parametrize("kind", MLPS)
def test_parameters_are_scikit_learns_and_more(kind):
    mine, other = (
        inspect.signature(getattr(module, kind).__init__).parameters
        for module in (lincoln.estimators, sklearn.neural_network)
    )
    assert {name: (parameter.kind, parameter.default) for name, parameter in mine.items() if name in other} == {
        name: (parameter.kind, parameter.default) for name, parameter in other.items()
    }
    added = [parameter for name, parameter in mine.items() if name not in other]
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in added)
    assert [name for name in mine if name in other] == list(other)
    get_params = getattr(lincoln.estimators, kind)().get_params()
    assert getattr(sklearn.neural_network, kind)().get_params().items() <= get_params.items()
    assert {name: parameter.default for name, parameter in mine.items() if name != "self"} == get_params


@pytest.mark.parametrize("kind", MLPS)
@pytest.mark.parametrize("method", ["fit", "partial_fit", "predict", "predict_proba", "predict_log_proba", "score"])
def test_methods_take_what_scikit_learns_take(kind, method):
    mine, other = (getattr(getattr(module, kind), method, None) for module in (lincoln.estimators, sklearn.neural_network))
    assert (mine is None) == (other is None)
    if other is not None:
        assert [(p.name, p.kind, p.default) for p in inspect.signature(mine).parameters.values()] == [
            (p.name, p.kind, p.default) for p in inspect.signature(other).parameters.values()
        ]


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("kind", MLPS)
def test_every_attribute_of_scikit_learns_is_there(kind, early, solver):
    mine, other = side_by_side(kind, X, y_for(kind), solver=solver, early_stopping=early, max_iter=4)
    assert fitted_attributes(other).keys() <= fitted_attributes(mine).keys()
    assert mine.n_layers_ == len(mine.coefs_) + 1 == 3


def test_early_stopping_keeps_the_best_weights():
    mine, other = side_by_side("MLPClassifier", X, BINARY, early_stopping=True, max_iter=40, learning_rate_init=0.1)
    assert mine.best_validation_score_ == max(mine.validation_scores_) == other.best_validation_score_
    assert len(mine.validation_scores_) == mine.n_iter_ < 40
    assert mine.best_loss_ is None
    assert_allclose(mine.coefs_[0], other.coefs_[0], rtol=1e-9)


def test_the_held_out_share_keeps_the_share_of_classes():
    rare = (np.sort(SCORE)[-8] < SCORE).astype(int)
    assert_alike(*side_by_side("MLPClassifier", X, rare, early_stopping=True, validation_fraction=0.4, max_iter=15))


def test_random_state_may_be_a_generator_used_on_and_on():
    for kind in MLPS:
        pair = [make(kind, random_state=np.random.RandomState(4)) for make in (ours, theirs)]
        for _ in range(2):
            for estimator in pair:
                quietly(estimator.fit, X, y_for(kind))
            assert_alike(*pair)


def test_random_state_none_draws_from_numpy():
    np.random.seed(5)
    mine = quietly(ours("MLPClassifier", random_state=None).fit, X, BINARY)
    np.random.seed(5)
    other = quietly(theirs("MLPClassifier", random_state=None).fit, X, BINARY)
    assert_alike(mine, other)
