"""The trainer itself: its data, its callbacks, its config."""

import copy

import pytest
import torch

import lincoln as lnc
from lincoln.errors import ArgumentError, DataError, MatchError
from lincoln.layers import Dense, Linear, Sequential
from lincoln.trainer import Callback, Dataset, Trainer, TrainerConfig

X = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


def trainer(data=None, *, network=None, loss=lnc.LogLoss, epochs=2, **more):
    config = TrainerConfig(num_epochs=epochs, train_minibatch_size=20, seed=0)
    network = network or Sequential(Dense(4), Dense(1))
    return Trainer(network, config, loss, lnc.Adam, Dataset(X, Y) if data is None else data, **more)


def test_config():
    config = TrainerConfig(num_epochs=3, train_minibatch_size=16)
    assert config.val_minibatch_size == 16
    assert TrainerConfig(val_minibatch_size=5).val_minibatch_size == 5
    for name in ("num_epochs", "train_minibatch_size", "val_minibatch_size"):
        with pytest.raises(ArgumentError, match=f"{name} is 0; wanted an integer of at least 1"):
            TrainerConfig(**{name: 0})


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
    with pytest.raises(DataError, match="no batches: an iterator is used up by one epoch"):
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


def test_callbacks_see_every_point_in_order():
    seen = []

    class Recorder(Callback):
        def close(self):
            seen.append("close")

    for point in ("train_begin", "epoch_begin", "step_begin", "step_end", "epoch_end", "train_end"):
        setattr(
            Recorder, point, lambda self, trainer, point=point: seen.append((point, trainer.epoch, trainer.history.steps))
        )
    trainer([(X, Y)], epochs=2, callbacks=[Recorder()]).train()
    assert seen == [
        ("train_begin", 0, 0),
        ("epoch_begin", 1, 0),
        ("step_begin", 1, 0),
        ("step_end", 1, 1),
        ("epoch_end", 1, 1),
        ("epoch_begin", 2, 1),
        ("step_begin", 2, 1),
        ("step_end", 2, 2),
        ("epoch_end", 2, 2),
        ("train_end", 2, 2),
        "close",
    ]


def test_a_callback_can_stop_the_run():
    class Stopper(Callback):
        def step_end(self, trainer):
            if trainer.history.steps == 4:
                trainer.stop("seen enough")

    history = trainer(epochs=10, callbacks=[Stopper()]).train()
    assert history.steps == 4
    assert history.epochs == 2
    assert history.stopped == "seen enough"


def test_callbacks_are_closed_after_an_error():
    class Failing(Callback):
        closed = False

        def epoch_end(self, trainer):
            raise KeyError("mine")

        def close(self):
            self.closed = True

    failing = Failing()
    run = trainer(callbacks=[failing])
    with pytest.raises(KeyError):
        run.train()
    assert failing.closed
    assert run.loss.check_targets


def test_unusable_data_are_refused_before_the_first_step():
    network = Linear(1)
    for data, error, message in (
        (Dataset(X, Y.float() * float("nan")), DataError, "targets: 50 values are NaN"),
        (Dataset(X * float("inf"), Y), DataError, "features: .*infinite"),
        (Dataset(X, torch.stack([Y, Y], 1)), MatchError, r"targets have shape \(50, 2\)"),
        (Dataset(X[:0], Y[:0]), DataError, "features: no data"),
    ):
        run = trainer(data, network=network, loss=lnc.MSE)
        with pytest.raises(error, match=message):
            run.train()
        assert run.history.steps == 0


def test_validation_metric():
    run = trainer(val_dataset=Dataset(X, Y), metric=lambda targets, p: ((p > 0.5) == targets).float().mean().item())
    history = run.train()
    assert len(history.val_metrics) == 2
    assert 0 <= history.val_metrics[-1] <= 1


def test_model_ends_in_training_mode_with_normal_tensors():
    run = trainer(val_dataset=Dataset(X, Y))
    run.train()
    assert run.model.training
    assert not any(tensor.is_inference() for tensor in run.model.parameters())
    next(run.model.parameters()).add_(1)
