"""Layers one after another."""

import pytest
import torch

import lincoln as lnc
from lincoln.errors import MatchError, StateError
from lincoln.layers import (
    Dense,
    Linear,
    Sequential,
    Tanh,
)


def test_sequential_names_indexes_and_iterates():
    a, b, c = Dense(4), Dense(3), Linear(1)
    network = Sequential(a, b, output=c)
    assert list(network) == [a, b, c]
    assert len(network) == 3
    assert network[0] is a is network["0"]
    assert network["output"] is c is network[-1]
    tail = network[1:]
    assert isinstance(tail, Sequential)
    assert list(tail) == [b, c]
    assert tail.names == ("1", "output")
    network(torch.randn(2, 5))
    assert [name for name, _ in network.named_parameters()] == [
        "0.linear.W",
        "0.linear.B",
        "1.linear.W",
        "1.linear.B",
        "output.W",
        "output.B",
    ]
    with pytest.raises(KeyError, match="no layer 'middle'; it has 0, 1, output"):
        network["middle"]
    with pytest.raises(IndexError):
        network[3]


def test_nested_repr():
    network = Sequential(Sequential(Linear(3), Tanh()), output=Dense(1, activation=None))
    assert repr(network) == (
        "Sequential(\n  Sequential(\n    Linear(3),\n    Tanh()),\n  output=Dense(1, activation=None))"
    )
    assert repr(Dense(10)) == "Dense(10)"
    assert repr(Linear(10, init=lnc.init.normal(std=0.01))) == "Linear(10, init=normal(std=0.01))"


def test_running_a_part_in_between_is_an_error():
    network = Sequential(Linear(3), Linear(2))
    x = torch.randn(4, 5)
    y = network(x)
    network[0](x * 2)
    with pytest.raises(StateError, match="Linear '0' has run again since Sequential did"):
        network.backward(torch.ones_like(y))
    y = network(x)
    with pytest.raises(MatchError):
        network(torch.randn(4, 6))
    network.backward(torch.ones_like(y))
