"""The checkpoints that a run leaves in its folder: which are kept, and what becomes of damaged ones."""

import errno
import os

import pytest
from resume_cases import Interrupt, Noise, X, Y, outcome, trainer

import lincoln as lnc
from lincoln import checkpoint
from lincoln.errors import ArgumentError, CheckpointError, DivergenceError


def test_best_is_kept(tmp_path):
    run = trainer(tmp_path, epochs=8, patience=None)
    history = run.train()
    assert len(checkpoint.candidates(tmp_path)) == 3
    best = lnc.load(tmp_path / "best.safetensors", layers=[Noise])
    loss = lnc.LogLoss(best)
    assert loss.evaluate(X[32:], Y[32:])[0].item() / 12 == pytest.approx(min(history.val_losses), rel=1e-5)
    assert history.best_epoch == history.val_losses.index(min(history.val_losses)) + 1


def test_the_best_is_written_before_the_newest(tmp_path, monkeypatch):
    """A kill between the two must not leave an old best beside a newer run."""
    order = []
    write = checkpoint.write
    monkeypatch.setattr(checkpoint, "write", lambda path, *rest: order.append(path.name) or write(path, *rest))
    trainer(tmp_path, interval=None, epochs=1).train()
    assert order == ["best.safetensors", "step-000000004.safetensors"]


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


def test_a_new_run_keeps_out_of_an_old_runs_folder(tmp_path):
    trainer(tmp_path, interval=None).train()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CheckpointError, match=r"holds the checkpoints of an earlier run \(step-000000012"):
        trainer(tmp_path, epochs=1).train()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


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
