"""Files that are whole or not there, and runs that go on as if nothing had happened."""

import errno
import json
import multiprocessing
import os
import signal
import stat
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import lincoln as lnc
from lincoln import checkpoint, schedules
from lincoln.callbacks import WeightRecorder
from lincoln.errors import ArgumentError, CheckpointError, DivergenceError, MatchError, StateError
from lincoln.layers import Dense, Layer, Linear, ReLU, Sequential, Softmax

X = torch.randn(44, 3, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] * X[:, 1] > 0).float()
DATA, VALIDATION = lnc.Dataset(X[:32], Y[:32]), lnc.Dataset(X[32:], Y[32:])


class Noise(Layer):
    """Dropout in effect: a mask of random numbers on each forward in training, so that their state matters."""

    def _forward(self, input):
        self.saved = mask = (torch.rand_like(input) < 0.8).to(input.dtype) if self.training else torch.ones_like(input)
        return input * mask

    def _backward(self, output_grad):
        return output_grad * self.saved


OPTIMIZERS = {
    "sgd": partial(lnc.SGD, lr=0.05),
    "momentum": partial(lnc.SGD, lr=0.05, momentum=0.9, nesterov=True),
    "adam": partial(lnc.Adam, lr=0.02),
    "amsgrad": partial(lnc.AdamW, lr=0.02, amsgrad=True),
}


def trainer(folder, *, optimizer="adam", epochs=3, interval=1, train=DATA, callbacks=(), **settings):
    """A run with everything in play: shuffling, noise, a schedule, validation, early stopping. 4 steps an epoch."""
    usual = {"seed": 3, "schedule": schedules.cosine(12, warmup=3), "patience": 2, "clip_norm": 1.0, "progress": None}
    config = lnc.TrainerConfig(
        num_epochs=epochs,
        train_minibatch_size=8,
        checkpoint_folder=folder,
        checkpoint_interval=interval if folder else None,
        **usual | settings,
    )
    network = Sequential(Dense(6, "tanh"), Noise(), Dense(1))
    return lnc.Trainer(network, config, lnc.LogLoss, OPTIMIZERS[optimizer], train, VALIDATION, callbacks, lnc_accuracy)


def lnc_accuracy(targets, predictions):
    return ((predictions > 0.5) == (targets > 0.5)).float().mean().item()


def outcome(run):
    """All that must be equal at the end, without the wall time."""
    optimizer = {name: np.asarray(value).tolist() for name, value in run.optimizer.state_dict().items()}
    return run.history.to_dict() | {"seconds": 0}, run.model.flatten()[0].tolist(), optimizer


class Interrupt(lnc.Callback):
    """Raise after a given step, as a user's Ctrl-C would. No part of the run: nothing of it need be there on resuming."""

    saved = False

    def __init__(self, step):
        self.step = step

    def step_end(self, trainer):
        if trainer.history.steps > self.step:
            raise KeyboardInterrupt


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


# ---- Killed at any moment


LONG = {"epochs": 30, "patience": 25, "schedule": schedules.cosine(120, warmup=5)}


def _child(folder, started):
    torch.set_num_threads(1)
    run = trainer(Path(folder), **LONG)
    started.set()
    run.train()
    time.sleep(60)  # not reached alive


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_killed_at_50_random_moments(tmp_path):
    """Each child checkpoints every step and is killed; the run, resumed to its end, is the run that nobody killed."""
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


# ---- Damage


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    network = Sequential(Linear(2), ReLU())
    network(torch.randn(1, 3))
    return lnc.save(tmp_path_factory.mktemp("small") / "net.safetensors", network).read_bytes()


def test_every_truncation_is_refused(small, tmp_path):
    path = tmp_path / "cut.safetensors"
    for length in range(len(small)):
        path.write_bytes(small[:length])
        with pytest.raises(CheckpointError):
            lnc.load(path)
    path.write_bytes(small + b"\0")
    with pytest.raises(CheckpointError):
        lnc.load(path)


def test_400_flipped_bits_are_refused(small, tmp_path):
    path = tmp_path / "flipped.safetensors"
    for bit in np.random.default_rng(0).choice(len(small) * 8, 400, replace=False):
        content = bytearray(small)
        content[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(content)
        with pytest.raises(CheckpointError):
            lnc.load(path)
    path.write_bytes(small)
    lnc.load(path)


def test_the_newest_damaged_falls_back_to_the_one_before(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path, callbacks=[Interrupt(6)]).train()
    files = checkpoint.candidates(tmp_path)
    assert [path.name for path in files] == [f"step-{step:09d}.safetensors" for step in (6, 5, 4)], "the last 3 are kept"
    files[0].write_bytes(files[0].read_bytes()[:-1])
    resumed = trainer(tmp_path)
    with pytest.warns(UserWarning, match=r"step-000000006.safetensors: damaged.*going back to the checkpoint before it"):
        assert resumed.resume() == files[1]
    resumed.train()
    whole = trainer(None)
    whole.train()
    assert outcome(resumed) == outcome(whole)
    for path in checkpoint.candidates(tmp_path):
        path.write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"damaged, truncated, or no safetensors file"):
        resumed.resume(path)
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(CheckpointError, match="no checkpoint that can be read"):
        resumed.resume()
    with pytest.raises(CheckpointError, match="cannot be read"):
        trainer(tmp_path / "nowhere").resume()
    with pytest.raises(ArgumentError, match="the config has no checkpoint_folder"):
        trainer(None).resume()


def test_best_is_kept(tmp_path):
    run = trainer(tmp_path, epochs=8, patience=None)
    history = run.train()
    assert len(checkpoint.candidates(tmp_path)) == 3
    best = lnc.load(tmp_path / "best.safetensors", layers=[Noise])
    loss = lnc.LogLoss(best)
    assert loss.evaluate(X[32:], Y[32:])[0].item() / 12 == pytest.approx(min(history.val_losses), rel=1e-5)
    assert history.best_epoch == history.val_losses.index(min(history.val_losses)) + 1


# ---- A disk that fails


@pytest.mark.parametrize("call", ["write", "fsync", "replace", "mkstemp"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_failing_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch, call, number):
    path = tmp_path / "net.safetensors"
    network = Dense(2)
    network(torch.randn(1, 3))
    lnc.save(path, network)
    before = path.read_bytes()

    def fail(*arguments, **keywords):
        raise OSError(number, os.strerror(number))

    class FullFile:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def write(self, content):
            self.file.write(content[: len(content) // 2])
            fail()

    opened = os.fdopen
    if call == "write":
        monkeypatch.setattr(os, "fdopen", lambda *a: FullFile(opened(*a)))
    else:
        monkeypatch.setattr(tempfile if call == "mkstemp" else os, call, fail)
    for tensor in network.parameters():
        tensor.add_(1)
    with pytest.raises(CheckpointError, match=rf"could not be written \(.*{os.strerror(number)}.*untouched"):
        lnc.save(path, network)
    monkeypatch.undo()
    assert path.read_bytes() == before
    lnc.load(path)
    assert [item.name for item in tmp_path.iterdir()] == ["net.safetensors"], "nothing half-written is left"


def test_a_run_survives_a_full_disk(tmp_path, monkeypatch):
    run = trainer(tmp_path)
    replace = os.replace
    calls = []

    def full(*arguments):
        calls.append(arguments)
        if len(calls) > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(*arguments)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CheckpointError, match="No space left"):
        run.train()
    monkeypatch.undo()
    resumed = trainer(tmp_path)
    resumed.resume()
    resumed.train()
    whole = trainer(None)
    whole.train()
    assert outcome(resumed) == outcome(whole)


# ---- Saving and loading networks


NETWORKS = {
    "one layer": lambda: Linear(2),
    "dense": lambda: Dense(3, "relu", bias=False, init=lnc.init.normal(std=0.5)),
    "no parameters": lambda: Sequential(ReLU(), Softmax()),
    "nested and named": lambda: Sequential(Sequential(Dense(4, "tanh"), ReLU()), output=Dense(2, Softmax())),
    "float64": lambda: Dense(3).to(dtype=torch.float64),
    "foreign initialiser": lambda: Linear(3, init=torch.nn.init.orthogonal_),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_round_trip(tmp_path, name, device):
    network = NETWORKS[name]()
    x = torch.randn(5, 4, dtype=torch.float64 if name == "float64" else torch.float32, device=device)
    y = network(x)
    if list(network.parameters()):
        network.flatten()
    path = lnc.save(tmp_path / "net.safetensors", network)
    other = lnc.load(path, device=device)
    assert torch.equal(other(x), y)
    assert [name for name, _ in other.named_parameters()] == [name for name, _ in network.named_parameters()]
    assert all(layer.path == path for path, layer in other.named_layers())
    if name != "foreign initialiser":
        assert repr(other) == repr(network)
    if list(other.parameters()):
        assert lnc.check_gradients(other, x)
        assert other.flatten()[0].dtype == x.dtype


def test_loading_needs_no_code_of_the_makers(tmp_path):
    network = Sequential(Dense(2), Noise())
    x = torch.randn(5, 4)
    y = network.eval()(x)
    path = lnc.save(tmp_path / "net.safetensors", network)
    with pytest.raises(
        CheckpointError, match=r"a layer of class Noise, which is not in lincoln.layers: .*layers=\[Noise\]"
    ):
        lnc.load(path)
    assert torch.equal(lnc.load(path, layers=[Noise]).eval()(x), y)


def test_a_trainers_checkpoint_is_a_network_too(tmp_path):
    run = trainer(tmp_path, interval=None, patience=None)
    run.train()
    network = lnc.load(checkpoint.candidates(tmp_path)[0], layers=[Noise])
    assert torch.equal(network.eval()(X), run.model.eval()(X))


def test_no_pickle_in_the_file(small):
    assert b"pickle" not in small
    length = int.from_bytes(small[:8], "little")
    header = json.loads(small[8 : 8 + length])
    assert header["__metadata__"]["version"] == "1"
    assert set(header) == {"__metadata__", "network/0.W", "network/0.B"}


def test_an_unbuilt_network_is_not_saved(tmp_path):
    with pytest.raises(StateError, match="run one forward first"):
        lnc.save(tmp_path / "net.safetensors", Dense(2))
    assert not list(tmp_path.iterdir())


# ---- Files that do not fit


def test_foreign_files(tmp_path):
    path = tmp_path / "file.safetensors"
    save_file({"a": torch.ones(2)}, path)
    with pytest.raises(CheckpointError, match="a safetensors file, but not a lincoln checkpoint"):
        lnc.load(path)
    path.write_text("hello, this is text")
    with pytest.raises(CheckpointError, match="no safetensors file"):
        lnc.load(path)
    torch.save({"a": 1}, path)
    with pytest.raises(CheckpointError, match="no safetensors file"):
        lnc.load(path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        lnc.load(tmp_path / "absent")


def test_another_version(tmp_path, monkeypatch):
    network = Dense(1)
    network(X)
    monkeypatch.setattr("lincoln.checkpoint.file.VERSION", "2")
    path = lnc.save(tmp_path / "net.safetensors", network)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="of format version 2; this lincoln reads version 1"):
        lnc.load(path)


@pytest.mark.parametrize("built", [False, True])
def test_the_checkpoint_of_another_network(tmp_path, built):
    trainer(tmp_path, interval=None).train()
    network = Sequential(Dense(7, "tanh"), Noise(), Dense(1))
    if built:
        network(X)
        before = network.state_dict()
    settings = lnc.TrainerConfig(checkpoint_folder=tmp_path, progress=None, schedule=schedules.cosine(12, warmup=3))
    other = lnc.Trainer(network, settings, lnc.LogLoss, lnc.Adam, DATA)
    with pytest.raises(MatchError, match=r"it has Sequential\(Dense\(size=6.*this has Sequential\(Dense\(size=7"):
        other.resume()
    assert (other.epoch, other.history.steps, other.optimizer.steps) == (0, 0, 0)
    if built:
        assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in before.items())
    else:
        assert not list(network.parameters())


def test_another_width_of_input(tmp_path):
    trainer(tmp_path, interval=None).train()
    other = trainer(tmp_path, interval=None)
    other.model(torch.randn(2, 5))
    before = other.model.flatten()[0].clone()
    with pytest.raises(MatchError, match=r"0.linear.W is \(3, 6\) torch.float32, expected \(5, 6\)"):
        other.resume()
    assert torch.equal(other.model.flatten()[0], before)
    assert other.optimizer.steps == 0


def test_another_optimizer_or_other_callbacks(tmp_path):
    trainer(tmp_path, interval=None, optimizer="adam").train()
    with pytest.raises(MatchError, match="the checkpoint's run has optimizer Adam, this trainer's SGD"):
        trainer(tmp_path, optimizer="sgd").resume()
    with pytest.raises(MatchError, match=r"callbacks \[\], this trainer's \['WeightRecorder'\]"):
        trainer(tmp_path, callbacks=[WeightRecorder()]).resume()
    with pytest.raises(MatchError, match="schedule True, this trainer's False"):
        trainer(tmp_path, schedule=None).resume()
    lnc.save(tmp_path / "net.safetensors", lnc.load(tmp_path / "best.safetensors", layers=[Noise]))
    with pytest.raises(CheckpointError, match="without the training run"):
        trainer(tmp_path).resume(tmp_path / "net.safetensors")


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("missing", "0.linear.B is missing"),
        ("extra", "9.W is unknown"),
        ("misshapen", r"0.linear.B has shape \(1, 7\), expected \(1, 6\)"),
        ("best", r"best/weights has shape \(3,\)"),
        ("numbers", "lacks what a run needs"),
        ("history", "lacks what a run needs"),
    ],
)
def test_tensors_that_do_not_fit(tmp_path, optimizer, what, message):
    """A file that is whole, and whose checksum holds, but that does not hold what it should."""
    trainer(tmp_path, interval=None, optimizer=optimizer).train()
    tensors, state = checkpoint.read(checkpoint.candidates(tmp_path)[0])
    if what == "missing":
        del tensors["network/0.linear.B"]
    elif what == "extra":
        tensors["network/9.W"] = torch.ones(1)
    elif what == "misshapen":
        tensors["network/0.linear.B"] = torch.ones(1, 7)
    elif what == "best":
        tensors["best/weights"] = torch.ones(3)
    elif what == "numbers":
        del tensors["random/torch"]
    else:
        del state["history"]
    path = checkpoint.write(tmp_path / "odd.safetensors", tensors, state)
    for built in (True, False):
        other = trainer(tmp_path, optimizer=optimizer)
        if built:
            other.model(X)
            before = other.model.flatten()[0].clone()
        with pytest.raises((MatchError, CheckpointError), match=message):
            other.resume(path)
        if built:
            assert torch.equal(other.model.flatten()[0], before)
        else:
            assert not list(other.model.parameters())
        assert other.history.steps == other.optimizer.steps == other.epoch == 0
    if what in ("missing", "extra", "misshapen"):
        with pytest.raises(CheckpointError, match=message):
            lnc.load(path, layers=[Noise])


def test_a_disk_that_is_really_full(tmp_path):
    """A small tmpfs, where the test may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        network = Linear(100)
        network(torch.randn(1, 200))
        path = lnc.save(disk / "net.safetensors", network)
        before = network.state_dict()
        (disk / "filler").write_bytes(b"x" * 150_000)
        network.W.add_(1)
        with pytest.raises(CheckpointError, match="No space left"):
            lnc.save(path, network)
        assert torch.equal(lnc.load(path).state_dict()["W"], before["W"])
        assert sorted(item.name for item in disk.iterdir()) == ["filler", "net.safetensors"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# ---- Runs and their folders


def test_a_new_run_keeps_out_of_an_old_runs_folder(tmp_path):
    trainer(tmp_path, interval=None).train()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CheckpointError, match=r"holds the checkpoints of an earlier run \(step-000000012"):
        trainer(tmp_path, epochs=1).train()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_damaged_checkpoints_are_set_aside(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path, callbacks=[Interrupt(8)]).train()
    for path in checkpoint.candidates(tmp_path)[:2]:
        path.write_bytes(b"damaged")
    resumed = trainer(tmp_path)
    with pytest.warns(UserWarning, match="damaged"):
        resumed.resume()
    resumed.train()
    assert sorted(path.name for path in tmp_path.glob("*.damaged")) == [
        "step-000000007.safetensors.damaged",
        "step-000000008.safetensors.damaged",
    ]
    assert checkpoint.candidates(tmp_path)[0].name == "step-000000012.safetensors"
    lnc.load(checkpoint.candidates(tmp_path)[0], layers=[Noise])


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


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    class Explode(lnc.Callback):
        saved = False

        def step_begin(self, trainer):
            if trainer.history.steps == 6:
                trainer.base_lr = float("inf")

    run = trainer(tmp_path, callbacks=[Explode()], clip_norm=None)
    with pytest.raises(DivergenceError, match="back at the weights of the end of epoch 1"):
        run.train()
    resumed = trainer(tmp_path, clip_norm=None)
    assert resumed.resume().name == "step-000000006.safetensors"
    resumed.train()
    whole = trainer(None, clip_norm=None)
    whole.train()
    assert outcome(resumed) == outcome(whole)


def test_settings_that_must_not_change_within_an_epoch(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path, callbacks=[Interrupt(2)]).train()
    with pytest.raises(MatchError, match="accumulate 1, this trainer's 2: make the trainer as it was"):
        trainer(tmp_path, accumulate=2).resume()
    shown = trainer(tmp_path, progress="lines")
    shown.resume()


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


def test_the_best_is_written_before_the_newest(tmp_path, monkeypatch):
    """A kill between the two must not leave an old best beside a newer run."""
    order = []
    write = checkpoint.write
    monkeypatch.setattr(checkpoint, "write", lambda path, *rest: order.append(path.name) or write(path, *rest))
    trainer(tmp_path, interval=None, epochs=1).train()
    assert order == ["best.safetensors", "step-000000004.safetensors"]


def test_file_folder_and_name_reach_the_disk_in_order(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor):
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", lambda *paths: calls.append("rename") or replace(*paths))
    network = Dense(1)
    network(X)
    lnc.save(tmp_path / "net.safetensors", network)
    assert calls == ["file", "rename", "folder"]


def test_permissions_and_links(tmp_path):
    network = Dense(1)
    network(X)
    path = lnc.save(tmp_path / "net.safetensors", network)
    plain = tmp_path / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode
    path.chmod(0o640)
    link = tmp_path / "link.safetensors"
    link.symlink_to(path)
    lnc.save(link, network)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640


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


def test_stopping(tmp_path):
    for point, epochs, steps in (("epoch_begin", 1, 4), ("step_begin", 2, 5), ("step_end", 2, 5)):

        def method(self, trainer, point=point):
            if trainer.history.steps >= 4 and trainer.epoch == 2:
                trainer.stop("enough")

        stopper = type("Stop", (lnc.Callback,), {point: method})
        history = trainer(None, callbacks=[stopper()], accumulate=1).train()
        assert history.stopped == "enough"
        assert history.epochs == epochs
        assert history.steps == steps
