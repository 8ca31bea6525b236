"""Data, settings and comparisons for the tests of the estimators, which stand beside scikit-learn's."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.neural_network
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_limits

import lincoln.estimators
from lincoln import SGD, Callback, Dense, Sequential

_random = np.random.RandomState(0)
X = _random.randn(60, 5)
SCORE = X @ _random.randn(5) + 0.3 * _random.randn(60)
BINARY = (SCORE > 0).astype(int)
CLASSES = np.digitize(SCORE, [-1, 1])
LABELS = np.stack([X[:, 0] > 0, X[:, 1] > 0.5, SCORE > 0], 1).astype(int)
NUMBERS = SCORE / SCORE.std()
TARGETS = np.stack([NUMBERS, X[:, 0] * X[:, 1]], 1)
COUNTS = _random.poisson(np.exp(0.3 * SCORE)).astype(float)
WEIGHTS = _random.uniform(0.1, 3, 60)

SMALL = {"hidden_layer_sizes": (6,), "random_state": 3, "max_iter": 8, "batch_size": 16, "learning_rate_init": 0.01}
MLPS = ["MLPClassifier", "MLPRegressor"]
NETWORKS = ["NetworkClassifier", "NetworkRegressor"]
ALL = [*MLPS, *NETWORKS]
CLASSIFIERS = ["MLPClassifier", "NetworkClassifier"]
each_kind = pytest.mark.parametrize("kind", ALL)
each_mlp = pytest.mark.parametrize("kind", MLPS)
each_network = pytest.mark.parametrize("kind", NETWORKS)
each_classifier = pytest.mark.parametrize("kind", CLASSIFIERS)
FRAGILE = {  # settings with which a fit to huge data diverges
    "MLP": {"solver": "sgd"},
    "Net": {"network": Sequential(Dense(6, "relu"), Dense(1, None)), "optimizer": SGD},
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Use one thread in the modules that import this: on data this small, more threads only wait for each other."""
    with threadpool_limits(1):
        yield


def net(outputs):
    return Sequential(Dense(6, "tanh"), Dense(outputs, None))


def ours(kind, **settings):
    """Return a small estimator of ours; a NetworkClassifier or NetworkRegressor has its network from `net`."""
    if kind in MLPS:
        return getattr(lincoln.estimators, kind)(**{**SMALL, **settings})
    given = {"network": net, "lr": 0.01, "random_state": 3, "max_iter": 8, "batch_size": 16, **settings}
    return getattr(lincoln.estimators, kind)(**given)


def theirs(kind, **settings):
    return getattr(sklearn.neural_network, kind)(**{**SMALL, **settings})


def y_for(kind):
    return BINARY if kind.endswith("Classifier") else NUMBERS


def quietly(call, *args, **more):
    """Return what `call` returns, without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*args, **more)


def heard(call, *args, **more):
    """Return the warnings that `call` gives, as (category, message)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*args, **more)
    return [(warning.category, str(warning.message)) for warning in caught]


def refusal(call, *args, **more):
    """Return the exception that `call` raises, or None."""
    try:
        quietly(call, *args, **more)
    except Exception as error:
        return error
    return None


def side_by_side(kind, *data, **settings):
    """Return our estimator and scikit-learn's, fitted to the same data; assert that their warnings are the same."""
    pair = ours(kind, **settings), theirs(kind, **settings)
    assert heard(pair[0].fit, *data) == heard(pair[1].fit, *data)
    return pair


def fitted_attributes(estimator):
    return {name: value for name, value in vars(estimator).items() if name.endswith("_") and not name.startswith("_")}


def assert_alike(mine, other, X=X, rtol=1e-9, atol=1e-11):
    """Assert that our estimator has scikit-learn's fitted attributes, with type and value, and its predictions."""
    for name, expected in fitted_attributes(other).items():
        assert_same(name, getattr(mine, name), expected, rtol, atol)
    curves = ("loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_", "feature_names_in_")
    assert [hasattr(mine, name) for name in curves] == [hasattr(other, name) for name in curves]
    for method in ("predict", "predict_proba", "predict_log_proba"):
        assert hasattr(mine, method) == hasattr(other, method)
        if hasattr(other, method):
            with np.errstate(divide="ignore"):
                assert_same(method, getattr(mine, method)(X), getattr(other, method)(X), rtol, atol)


def assert_same(name, found, expected, rtol=1e-9, atol=1e-11):
    """Assert equality up to rounding, and the same type; a float may be Python's where scikit-learn has numpy's."""
    if isinstance(expected, list):
        assert isinstance(found, list), name
        assert len(found) == len(expected), name
        for one, other in zip(found, expected, strict=True):
            assert_same(name, one, other, rtol, atol)
    elif isinstance(expected, np.ndarray):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), name
        if expected.dtype.kind == "f":
            assert_allclose(found, expected, rtol, atol, err_msg=name)
        else:
            assert_array_equal(found, expected, err_msg=name)
    elif isinstance(expected, float | np.floating):
        assert isinstance(found, float | np.floating), name
        assert_allclose(found, expected, rtol, atol, err_msg=name)
    elif hasattr(expected, "nnz"):
        assert type(found) is type(expected), name
        assert_array_equal(found.toarray(), expected.toarray(), err_msg=name)
    else:
        assert type(found) is type(expected), name
        assert found == expected, name


def fitted(kind, y=None, weights=None, features=X, **settings):
    return quietly(ours(kind, **settings).fit, features, y_for(kind) if y is None else y, weights)


def named(settings):
    return ",".join(f"{name}={value}" for name, value in settings.items()) if isinstance(settings, dict) else None


ADAPTIVE = {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.3, "tol": 0.01, "max_iter": 120}
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
KINDS_AND_TARGETS = [
    ("MLPClassifier", BINARY, [0, 1]),
    ("MLPClassifier", np.array(["low", "mid", "high"])[CLASSES], ["high", "low", "mid"]),
    ("MLPClassifier", LABELS, [0, 1, 2]),
    ("MLPRegressor", NUMBERS, None),
    ("MLPRegressor", TARGETS, None),
]
TARGET_IDS = ["binary", "strings", "labels", "numbers", "two outputs"]
each_target = pytest.mark.parametrize(("kind", "y", "classes"), KINDS_AND_TARGETS, ids=TARGET_IDS)
STEPPED = [
    {"solver": "adam"},
    {"solver": "sgd"},
    {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1},
    {"solver": "sgd", "learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 1},
    {"solver": "sgd", "momentum": 0, "shuffle": False, "batch_size": 7},
]
each_step = pytest.mark.parametrize("settings", STEPPED, ids=lambda s: ",".join(map(str, s.values())))


def both(pair, method, *data, **more):
    """Call `method` of each; assert that their warnings and all else are the same."""
    assert heard(getattr(pair[0], method), *data, **more) == heard(getattr(pair[1], method), *data, **more)
    assert_alike(*pair)


def first(classes):
    return {} if classes is None else {"classes": classes}


def assert_equal_fits(one, other):
    assert_array_equal(one.predict(X), other.predict(X))
    assert_allclose(one.loss_curve_, other.loss_curve_, rtol=1e-12)


class Watcher(Callback):
    """Measure something after each epoch, independently of the estimator."""

    def __init__(self, measure):
        self.measure = measure
        self.found = []
        self.epochs = 0

    def epoch_end(self, trainer):
        self.epochs += 1
        self.found.append(self.measure(trainer))


def beside(kind, **settings):
    """Return our estimator and scikit-learn's, if it has one."""
    return [ours(kind, **settings), *([theirs(kind, **settings)] if kind in MLPS else [])]


def assert_both_refuse(pair, method, *data, **more):
    """Assert that both raise an exception of the same class; return ours, whose message differs."""
    errors = [refusal(getattr(estimator, method), *data, **more) for estimator in pair]
    assert errors[-1] is not None, "scikit-learn takes it"
    (kind,) = [kind for kind in (ValueError, TypeError, AttributeError) if isinstance(errors[-1], kind)]
    assert isinstance(errors[0], kind), errors
    assert len(str(errors[0])) > 15
    return errors[0]
