"""The result of a run."""

import json
import re

import matplotlib.pyplot as plt
import pytest
import torch
from training_cases import X, Y, lnc_accuracy, run

import lincoln as lnc
from lincoln import Dataset
from lincoln.errors import DataError


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


NAN = float("nan")


@pytest.mark.parametrize(
    ("losses", "best"),
    [
        ([NAN, 0.5, 0.7], 2),
        ([0.7, NAN, 0.5], 3),
        ([0.5, 0.7, NAN], 1),
        ([NAN, NAN], 0),
        ([float("inf"), NAN, 3.0], 3),
        ([NAN, float("inf")], 2),
        ([], 0),
    ],
)
def test_epochs_without_a_number_are_never_the_best(losses, best):
    assert lnc.History([1.0] * len(losses), losses).best_epoch == best
    assert lnc.History(losses).best_epoch == best


class NoNumbers(lnc.LogLoss):
    """NaN in evaluation, in chosen epochs."""

    nan_in = ()

    def value_from_logits(self, z, y):
        value = super().value_from_logits(z, y)
        if self.network.training:
            return value
        self.epoch = getattr(self, "epoch", 0) + 1
        return value * NAN if self.epoch in self.nan_in else value


@pytest.mark.parametrize(
    ("nan_in", "stopped"),
    [
        ((1, 2, 3), r"no better loss in 3 epochs \(patience\); it was nan in 3 of them"),
        ((3,), r"no better loss in 3 epochs \(patience\); it was nan in 1 of them"),
    ],
)
def test_a_validation_loss_that_is_no_number_is_told(nan_in, stopped):
    """Patience ended such runs without a word about the reason."""
    kind = type("Kind", (NoNumbers,), {"nan_in": nan_in})
    data = Dataset(X.double(), Y)
    trainer = run(
        data,
        loss=kind,
        val=data,
        optimizer=lambda net: lnc.SGD(net, lr=0.0),
        num_epochs=9,
        patience=3,
        train_minibatch_size=50,
    )
    with pytest.warns(UserWarning, match=rf"^epoch {nan_in[0]}: the loss is nan; such epochs are never the best") as told:
        history = trainer.train()
    assert len(told) == 1
    assert re.fullmatch(stopped, history.stopped)
    assert history.best_epoch == (0 if len(nan_in) == 3 else 1)


@pytest.mark.parametrize("part", ["features", "targets"])
def test_nan_in_batches_of_validation_data(part):
    x, y = X.double().clone(), Y.double()
    (x if part == "features" else y[:, None])[13, 0] = NAN
    batches = [(x[i : i + 10], y[i : i + 10]) for i in range(0, 50, 10)]
    place = r"\(3, 0\)" if part == "features" else r"3"
    loss = lnc.LogLoss if part == "features" else lnc.PoissonLoss
    network = lnc.layers.Dense(1, "sigmoid" if part == "features" else "exp").to(dtype=torch.float64)
    with pytest.raises(
        DataError, match=rf"batch 2 of the data to evaluate on: features.*\(nan\) at {place}|targets hold nan \(at "
    ):
        run(loss=loss, network=network, val=batches).train()
