"""Messages about what the user has many of: the first few, and how many, in at most 500 characters."""

import numpy as np
import pandas as pd
import pytest
import torch

import lincoln as lnc
from lincoln.data import Dataset, random_split
from lincoln.errors import LincolnError
from lincoln.estimators import MLPClassifier

MANY = np.array([f"product-{index:05d}" for index in range(3000)])
LONG = "a very long name " * 100
STATE = {f"x{index}": 0 for index in range(999)}
RUN = lnc.TrainerConfig(1), lnc.LogLoss, lnc.SGD
DEEP = lnc.Sequential(*(lnc.Dense(5) for _ in range(300)), lnc.Sigmoid())


def fitted():
    model = lnc.Classifier(lnc.Sequential(lnc.Dense(3000, "softmax")), lnc.CrossEntropy)
    x = np.random.default_rng(0).normal(size=(3000, 2))
    model.fit(x, MANY, epochs=1, batch_size=500, print_every=None)
    return model


def wide():
    network = lnc.Sequential(*(lnc.Linear(2) for _ in range(200)))
    network(torch.ones(1, 2))
    return network


CASES = {
    "an unknown label": (lambda: fitted().score(np.zeros((1, 2)), ["a new one"]), "and 2,995 more"),
    "a long label": (lambda: fitted().score(np.zeros((1, 2)), [LONG]), "is no class of the training data"),
    "other outputs": (
        lambda: lnc.Classifier(lnc.Dense(5, "softmax"), lnc.CrossEntropy).fit(np.eye(9, 2), MANY[:9]),
        "5 outputs",
    ),
    "many classes": (
        lambda: lnc.Classifier(lnc.Dense(1)).fit(np.eye(3000, 2), np.arange(3000)),
        "0, 1, 2, 3, 4 and 2,995 more",
    ),
    "a long class": (lambda: lnc.Classifier(lnc.Dense(1)).fit(np.eye(3, 2), [LONG] * 3), "one class only"),
    "text in features": (lambda: lnc.standardize(np.array([[LONG]])), "the first 'a very long name"),
    "a long column": (lambda: lnc.standardize(pd.DataFrame({LONG: ["x"]})), "holds text"),
    "a device of torch's": (lambda: lnc.Sequential(lnc.Dense(1)).to("mps"), "cannot be used here: "),
    "a device of a loader": (lambda: lnc.DataLoader(Dataset(torch.ones(3)), 2, device=LONG), "cannot be used here"),
    "lengths": (lambda: random_split(Dataset(torch.ones(9)), [1] * 5000), "and 4,995 more"),
    "fractions": (lambda: random_split(Dataset(torch.ones(9)), [0.1] * 5000), "and 4,995 more"),
    "a setting": (lambda: lnc.TrainerConfig(num_epochs=list(range(5000))), "expected an integer of at least 1"),
    "a rate": (lambda: lnc.SGD(lnc.Dense(1), lr=LONG), "expected"),
    "an activation": (lambda: lnc.Dense(1, LONG), "sigmoid"),
    "a metric": (lambda: lnc.Classifier(lnc.Dense(1), metric=[LONG] * 500), "metric"),
    "an ending": (lambda: lnc.CrossEntropy(DEEP), "Softmax"),
    "two links": (lambda: lnc.LogLoss(DEEP, from_logits=True), "in a row"),
    "a state": (lambda: wide().load_state_dict({f"{i}.x": torch.ones(1) for i in range(999)}), "more"),
    "an optimizer's state": (lambda: lnc.SGD(wide()).load_state_dict(STATE), "more"),
    "a schedule's state": (lambda: lnc.schedules.constant().load_state_dict(STATE), "more"),
    "a dict of data": (
        lambda: lnc.Trainer(DEEP, *RUN, dict.fromkeys(MANY)),
        "2,995 more",
    ),
    "parts of a batch": (
        lambda: lnc.Trainer(DEEP, *RUN, [[torch.ones(2)] * 999]),
        "994 more",
    ),
    "a network in place of data": (lambda: lnc.summary([DEEP] * 9, (1, 2)), "is not a Layer"),
    "a loss": (lambda: lnc.Classifier(lnc.Dense(1), loss=[DEEP] * 9), "expected a Loss"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_message_is_short(case):
    call, words = CASES[case]
    with pytest.raises(LincolnError, match=words) as refusal:
        call()
    assert len(str(refusal.value)) <= 500
    assert "\n" not in str(refusal.value)


def test_a_layer_that_is_not_there():
    with pytest.raises(KeyError, match="and 291 more") as refusal:
        DEEP["nowhere"]
    assert len(str(refusal.value)) <= 500


def test_a_layer_that_is_none():
    with pytest.raises(TypeError, match="expected a Layer") as refusal:
        lnc.Sequential([DEEP] * 9)
    assert len(str(refusal.value)) <= 500


def test_classes_of_an_estimator():
    model = MLPClassifier((2,), max_iter=1, warm_start=True)
    x = np.random.default_rng(0).normal(size=(3000, 2))
    with pytest.warns(match="Maximum iterations"):
        model.fit(x, MANY)
    for y in (np.where(MANY[0] == MANY, "new", MANY), MANY[1:]):
        with pytest.raises(ValueError, match="more") as refusal:
            model.fit(x[: len(y)], y)
        assert len(str(refusal.value)) <= 500


def test_every_error_is_cut():
    error = LincolnError("the beginning " + "x" * 5000 + " the cure")
    assert len(error.message) <= 500
    assert error.message.startswith("the beginning")
    assert error.message.endswith("the cure")
    assert str(error) == error.message
