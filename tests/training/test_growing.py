"""Lists that only grow lie beside the checkpoints, and each checkpoint writes what has been added."""

import shutil

import pytest
import torch
from resume_cases import DATA, Interrupt

import lincoln as lnc
from lincoln import checkpoint
from lincoln.callbacks import WeightRecorder
from lincoln.checkpoint.rows import Rows, read_rows
from lincoln.errors import CheckpointError, DamagedFileError
from lincoln.layers import Dense, Sequential
from lincoln.training import saved


@pytest.fixture(autouse=True)
def _beside(monkeypatch):
    monkeypatch.setattr(saved, "MOST_AGAIN", 1000)  # bytes; a vector of the network below has 164


def make(folder, recorder, *callbacks, epochs=20, **settings):
    config = lnc.TrainerConfig(epochs, 8, seed=0, checkpoint_folder=folder, progress=None, **settings)
    network = Sequential(Dense(8, "tanh"), Dense(1))
    return lnc.Trainer(network, config, lnc.LogLoss, lnc.SGD, DATA, callbacks=[recorder, *callbacks])


def recorded(folder):
    return sorted(folder.glob("recorded-*.rows"))


def whole(epochs=20):
    recorder = WeightRecorder()
    make(None, recorder, epochs=epochs).train()
    return torch.stack(recorder.path)


def test_a_resumed_run_has_all_rows(tmp_path):
    for step in (3, 40, 57):
        folder = tmp_path / str(step)
        with pytest.raises(KeyboardInterrupt):
            make(folder, WeightRecorder(), Interrupt(step)).train()
        recorder = WeightRecorder()
        resumed = make(folder, recorder)
        resumed.resume() if step > 3 else None
        resumed.train()
        assert torch.equal(torch.stack(recorder.path), whole())
        assert len(recorded(folder)) <= 2
        again = WeightRecorder()
        make(folder, again).resume()
        assert torch.equal(torch.stack(again.path), whole())


def test_a_checkpoint_writes_what_was_added(tmp_path, monkeypatch):
    written = []
    write = checkpoint.write
    monkeypatch.setattr(checkpoint, "write", lambda path, *rest: written.append(write(path, *rest).stat().st_size))
    make(tmp_path, WeightRecorder(), epochs=100).train()
    assert max(written[100:]) < 1.2 * max(written[20:60]), "each checkpoint alone stays as large as it was"
    (file,) = recorded(tmp_path)
    assert file.stat().st_size < 101 * (41 * 4 + 200)


def test_files_that_no_checkpoint_names_are_removed(tmp_path):
    for epochs in (10, 20, 30):
        recorder = WeightRecorder()
        run = make(tmp_path, recorder, epochs=epochs, keep_checkpoints=1)
        if epochs > 10:
            run.resume()
        run.train()
    assert torch.equal(torch.stack(recorder.path), whole(30))
    named = {checkpoint.read(path)[1]["growing"]["file"] for path in tmp_path.glob("*.safetensors")}
    assert {path.name for path in recorded(tmp_path)} == named
    (tmp_path / "recorded-mine.rows").touch()
    run.save()
    assert (tmp_path / "recorded-mine.rows").exists()


def test_a_damaged_or_missing_file_of_rows(tmp_path):
    make(tmp_path, WeightRecorder()).train()
    (file,) = recorded(tmp_path)
    newest = checkpoint.candidates(tmp_path)[0]
    content = bytearray(file.read_bytes())
    for odd in (content[:-1], content[:-1] + bytes([content[-1] ^ 1]), b""):
        file.write_bytes(odd)
        with pytest.raises(DamagedFileError, match="damaged"):
            make(tmp_path, WeightRecorder()).resume(newest)
    file.write_bytes(content + b"more")
    make(tmp_path, WeightRecorder()).resume(newest)
    assert lnc.load(newest)
    (tmp_path / "other").mkdir()
    copy = shutil.copy(newest, tmp_path / "other")
    with pytest.raises(CheckpointError, match="a checkpoint's recorded rows lie in it"):
        make(tmp_path, WeightRecorder()).resume(copy)
    shutil.copy(file, tmp_path / "other")
    make(tmp_path, WeightRecorder()).resume(copy)


def test_the_newest_rows_damaged_falls_back(tmp_path):
    make(tmp_path, WeightRecorder()).train()
    (file,) = recorded(tmp_path)
    file.write_bytes(file.read_bytes()[:-1])
    run = make(tmp_path, WeightRecorder())
    with pytest.warns(UserWarning, match=r"recorded-.*damaged.*going back"):
        assert run.resume().name == "step-000000076.safetensors"


@pytest.mark.parametrize(
    "change",
    [
        None,
        [],
        {"file": "../secret"},
        {"file": 3},
        {"length": -1},
        {"length": 2**62},
        {"length": True},
        {"length": 1},
        {"sha256": "0" * 64},
        {"sha256": None},
    ],
    ids=str,
)
def test_references_that_nobody_writes(tmp_path, change):
    reference = Rows(tmp_path).add({"0.path": [torch.ones(3)]})
    assert read_rows(tmp_path, reference)["0.path"].tolist() == [[1, 1, 1]]
    odd = {**reference, **change} if isinstance(change, dict) and change else change
    with pytest.raises(CheckpointError):
        read_rows(tmp_path, odd)


def test_rows_that_change_begin_a_new_file(tmp_path):
    rows, written = [torch.ones(2)], Rows(tmp_path)
    first = written.add({"a": rows})
    assert written.add({"a": rows}) == first
    rows.append(torch.zeros(2))
    second = written.add({"a": rows, "b": [torch.ones(1)]})
    assert second["file"] == first["file"]
    rows[0] = torch.full((2,), 5.0)
    third = written.add({"a": rows})
    assert third["file"] != first["file"]
    assert read_rows(tmp_path, first)["a"].tolist() == [[1, 1]]
    assert read_rows(tmp_path, second)["a"].tolist() == [[1, 1], [0, 0]]
    assert read_rows(tmp_path, second)["b"].tolist() == [[1]]
    assert read_rows(tmp_path, third)["a"].tolist() == [[5, 5], [0, 0]]


def test_a_write_that_fails_is_made_good(tmp_path, monkeypatch):
    rows, written = [torch.ones(2)], Rows(tmp_path)
    written.add({"a": rows})
    rows.append(torch.zeros(2))
    with monkeypatch.context() as patch:

        def fail(*arguments):
            raise OSError(28, "No space left on device")

        patch.setattr("os.fsync", fail)
        with pytest.raises(CheckpointError, match="No space left"):
            written.add({"a": rows})
    reference = written.add({"a": rows})
    assert read_rows(tmp_path, reference)["a"].tolist() == [[1, 1], [0, 0]]
