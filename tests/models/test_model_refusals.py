"""Data and arguments that a model refuses, and fits that diverge."""

from functools import partial

import numpy as np
import pytest
import torch
from model_cases import classifier, quiet_fit, two_blobs, with_value

import lincoln as lnc
from lincoln import Regressor
from lincoln.errors import ArgumentError, DataError, DivergenceError, LincolnError, MatchError, StateError
from lincoln.layers import Dense, Linear

BAD = {
    "nan features": (
        lambda x, y: (with_value(x, np.nan), y),
        DataError,
        r"features: NaN or inf.* first \(nan\) at \(3, 2\)",
    ),
    "infinite features": (lambda x, y: (with_value(x, -np.inf), y), DataError, r"features: .*\(-inf\) at \(3, 2\)"),
    "overflowing features": (lambda x, y: (with_value(x, 1e300), y), DataError, r"features: .*inf"),
    "nan labels": (lambda x, y: (x, np.where(np.arange(len(y)) == 5, np.nan, y)), DataError, r"labels: .*\(nan\) at 5"),
    "labels 1 and 2": (
        lambda x, y: (x, y + 1),
        DataError,
        r"labels: 1, 2 found, LogLoss expects 0 and 1: write labels == 2",
    ),
    "labels -1 and 1": (lambda x, y: (x, 2 * y - 1), DataError, r"labels: -1, 1 found"),
    "one class": (lambda x, y: (x, y * 0), DataError, r"labels: one class only \(0\)"),
    "one string class": (lambda x, y: (x, np.full(len(y), "cat")), DataError, "one class only"),
    "three string classes": (
        lambda x, y: (x, np.array(["a", "b", "c"])[np.arange(len(y)) % 3]),
        DataError,
        "3 softmax outputs",
    ),
    "mixed labels": (lambda x, y: (x, np.array(["a", 1] * 100, dtype=object)), DataError, "a mix of int, str"),
    "missing string label": (lambda x, y: (x, np.array(["a", None] * 100, dtype=object)), DataError, "missing at 1"),
    "lengths": (lambda x, y: (x, y[:-1]), DataError, "features 200, labels 199"),
    "empty": (lambda x, y: (x[:0], y[:0]), DataError, r"features: no data \(shape \(0, 4\)\)"),
    "no features": (lambda x, y: (x[:, :0], y), DataError, r"features: no data"),
    "string features": (lambda x, y: (x.astype(str), y), DataError, "features: dtype .* holds no real numbers"),
    "complex features": (lambda x, y: (x * 1j, y), DataError, "holds no real numbers"),
    "two label columns": (lambda x, y: (x, np.stack([y, y], 1)), MatchError, r"targets have shape \(200, 2\)"),
    "vector": (lambda x, y: (x[:, 0], y), LincolnError, "at least 2 dimensions"),
    "features missing": (
        lambda x, y: (x[:, :3], y),
        MatchError,
        "Linear '0.linear': input has 3 features, W was built for 4",
    ),
}


@pytest.mark.parametrize(
    ("case", "role"),
    [(case, "training") for case in BAD]
    + [(case, "validation") for case in BAD if case != "one class"],  # validation data may have one class
)
def test_bad_data(case, role):
    x, y = two_blobs()
    model = classifier(optimizer=partial(lnc.SGD, lr=0.01, momentum=0.9))
    quiet_fit(model, x, y)
    before = model.network.flatten()[0].clone(), model.optimizer.state_dict(), model.predict_proba(x)
    change, error, message = BAD[case]
    with np.errstate(all="ignore"):
        bad = change(x, y)
    if role == "training":
        with pytest.raises(error, match=message):
            quiet_fit(model, *bad)
    else:
        with pytest.raises(LincolnError):
            quiet_fit(model, x, y, validation_data=bad)
    assert torch.equal(model.network.flatten()[0], before[0])
    assert model.optimizer.steps == before[1]["steps"]
    assert torch.equal(model.optimizer.velocity, before[1]["velocity"])
    np.testing.assert_array_equal(model.predict_proba(x), before[2])


@pytest.mark.parametrize("name", ["epochs", "batch_size", "print_every"])
@pytest.mark.parametrize("value", [-1, 1.5, "3"])
def test_counts_below_one(name, value):
    x, y = two_blobs()
    with pytest.raises(ArgumentError, match=f"{name} is {value!r}; expected an integer of at least 1"):
        classifier().fit(x, y, **{name: value})
    if name != "print_every":
        with pytest.raises(ArgumentError, match=f"{name} is 0"):
            classifier().fit(x, y, **{name: 0})


@pytest.mark.parametrize("method", ["predict", "predict_proba", "score", "evaluate", "classes_"])
def test_before_fit(method):
    model = classifier()
    with pytest.raises(StateError, match=r"Classifier is not fitted yet: call fit\(features, labels\) first"):
        attribute = getattr(model, method)
        attribute(np.zeros((2, 4)), *([np.zeros(2)] if method in ("score", "evaluate") else []))
    with pytest.raises(StateError, match="Regressor is not fitted"):
        Regressor(Linear(1)).predict(np.zeros((2, 4)))


def test_predicting_bad_features():
    x, y = two_blobs()
    model = classifier()
    quiet_fit(model, x, y)
    with pytest.raises(MatchError, match="Linear '0.linear': input has 3 features, W was built for 4"):
        model.predict(x[:, :3])
    with pytest.raises(DataError, match="NaN or infinite"):
        model.predict(with_value(x, np.nan))
    with pytest.raises(DataError, match="no data"):
        model.predict(x[:0])


def test_features_that_overflow_at_predict():
    x, y = two_blobs()
    model = classifier()
    quiet_fit(model, x, y)
    with pytest.raises(DataError, match="features: NaN or infinite"):
        model.predict(np.full((1, 4), 1e300))


def test_loss_or_optimizer_of_another_network():
    with pytest.raises(ArgumentError, match="loss is bound to another network"):
        classifier(loss=lnc.LogLoss(Dense(1)))
    with pytest.raises(ArgumentError, match="optimizer is bound to another network"):
        classifier(optimizer=lnc.SGD(Dense(1)))
    with pytest.raises(ArgumentError, match="loss is 'log'; expected a Loss class, a factory"):
        classifier(loss="log")
    with pytest.raises(ArgumentError, match="optimizer is .*; expected a Optimizer class|expected an Optimizer class"):
        classifier(optimizer=dict)


def test_devices_that_are_not_here():
    with pytest.raises(ArgumentError, match="device is 'gpu', which cannot be used here"):
        classifier(device="gpu")


def test_a_failed_first_fit_does_not_shape_the_network():
    x, y = two_blobs()
    model = classifier()
    with pytest.raises(MatchError):
        quiet_fit(model, x[:, :3], np.stack([y, y], 1))
    assert list(model.network.parameters()) == []
    fresh = classifier()
    assert quiet_fit(model, x, y).losses == quiet_fit(fresh, x, y).losses


def test_weights_that_are_not_finite_to_begin_with():
    x, y = two_blobs()
    model = classifier()
    quiet_fit(model, x, y)
    model.network.flatten()[0].fill_(float("nan"))
    with pytest.raises(StateError, match="weights are not finite before the first step"):
        quiet_fit(model, x, y)


@pytest.mark.parametrize("momentum", [0, 0.9])
def test_divergence_restores_the_last_finite_weights(momentum):
    x, y = two_blobs()
    model = classifier(optimizer=partial(lnc.SGD, lr=0.01, momentum=momentum))
    quiet_fit(model, x, y, epochs=3)
    good = model.network.flatten()[0].clone()
    state = model.optimizer.state_dict()
    model.optimizer.lr = float("inf")
    with pytest.raises(
        DivergenceError, match=r"training diverged in epoch 1: .*back at the weights of the start.*Lower the"
    ):
        quiet_fit(model, x, y, epochs=3)
    assert torch.equal(model.network.flatten()[0], good)
    assert model.optimizer.steps == state["steps"]
    assert all(torch.equal(model.optimizer.state_dict()[name], state[name]) for name in state if name == "velocity")
    model.optimizer.lr = 0.01
    quiet_fit(model, x, y, epochs=2)
    model.loss(torch.tensor(x).float(), torch.tensor(y))
    model.loss.backward()
    model.optimizer.step()  # outside inference mode too


def test_divergence_in_a_later_epoch():
    x, y = two_blobs()
    model = classifier()
    kept = []

    def batches(features, labels, size):
        kept.append(model.network.flatten()[0].clone() if kept else None)
        yield features, labels
        if len(kept) == 3:
            model.optimizer.lr = float("nan")
            yield features, labels

    model.batch_gen = batches
    with pytest.raises(DivergenceError, match="epoch 3: .*learning rate nan.*the end of epoch 2"):
        quiet_fit(model, x, y, epochs=10)
    assert torch.equal(model.network.flatten()[0], kept[-1])
    assert np.isfinite(model.predict_proba(x)).all()


def test_divergence_of_an_unbuilt_network_leaves_initial_weights():
    x, y = two_blobs()
    model = classifier(optimizer=partial(lnc.SGD, lr=float("inf")))
    with pytest.raises(DivergenceError):
        quiet_fit(model, x, y)
    assert torch.isfinite(model.network.flatten()[0]).all()
