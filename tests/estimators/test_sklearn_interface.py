"""Parameters, methods, attributes and display, as scikit-learn has them."""

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn
import sklearn.neural_network
from estimator_cases import ALL, BINARY, MLPS, X, each_kind, fitted_attributes, net, ours, quietly, side_by_side, y_for
from estimator_cases import one_thread as one_thread  # a fixture
from sklearn.base import is_classifier, is_regressor

import lincoln.estimators
from lincoln.estimators import MLPClassifier, NetworkClassifier, NetworkRegressor


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


def test_losses_are_numpys_floats():
    mlp = quietly(ours("MLPClassifier").fit, X, BINARY)
    assert mlp.loss_.round(3) == round(float(mlp.loss_), 3) == round(float(mlp.loss_curve_[-1]), 3)
    assert isinstance(quietly(ours("MLPClassifier", solver="lbfgs").fit, X, BINARY).loss_, np.float64)


def test_the_network_is_the_only_argument_without_a_name():
    for kind in (NetworkClassifier, NetworkRegressor):
        assert kind(net).network is net
        with pytest.raises(TypeError):
            kind(net, None)
        with pytest.raises(TypeError):
            kind()


@each_kind
def test_set_params(kind):
    estimator = ours(kind).set_params(max_iter=3, tol=0.25)
    assert (estimator.get_params()["max_iter"], estimator.tol) == (3, 0.25)
    with pytest.raises(ValueError, match="Invalid parameter"):
        estimator.set_params(nonsense=1)


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


ROOT = Path(__file__).parents[2]


def test_lincoln_imports_scikit_learn_only_with_its_estimators():
    code = (
        "import sys, lincoln; heavy = ('sklearn', 'scipy'); print([name for name in heavy if name in sys.modules]);"
        "import lincoln.estimators; print(lincoln.estimators.MLPClassifier.__name__, 'sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=120)
    assert done.stdout.split("\n")[:2] == ["[]", "MLPClassifier True"]
