"""Parameters that are refused, where scikit-learn refuses them."""

import math

import numpy as np
import pytest
from estimator_cases import (
    ALL,
    BINARY,
    MLPS,
    X,
    assert_both_refuse,
    beside,
    each_kind,
    each_mlp,
    ours,
    refusal,
    theirs,
    y_for,
)
from estimator_cases import one_thread as one_thread  # a fixture
from sklearn.utils._param_validation import InvalidParameterError, generate_invalid_param_val, make_constraint

from lincoln import Callback

VALUES = [
    -1, 0, 1, 2, -0.5, 0.5, 1.0, 1.5, math.nan, math.inf, -math.inf, True, None, "nonsense", "auto", "adaptive", "constant",
    (), (3, 2), [0], (3, -1), ("a",), {}, np.int64(2), np.float32(0.5), b"sgd", object(),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in MLPS for name in theirs(kind).get_params() if name != "random_state"]
)
def test_values_are_refused_where_scikit_learn_refuses_them(kind, name):
    y = np.abs(y_for(kind))
    for value in VALUES:
        mine, other = (refusal(make(kind, **{"max_iter": 2} | {name: value}).fit, X, y) for make in (ours, theirs))
        if name == "hidden_layer_sizes" and isinstance(other, Exception) and not isinstance(other, ValueError):
            assert isinstance(mine, Exception), value
        else:
            assert (mine is None) == (other is None), (value, mine, other)
            assert other is None or isinstance(mine, type(other)), (value, mine, other)


def _constraints(kind):
    for name, constraints in type(ours(kind))._parameter_constraints.items():
        for constraint in constraints:
            try:
                bad = generate_invalid_param_val(make_constraint(constraint))
            except NotImplementedError:
                continue
            if not any(make_constraint(other).is_satisfied_by(bad) for other in constraints):
                yield kind, name, bad


@pytest.mark.parametrize(("kind", "name", "bad"), [row for kind in ALL for row in _constraints(kind)], ids=str)
def test_values_outside_the_constraints_are_refused(kind, name, bad):
    with pytest.raises(InvalidParameterError, match=f"The '{name}' parameter of {kind} must be"):
        ours(kind, **{name: bad}).fit(X, y_for(kind))
    if "Classifier" in kind:
        with pytest.raises(InvalidParameterError, match=name):
            ours(kind, **{name: bad}).partial_fit(X, BINARY, classes=[0, 1])


@each_kind
def test_every_parameter_has_a_constraint(kind):
    assert set(type(ours(kind))._parameter_constraints) == set(ours(kind).get_params())


@each_kind
def test_a_validation_share_that_is_too_small(kind):
    pair = beside(kind, early_stopping=True, validation_fraction=0.01)
    error = assert_both_refuse(pair, "fit", X, y_for(kind))
    assert isinstance(error, ValueError)
    assert_both_refuse(beside(kind, early_stopping=True, validation_fraction=0), "fit", X, y_for(kind))
    if "Regressor" in kind:
        assert "validation set is too small" in str(error)


@each_kind
def test_early_stopping_in_partial_fit(kind):
    more = {"classes": [0, 1]} if "Classifier" in kind else {}
    error = assert_both_refuse(beside(kind, early_stopping=True), "partial_fit", X, y_for(kind), **more)
    assert "early_stopping" in str(error)


def test_a_class_too_rare_to_be_split():
    rare = (np.arange(60) == 0).astype(int)
    assert_both_refuse(beside("MLPClassifier", early_stopping=True), "fit", X, rare)


@pytest.mark.parametrize(
    "setting", [{"dropout": 0.1}, {"gradient_clip": 1.0}, {"callbacks": [Callback()]}, {"validation_data": (X, BINARY)}]
)
def test_what_needs_epochs_is_refused_with_lbfgs(setting):
    with pytest.raises(ValueError, match=f"{next(iter(setting))}.*lbfgs"):
        ours("MLPClassifier", solver="lbfgs", **setting).fit(X, BINARY)


@pytest.mark.parametrize(
    "wrong",
    [
        {"gradient_clip": 0},
        {"gradient_clip": -1},
        {"callbacks": 3},
        {"callbacks": [3]},
        {"device": 3},
        {"validation_data": 1},
    ],
    ids=str,
)
@each_kind
def test_wrong_settings_are_refused(kind, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ours(kind, **wrong).fit(X, y_for(kind))


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, "a", None])
@each_mlp
def test_wrong_dropout_is_refused(kind, rate):
    with pytest.raises(ValueError, match="dropout"):
        ours(kind, dropout=rate).fit(X, y_for(kind))
