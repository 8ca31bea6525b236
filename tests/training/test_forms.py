"""The form of a run's data: what is neither a Dataset nor batches is refused before the first step, with the cure."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import lincoln as lnc
from lincoln.errors import ArgumentError, DataError, StateError

X = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).float()
BATCHES = [(X[:20], Y[:20]), (X[20:], Y[20:])]


class Dicts(torch.utils.data.Dataset):
    def __len__(self):
        return 40

    def __getitem__(self, index):
        return {"x": X[index], "y": Y[index]}


class Stream(IterableDataset):
    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


WRONG = {
    "(X, y)": ((X, Y), r"a tuple of 2 \(Tensor, Tensor\); .* use Dataset\(features, targets\)"),
    "[X, y]": ([X.numpy(), Y.numpy()], r"a list of 2 \(ndarray, ndarray\)"),
    "X and a list": ((X, Y.tolist()), r"its first batch is a Tensor of shape \(40, 3\)"),
    "X": (X, r"a Tensor of shape \(40, 3\)"),
    "an array": (X.numpy(), r"a ndarray of shape \(40, 3\)"),
    "a frame": (pd.DataFrame(X.numpy()), r"a DataFrame of shape \(40, 3\)"),
    "a dict": ({"x": X, "y": Y}, "a dict with the keys 'x', 'y'"),
    "a number": (3, "3; expected a Dataset or batches"),
    "a string": ("data.csv", "'data.csv'; expected a Dataset or batches"),
    "a function": (lambda: BATCHES, "a function; expected a Dataset or batches"),
    "TensorDataset": (TensorDataset(X, Y), r"a TensorDataset; .* use Dataset\(\*data.tensors\)"),
    "a map of dicts": (Dicts(), "a Dicts; .* one example at a time: use torch.utils.data.DataLoader"),
    "dict batches": (
        DataLoader(Dicts(), 8),
        r"its first batch is a dict with the keys 'x', 'y'; .*\(batch\['x'\], batch\['y'\]\)",
    ),
    "features only": (DataLoader(TensorDataset(X), 8), r"its first batch is a list of 1 \(Tensor\).*pair the features"),
    "plain features": (DataLoader(X, 8), r"its first batch is a Tensor of shape \(8, 3\).*pair the features with targets"),
    "four parts": (DataLoader(TensorDataset(X, X, Y, Y), 8), r"its first batch is a list of 4 .*join the features"),
    "a Dataset of features": (lnc.Dataset(X), r"Dataset\(\(40, 3\)\); expected \(features, targets\)"),
    "a Dataset of four": (lnc.Dataset(X, X, Y, Y), "join the features with torch.cat"),
    "nested": ([((X, X), Y)], r"features of its first batch are a tuple of 2 \(Tensor, Tensor\); .*torch.cat"),
    "arrays": ([(X.numpy(), Y.numpy())], "features of its first batch are a ndarray .*torch.as_tensor"),
    "targets in a list": ([(X, Y.tolist())], "targets of its first batch are a list of 40 .*torch.as_tensor"),
    "named targets": ([(X, {"y": Y})], "targets of its first batch are a dict with the keys 'y'"),
    "no weights": ([(X, Y, None)], "weights of its first batch are None"),
    "single examples": ([(X[0], Y[0])], "targets of its first batch are a single number; .*batch the examples"),
    "a stream of dicts": (Stream([{"x": X, "y": Y}]), "its first batch is a dict"),
    "a list of dicts": ([{"x": X, "y": Y}], "its first batch is a dict"),
}


@pytest.mark.parametrize("role", ["train_dataset", "val_dataset"])
@pytest.mark.parametrize("case", WRONG)
def test_data_of_another_form(case, role):
    data, message = WRONG[case]
    network = lnc.Sequential(lnc.Dense(1))
    sets = {"train_dataset": lnc.Dataset(X, Y), role: data}
    state = torch.get_rng_state()
    with pytest.raises(DataError, match=f"^{role}: .*{message}") as refusal:
        lnc.Trainer(network, lnc.TrainerConfig(1, progress=None), lnc.LogLoss, lnc.SGD, **sets).train()
    assert len(str(refusal.value)) <= 500
    assert list(network.parameters()) == []
    assert torch.equal(torch.get_rng_state(), state)


def test_training_data_that_are_missing():
    with pytest.raises(DataError, match="train_dataset: None; expected a Dataset"):
        lnc.Trainer(lnc.Dense(1), lnc.TrainerConfig(1, progress=None), lnc.LogLoss, lnc.SGD, None)


@pytest.mark.parametrize("form", [Stream, list, tuple, lambda batches: DataLoader(Stream(batches), batch_size=None)])
@pytest.mark.parametrize("batches", [BATCHES, [list(batch) for batch in BATCHES], [(*b, torch.ones(20)) for b in BATCHES]])
def test_batches_of_the_right_form(form, batches):
    results = []
    for validation in (None, form(batches)):
        network = lnc.Sequential(lnc.Dense(1))
        config = lnc.TrainerConfig(3, progress=None, seed=0)
        results.append(lnc.Trainer(network, config, lnc.LogLoss, lnc.SGD, form(batches), validation).train().losses)
    assert results[0] == results[1]


def test_looking_at_shuffled_validation_data_changes_nothing():
    losses = []
    for shuffle in (False, True):
        torch.manual_seed(0)
        train = DataLoader(TensorDataset(X, Y), 8, shuffle=True)
        validation = DataLoader(TensorDataset(X, Y), 8, shuffle=shuffle)
        trainer = lnc.Trainer(
            lnc.Sequential(lnc.Dense(1)), lnc.TrainerConfig(3, progress=None), lnc.LogLoss, lnc.SGD, train, validation
        )
        losses.append(trainer.train().losses)
    assert losses[0] == losses[1]


def test_batches_that_can_be_had_once_are_not_lost():
    class Once:
        def __init__(self):
            self.batches = iter(BATCHES)

        def __iter__(self):
            return self.batches

    history = lnc.Trainer(
        lnc.Sequential(lnc.Dense(1)), lnc.TrainerConfig(1, progress=None), lnc.LogLoss, lnc.SGD, Once(), Once()
    ).train()
    assert history.steps == 2
    assert len(history.val_losses) == 1


def test_evaluating_batches_of_another_form():
    with pytest.raises(DataError, match="batches: its first batch is a dict"):
        lnc.steps.evaluate(lnc.LogLoss(lnc.Dense(1)), [{"x": X, "y": Y}])


VALIDATION = {
    "features only": X,
    "three parts": (X, Y, Y),
    "a dict": {"x": X, "y": Y},
    "a Dataset": lnc.Dataset(X, Y),
    "a loader": DataLoader(TensorDataset(X, Y), 8),
    "an array of two rows": np.zeros((2, 3)),
    "a string": "ab",
}


@pytest.mark.parametrize("case", VALIDATION)
def test_validation_data_of_a_classifier(case):
    model = lnc.Classifier(lnc.Sequential(lnc.Dense(1)))
    with pytest.raises(DataError, match=r"validation_data: .*; expected \(features, labels\)"):
        model.fit(X, Y, epochs=1, print_every=None, validation_data=VALIDATION[case])
    with pytest.raises(StateError):
        model.predict(X)


GENERATED = {
    "dicts": ([{"x": X, "y": Y}], "batch_gen: a batch is a dict with the keys 'x', 'y'"),
    "features only": ([X], r"batch_gen: a batch is a Tensor of shape \(40, 3\)"),
    "one part": ([(X,)], r"batch_gen: a batch is a tuple of 1 \(Tensor\)"),
    "four parts": ([(X, Y, Y, Y)], "batch_gen: a batch is a tuple of 4"),
    "nested": ([((X, {"x": X}), Y)], "batch_gen's features: "),
    "text": ([(X, ["a"] * 40)], "batch_gen's labels: "),
    "masked": ([(np.ma.masked_less(X.numpy(), 0), Y)], "batch_gen's features: masked"),
    "sparse": ([(X.to_sparse(), Y)], "batch_gen's features: a sparse tensor"),
    "nothing": (None, "batch_gen: returned None; expected an iterator"),
    "a number": (3, "batch_gen: returned 3"),
}


@pytest.mark.parametrize("case", GENERATED)
def test_batches_of_a_classifier(case):
    batches, message = GENERATED[case]
    model = lnc.Classifier(lnc.Sequential(lnc.Dense(1)), batch_gen=lambda features, labels, size: batches)
    model.network(X)
    before = model.network.flatten()[0].clone()
    with pytest.raises(DataError, match=message):
        model.fit(X, Y, epochs=1, print_every=None)
    assert torch.equal(model.network.flatten()[0], before)


@pytest.mark.parametrize("wrong", [["f1"], "f1", 3])
def test_a_metric_that_is_no_function(wrong):
    for make in (
        lambda: lnc.Classifier(lnc.Dense(1), metric=wrong),
        lambda: lnc.Regressor(lnc.Linear(1), metric=wrong),
        lambda: lnc.Trainer(lnc.Dense(1), lnc.TrainerConfig(1), lnc.LogLoss, lnc.SGD, BATCHES, metric=wrong),
    ):
        with pytest.raises(ArgumentError, match="metric .*; expected a function"):
            make()


def test_a_generator_in_the_place_of_batch_gen():
    with pytest.raises(ArgumentError, match="batch_gen is <generator .*; expected a function"):
        lnc.Classifier(lnc.Dense(1), batch_gen=(batch for batch in BATCHES))
