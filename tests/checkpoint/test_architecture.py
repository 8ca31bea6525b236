"""A network's architecture as plain data, and back."""

import json

import pytest
import torch

import lincoln as lnc
from lincoln.checkpoint.architecture import architecture, rebuild
from lincoln.errors import CheckpointError
from lincoln.layers import Dense, Dropout, Layer, Linear, ReLU, Sequential, Softmax, Tanh

NETWORK = Sequential(Dense(4, Softmax(), init=lnc.init.normal(std=0.5)), Sequential(ReLU()), output=Linear(2, bias=False))


def test_the_architecture_as_json():
    softmax = {"layer": {"class": "Softmax", "arguments": {}}}
    normal = {"init": "normal", "arguments": {"std": 0.5}}
    assert json.loads(json.dumps(architecture(NETWORK))) == {
        "class": "Sequential",
        "layers": {
            "0": {"class": "Dense", "arguments": {"size": 4, "activation": softmax, "bias": True, "init": normal}},
            "1": {"class": "Sequential", "layers": {"0": {"class": "ReLU", "arguments": {}}}},
            "output": {"class": "Linear", "arguments": {"size": 2, "bias": False, "init": None}},
        },
    }


def test_there_and_back():
    assert repr(rebuild(architecture(NETWORK))) == repr(NETWORK)
    assert repr(rebuild(architecture(Dropout(0.3)))) == repr(Dropout(0.3))


class Stack(Layer):
    """Its layers come in a list; `start` is no plain data, and `note` is not kept."""

    def __init__(self, layers, start=None, note=""):
        self.layers = layers
        self.start = start

    def _forward(self, input):
        return input


def test_arguments_that_json_cannot_hold_are_named():
    described = architecture(Stack([Tanh(), ReLU()], torch.zeros(1), "a note"))
    assert described["left_out"] == ["start", "note"]
    assert set(described["arguments"]) == {"layers"}
    again = rebuild(described, [Stack])
    assert [type(layer) for layer in again.layers] == [Tanh, ReLU]
    assert again.start is None


def test_what_cannot_be_rebuilt():
    class Needy(Layer):
        def __init__(self, start):
            self.start = start

    with pytest.raises(CheckpointError, match=r"Stack, which is not in lincoln\.layers: give it with layers=\[Stack\]"):
        rebuild(architecture(Stack([])))
    with pytest.raises(CheckpointError, match="Needy cannot be made from {}: .*missing 1 required"):
        rebuild(architecture(Needy(torch.zeros(1))), [Needy])
