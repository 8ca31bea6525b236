"""The result of a run."""

import json

import matplotlib.pyplot as plt
import pytest
from training_cases import X, Y, lnc_accuracy, run

import lincoln as lnc
from lincoln import Dataset


def test_result_as_a_table_and_a_plot():
    pandas = pytest.importorskip("pandas")
    history = run(val=Dataset(X.double(), Y), metric=lnc_accuracy).train()
    assert isinstance(history, lnc.TrainerRunResult)
    frame = history.to_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == ["loss", "val_loss", "val_lnc_accuracy", "learning_rate"]
    assert frame.index.tolist() == [1, 2, 3]
    assert frame["loss"].tolist() == history.losses == history.train_losses
    assert history.plot().get_xlabel()
    plt.close("all")
    assert lnc.TrainerRunResult.from_dict(json.loads(json.dumps(history.to_dict()))) == history


def test_repr_and_class_have_one_name():
    assert lnc.TrainerRunResult is lnc.History
    assert lnc.History.__name__ == "History"
    assert repr(lnc.History([0.5], steps=3)) == "History(1 epochs, 3 steps, 0.00 s, loss 0.5000)"
