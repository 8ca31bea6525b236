"""The trainer: its data and its loop."""

import copy

import pytest
import torch
from training_cases import X, Y, trainer

import lincoln as lnc
from lincoln import Dataset, Trainer
from lincoln.errors import DataError, MatchError
from lincoln.layers import Dense, Linear, Sequential


def test_any_iterable_of_batches():
    batches = [(X[i : i + 20], Y[i : i + 20]) for i in range(0, 50, 20)]
    torch_loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, Y), batch_size=20)
    network = Sequential(Dense(4), Dense(1))
    network(X)
    histories = [
        trainer(data, val_dataset=data, network=copy.deepcopy(network)).train() for data in (batches, torch_loader)
    ]
    assert histories[0].losses == histories[1].losses
    assert histories[0].val_losses == histories[1].val_losses
    assert histories[0].steps == 6


def test_an_iterator_is_used_up():
    with pytest.raises(DataError, match="train_dataset is an iterator, used up by one epoch: pass a list"):
        trainer(iter([(X, Y)])).train()


def test_iterables_are_checked_batch_by_batch():
    with pytest.raises(DataError, match="targets hold 2"):
        trainer([(X, Y), (X, Y * 2)]).train()


def test_validation_iterables_are_checked_too():
    with pytest.raises(DataError, match="targets hold 2"):
        trainer(val_dataset=[(X, Y * 2)]).train()


def test_sample_weights_in_the_data():
    weights = torch.linspace(0, 2, 50)
    weighted = trainer(Dataset(X, Y, weights), epochs=1)
    losses = []
    weighted.train_step = lambda *batch: losses.append(len(batch)) or Trainer.train_step(weighted, *batch)
    weighted.train()
    assert losses == [3, 3, 3]


def test_unusable_data_are_refused_before_the_first_step():
    network = Linear(1)
    for data, error, message in (
        (Dataset(X, Y.float() * float("nan")), DataError, "targets: NaN or infinite values"),
        (Dataset(X * float("inf"), Y), DataError, "features: .*infinite"),
        (Dataset(X, torch.stack([Y, Y], 1)), MatchError, r"targets have shape \(50, 2\)"),
        (Dataset(X[:0], Y[:0]), DataError, "features: no data"),
    ):
        run = trainer(data, network=network, loss=lnc.MSE)
        with pytest.raises(error, match=message):
            run.train()
        assert run.history.steps == 0


def test_model_ends_in_training_mode_with_normal_tensors():
    run = trainer(val_dataset=Dataset(X, Y))
    run.train()
    assert run.model.training
    assert not any(tensor.is_inference() for tensor in run.model.parameters())
    next(run.model.parameters()).add_(1)
