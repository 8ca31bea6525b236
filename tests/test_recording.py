"""Steps that are recorded and replayed: the same numbers, and only where nobody could tell the difference."""

from functools import partial

import numpy as np
import pytest
import torch
from cases import LOSSES, LossCase

import lincoln as lnc
from lincoln import Callback, DataLoader, Dataset, Trainer, TrainerConfig
from lincoln.estimators import MLPClassifier, MLPRegressor
from lincoln.layers import Dense, Dropout, Layer, Linear, ReLU, Sequential, SparseLinear
from lincoln.recording import Recording, Unrecordable, Watch
from lincoln.threads import SMALL

N, BATCH, EPOCHS = 50, 20, 15  # 30 steps of 20 examples, 15 of 10
X = torch.randn(N, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


def run(loss, data, *, replay, optimizer=lnc.Adam, **more):
    """The losses, the last of them in full, and the weights, and the sizes of batch that were replayed."""
    replayed = set()
    config = {"num_epochs": EPOCHS, "train_minibatch_size": BATCH, "seed": 0, "progress": None, "replay": replay}
    trainer = Trainer(loss.network, TrainerConfig(**config | more.pop("config", {})), loss, optimizer, data, **more)

    class Look(Callback):
        looks_on = True

        def train_end(self, trainer):
            replayed.update(trainer.gradient._recordings)

    trainer.callbacks = type(trainer.callbacks)((*trainer.callbacks.all, Look()))
    history = trainer.train()
    return history.losses, loss.network.flatten()[0].clone(), replayed


def both(make, data, **more):
    """The same run with and without replay, from the same weights."""
    results = []
    for replay in (True, False):
        torch.manual_seed(1)
        results.append(run(make(), data, replay=replay, **more))
    (losses, weights, replayed), (losses_, weights_, never) = results
    assert losses == losses_
    assert torch.equal(weights, weights_)
    assert not never
    return replayed


@pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_replayed_run_is_the_same_run(case: LossCase, dtype, weighted, reduction):
    torch.manual_seed(0)
    y = case.targets(N)
    data = [X.to(dtype), y.to(dtype) if y.is_floating_point() else y, torch.rand(N, dtype=dtype)]

    def make():
        loss = case.make(reduction=reduction, l2=0.1)
        loss.network.to(dtype)
        return loss

    optimizer = partial(lnc.SGD, lr=0.01, momentum=0.9)
    assert both(make, Dataset(*data[: 3 if weighted else 2]), optimizer=optimizer) == {20, 10}


@pytest.mark.parametrize(
    "optimizer",
    [lnc.SGD, partial(lnc.SGD, momentum=0.9, nesterov=True), lnc.Momentum, lnc.Adam, lnc.AdamHat, lnc.AdamW],
    ids=str,
)
@pytest.mark.parametrize("config", [{}, {"clip_norm": 0.1}, {"schedule": lnc.schedules.cosine(40)}], ids=str)
def test_whatever_the_optimizer_does(optimizer, config):
    network = lambda: Sequential(Dense(6, "relu"), Dropout(0.3), Dense(5, "tanh"), Dense(3, "identity"), Dense(1))  # noqa: E731
    assert both(lambda: lnc.LogLoss(network()), Dataset(X, Y), optimizer=optimizer, config=config) == {20, 10}


def test_features_of_more_dimensions():
    x = torch.randn(N, 3, 4)
    loss = lambda: lnc.MSE(Sequential(Dense(6, "relu"), Dense(2, None)))  # noqa: E731
    assert both(loss, Dataset(x, torch.randn(N, 3, 2))) == {20, 10}


def test_dropout_draws_as_without_replay():
    drawn = []
    for replay in (True, False):
        run(lnc.LogLoss(Sequential(Dropout(0.5), Dense(1))), Dataset(X, Y), replay=replay)
        torch.manual_seed(0)
        drawn.append(run(lnc.LogLoss(Sequential(Dropout(0.5), Dense(1))), Dataset(X, Y), replay=replay)[0])
    assert drawn[0] == drawn[1]


def test_estimators_report_the_penalty_of_each_batch():
    """With several outputs the loss is averaged without its penalty, which a replay must therefore leave behind."""
    y = np.stack([X[:, 0], X[:, 1] ** 2], 1)
    quiet = {"random_state": 0, "max_iter": EPOCHS, "batch_size": BATCH, "alpha": 1.0, "hidden_layer_sizes": (5,)}
    with pytest.warns(match="Maximum iterations"):
        plain = MLPRegressor(**quiet, callbacks=[Callback()]).fit(X.numpy(), y)
    with pytest.warns(match="Maximum iterations"):
        replayed = MLPRegressor(**quiet).fit(X.numpy(), y)
    assert replayed.loss_curve_ == plain.loss_curve_


def test_estimators_replay(monkeypatch):
    times = []
    monkeypatch.setattr(
        Recording, "__call__", lambda self, *batch, of=Recording.__call__: times.append(1) or of(self, *batch)
    )
    with pytest.warns(match="Maximum iterations"):
        MLPClassifier((5,), max_iter=EPOCHS, batch_size=BATCH).fit(X.numpy(), Y.numpy())
    assert len(times) == 30 - 11 + 15 - 11


class Own(ReLU):
    """Not said to be recordable: that is not inherited."""


class Said(Own):
    recordable = True


class Looks(Layer):
    """Says what is not true: it gives a (int|float|bool).*wanted one tensor."""

    recordable = True

    def _forward(self, input):
        self.saved = factor = 2.0 if input.sum().item() > 0 else 1.0
        return input * factor

    def _backward(self, output_grad):
        return output_grad * self.saved


class OwnLoss(lnc.LogLoss):
    pass


class LooksOn(Callback):
    looks_on = True


@pytest.mark.parametrize(
    ("more", "replayed"),
    [
        ({}, {20, 10}),
        ({"layer": Said}, {20, 10}),
        ({"callbacks": [LooksOn()]}, {20, 10}),
        ({"val_dataset": Dataset(X, Y)}, {20, 10}),
        ({"config": {"num_epochs": 8}}, {20}),
        ({"layer": Own}, set()),
        ({"layer": partial(SparseLinear, 3)}, set()),
        ({"loss": OwnLoss}, set()),
        ({"callbacks": [Callback()]}, set()),
        ({"config": {"accumulate": 2}}, set()),
        ({"data": [(X, Y)]}, set()),
        ({"data": DataLoader(Dataset(X, Y), BATCH)}, set()),  # its targets are checked batch by batch
        ({"loss": partial(lnc.LogLoss, check_targets=False), "data": DataLoader(Dataset(X, Y), BATCH)}, {20, 10}),
        ({"layer": partial(Linear, SMALL // (4 * BATCH) + 1)}, set()),
        ({"layer": partial(Linear, SMALL // (4 * BATCH))}, {20, 10}),
    ],
    ids=str,
)
def test_where_steps_are_replayed(more, replayed):
    layer, loss, data = more.pop("layer", ReLU), more.pop("loss", lnc.LogLoss), more.pop("data", Dataset(X, Y))

    def make():
        network = Sequential(layer(), Linear(1), lnc.Sigmoid())
        network(X)
        return loss(network)

    assert both(make, data, **more) == replayed


def test_a_layer_that_says_it_is_recordable_and_is_not():
    make = lambda: lnc.LogLoss(Sequential(Dense(3), Looks(), Dense(1)))  # noqa: E731
    with pytest.warns(
        match="LogLoss: this network's steps cannot be recorded: .*gives a (int|float|bool).*wanted one tensor"
    ):
        assert both(make, Dataset(X, Y)) == set()


def test_a_run_leaves_no_recording_behind():
    loss = lnc.LogLoss(Sequential(Dense(3), Dense(1)))
    trainer = Trainer(loss.network, TrainerConfig(EPOCHS, BATCH, progress=None), loss, lnc.SGD, Dataset(X, Y))
    trainer.train()
    assert not trainer.gradient.replayed
    assert not trainer.gradient._recordings
    expected, _ = loss.evaluate(X[:7], Y[:7])
    torch.testing.assert_close(trainer.train_step(X[:7], Y[:7]), expected)  # the layers run, whatever the batch is like


# ---- A recording by itself


def recorded(function, *batch):
    with Watch() as watch:
        result = function(*batch)
    return Recording(watch.calls, batch, result)


def products(x, y):
    a = torch.relu(x.t() @ y)
    a = a.mul_(2).sub(torch.ones_like(a)).flatten()
    return torch.where(a > 0, a, torch.full_like(a, 0.5)).sum() + x[1:].sum(0)[0] + y.view(-1)[0]


def test_a_recording_gives_what_the_function_gives():
    replay = recorded(products, torch.randn(5, 3), torch.randn(5, 2))
    for _ in range(3):
        x, y = torch.randn(5, 3), torch.randn(5, 2)
        result = replay(x, y)
        assert torch.equal(result, products(x, y))
        assert result is replay.result  # the same memory each time


def test_a_recording_follows_tensors_outside_the_batch():
    w = torch.randn(3)
    replay = recorded(lambda x: x @ w, torch.randn(5, 3))
    w.mul_(2)
    x = torch.randn(5, 3)
    assert torch.equal(replay(x), x @ w)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda x: x * x.sum().item(), "gives a (int|float|bool).*wanted one tensor"),
        (lambda x: x + 1 if torch.equal(x, x) else x, "gives a (int|float|bool).*wanted one tensor"),
        (lambda x: x.max(0)[0], "gives a tuple"),
        (lambda x: torch.cat([x, x]), "takes the batch in a list"),
    ],
)
def test_what_cannot_be_recorded(function, why):
    with pytest.raises(Unrecordable, match=why):
        recorded(function, torch.randn(5, 3))
