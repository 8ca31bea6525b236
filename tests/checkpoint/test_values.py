"""Values of any kind go into a file and come back the same, kind and all, or are refused with their place."""

import collections
import enum
import fractions
import json
import math
import pathlib

import numpy as np
import pytest
import torch

from lincoln import checkpoint
from lincoln.checkpoint.values import DEEPEST, Packer, Unpacker, Unwritable


def no_other(form, depth):
    raise ValueError(form)


def there_and_back(value, folder=None):
    tensors = {}
    form = Packer(tensors).pack(value)
    if folder is not None:
        tensors, state = checkpoint.read(checkpoint.write(folder / "file", tensors, {"form": form}))
        form = state["form"]
    unpacker = Unpacker(tensors, no_other)
    again = unpacker.unpack(form)
    assert not unpacker.tensors
    return again


def same(one, other):
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor | np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and bool((one == other).all())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one), list(other)) and same(list(one.values()), list(other.values()))
    return one == other or (one != one and other != other)


VALUES = [
    None,
    True,
    -7,
    2**63,
    0.1,
    math.inf,
    math.nan,
    "words, \ud800 and 0" + "0" * 64,
    np.float32(0.1),
    np.float16(0.1),
    np.float64(math.nan),
    np.int64(-3),
    np.uint64(2**64 - 1),
    np.bool_(True),
    np.array(0.5, dtype=np.float32),
    np.arange(6).reshape(2, 3).T,
    np.array([1, 2], dtype=">f4").astype("<f4"),
    np.array([True, False]),
    torch.tensor(0.5),
    torch.tensor([[1, 2], [3, 4]]).t(),
    torch.ones(2, dtype=torch.bfloat16),
    torch.tensor([], dtype=torch.float64),
    torch.float64,
    torch.device("cpu"),
    torch.Size([2, 3]),
    [],
    (),
    {},
    [1, (2.0, "three", [None])],
    {"list": 1},
    {"dict": {"tensor": "0"}},
    {1: "one", 2: "two", (1, 2): [3]},
    {None: 1, True: 2, 2.5: np.int8(3)},
    [0.5] * 1000,
    list(range(1000)),
    [2**63] * 1000,
    [True] * 1000,
    [0.5, None] * 500,
    [(epoch, epoch / 7) for epoch in range(1000)],
    [[epoch, "words"] for epoch in range(1000)],
    [{"epoch": epoch, "loss": 1 / (epoch + 1), "name": "x"} for epoch in range(1000)],
    [{"epoch": epoch} if epoch % 2 else {"loss": 0.5} for epoch in range(1000)],
    [() for _ in range(1000)],
    [torch.ones(2), torch.zeros(2)],
    [torch.ones(2), torch.zeros(3)],
    [torch.ones(2), torch.zeros(2).double(), None],
    {"rows": [(1,)] * 300, "columns": np.float32(2)},
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{value!r:.40}")
def test_there_and_back(tmp_path, value):
    assert same(there_and_back(value), value)
    assert same(there_and_back({"a": [value, (value,)]}, tmp_path), {"a": [value, (value,)]})


class Colour(enum.IntEnum):
    RED = 1


class Words(str):
    pass


itself: list = []
itself.append(itself)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (object(), ""),
        ({"a": [1, {2}]}, "['a'][1]"),
        ([{"x": print}], "[0]['x']"),
        (Colour.RED, ""),
        (Words("x"), ""),
        (1j, ""),
        (b"bytes", ""),
        (10**5000, ""),
        (fractions.Fraction(1, 3), ""),
        (pathlib.Path("x"), ""),
        (collections.OrderedDict(a=1), ""),
        (collections.deque([1]), ""),
        (np.longdouble(1), ""),
        (np.complex64(1), ""),
        (np.datetime64("2020-01-01"), ""),
        (np.array(["x"]), ""),
        (np.array([None]), ""),
        (np.ma.masked_array([1, 2], [0, 1]), ""),
        (torch.ones(2, dtype=torch.complex64), ""),
        (torch.eye(2).to_sparse(), ""),
        (torch.ones(2, device="meta"), ""),
        ({frozenset([1]): 2}, ", a key"),
        (itself, "[0]" * DEEPEST),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_would_not_come_back_is_refused(value, where):
    with pytest.raises(Unwritable) as refused:
        Packer({}).pack(value)
    assert refused.value.where == where


def test_tensors_take_four_bytes_a_number():
    tensors = {}
    form = Packer(tensors).pack({"path": [torch.randn(1000)] * 3, "losses": [0.5] * 10_000, "rows": [(1, 0.5)] * 10_000})
    assert len(json.dumps(form)) < 300
    assert sum(tensor.nbytes for tensor in tensors.values()) == 3 * 4000 + 3 * 80_000


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"unknown": 1},
        {"tensor": "1"},
        {"tensor": 0},
        {"tensor": ["0"]},
        [{"tensor": "0"}, {"tensor": "0"}],
        {"numpy": "object", "value": 1},
        {"numpy": "float32", "value": [1]},
        {"numpy": "int8", "value": 1000},
        {"numpy": "void", "value": 1},
        {"list": 1},
        {"list": "abc"},
        {"dict": []},
        {"items": [[[], 1]]},
        {"items": [1]},
        {"size": [-1.5]},
        {"dtype": "load"},
        {"device": "nowhere"},
        {"rows": "set", "columns": []},
        {"rows": "list", "columns": [[1], [1, 2]]},
        {"records": [], "columns": 1},
        {"list": [1], "more": 1},
        {"_from_list": 1},
        {"tensors": 1},
    ],
    ids=str,
)
def test_forms_that_nobody_writes(form):
    with pytest.raises((KeyError, TypeError, ValueError, OverflowError, RuntimeError)):
        Unpacker({"0": torch.ones(3)}, no_other).unpack(form)
    deep = 1
    for _ in range(DEEPEST + 1):
        deep = {"list": [deep]}
    with pytest.raises(ValueError, match="levels deep"):
        Unpacker({}, no_other).unpack(deep)
