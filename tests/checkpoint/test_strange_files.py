"""Files that are no file, too large, or made by somebody who can compute a checksum: refused at once."""

import hashlib
import json
import os
import resource
import threading

import pytest
import torch
from resume_cases import X
from safetensors import safe_open
from safetensors.torch import load_file

import lincoln as lnc
from lincoln import checkpoint
from lincoln.checkpoint.file import VERSION
from lincoln.errors import CheckpointError
from lincoln.layers import Dense, Linear, ReLU, Sequential


def forged(path, header, data=b""):
    """Write a file with this header, as text or as a table, and the checksum that belongs to it."""
    text = header if isinstance(header, str) else json.dumps(header)
    content = len(text.encode()).to_bytes(8, "little") + text.encode() + data
    path.write_bytes(content.replace(b"0" * 64, hashlib.sha256(content).hexdigest().encode(), 1))
    return path


def header(state="{}", **tensors):
    words = {"format": "lincoln", "version": VERSION, "checksum": "0" * 64, "state": state}
    return {"__metadata__": words, **tensors}


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_the_forger_writes_readable_files(tmp_path):
    tensors, state = checkpoint.read(forged(tmp_path / "file", header('{"a": 1}', x=entry()), b"\0\0\0?"))
    assert state == {"a": 1}
    assert tensors == {"x": torch.tensor([0.5])}


@pytest.mark.parametrize(
    "tensors",
    [
        {"x": entry(offsets=(0, 8))},
        {"x": entry(offsets=(4, 8))},
        {"x": entry(shape=(2,))},
        {"x": entry(shape=(-1,))},
        {"x": entry(shape=(True,))},
        {"x": entry(shape=(1.0,))},
        {"x": entry(shape=(2**40, 2**40))},
        {"x": entry(shape=(0, 2**62, 2**62), offsets=(0, 0)), "y": entry()},
        {"x": entry(dtype="C64")},
        {"x": entry(dtype=["F32"])},
        {"x": entry(), "y": entry()},
        {"x": entry() | {"more": 1}},
        {"x": [1]},
        {"x": None},
        {},
    ],
    ids=str,
)
def test_headers_that_lie(tmp_path, tensors):
    with pytest.raises(CheckpointError, match="no safetensors file|damaged"):
        checkpoint.read(forged(tmp_path / "file", header(**tensors), b"\0" * 4))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[]",
        "1",
        '{"__metadata__": []}',
        '{"__metadata__": {"format": 1}}',
        '{"__metadata__": {}, "__metadata__": {}}',
        "{" + '"a":{' * 50_000,
        '{"a": ' + "9" * 5000 + "}",
        json.dumps({"__metadata__": {"format": "lincoln", "version": "1", "checksum": "0" * 64}}),
        json.dumps(header("[" * 100_000)),
        json.dumps(header("[]")),
        json.dumps(header("9" * 5000)),
        json.dumps(header("nonsense")),
    ],
    ids=lambda text: text[:30],
)
def test_headers_that_are_none(tmp_path, text):
    with pytest.raises(CheckpointError) as refused:
        checkpoint.read(forged(tmp_path / "file", text))
    assert len(str(refused.value)) <= 500


def test_pipes_devices_and_folders(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    before = threading.active_count()
    for path in (tmp_path / "pipe", "/dev/zero", "/dev/null", tmp_path, "/dev/tty"):
        if os.path.exists(path):
            with pytest.raises(CheckpointError, match="expected a regular file"):
                lnc.load(path)
    assert threading.active_count() == before
    network = Dense(1)
    network(X)
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(CheckpointError, match="expected a regular file"):
            lnc.save(path, network)
    assert [item.name for item in tmp_path.iterdir()] == ["pipe"]
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for call in (lambda: lnc.load(loop), lambda: lnc.save(loop, network), lambda: lnc.load("a\0b")):
        with pytest.raises(CheckpointError):
            call()


@pytest.mark.parametrize("kind", ["nothing", "a foreign header", "a header as long as the file"])
def test_huge_sparse_files(tmp_path, kind):
    path, size = tmp_path / "huge", 2**33
    with open(path, "wb") as file:
        if kind == "a foreign header":
            text = json.dumps({"x": entry("U8", (size - 1000,), (0, size - 1000))}).ljust(992).encode()
            file.write(len(text).to_bytes(8, "little") + text)
        if kind == "a header as long as the file":
            file.write((size - 8).to_bytes(8, "little"))
        file.truncate(size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match="no safetensors file|not a lincoln checkpoint"):
        lnc.load(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_what_is_written_is_a_safetensors_file(tmp_path):
    """Read by the format's own library, which did not write it."""
    tensors = {
        "half": torch.randn(3).half(),
        "brain": torch.randn(2, 2).bfloat16(),
        "bool": torch.tensor([True, False, True]),
        "none": torch.empty(0, 3),
        "one": torch.tensor(5),
        "double": torch.randn(2).double(),
        "turned": torch.randn(3, 4).t(),
        "ä \U0001f600": torch.arange(3, dtype=torch.uint8),
    }
    path = checkpoint.write(tmp_path / "file.safetensors", tensors, {"words": "ä \U0001f600"})
    with safe_open(path, "pt") as file:
        assert json.loads(file.metadata()["state"]) == {"words": "ä \U0001f600"}
    ours, state = checkpoint.read(path)
    assert state == {"words": "ä \U0001f600"}
    for found in (load_file(path), ours):
        assert found.keys() == tensors.keys()
        assert all(torch.equal(found[name], tensors[name]) for name in tensors)
        assert all(found[name].dtype == tensors[name].dtype for name in tensors)


@pytest.mark.parametrize("zeros", [64, 65, 128])
def test_zeros_where_the_checksum_might_be(tmp_path, zeros):
    name = "0" * zeros
    network = Sequential(**{name: Linear(1)}, **{f'"checksum":"{name}': ReLU()})
    network(X)
    path = lnc.save(tmp_path / "net.safetensors", network)
    assert torch.equal(lnc.load(path)(X), network(X))
    checkpoint.write(path, {}, {"callback": name, name: [name]})
    assert checkpoint.read(path) == ({}, {"callback": name, name: [name]})


@pytest.mark.parametrize(
    ("tensors", "state"),
    [
        ({"\ud800": torch.ones(1)}, {}),
        ({"x": torch.ones(1, dtype=torch.complex64)}, {}),
        ({"x": torch.eye(2).to_sparse()}, {}),
        ({"x": torch.ones(1, device="meta")}, {}),
        ({}, {"x": object()}),
        ({}, {"x": "y" * 100_000_001}),
        ({}, {"x": 10**5000}),
    ],
    ids=["surrogate", "complex", "sparse", "meta", "object", "long", "large"],
)
def test_what_cannot_be_written_is_refused(tmp_path, tensors, state):
    path = checkpoint.write(tmp_path / "file", {}, {})
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match="could not be written") as refused:
        checkpoint.write(path, tensors, state)
    assert len(str(refused.value)) <= 500
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
