"""What a run does to a folder: it touches only files that it made, sets aside only what is damaged, and has it alone."""

import builtins
import errno
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from resume_cases import Interrupt, Noise, X, outcome, trainer

import lincoln as lnc
from lincoln import checkpoint
from lincoln.errors import ArgumentError, CheckpointError, DamagedFileError


def interrupted_run(folder, step=6):
    with pytest.raises(KeyboardInterrupt):
        trainer(folder, callbacks=[Interrupt(step)]).train()
    return checkpoint.candidates(folder)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def failing(call, path, number):
    """Return `call`, which fails for this path."""

    def calling(file=".", *arguments, **keywords):
        if not isinstance(file, int) and os.fspath(file) == str(path):
            raise OSError(number, os.strerror(number))
        return call(file, *arguments, **keywords)

    return calling


def failing_to_open(monkeypatch, path, number):
    """Let every way to open this file fail."""
    for owner, name in [(Path, "open"), (Path, "read_bytes"), (builtins, "open"), (io, "open"), (os, "open")]:
        monkeypatch.setattr(owner, name, failing(getattr(owner, name), path, number))


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.ENFILE, errno.EACCES, errno.ESTALE, errno.ENOMEM])
def test_a_checkpoint_that_cannot_be_read_is_not_damaged(tmp_path, monkeypatch, number):
    newest, *_ = interrupted_run(tmp_path)
    before = contents(tmp_path)
    failing_to_open(monkeypatch, newest, number)
    with pytest.raises(CheckpointError, match=rf"step-000000006.safetensors: cannot be read \(.*{os.strerror(number)}"):
        trainer(tmp_path).resume()
    monkeypatch.undo()
    assert contents(tmp_path) == before
    assert trainer(tmp_path).resume() == newest


@pytest.mark.parametrize("call", ["listdir", "open"])
def test_a_folder_that_cannot_be_read(tmp_path, monkeypatch, call):
    interrupted_run(tmp_path)
    before = contents(tmp_path)
    monkeypatch.setattr(os, call, failing(getattr(os, call), tmp_path, errno.EMFILE))
    with pytest.raises(CheckpointError, match="Too many open files"):
        trainer(tmp_path).resume()
    monkeypatch.undo()
    assert contents(tmp_path) == before


def test_a_later_format_version_is_not_damaged(tmp_path, monkeypatch):
    newest, *_ = interrupted_run(tmp_path)
    tensors, state = checkpoint.read(newest)
    monkeypatch.setattr("lincoln.checkpoint.file.VERSION", "99")
    checkpoint.write(newest, tensors, state)
    monkeypatch.undo()
    before = contents(tmp_path)
    with pytest.raises(CheckpointError, match="of format version 99") as refusal:
        trainer(tmp_path).resume()
    assert not isinstance(refusal.value, DamagedFileError)
    assert contents(tmp_path) == before


def test_a_network_under_a_runs_name_is_not_damaged(tmp_path):
    interrupted_run(tmp_path)
    network = lnc.Dense(1)
    network(X)
    lnc.save(tmp_path / "step-000000009.safetensors", network)
    before = contents(tmp_path)
    with pytest.raises(CheckpointError, match="a network without the training run"):
        trainer(tmp_path).resume()
    assert contents(tmp_path) == before


OWN = [
    "step-000000006-backup.safetensors",
    "step-good.safetensors",
    "step-6.safetensors",
    "step-00000000006.safetensors",
    "step-999999999999-x.safetensors",
    "step-000000001.safetensors.bak",
    "old-step-000000001.safetensors",
    ".step-mine.safetensors.notes.tmp",
    ".best.safetensors.notes.tmp",
    "notes.txt",
    "step-00000000\u0661.safetensors",
]


def test_files_of_the_users_are_left_alone(tmp_path):
    for name in OWN:
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "step-000000099.safetensors").mkdir()
    (tmp_path / ".step-000000006.safetensors.6vezyhz4.tmp").touch()
    (tmp_path / ".best.safetensors.0a1b2c.6vezyh_4.tmp").touch()
    trainer(tmp_path).train()
    resumed = trainer(tmp_path, epochs=4)
    assert resumed.resume().name == "step-000000012.safetensors"
    resumed.train()
    assert {name: found for name, found in contents(tmp_path).items() if name in OWN} == {
        name: name.encode() for name in OWN
    }
    assert sorted(set(os.listdir(tmp_path)) - set(OWN)) == [
        "best.safetensors",
        *(f"step-{step:09d}.safetensors" for step in (14, 15, 16, 99)),
    ]


def test_a_best_of_the_users_is_not_written_over(tmp_path):
    network = lnc.Dense(1)
    network(X)
    for make in (
        lambda path: lnc.save(path, network),
        lambda path: path.write_text("mine"),
        lambda path: path.symlink_to(path),
        lambda path: path.mkdir(),
    ):
        path = tmp_path / "best.safetensors"
        make(path)
        before = contents(tmp_path)
        with pytest.raises(
            CheckpointError, match=r"best.safetensors is not of a run of lincoln's, and would be written over"
        ):
            trainer(tmp_path).train()
        assert contents(tmp_path) == before
        path.rmdir() if path.is_dir() else path.unlink()


def test_best_as_a_loop_of_links(tmp_path):
    interrupted_run(tmp_path)
    best = tmp_path / "best.safetensors"
    best.unlink()
    best.symlink_to(best)
    resumed = trainer(tmp_path, epochs=30, patience=None, interval=None)
    resumed.resume()
    with pytest.raises(CheckpointError, match="best.safetensors: could not be written"):
        resumed.train()


def test_a_damaged_file_is_not_renamed_over_another(tmp_path):
    newest, *_ = interrupted_run(tmp_path)
    newest.write_bytes(b"damaged")
    aside = newest.with_name(f"{newest.name}.damaged")
    aside.write_text("mine")
    with pytest.warns(UserWarning, match="going back"):
        trainer(tmp_path).resume()
    assert aside.read_text() == "mine"
    assert newest.with_name(f"{newest.name}.damaged-2").read_bytes() == b"damaged"


def test_a_damaged_file_that_cannot_be_renamed(tmp_path, monkeypatch):
    newest, before, *_ = interrupted_run(tmp_path)
    newest.write_bytes(b"damaged")

    def fail(*arguments):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "rename", fail)
    monkeypatch.setattr(os, "rename", fail)
    with pytest.warns(UserWarning, match="could not be set aside"), pytest.warns(UserWarning, match="going back"):
        assert trainer(tmp_path).resume() == before


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.EIO, errno.EROFS, errno.EBUSY])
def test_an_old_checkpoint_that_cannot_be_removed_is_a_warning(tmp_path, monkeypatch, number):
    def fail(*arguments, **keywords):
        raise OSError(number, os.strerror(number))

    run = trainer(tmp_path)
    for owner in (os, Path):
        monkeypatch.setattr(owner, "unlink", fail)
    with pytest.warns(UserWarning, match=r"step-0000000\d\d.safetensors: could not be removed \(.*; the run goes on"):
        run.train()
    monkeypatch.undo()
    whole = trainer(None)
    whole.train()
    assert outcome(run) == outcome(whole)


def test_the_order_is_that_of_the_numbers(tmp_path):
    numbers = [999_999_998, 999_999_999, 1_000_000_000, 1_000_000_001, 12_345_678_901, 2_000_000_000]
    for number in numbers:
        checkpoint.step_path(tmp_path, number).touch()
    (tmp_path / "step-0999999999.safetensors").touch()
    assert [path.name for path in checkpoint.candidates(tmp_path)] == [
        f"step-{number}.safetensors" for number in sorted(numbers, reverse=True)
    ]
    checkpoint.prune(tmp_path, 2)
    assert [path.name for path in checkpoint.candidates(tmp_path)] == [
        "step-12345678901.safetensors",
        "step-2000000000.safetensors",
    ]


def test_going_back_to_an_older_checkpoint_keeps_what_is_saved_then(tmp_path):
    trainer(tmp_path, epochs=3, patience=None).train()
    older = checkpoint.candidates(tmp_path)[2]
    run = trainer(tmp_path, epochs=3, patience=None, callbacks=[Interrupt(10)])
    assert run.resume(older) == older
    with pytest.raises(KeyboardInterrupt):
        run.train()
    assert [path.name[-14:-12] for path in checkpoint.candidates(tmp_path)] == ["12", "11", "10"]


def test_a_run_from_elsewhere_keeps_out_of_a_used_folder(tmp_path):
    interrupted_run(tmp_path / "a")
    interrupted_run(tmp_path / "b")
    before = contents(tmp_path / "b")
    run = trainer(tmp_path / "b")
    run.resume(checkpoint.candidates(tmp_path / "a")[0])
    with pytest.raises(CheckpointError, match="holds the checkpoints of an earlier run"):
        run.train()
    assert contents(tmp_path / "b") == before


@pytest.mark.parametrize("folder", ["", " ", "a\0b", b"bytes"])
def test_a_folder_without_a_name(folder):
    with pytest.raises(ArgumentError, match="checkpoint_folder is .*; expected a path, or None"):
        lnc.TrainerConfig(checkpoint_folder=folder)


def test_a_file_in_the_folders_place(tmp_path):
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(CheckpointError, match="cannot be used as checkpoint_folder"):
            trainer(folder).train()


class During(lnc.Callback):
    """Call a function in the first epoch."""

    saved = False

    def __init__(self, call):
        self.call = call

    def epoch_end(self, trainer):
        if trainer.epoch == 1:
            self.call()


@pytest.mark.parametrize("locks", ["flock", "no flock", "flock fails"])
def test_two_runs_of_one_process_in_one_folder(tmp_path, monkeypatch, locks):
    if locks == "no flock":
        monkeypatch.setitem(sys.modules, "fcntl", None)
    elif locks == "flock fails":
        fcntl = pytest.importorskip("fcntl")

        def fail(*arguments):
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", fail)
    (tmp_path / "link").symlink_to(tmp_path / "run")

    def second():
        before = contents(tmp_path / "run")
        for start in (lambda run: run.train(), lambda run: run.resume()):
            for name in ("run", "link"):
                with pytest.raises(CheckpointError, match="another run is saving its checkpoints there"):
                    start(trainer(tmp_path / name))
        assert contents(tmp_path / "run") == before
        assert os.listdir(tmp_path / "run") == [*before], "no file of a lock"

    run = trainer(tmp_path / "run", callbacks=[During(second)])
    run.train()
    whole = trainer(None)
    whole.train()
    assert outcome(run) == outcome(whole)
    trainer(tmp_path / "run").resume()


def test_a_thread_that_trains_has_the_folder(tmp_path):
    inside, done = threading.Event(), threading.Event()
    run = trainer(tmp_path, seed=None, callbacks=[During(lambda: (inside.set(), done.wait(30)))])
    thread = threading.Thread(target=run.train)
    thread.start()
    assert inside.wait(30)
    try:
        with pytest.raises(CheckpointError, match="another run is saving"):
            trainer(tmp_path, seed=None).train()
    finally:
        done.set()
        thread.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no locks between processes here")
def test_two_processes_in_one_folder(tmp_path):
    """The lock ends with its process, though a child forked from it lives on."""
    tests = Path(__file__).parents[1]
    code = f"""
import os, sys, time
sys.path[:0] = [{str(tests)!r}, {str(tests.parent)!r}]
import lincoln as lnc
from resume_cases import trainer

class Wait(lnc.Callback):
    saved = False
    def epoch_end(self, trainer):
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        print("inside", flush=True)
        time.sleep(60)

trainer({str(tmp_path)!r}, callbacks=[Wait()]).train()
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert child.stdout.readline() == "inside\n"
        before = contents(tmp_path)
        for start in (lambda run: run.train(), lambda run: run.resume()):
            with pytest.raises(CheckpointError, match="another run is saving its checkpoints there"):
                start(trainer(tmp_path))
        assert contents(tmp_path) == before
        child.kill()
        child.wait(30)
        resumed = trainer(tmp_path)
        resumed.resume()
        resumed.train()
    finally:
        os.killpg(child.pid, 9)
        child.wait(30)
        child.stdout.close()
    whole = trainer(None)
    whole.train()
    assert outcome(resumed) == outcome(whole)
    lnc.load(tmp_path / "best.safetensors", layers=[Noise])
