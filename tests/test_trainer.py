"""The trainer itself: its data, its callbacks, its config."""

import copy
import json
import os
import pty
import random
import re
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

import lincoln as lnc
from lincoln import Callback, Dataset, Trainer, TrainerConfig, schedules
from lincoln.errors import ArgumentError, DataError, MatchError
from lincoln.layers import Dense, Linear, Sequential
from lincoln.steps import clip, make_train_step, make_val_step

X = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


def trainer(data=None, *, network=None, loss=lnc.LogLoss, epochs=2, **more):
    config = TrainerConfig(num_epochs=epochs, train_minibatch_size=20, seed=0, progress=None)
    network = network or Sequential(Dense(4), Dense(1))
    return Trainer(network, config, loss, lnc.Adam, Dataset(X, Y) if data is None else data, **more)


def test_config():
    config = TrainerConfig(num_epochs=3, train_minibatch_size=16)
    assert config.val_minibatch_size == 16
    assert TrainerConfig(val_minibatch_size=5).val_minibatch_size == 5
    for name in ("num_epochs", "train_minibatch_size", "val_minibatch_size"):
        with pytest.raises(ArgumentError, match=f"{name} is 0; expected an integer of at least 1"):
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
        (Dataset(X, Y.float() * float("nan")), DataError, "targets: NaN or infinite values"),
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


# ---- Config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"accumulate": 0}, "accumulate is 0"),
        ({"patience": 0}, "patience is 0"),
        ({"keep_checkpoints": 0}, "keep_checkpoints is 0"),
        ({"clip_norm": 0}, "clip_norm is 0; expected a length above 0"),
        ({"min_delta": -1}, "min_delta is -1; expected a number of at least 0"),
        ({"seed": 1.5}, "seed is 1.5; expected an integer, or None"),
        ({"schedule": lambda step: 1.0}, "schedule is .*; expected a lincoln.schedules.Schedule"),
        ({"schedule_unit": "day"}, "schedule_unit is 'day'; expected 'step' or 'epoch'"),
        ({"checkpoint_interval": 5}, "checkpoint_interval is 5; expected a checkpoint_folder with it"),
        ({"progress": True}, "progress is True; expected 'auto', 'lines' or None"),
    ],
)
def test_config_out_of_range(settings, message):
    with pytest.raises(ArgumentError, match=message):
        TrainerConfig(**settings)


def run(data=None, *, loss=lnc.LogLoss, optimizer=lnc.SGD, val=None, callbacks=(), network=None, metric=None, **settings):
    config = TrainerConfig(**{"num_epochs": 3, "train_minibatch_size": 10, "seed": 0, "progress": None} | settings)
    network = network or Sequential(Dense(4, "tanh"), Dense(1)).to(dtype=torch.float64)
    data = Dataset(X.double(), Y) if data is None else data
    return Trainer(network, config, loss, optimizer, data, val, callbacks, metric)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("weighted", [False, True])
def test_accumulated_minibatches_are_one_batch(reduction, weighted):
    """5 minibatches of 10, or 4 of 15, 15, 15 and 5, step as one batch of 50."""
    weights = (torch.linspace(0.1, 2, 50, dtype=torch.float64),) if weighted else ()
    ends = []
    for size, accumulate in ((50, 1), (10, 5), (15, 4)):
        trainer = run(
            Dataset(X.double(), Y, *weights),
            loss=lambda network: lnc.LogLoss(network, reduction=reduction, l2=0.5),
            train_minibatch_size=size,
            accumulate=accumulate,
            shuffle_minibatches=False,
        )
        history = trainer.train()
        assert history.steps == 3
        ends.append(trainer.model.flatten()[0])
    torch.testing.assert_close(ends[1], ends[0])
    torch.testing.assert_close(ends[2], ends[0])


def test_accumulated_minibatches_of_no_weight():
    weights = torch.ones(50, dtype=torch.float64)
    weights[:20] = 0
    trainer = run(
        Dataset(X.double(), Y, weights),
        loss=lambda network: lnc.LogLoss(network, reduction="mean"),
        accumulate=2,
        shuffle_minibatches=False,
    )
    assert trainer.train().steps == 9


def test_an_epochs_last_minibatches_make_a_smaller_step():
    assert run(accumulate=2).train().steps == 3 * 3


def test_clipping_is_torchs():
    grads = []

    class Compare(Callback):
        def step_end(self, trainer):
            grads.append(trainer.model.flatten()[1].norm().item())

    trainer = run(clip_norm=0.05, num_epochs=1, callbacks=[Compare()])
    trainer.train()
    assert all(norm <= 0.05 for norm in grads)
    gradient = torch.randn(100)
    for length in (0.5, 100.0):
        twin = torch.zeros(100, requires_grad=True)
        twin.grad = gradient.clone()
        torch.nn.utils.clip_grad_norm_([twin], length)
        mine = gradient.clone()
        clip(mine, length)
        torch.testing.assert_close(mine, twin.grad)


@pytest.mark.parametrize("unit", ["step", "epoch"])
def test_schedule_sets_the_learning_rate(unit):
    rates = []

    class Rates(Callback):
        def step_end(self, trainer):
            rates.append(trainer.optimizer.lr)

    schedule = schedules.exponential(0.5)
    trainer = run(
        optimizer=lambda n: lnc.SGD(n, lr=0.1), schedule=schedule, schedule_unit=unit, callbacks=[Rates()], num_epochs=2
    )
    history = trainer.train()
    expected = [0.1 * 0.5 ** (step if unit == "step" else step // 5) for step in range(10)]
    assert rates == pytest.approx(expected)
    assert history.learning_rates == [rates[4], rates[9]]


def test_reduce_on_plateau_watches_the_validation_loss():
    schedule = schedules.reduce_on_plateau(0.1, patience=1, threshold=0.5)
    history = run(val=Dataset(X.double(), Y), schedule=schedule, num_epochs=8).train()
    assert history.learning_rates[-1] < 0.003 * 0.011
    assert schedule(0) == 1.0, "the config's own schedule is not touched"


def test_early_stopping_brings_back_the_best_weights():
    """Training pulls the weights away from where validation is best."""
    val = Dataset(X.double(), 1 - Y)
    kept = []

    class Keep(Callback):
        def epoch_end(self, trainer):
            kept.append(trainer.model.flatten()[0].clone())

    for restore in (True, False):
        kept.clear()
        trainer = run(val=val, patience=4, num_epochs=50, callbacks=[Keep()], restore_best=restore)
        history = trainer.train()
        assert history.stopped == "no better loss in 4 epochs (patience)"
        assert history.epochs == history.best_epoch + 4 < 50
        chosen = kept[history.best_epoch - 1] if restore else kept[-1]
        assert torch.equal(trainer.model.flatten()[0], chosen)


def test_min_delta():
    history = run(patience=2, min_delta=100.0, num_epochs=50).train()
    assert history.epochs == 3, "without validation the training loss is watched"


def test_one_seed_repeats_a_run_bit_by_bit():
    class Coins(Callback):
        """A user's own random numbers, from all three generators."""

        def __init__(self):
            self.seen = []

        def step_begin(self, trainer):
            self.seen.append((torch.rand(1).item(), np.random.rand(), random.random()))

    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    ends = []
    for _ in range(2):
        coins = Coins()
        trainer = run(callbacks=[coins], val=Dataset(X.double(), Y))
        ends.append((trainer.train().losses, trainer.model.flatten()[0].tolist(), coins.seen))
    assert ends[0] == ends[1]
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert random.getstate() == before[2]


def test_validation_with_torchs_loader_leaves_random_numbers_alone():
    """It draws a number for its workers each time it is run through."""
    ends = []
    for val in (None, torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X.double(), Y), batch_size=7)):
        trainer = run(val=val)
        trainer.train()
        ends.append(trainer.model.flatten()[0])
    assert torch.equal(*ends)


def test_metric_without_validation():
    history = run(val=Dataset(X.double(), Y), metric=lambda t, p: float(len(p))).train()
    assert history.val_metrics == [50.0] * 3


@pytest.mark.parametrize("kind", ["dataset", "torch's loader"])
def test_metric_on_the_training_data(kind):
    data = Dataset(X.double(), Y)
    if kind != "dataset":
        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X.double(), Y), batch_size=10, shuffle=True)
    with_metric = run(data, metric=lnc_accuracy, measure_training=True)
    history = with_metric.train()
    assert [epoch for epoch, _ in history.metrics] == [1, 2, 3]
    assert history.metrics[-1][1] == pytest.approx(lnc_accuracy(Y[:, None], with_metric.model.eval()(X.double())))
    without = run(data)
    without.train()
    assert torch.equal(with_metric.model.flatten()[0], without.model.flatten()[0])


# ---- What is shown


def test_lines_elsewhere_than_on_a_terminal(capsys):
    run(val=Dataset(X.double(), Y), metric=lnc_accuracy, progress="auto", num_epochs=4, log_interval=2).train()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["Epoch 2/4", "Epoch 4/4"]
    losses = r"Epoch 4/4  loss 0\.\d{4}  val loss 0\.\d{4}(\*| \(best 0\.\d{4}\))"
    pattern = losses + r"  lnc_accuracy 0\.\d{4}  lr 0\.003  [\d,]+ examples/s  0:00 left"
    assert re.fullmatch(pattern, lines[1])


def lnc_accuracy(targets, predictions):
    return ((predictions > 0.5) == targets).double().mean().item()


def test_silence_on_request(capsys):
    run(progress=None).train()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("colour", [True, False])
def test_display_on_a_terminal(monkeypatch, colour):
    """In a pseudo-terminal: the display, with colours unless NO_COLOR says otherwise."""
    code = (
        "import torch, lincoln as lnc\n"
        "x = torch.randn(500, 3); y = (x[:, 0] > 0).float()\n"
        "config = lnc.TrainerConfig(num_epochs=40, seed=0)\n"
        "data = lnc.Dataset(x, y)\n"
        "lnc.Trainer(lnc.Dense(1), config, lnc.LogLoss, lnc.SGD, data, data).train()\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "100"} | ({} if colour else {"NO_COLOR": "1"})
    master, slave = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    shown = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(master)
    assert process.wait(60) == 0
    text = shown.decode()
    assert "epoch 40/40" in text
    assert "val loss" in text
    assert "examples/s" in text
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]", text)) == colour


def test_no_files_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(progress="lines").train()
    assert list(tmp_path.iterdir()) == []


# ---- The result


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


# ---- The functional form


def test_step_functions():
    torch.manual_seed(0)
    network = Sequential(Dense(1))
    network(X)
    twin = copy.deepcopy(network)
    train_step = make_train_step(network, lnc.LogLoss, lambda n: lnc.SGD(n, lr=0.1))
    val_step = make_val_step(network, lnc.LogLoss)
    before = val_step(X, Y)
    assert isinstance(before, float)
    network.eval()
    assert train_step(X, Y) == before
    assert network.training
    assert val_step(X, Y) < before
    assert network.training
    loss, optimizer = lnc.LogLoss(twin), lnc.SGD(twin, lr=0.1)
    loss(X, Y)
    loss.backward()
    optimizer.step()
    assert torch.equal(twin.flatten()[0], network.flatten()[0])


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("size", [50, 7, 1])
def test_weighted_losses_do_not_depend_on_the_batch_size(reduction, size):
    """At learning rate 0 each epoch's loss is the weighted mean over all examples."""
    weights = torch.linspace(0, 2, 50, dtype=torch.float64)
    trainer = run(
        Dataset(X.double(), Y, weights),
        loss=lambda network: lnc.LogLoss(network, reduction=reduction),
        optimizer=lambda network: lnc.SGD(network, lr=0.0),
        train_minibatch_size=size,
        val=Dataset(X.double(), Y, weights),
    )
    history = trainer.train()
    loss = lnc.LogLoss(trainer.model)(X.double(), Y, weights).item() / weights.sum().item()
    assert history.losses == pytest.approx([loss] * 3)
    assert history.val_losses == pytest.approx([loss] * 3)


@pytest.mark.parametrize("weights", [-torch.ones(50), torch.zeros(50), torch.full((50,), float("nan"))])
def test_unusable_weights(weights):
    with pytest.raises(DataError, match="weights"):
        run(Dataset(X.double(), Y, weights)).train()


def test_many_steps_are_packed(monkeypatch):
    """Losses are kept one by one only up to a number; the sum must not depend on it."""
    losses = []
    for loose in (4096, 2):
        monkeypatch.setattr("lincoln.training.tally._LOOSE", loose)
        losses.append(run().train().losses)
    assert losses[0] == losses[1]
