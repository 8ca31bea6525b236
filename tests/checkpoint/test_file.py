"""Checkpoint files: written whole or not at all, and refused if damaged, foreign or of another version."""

import errno
import json
import os
import stat
import subprocess
import tempfile

import numpy as np
import pytest
import torch
from resume_cases import X
from safetensors.torch import save_file

import lincoln as lnc
from lincoln.errors import CheckpointError
from lincoln.layers import Dense, Linear, ReLU, Sequential


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    network = Sequential(Linear(2), ReLU())
    network(torch.randn(1, 3))
    return lnc.save(tmp_path_factory.mktemp("small") / "net.safetensors", network).read_bytes()


def test_no_pickle_in_the_file(small):
    assert b"pickle" not in small
    length = int.from_bytes(small[:8], "little")
    header = json.loads(small[8 : 8 + length])
    assert header["__metadata__"]["version"] == "1"
    assert set(header) == {"__metadata__", "network/0.W", "network/0.B"}


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
