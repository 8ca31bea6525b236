"""Replayed steps: bit for bit the numbers of the layers, and only where nothing could tell the difference."""

import gc
import threading
import weakref
from functools import partial

import numpy as np
import pytest
import torch
from cases import LOSSES, LossCase

import lincoln as lnc
from lincoln import Callback, DataLoader, Dataset, Trainer, TrainerConfig
from lincoln._util.threads import SMALL
from lincoln.engine.recording import Recording
from lincoln.engine.replay import Replay
from lincoln.errors import LayerError, StateError
from lincoln.estimators import MLPClassifier, MLPRegressor
from lincoln.layers import Dense, Dropout, Layer, Linear, ReLU, Sequential, SparseLinear, Tanh

N, BATCH, EPOCHS = 50, 20, 40  # 80 steps of 20 examples, 40 of 10
X = torch.randn(N, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()
DATA = Dataset(X, Y)


@lnc.recordable
class Sizes(Callback):
    """Keep the sizes of batch that the run replays at its end."""

    sizes: frozenset = frozenset()

    def epoch_end(self, trainer):
        if trainer.step.replay is not None:
            self.sizes = {size for size, kept in trainer.step.replay._recorded.items() if kept.proven}


def run(loss, data=DATA, *, replay=True, optimizer=lnc.Adam, trainer=Trainer, callbacks=(), config=(), **more):
    """Train; return the losses, the final weights, and the sizes of batch that were replayed."""
    settings = {"num_epochs": EPOCHS, "train_minibatch_size": BATCH, "seed": 0, "progress": None, "replay": replay}
    seen = Sizes()
    history = trainer(
        loss.network, TrainerConfig(**settings | dict(config)), loss, optimizer, data, callbacks=[*callbacks, seen], **more
    ).train()
    return history.losses, loss.network.flatten()[0].clone(), seen.sizes


def both(make, data=DATA, **more):
    """Train with and without replay from the same weights, and compare. Return the sizes of batch that were replayed."""
    results = []
    for replay in (True, False):
        torch.manual_seed(1)
        results.append(run(make(), data, replay=replay, **more))
    (losses, weights, replayed), (losses_, weights_, never) = results
    assert losses == losses_
    assert torch.equal(weights, weights_)
    assert not never
    return replayed


def network(*layers):
    net = Sequential(*layers, Linear(1), lnc.Sigmoid())
    net(X)
    return net


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
    make = lambda: lnc.LogLoss(network(Dense(6, "relu"), Dropout(0.3), Dense(5, "tanh"), Dense(3, "identity")))  # noqa: E731
    assert both(make, optimizer=optimizer, config=config) == {20, 10}


def test_features_of_more_dimensions():
    make = lambda: lnc.MSE(Sequential(Dense(6, "relu"), Dense(2, None)))  # noqa: E731
    assert both(make, Dataset(torch.randn(N, 3, 4), torch.randn(N, 3, 2))) == {20, 10}


def test_estimators_report_the_penalty_of_each_batch():
    """With several outputs the estimator averages the loss without its penalty, so a replay must report the penalty too."""
    y = np.stack([X[:, 0], X[:, 1] ** 2], 1)
    settings = {"random_state": 0, "max_iter": EPOCHS, "batch_size": BATCH, "alpha": 1.0, "hidden_layer_sizes": (5,)}
    with pytest.warns(match="Maximum iterations"):
        plain = MLPRegressor(**settings, callbacks=[Callback()]).fit(X.numpy(), y)
    with pytest.warns(match="Maximum iterations"):
        replayed = MLPRegressor(**settings).fit(X.numpy(), y)
    assert replayed.loss_curve_ == plain.loss_curve_


def test_estimators_replay(monkeypatch):
    replay, times = Recording.__call__, []
    monkeypatch.setattr(Recording, "__call__", lambda self, *batch: times.append(1) or replay(self, *batch))
    with pytest.warns(match="Maximum iterations"):
        MLPClassifier((5,), max_iter=EPOCHS, batch_size=BATCH).fit(X.numpy(), Y.numpy())
    assert len(times) == 80 - 11 + 40 - 11  # one of each size is compared with the layers


class Own(ReLU):
    """Not marked recordable; the mark is not inherited."""


@lnc.recordable
class Said(Own):
    """Marked recordable itself."""


@lnc.recordable
class Counts(ReLU):
    """Keeps a buffer from step to step."""

    buffers = ("count",)

    def _forward(self, input):
        self.count = getattr(self, "count", torch.zeros(())) + 1
        return super()._forward(input)


class OwnLoss(lnc.LogLoss):
    pass


@lnc.recordable
class Quiet(Callback):
    """Changes nothing."""


class Louder(Quiet):
    def epoch_begin(self, trainer):
        trainer.loss.l2 = trainer.epoch / 10


class OwnTrainer(Trainer):
    def _begin_epoch(self):
        super()._begin_epoch()
        self.loss.l2 = self.epoch / 10


def patched():
    layer = ReLU()
    layer._forward = lambda input, forward=layer._forward: forward(2 * input)
    return layer


@pytest.mark.parametrize(
    ("more", "replayed"),
    [
        ({}, {20, 10}),
        ({"layer": Said}, {20, 10}),
        ({"callbacks": [Quiet()]}, {20, 10}),
        ({"val_dataset": DATA, "config": {"patience": 3}}, {20, 10}),
        ({"config": {"num_epochs": 34}}, {20, 10}),
        ({"config": {"num_epochs": 33}}, set()),  # 99 steps
        ({"layer": Own}, set()),
        ({"layer": Counts}, set()),
        ({"layer": patched}, set()),
        ({"layer": partial(SparseLinear, 3)}, set()),
        ({"loss": OwnLoss}, set()),
        ({"callbacks": [Callback()]}, set()),
        ({"callbacks": [Louder()]}, set()),
        ({"trainer": OwnTrainer}, set()),
        ({"config": {"accumulate": 2}}, set()),
        ({"data": [(X, Y)], "config": {"num_epochs": 120}}, set()),
        ({"data": DataLoader(DATA, BATCH)}, set()),  # its targets are checked batch by batch
        ({"data": DataLoader(DATA, BATCH), "loss": partial(lnc.LogLoss, check_targets=False)}, {20, 10}),
        ({"layer": partial(Linear, SMALL // (4 * BATCH) + 1), "config": {"num_epochs": 34}}, set()),
        ({"layer": partial(Linear, SMALL // (4 * BATCH)), "config": {"num_epochs": 34}}, {20, 10}),
    ],
    ids=str,
)
def test_where_steps_are_replayed(more, replayed):
    more = dict(more)
    layer, loss, data = more.pop("layer", ReLU), more.pop("loss", lnc.LogLoss), more.pop("data", DATA)
    assert both(lambda: loss(network(layer())), data, **more) == replayed


def test_a_run_leaves_no_recording_behind():
    found = []

    @lnc.recordable
    class Find(Callback):
        def train_end(self, trainer):
            found.extend(weakref.ref(kept) for kept in trainer.step.replay._recorded.values())

    loss = lnc.LogLoss(network())
    trainer = Trainer(loss.network, TrainerConfig(EPOCHS, BATCH, progress=None), loss, lnc.SGD, DATA, callbacks=[Find()])
    trainer.train()
    gc.collect()
    assert len(found) == 2
    assert all(kept() is None for kept in found)
    expected, _ = loss.evaluate(X[:7], Y[:7])
    torch.testing.assert_close(trainer.train_step(X[:7], Y[:7]), expected)  # after the run the layers compute any batch


@pytest.mark.parametrize("move", [lambda net: net[0].flatten(), lambda net: net.to("cpu")], ids=["flatten", "to"])
def test_parameters_that_move_to_other_memory(move):
    @lnc.recordable
    class Moves(Callback):
        def epoch_end(self, trainer):
            if trainer.epoch % 15 == 0:
                move(trainer.model)

    assert both(lambda: lnc.LogLoss(network(Dense(3, "tanh"))), callbacks=[Moves()])


def test_parameters_that_move_all_the_time_are_left_alone():
    measure = lambda targets, predictions, net: float(net[0].flatten()[0].norm())  # noqa: E731
    net = network(Dense(3))
    assert not run(lnc.LogLoss(net), val_dataset=DATA, metric=partial(measure, net=net), config={"num_epochs": 60})[2]


@lnc.recordable
class Assigns(Linear):
    """Assigns its gradients, which are then copied into the flat vector."""

    def _backward(self, output_grad):
        self.grad["W"] = self.saved.t() @ output_grad
        self.grad["B"] = output_grad.sum(0, keepdim=True)
        return output_grad @ self.W.t() if self.needs_input_grad else None


@pytest.mark.parametrize("config", [{}, {"clip_norm": 0.1}], ids=str)
def test_gradients_that_are_assigned(config):
    assert both(lambda: lnc.LogLoss(network(Assigns(3), Tanh())), config=config) == {20, 10}


@lnc.recordable
class Doubles(Layer):
    """y = 2 x, computed by `way`."""

    way = staticmethod(lambda x: 2 * x)

    def _forward(self, input):
        return self.way(input)

    def _backward(self, output_grad):
        return 2 * output_grad


def grown(x):
    total = torch.tensor(0.0)
    for column in range(2):
        total += x[:, column].mean()
    return x + total


def halved(x):
    y = 2 * x
    y[:, [0, 1]] = 0.5
    return y


WAYS = {
    "in place, by a function": (lambda x: torch.nn.functional.leaky_relu_(2 * x), True),
    "an index of lists": (halved, True),
    "another dtype": (lambda x: x * torch.linalg.vector_norm(x, dtype=torch.float64).to(x.dtype), True),
    "random numbers": (lambda x: x + torch.randn_like(x) + torch.rand(x.shape), True),
    "no form with out": (lambda x: torch.where(x > 0, x, 0.5).flip(0).roll(1), True),
    "a mask": (lambda x: x + x[x > 9].sum(), "depends on the numbers"),
    "a look at the numbers": (lambda x: x * (2.0 if x.sum().item() > 0 else 1.0), "returns a float, expected one tensor"),
    "a list with the batch in it": (lambda x: torch.cat([x, x])[: len(x)], "takes the batch in a list"),
    "numpy": (lambda x: torch.from_numpy(2 * x.numpy()), "gave other numbers than the layers"),
    "a sum that is not set back": (grown, "gave other numbers than the layers"),
}


@pytest.mark.parametrize(("way", "replayed"), WAYS.values(), ids=list(WAYS))
def test_a_recording_is_proven_before_it_is_used(way, replayed, monkeypatch):
    """The ways are not all 2 x; a recording is compared with the layers, not with the formula."""
    monkeypatch.setattr(Doubles, "way", staticmethod(way))
    make = lambda: lnc.LogLoss(network(Doubles(), Linear(3)), l2=0.1)  # noqa: E731
    if replayed is True:
        assert both(make) == {20, 10}
        return
    with pytest.warns(match=f"LogLoss: the steps of this run are not replayed: .*{replayed}.* remove `@recordable`"):
        assert both(make) == set()


def test_a_run_that_diverges_is_not_called_unrecordable():
    x = torch.full((N, 4), 1e38)
    with pytest.raises(lnc.errors.DivergenceError):
        run(lnc.MSE(Sequential(Linear(1))), Dataset(x, x[:, :1]), config={"train_minibatch_size": 2})


def test_errors_are_those_of_the_layers():
    loss = lnc.CrossEntropy(Sequential(Dense(3, "softmax")), check_targets=False)
    loss.network(X)
    replay = Replay(loss)
    with torch.inference_mode():
        for _ in range(20):
            replay(X, Y)
        with pytest.raises(LayerError, match="CrossEntropy: failed for a prediction"):
            replay(X, Y + 5)
        assert torch.equal(replay(X, Y), loss(X, Y))


def test_a_metric_that_leaves_the_network_in_evaluation_mode():
    net = network(Dense(3))

    def score(targets, predictions):
        net.eval()
        return 0.0

    with pytest.raises(StateError, match="with the network in training mode"):
        run(lnc.LogLoss(net), Dataset(*(part.repeat_interleave(10, 0) for part in (X, Y))), val_dataset=DATA, metric=score)


def test_runs_in_threads_of_their_own():
    results = {}

    def work(seed):
        torch.manual_seed(0)
        results[seed] = run(lnc.LogLoss(network(Dense(3, "relu"))))

    work(0)
    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert results[1][2] == results[2][2] == {20, 10}
