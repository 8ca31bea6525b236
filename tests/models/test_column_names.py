"""The names of a frame's columns: kept by the first fit, and compared wherever features come in."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from model_cases import classifier, quiet_fit

import lincoln as lnc
from lincoln.errors import DataError

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=60), 5 * RNG.normal(size=60)
Y = (A > 0).astype(int)
FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame}
WRONG = {
    "another order": ({"b": B, "a": A}, "Feature names must be in the same order as they were in fit"),
    "renamed": ({"a": A, "c": B}, "Feature names unseen at fit time: c. .*yet now missing: b"),
    "missing": ({"a": A}, "Feature names seen at fit time, yet now missing: b"),
    "additional": ({"a": A, "b": B, "c": B}, "Feature names unseen at fit time: c"),
}


METHODS = {
    "predict": lambda model, frame, wrong, y: model.predict(wrong),
    "score": lambda model, frame, wrong, y: model.score(wrong, y),
    "evaluate": lambda model, frame, wrong, y: model.evaluate(wrong, y),
    "a second fit": lambda model, frame, wrong, y: quiet_fit(model, wrong, y),
    "validation": lambda model, frame, wrong, y: quiet_fit(model, frame, y, validation_data=(wrong, y)),
    "predict_proba": lambda model, frame, wrong, y: model.predict_proba(wrong),
}
MODELS = {"Classifier": (classifier, Y), "Regressor": (lambda: lnc.Regressor(lnc.Sequential(lnc.Linear(1))), A)}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("library", FRAMES)
@pytest.mark.parametrize("kind", MODELS)
def test_columns_other_than_those_of_the_fit(kind, library, case, method):
    if (kind, method) == ("Regressor", "predict_proba"):
        return
    columns, message = WRONG[case]
    frame, wrong = FRAMES[library]({"a": A, "b": B}), FRAMES[library](columns)
    make, y = MODELS[kind]
    model = make()
    quiet_fit(model, frame, y, epochs=1)
    before = model.network.flatten()[0].clone()
    words = "The feature names should match those that were passed during fit."
    with pytest.raises(DataError, match=f"{words} {message}"):
        METHODS[method](model, frame, wrong, y)
    assert torch.equal(model.network.flatten()[0], before)


@pytest.mark.parametrize("library", FRAMES)
def test_validation_data_of_the_first_fit(library):
    frame = FRAMES[library]({"a": A, "b": B})
    model = classifier()
    with pytest.raises(DataError, match="validation features: The feature names should match"):
        quiet_fit(model, frame, Y, validation_data=(frame[["b", "a"]], Y))
    assert list(model.network.parameters()) == []
    quiet_fit(model, frame[["b", "a"]], Y, epochs=1)  # the refused fit has left no names behind


def test_what_has_no_names_is_taken_by_its_place():
    frame = pd.DataFrame({"a": A, "b": B})
    model = classifier()
    quiet_fit(model, frame, Y, validation_data=(pl.from_pandas(frame), Y))
    expected = model.predict(frame)
    for same in (frame.to_numpy(), torch.tensor(frame.to_numpy()), frame.set_axis([0, 1], axis=1), pl.from_pandas(frame)):
        np.testing.assert_array_equal(np.asarray(model.predict(same)), expected)
    quiet_fit(model, frame.to_numpy(), Y, epochs=1)
    for kept in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        with pytest.raises(DataError, match="same order"):
            kept.predict(frame[["b", "a"]])


def test_the_first_frame_after_an_array_gives_the_names():
    frame = pd.DataFrame({"a": A, "b": B})
    model = classifier()
    quiet_fit(model, frame.to_numpy(), Y, epochs=1)
    model.predict(frame[["b", "a"]])
    quiet_fit(model, frame, Y, epochs=1)
    with pytest.raises(DataError, match="same order"):
        model.predict(frame[["b", "a"]])


def test_many_columns_in_few_words():
    frame = pd.DataFrame(np.zeros((4, 3000)) + np.eye(4, 3000), columns=[f"a rather long name {i}" for i in range(3000)])
    model = classifier()
    quiet_fit(model, frame, [0, 1, 0, 1], epochs=1)
    with pytest.raises(DataError, match="and 2,995 more") as refusal:
        model.predict(frame.add_prefix("another "))
    assert len(str(refusal.value)) <= 500
