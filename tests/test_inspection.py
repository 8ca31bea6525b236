"""The summary of a network."""

import json

import pytest
import torch

import lincoln as lnc
from lincoln.errors import ArgumentError, MatchError
from lincoln.layers import Dense, Linear, ReLU, Sequential

NETWORK = Sequential(Dense(10), Dense(1))


def test_numbers():
    summary = lnc.summary(NETWORK, (128, 30))
    assert [(row.path, row.layer, row.output_shape, row.parameters) for row in summary.layers] == [
        ("0.linear", "Linear(10)", (128, 10), 310),
        ("0.activation", "Sigmoid()", (128, 10), 0),
        ("1.linear", "Linear(1)", (128, 1), 11),
        ("1.activation", "Sigmoid()", (128, 1), 0),
    ]
    assert summary.parameters == 321
    assert [row.saved_bytes for row in summary.layers] == [0, 128 * 10 * 4, 0, 128 * 4]
    assert summary.saved_bytes == 128 * 11 * 4
    assert list(NETWORK.parameters()) == [], "a network not built stays so"


def test_memory_is_counted_once():
    """ReLU's saved output is the next layer's saved input: one tensor."""
    rows = lnc.summary(Sequential(Linear(4), ReLU(), Linear(2)), (8, 3)).layers
    assert [row.saved_bytes for row in rows] == [0, 8 * 4 * 4, 0]


def test_text_and_dict():
    summary = lnc.summary(NETWORK, (128, 30))
    text = str(summary)
    assert max(map(len, text.splitlines())) <= 80
    for part in ("0.activation", "Linear(10)", "(128, 10)", "321", "5.5 KiB", "dW = xᵀda", "da = p (1 - p) dp"):
        assert part in text
    assert "[r > 0]" in str(lnc.summary(Dense(2, "relu"), (1, 2)))
    as_dict = summary.to_dict()
    assert as_dict["parameters"] == 321
    assert json.loads(json.dumps(as_dict))["layers"][1]["saved_bytes"] == 5120


def test_dtype_is_the_networks():
    network = Dense(2).to(dtype=torch.float64)
    assert lnc.summary(network, (4, 3)).saved_bytes == 4 * 2 * 8


@pytest.mark.parametrize("shape", [30, (), (0, 30), (2.0, 3), None, "30"])
def test_shapes_that_are_none(shape):
    with pytest.raises(ArgumentError, match=r"expected sizes, the examples first: \(128, 30\)"):
        lnc.summary(NETWORK, shape)


def test_shape_that_does_not_fit():
    network = Dense(2)
    network(torch.randn(1, 4))
    with pytest.raises(MatchError, match="W was built for 4"):
        lnc.summary(network, (1, 5))
