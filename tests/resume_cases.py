"""A run that uses everything a checkpoint holds, and all that must be equal at its end when it was interrupted."""

from functools import partial

import numpy as np
import torch

import lincoln as lnc
from lincoln import schedules
from lincoln.layers import Dense, Layer, Sequential

X = torch.randn(44, 3, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] * X[:, 1] > 0).float()
DATA, VALIDATION = lnc.Dataset(X[:32], Y[:32]), lnc.Dataset(X[32:], Y[32:])


class Noise(Layer):
    """Dropout: a new random mask at each forward in training, so that the state of the generators matters."""

    def _forward(self, input):
        self.saved = mask = (torch.rand_like(input) < 0.8).to(input.dtype) if self.training else torch.ones_like(input)
        return input * mask

    def _backward(self, output_grad):
        return output_grad * self.saved


OPTIMIZERS = {
    "sgd": partial(lnc.SGD, lr=0.05),
    "momentum": partial(lnc.SGD, lr=0.05, momentum=0.9, nesterov=True),
    "adam": partial(lnc.Adam, lr=0.02),
    "amsgrad": partial(lnc.AdamW, lr=0.02, amsgrad=True),
}


def trainer(folder, *, optimizer="adam", epochs=3, interval=1, train=DATA, callbacks=(), **settings):
    """Return a run with shuffling, noise, a schedule, validation and early stopping; 4 steps an epoch."""
    usual = {"seed": 3, "schedule": schedules.cosine(12, warmup=3), "patience": 2, "clip_norm": 1.0, "progress": None}
    config = lnc.TrainerConfig(
        num_epochs=epochs,
        train_minibatch_size=8,
        checkpoint_folder=folder,
        checkpoint_interval=interval if folder else None,
        **usual | settings,
    )
    network = Sequential(Dense(6, "tanh"), Noise(), Dense(1))
    return lnc.Trainer(network, config, lnc.LogLoss, OPTIMIZERS[optimizer], train, VALIDATION, callbacks, lnc_accuracy)


def lnc_accuracy(targets, predictions):
    return ((predictions > 0.5) == (targets > 0.5)).float().mean().item()


def outcome(run):
    """Return all that must be equal at the end: everything but the wall time."""
    optimizer = {name: np.asarray(value).tolist() for name, value in run.optimizer.state_dict().items()}
    return run.history.to_dict() | {"seconds": 0}, run.model.flatten()[0].tolist(), optimizer


class Interrupt(lnc.Callback):
    """Raise after a given step, as a user's Ctrl-C would. It is not saved, so the resumed run needs no such callback."""

    saved = False

    def __init__(self, step):
        self.step = step

    def step_end(self, trainer):
        if trainer.history.steps > self.step:
            raise KeyboardInterrupt
