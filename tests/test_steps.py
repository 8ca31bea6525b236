"""Training steps as functions."""

import copy

import torch
from training_cases import X, Y

import lincoln as lnc
from lincoln.layers import Dense, Sequential
from lincoln.steps import make_train_step, make_val_step


def test_step_functions():
    torch.manual_seed(0)
    network = Sequential(Dense(1))
    network(X)
    twin = copy.deepcopy(network)
    train_step = make_train_step(network, lnc.LogLoss, lambda n: lnc.SGD(n, lr=0.1))
    val_step = make_val_step(network, lnc.LogLoss)
    before = val_step(X, Y)
    assert isinstance(before, float)
    network.eval()
    assert train_step(X, Y) == before
    assert network.training
    assert val_step(X, Y) < before
    assert network.training
    loss, optimizer = lnc.LogLoss(twin), lnc.SGD(twin, lr=0.1)
    loss(X, Y)
    loss.backward()
    optimizer.step()
    assert torch.equal(twin.flatten()[0], network.flatten()[0])
