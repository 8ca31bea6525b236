"""What callbacks remember and users set, in checkpoints: it comes back the same, or the run is refused at its start."""

import json
import math
from functools import partial

import numpy as np
import pytest
import torch
from resume_cases import DATA, VALIDATION, Interrupt, Noise, X, outcome, trainer

import lincoln as lnc
from lincoln import checkpoint, schedules
from lincoln.callbacks import ParameterRecorder, WeightRecorder
from lincoln.errors import ArgumentError, CheckpointError, MatchError
from lincoln.layers import Dense, Dropout, Layer, Sequential
from lincoln.training import saved


class Remembers(lnc.Callback):
    def __init__(self, state=None):
        self.state = state

    def state_dict(self):
        return {} if self.state is None else self.state

    def load_state_dict(self, state):
        self.state = state


def interrupted(folder, callback):
    with pytest.raises(KeyboardInterrupt):
        trainer(folder, callbacks=[callback, Interrupt(2)]).train()


STATES = [
    {"count": np.int64(3), "rate": np.float32(0.1), "flag": np.bool_(True)},
    {"pair": (1, 2.5), 3: "three", (4, 5): [None, math.inf]},
    {"losses": [0.1] * 1000, "rows": [(epoch, 0.5) for epoch in range(1000)], "log": [{"epoch": 1}] * 1000},
    {"words": "0" * 64, "0" * 64: "\ud800", "list": [1], "dict": {"tensor": "0"}},
    {"array": np.arange(3.0), "tensor": torch.arange(3), "0-d": torch.tensor(0.5), "dtype": torch.float64},
]


@pytest.mark.parametrize("state", STATES, ids=str)
def test_what_callbacks_remember_comes_back_the_same(tmp_path, state):
    interrupted(tmp_path, Remembers(state))
    callback = Remembers()
    resumed = trainer(tmp_path, callbacks=[callback])
    resumed.resume()
    assert repr(callback.state) == repr(state)


@pytest.mark.parametrize(
    ("state", "where"),
    [({"a": [1, {"b": object()}]}, r"\['a'\]\[1\]\['b'\] is of type object"), ({"x": {1, 2}}, r"\['x'\] is of type set")],
    ids=str,
)
def test_what_cannot_be_written_is_refused_before_the_first_step(tmp_path, state, where):
    run = trainer(tmp_path, callbacks=[Remembers(state)])
    with pytest.raises(CheckpointError, match=rf"Remembers.state_dict\(\){where}.*expected numbers"):
        run.train()
    assert (run.history.steps, run.optimizer.steps, list(tmp_path.iterdir())) == (0, 0, [])
    run = trainer(None, callbacks=[Remembers(state)])
    assert run.train().epochs == 3


def test_words_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(saved, "MOST_WORDS", 1000)
    with pytest.raises(
        CheckpointError, match=r"Remembers.state_dict\(\) comes to 2,0\d\d characters.*expected at most 1,000"
    ):
        trainer(tmp_path, callbacks=[Remembers({"words": "x" * 2000})]).train()
    trainer(tmp_path, callbacks=[Remembers({"numbers": [0.5] * 2000})]).train()


class Scale(Noise):
    def __init__(self, factor):
        self.factor = factor


@pytest.mark.parametrize("factor", [np.float32(0.5), torch.tensor(0.5), np.array([0.5, 0.25]), [np.float16(1)]], ids=str)
def test_arguments_of_layers_are_compared(tmp_path, factor):
    def make(factor, *callbacks):
        config = lnc.TrainerConfig(2, 8, seed=0, checkpoint_folder=tmp_path, progress=None)
        network = Sequential(Dense(np.int64(4)), Dropout(np.float32(0.25)), Scale(factor), Dense(1))
        return lnc.Trainer(network, config, lnc.LogLoss, lnc.Adam, DATA, callbacks=callbacks)

    make(factor).train()
    make(factor).resume()
    other = [np.float16(2)] if isinstance(factor, list) else factor * 2
    with pytest.raises(MatchError, match="the checkpoint's network is not this one"):
        make(other).resume()
    again = lnc.load(tmp_path / "best.safetensors", layers=[Scale])
    assert repr(again[2].factor) == repr(factor)


def test_a_layer_that_cannot_be_written_is_refused_before_the_first_step(tmp_path):
    config = lnc.TrainerConfig(2, 8, checkpoint_folder=tmp_path, progress=None)
    run = lnc.Trainer(Sequential(Dense(4), Scale(print), Dense(1)), config, lnc.LogLoss, lnc.SGD, DATA)
    with pytest.raises(CheckpointError, match=r"Scale '1': cannot be saved, because its argument factor is <built-in"):
        run.train()
    assert (run.history.steps, list(tmp_path.iterdir())) == (0, [])


def numbers(kind):
    return {
        "num_epochs": kind(3),
        "train_minibatch_size": kind(8),
        "val_minibatch_size": kind(4),
        "seed": kind(3),
        "clip_norm": kind(1),
        "accumulate": kind(2),
        "patience": kind(2),
        "min_delta": kind(0),
        "keep_checkpoints": kind(2),
        "checkpoint_interval": kind(1),
        "log_interval": kind(1),
    }


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.array, torch.tensor, int], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("real", [np.float32, np.float64, np.array, torch.tensor, float], ids=lambda kind: kind.__name__)
def test_numbers_of_every_kind(tmp_path, kind, real):
    class Mine(schedules.Schedule):
        def value(self, step):
            return real(0.5)

        def state_dict(self):
            return {"mine": real(0.5)}

        def load_state_dict(self, state):
            assert state == {"mine": 0.5}

    def make(folder, *callbacks):
        config = lnc.TrainerConfig(**numbers(kind), schedule=Mine(), checkpoint_folder=folder, progress=None)
        adam = partial(lnc.Adam, lr=real(0.01), betas=(real(0.5), real(0.75)), eps=real(1e-8), weight_decay=real(0.01))
        network = Sequential(Dense(kind(4)), Dropout(real(0.25)), Dense(1))
        metric = lambda targets, predictions: real(0.5)  # noqa: E731
        metric.__name__ = np.str_("half")
        return lnc.Trainer(network, config, lnc.LogLoss, adam, DATA, VALIDATION, callbacks, metric)

    whole = make(tmp_path / "whole")
    whole.train()
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "resumed", Interrupt(3)).train()
    resumed = make(tmp_path / "resumed")
    resumed.resume()
    resumed.train()
    assert outcome(resumed) == outcome(whole)


@pytest.mark.parametrize("seed", [-1, 2**64, 10**20, np.int64(-3), 1.0, True])
def test_seeds_that_no_generator_takes(seed):
    with pytest.raises(ArgumentError, match=r"seed is .*; expected an integer, or None; from 0 to 2\^64 - 1"):
        lnc.TrainerConfig(seed=seed)
    with pytest.raises(ArgumentError, match="clip_norm is inf; expected a length above 0, or None; and finite"):
        lnc.TrainerConfig(clip_norm=math.inf)


@pytest.mark.parametrize("seed", [0, 2**63, 2**64 - 1])
def test_seeds_that_every_generator_takes(seed):
    assert trainer(None, seed=seed).train().epochs == 3


class Meddles(lnc.Callback):
    """Sets what a user may set in the midst of a run, in numpy's numbers."""

    saved = False

    def step_begin(self, trainer):
        trainer.optimizer.lr = np.float32(0.01)
        trainer.base_lr = torch.tensor(0.01)

    def epoch_end(self, trainer):
        if trainer.epoch == 2:
            trainer.stop(ValueError("enough"))


def test_numbers_and_reasons_set_in_the_midst_of_a_run(tmp_path):
    history = trainer(tmp_path, schedule=None, callbacks=[Meddles()]).train()
    assert (history.epochs, history.stopped) == (2, "enough")
    _, state = checkpoint.read(checkpoint.candidates(tmp_path)[0])
    assert state["position"]["base_lr"] == state["optimizer"]["lr"] == pytest.approx(0.01)


def test_recorders_cost_four_bytes_a_number(tmp_path):
    def size(folder, *callbacks):
        config = lnc.TrainerConfig(40, 32, seed=0, checkpoint_folder=folder, progress=None)
        lnc.Trainer(Sequential(Dense(500), Dense(1)), config, lnc.LogLoss, lnc.SGD, DATA, callbacks=callbacks).train()
        path = checkpoint.candidates(folder)[0]
        with open(path, "rb") as file:
            return path.stat().st_size, int.from_bytes(file.read(8), "little")

    plain, header = size(tmp_path / "plain")
    recorded, with_recorders = size(tmp_path / "recorded", WeightRecorder(), ParameterRecorder())
    assert recorded - plain < 41 * 2501 * 4 + 10_000
    assert with_recorders - header < 2000


def test_recorders_remember_bit_by_bit(tmp_path):
    interrupted(tmp_path, recorder := ParameterRecorder())
    again = ParameterRecorder()
    again.load_state_dict(recorder.state_dict())
    assert again.record == recorder.record
    weights = WeightRecorder()
    weights.path = [torch.randn(3), torch.randn(3)]
    copy = WeightRecorder()
    copy.load_state_dict(weights.state_dict())
    assert torch.equal(torch.stack(copy.path), torch.stack(weights.path))
    copy.load_state_dict(WeightRecorder().state_dict() | {"path": []})
    copy.load_state_dict({"path": [[0.5, 1.5]], "dtype": "float64"})  # as older files have it
    assert copy.path[0].tolist() == [0.5, 1.5]
    assert copy.path[0].dtype == torch.float64
    copy.load_state_dict(WeightRecorder().state_dict())
    assert copy.path == []


def test_a_long_history_lies_in_tensors(tmp_path):
    run = trainer(tmp_path, interval=None)
    run.train()
    for values in (run.history.losses, run.history.val_losses, run.history.learning_rates, run.history.val_metrics):
        values[:] = [1 / (epoch + 1) for epoch in range(5000)]
    run.history.metrics = [(epoch, 0.5) for epoch in range(5000)]
    path = run.save()
    _, state = checkpoint.read(path)
    assert len(json.dumps(state["history"])) < 500
    again = trainer(tmp_path, interval=None)
    again.resume()
    assert again.history.to_dict() | {"seconds": 0} == run.history.to_dict() | {"seconds": 0}


def odd(kind):
    """Return changes of a run's state, each of which is not as a checkpoint writes it."""
    for name in ("epoch", "batch", "in_epoch", "stopped", "epoch_from", "base_lr"):
        yield f"position.{name}", kind
    for name in ("steps", "lr"):
        yield f"optimizer.{name}", kind
    for name in (
        "losses",
        "val_losses",
        "metrics",
        "val_metrics",
        "learning_rates",
        "metric",
        "steps",
        "seconds",
        "stopped",
    ):
        yield f"history.{name}", kind
    for name in ("loss", "mark", "epochs_since"):
        yield f"best.{name}", kind
    for name in ("position", "optimizer", "tally", "history", "best", "callbacks", "network", "settings"):
        yield name, kind


@pytest.mark.parametrize(
    ("place", "value"), [case for kind in ({"x": [1]}, -1.5, [["a"]], [-1]) for case in odd(kind)], ids=str
)
def test_states_that_nobody_writes(tmp_path, place, value):
    trainer(tmp_path, interval=None, epochs=1).train()
    path = checkpoint.candidates(tmp_path)[0]
    tensors, state = checkpoint.read(path)
    inner, _, name = place.rpartition(".")
    (state[inner] if inner else state)[name] = value
    if name in ("loss", "mark", "losses", "val_losses", "val_metrics", "learning_rates") and value in (-1.5, [-1]):
        return  # a number, or numbers, as they might be
    refused(path, tensors, state)


def refused(path, tensors, state):
    run = trainer(path.parent, interval=None)
    run.model(X)
    before = run.model.flatten()[0].clone()
    with pytest.raises((CheckpointError, MatchError)) as error:
        run.resume(checkpoint.write(path, tensors, state))
    assert len(error.value.message) <= 500
    assert torch.equal(run.model.flatten()[0], before)
    assert (run.epoch, run.batch, run.stopped, run.history.steps, run.optimizer.steps) == (0, 0, "", 0, 0)
    assert run.resumed is None


@pytest.mark.parametrize("name", ["torch", "numpy", "numpy.gauss", "python", "python.gauss", "loader:0", "cuda:x", "other"])
@pytest.mark.parametrize("value", [torch.ones(3), torch.zeros(5056, dtype=torch.int32), torch.ones(())], ids=str)
def test_random_states_that_nobody_writes(tmp_path, name, value):
    trainer(tmp_path, interval=None, epochs=1).train()
    path = checkpoint.candidates(tmp_path)[0]
    tensors, state = checkpoint.read(path)
    refused(path, tensors | {f"random/{name}": value}, state)


@pytest.mark.parametrize(
    "name", ["optimizer/mean", "optimizer/square", "optimizer/other", "best/weights", "best/buffers/0.x"]
)
@pytest.mark.parametrize("value", [torch.ones(2), torch.ones(31).long(), torch.ones(31, dtype=torch.float64)], ids=str)
def test_vectors_that_nobody_writes(tmp_path, name, value):
    trainer(tmp_path, interval=None, epochs=1).train()
    path = checkpoint.candidates(tmp_path)[0]
    tensors, state = checkpoint.read(path)
    refused(path, tensors | {name: value}, state)


def test_a_callback_that_does_not_take_its_state(tmp_path):
    class Fails(Remembers):
        def load_state_dict(self, state):
            raise AttributeError("not mine")

    interrupted(tmp_path, Fails({"a": 1}))
    run = trainer(tmp_path, callbacks=[Fails()])
    with pytest.raises(CheckpointError, match="AttributeError: not mine"):
        run.resume()
    assert run.epoch == 0


def test_a_layer_of_ones_own_needs_no_form_without_checkpoints():
    class Held(Layer):
        def __init__(self, function=None):
            self.function = function

        def _forward(self, input):
            return input

        def _backward(self, output_grad):
            return output_grad

    config = lnc.TrainerConfig(1, 8, progress=None)
    assert lnc.Trainer(Sequential(Held(print), Dense(1)), config, lnc.LogLoss, lnc.SGD, DATA).train().epochs == 1
