"""Files of runs changed at random, with the right checksum: a network or a run, or refused with nothing changed."""

import copy
import math
import random

import pytest
import torch
from resume_cases import Noise, X, trainer

import lincoln as lnc
from lincoln import checkpoint
from lincoln.callbacks import ParameterRecorder, WeightRecorder
from lincoln.errors import CheckpointError, MatchError

VALUES = [None, True, -1, 0, 1, 3.5, math.nan, math.inf, 10**30, "", "Linear", "\ud800", "0" * 64, [], {}, [1], [[1, 2]]]
FORMS = [{"list": [1]}, {"layer": {}}, {"init": "normal", "arguments": {}}, {"tensor": "0"}, {"growing": "0.path"}]
KEYS = ["x", "given", "layers", "arguments", "left_out", "encoding", "class", "growing"]
NAMES = ["network/forward", "callbacks/9", "growing/0.path", "random/cuda:0", "optimizer/lr", "arguments/0"]


def make(folder):
    return trainer(folder, interval=None, callbacks=[WeightRecorder(), ParameterRecorder()])


def places(node, where=()):
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, part in list(items):
        yield (*where, key)
        yield from places(part, (*where, key))


def changed_state(state, chance):
    state = copy.deepcopy(state)
    for _ in range(chance.choice([1, 1, 2, 3])):
        *above, last = chance.choice(list(places(state)))
        node = state
        for key in above:
            node = node[key]
        value, act = copy.deepcopy(chance.choice(VALUES + FORMS)), chance.random()
        if act < 0.6:
            node[last] = value
        elif act < 0.8:
            del node[last]
        elif isinstance(node, dict):
            node[chance.choice(KEYS)] = value
        else:
            node.append(value)
    return state


def changed_tensors(tensors, chance):
    tensors = dict(tensors)
    for _ in range(chance.choice([0, 0, 1, 2])):
        name = chance.choice(list(tensors))
        tensor, act = tensors[name], chance.random()
        if act < 0.3:
            del tensors[name]
        elif act < 0.6:
            others = [torch.ones(3), torch.zeros(()), tensor.double(), tensor.long(), tensor.reshape(-1), tensor[None]]
            tensors[name] = chance.choice(others)
        else:
            tensors[chance.choice([*NAMES, f"{name}.x", f"{name}/y"])] = tensor
    return tensors


def refusal(call):
    """Return the message with which a call refuses the file, or "" if it does not."""
    try:
        call()
    except (CheckpointError, MatchError) as error:
        return error.message
    return ""


@pytest.mark.parametrize("trials", [60, pytest.param(3000, marks=pytest.mark.slow)])
def test_changed_at_random(tmp_path, trials):
    make(tmp_path).train()
    tensors, state = checkpoint.read(checkpoint.candidates(tmp_path)[0])
    chance, refused = random.Random(trials + 1), 0  # a seed that also leaves some files sound
    for _ in range(trials):
        try:
            path = checkpoint.write(tmp_path / "odd", changed_tensors(tensors, chance), changed_state(state, chance))
        except CheckpointError:
            continue  # a name that is no text
        message = refusal(lambda path=path: lnc.load(path, layers=[Noise]).eval()(X))
        assert len(message.replace(str(path), "")) <= 500
        run = make(tmp_path)
        run.model(X)
        before = run.model.flatten()[0].clone()
        message = refusal(lambda run=run, path=path: run.resume(path))
        if not message:
            run.train()
            continue
        refused += 1
        assert len(message.replace(str(path), "")) <= 500
        assert torch.equal(run.model.flatten()[0], before)
        assert (run.epoch, run.history.steps, run.optimizer.steps, run.resumed) == (0, 0, 0, None)
    assert refused > trials / 2
