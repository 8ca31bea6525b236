"""Runs that the tests of training share."""

import torch

import lincoln as lnc
from lincoln import Dataset, Trainer, TrainerConfig
from lincoln.layers import Dense, Sequential

X = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))

Y = (X[:, 0] > 0).long()


def trainer(data=None, *, network=None, loss=lnc.LogLoss, epochs=2, **more):
    config = TrainerConfig(num_epochs=epochs, train_minibatch_size=20, seed=0, progress=None)
    network = network or Sequential(Dense(4), Dense(1))
    return Trainer(network, config, loss, lnc.Adam, Dataset(X, Y) if data is None else data, **more)


def run(data=None, *, loss=lnc.LogLoss, optimizer=lnc.SGD, val=None, callbacks=(), network=None, metric=None, **settings):
    config = TrainerConfig(**{"num_epochs": 3, "train_minibatch_size": 10, "seed": 0, "progress": None} | settings)
    network = network or Sequential(Dense(4, "tanh"), Dense(1)).to(dtype=torch.float64)
    data = Dataset(X.double(), Y) if data is None else data
    return Trainer(network, config, loss, optimizer, data, val, callbacks, metric)


def lnc_accuracy(targets, predictions):
    return ((predictions > 0.5) == targets).double().mean().item()
