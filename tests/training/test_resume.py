"""Runs that are interrupted anywhere and resumed end as if nothing had happened."""

import multiprocessing
import os
import signal
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from resume_cases import DATA, OPTIMIZERS, VALIDATION, Interrupt, X, Y, outcome, trainer

import lincoln as lnc
from lincoln import checkpoint, schedules
from lincoln.callbacks import WeightRecorder
from lincoln.errors import StateError
from lincoln.layers import Dense, Layer, Sequential


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_resume_after_every_single_step(tmp_path, optimizer):
    whole = trainer(None, optimizer=optimizer)
    whole.train()
    assert whole.history.steps == 12
    for step in range(1, 12):
        folder = tmp_path / str(step)
        interrupted = trainer(folder, optimizer=optimizer, callbacks=[Interrupt(step)])
        with pytest.raises(KeyboardInterrupt):
            interrupted.train()
        torch.rand(step)  # another process has drawn other numbers
        resumed = trainer(folder, optimizer=optimizer)
        assert resumed.resume().name == f"step-{step:09d}.safetensors"
        assert resumed.history.steps == step
        resumed.train()
        assert outcome(resumed) == outcome(whole)


def torch_loader(**settings):
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X[:32], Y[:32]), batch_size=8, **settings)


@pytest.mark.parametrize(
    "change",
    [
        {"accumulate": 2},
        {"schedule": schedules.reduce_on_plateau(0.5, patience=1, threshold=0.5)},
        {"schedule": schedules.exponential(0.5), "schedule_unit": "epoch"},
        {"patience": 1, "min_delta": 0.3, "epochs": 6},
        {"seed": None},
        {"interval": None},
        {"train": torch_loader(shuffle=True)},
        {"train": torch_loader()},
        {"train": [(X[:16], Y[:16]), (X[16:32], Y[16:32])]},
        {"train": lnc.DataLoader(DATA, 8, shuffle=True, copy_budget=0)},
    ],
    ids=str,
)
def test_resume_with_other_settings(tmp_path, change):
    torch.manual_seed(5)
    whole = trainer(None, **{"interval": None} | change)
    whole.train()
    for step in (1, 2, 3, 5, 7):
        folder = tmp_path / str(step)
        torch.manual_seed(5)
        interrupted = trainer(folder, callbacks=[Interrupt(step)], **change)
        try:
            interrupted.train()
        except KeyboardInterrupt:
            torch.rand(step)
        if not list(folder.glob("step-*")):
            continue
        resumed = trainer(folder, **change)
        resumed.resume()
        resumed.train()
        assert outcome(resumed) == outcome(whole)


def test_a_loader_with_its_own_generator(tmp_path):
    def loader():
        return lnc.DataLoader(DATA, 8, shuffle=True, generator=torch.Generator().manual_seed(9))

    whole = trainer(None, train=loader())
    whole.train()
    for step in (1, 4, 6):
        with pytest.raises(KeyboardInterrupt):
            trainer(tmp_path / str(step), train=loader(), callbacks=[Interrupt(step)]).train()
        resumed = trainer(tmp_path / str(step), train=loader())
        resumed.resume()
        resumed.train()
        assert outcome(resumed) == outcome(whole)


class Augmented:
    """Batches in order, with noise that is drawn batch by batch."""

    def __iter__(self):
        for start in range(0, 32, 8):
            x = X[start : start + 8]
            yield x + 0.1 * torch.randn_like(x), Y[start : start + 8]


@pytest.mark.parametrize("kind", ["augmented", "torch's loader with a generator", "a factory of loaders with a generator"])
def test_loaders_that_draw_numbers_of_their_own(tmp_path, kind):
    def make(folder, *callbacks):
        if kind == "a factory of loaders with a generator":
            run = trainer(folder, callbacks=callbacks)
            generator = torch.Generator().manual_seed(4)
            run.loader = partial(lnc.DataLoader, shuffle=True, generator=generator)
            return run
        own = torch_loader(shuffle=True, generator=torch.Generator().manual_seed(4))
        return trainer(folder, train=Augmented() if kind == "augmented" else own, callbacks=callbacks)

    whole = make(None)
    whole.train()
    for step in (1, 2, 4, 6, 9):
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path / str(step), Interrupt(step)).train()
        resumed = make(tmp_path / str(step))
        resumed.resume()
        resumed.train()
        assert outcome(resumed) == outcome(whole)


def test_callbacks_remember(tmp_path):
    whole = trainer(None, callbacks=[WeightRecorder()])
    whole.train()
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path, callbacks=[WeightRecorder(), Interrupt(6)]).train()
    recorder = WeightRecorder()
    resumed = trainer(tmp_path, callbacks=[recorder])
    resumed.resume()
    resumed.train()
    assert len(recorder.path) == 4
    assert torch.equal(torch.stack(recorder.path), torch.stack(whole.callbacks.all[0].path))


def test_a_finished_run_stays_finished(tmp_path):
    run = trainer(tmp_path, interval=None)
    run.train()
    again = trainer(tmp_path, interval=None)
    again.resume()
    again.train()
    assert outcome(again) == outcome(run)


def test_longer_training_of_a_finished_run(tmp_path):
    trainer(tmp_path, interval=None, patience=None, schedule=None).train()
    longer = trainer(tmp_path, interval=None, patience=None, schedule=None, epochs=5)
    longer.resume()
    longer.train()
    whole = trainer(None, patience=None, schedule=None, epochs=5)
    whole.train()
    assert outcome(longer) == outcome(whole)


def test_a_reduced_rate_is_remembered(tmp_path):
    def make(folder, *callbacks):
        schedule = schedules.reduce_on_plateau(0.1, patience=1, threshold=0.9)
        return trainer(folder, schedule=schedule, epochs=8, patience=None, callbacks=callbacks)

    whole = make(None)
    rates = whole.train().learning_rates
    assert len(set(rates)) > 2
    for step in (13, 18, 22):
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path / str(step), Interrupt(step)).train()
        resumed = make(tmp_path / str(step))
        resumed.resume()
        resumed.train()
        assert outcome(resumed) == outcome(whole)


def test_buffers_are_saved(tmp_path):
    class Centre(Layer):
        """y = x - mean of all inputs seen in training."""

        buffers = ("mean",)
        mean = None

        def _forward(self, input):
            if self.training:
                mean = input.mean(0)
                self.mean = mean if self.mean is None else 0.9 * self.mean + 0.1 * mean
            return input - (0 if self.mean is None else self.mean)

        def _backward(self, output_grad):
            return output_grad

    def make(folder, *callbacks):
        config = lnc.TrainerConfig(3, 8, seed=0, checkpoint_folder=folder, progress=None)
        return lnc.Trainer(Sequential(Centre(), Dense(1)), config, lnc.LogLoss, lnc.SGD, DATA, VALIDATION, callbacks)

    whole = make(None)
    whole.train()
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, Interrupt(9)).train()
    resumed = make(tmp_path)
    resumed.resume()
    resumed.train()
    assert torch.equal(resumed.model[0].mean, whole.model[0].mean)
    assert outcome(resumed) == outcome(whole)
    network = lnc.load(checkpoint.candidates(tmp_path)[0], layers=[Centre])
    assert torch.equal(network.eval()(X), whole.model.eval()(X))
    assert network.to(torch.float64)[0].mean.dtype == torch.float64


def test_best_weights_come_with_their_buffers(tmp_path):
    class Counter(Layer):
        buffers = ("count",)
        count = None

        def _forward(self, input):
            if self.training:
                self.count = torch.zeros(()) if self.count is None else self.count + 1
            return input

        def _backward(self, output_grad):
            return output_grad

    def make(folder, *callbacks):
        config = lnc.TrainerConfig(30, 8, seed=0, patience=3, checkpoint_folder=folder, progress=None)
        wrong = lnc.Dataset(X[32:], 1 - Y[32:])
        adam = partial(lnc.Adam, lr=0.1)
        return lnc.Trainer(Sequential(Counter(), Dense(8), Dense(1)), config, lnc.LogLoss, adam, DATA, wrong, callbacks)

    run = make(None)
    history = run.train()
    assert run.model[0].count.item() == history.best_epoch * 4 - 1
    assert history.epochs > history.best_epoch
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, Interrupt(history.best_epoch * 4 + 5)).train()
    resumed = make(tmp_path)
    resumed.model.eval()(X)
    resumed.resume()
    resumed.train()
    assert torch.equal(resumed.model[0].count, run.model[0].count)
    assert outcome(resumed) == outcome(run)


def test_an_interrupted_run_is_not_trained_on_without_resuming(tmp_path):
    run = trainer(tmp_path, callbacks=[Interrupt(2)])
    with pytest.raises(KeyboardInterrupt):
        run.train()
    with pytest.raises(StateError, match="interrupted in epoch 1: go on from a checkpoint with resume"):
        run.train()
    run.callbacks.at["step_end"].clear()
    run.resume()
    run.train()
    whole = trainer(None)
    whole.train()
    assert outcome(run) == outcome(whole)


def test_a_resumed_run_that_is_interrupted_again(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path, callbacks=[Interrupt(2)]).train()
    run = trainer(tmp_path, callbacks=[Interrupt(5)])
    run.resume()
    with pytest.raises(KeyboardInterrupt):
        run.train()
    with pytest.raises(StateError, match="interrupted in epoch 2"):
        run.train()
    finished = trainer(tmp_path)
    finished.resume()
    finished.train()
    whole = trainer(None)
    whole.train()
    assert outcome(finished) == outcome(whole)
    torch.manual_seed(0)
    finished.train()
    first = torch.rand(1)
    finished.train()
    assert first != torch.rand(1), "a finished run does not turn back anybody's random numbers"


LONG = {"epochs": 30, "patience": 25, "schedule": schedules.cosine(120, warmup=5)}


def _child(folder, started):
    torch.set_num_threads(1)
    run = trainer(Path(folder), **LONG)
    started.set()
    run.train()
    time.sleep(60)  # not reached alive


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_killed_at_50_random_moments(tmp_path):
    """Each child saves every step and is killed; the run, resumed, ends exactly as a run that was never killed."""
    whole = trainer(None, **LONG)
    whole.train()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lincoln", "safetensors.torch", "numpy", "pytest", "torch.utils.data"])
    moments = np.random.default_rng(0).uniform(0.0, 0.4, 50)
    reached = []
    for trial, moment in enumerate(moments):
        folder = tmp_path / str(trial)
        started = context.Event()
        child = context.Process(target=_child, args=(str(folder), started))
        child.start()
        assert started.wait(60)
        time.sleep(moment)
        assert child.is_alive()
        os.kill(child.pid, signal.SIGKILL)
        child.join(60)
        assert child.exitcode == -signal.SIGKILL, "the child must have been killed, not have ended"
        resumed = trainer(folder, **LONG)
        if checkpoint.candidates(folder) and folder.exists():
            resumed.resume()
        reached.append(resumed.history.steps)
        resumed.train()
        assert outcome(resumed) == outcome(whole)
        assert not list(folder.glob(".*.tmp")), "what the killed write left is cleared away"
    assert len(set(reached)) > 10, "the moments were spread over the run"
