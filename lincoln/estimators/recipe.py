"""The parts of a fit that depend on the kind of network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from numpy.random import RandomState
from torch import Tensor

from lincoln.layers import Layer
from lincoln.losses import Loss
from lincoln.optim import Optimizer
from lincoln.schedules import Schedule


class Recipe(ABC):
    """Network, loss and optimizer, made from an estimator's present parameters."""

    dtype: torch.dtype | None = None
    """The dtype to work in, if the user names none; None for that of the features."""
    schedule: Schedule | None = None
    """The factor on the learning rate, step by step."""
    rate: Callable[[int], float] | None = None
    """The learning rate after so many examples, if it depends on them."""
    adaptive: bool = False
    """True if the learning rate is lowered, and the fit continued, where it would otherwise end."""

    @property
    @abstractmethod
    def draws(self) -> bool:
        """True if training draws random numbers, so that it needs a seed."""

    @abstractmethod
    def network(self, features: Tensor, possible_outputs: tuple[int, ...], random: RandomState) -> tuple[Layer, int]:
        """Return a network with initial weights, and the number of its outputs, one of `possible_outputs`.

        Its device and dtype are those of `features`, one example, (1, n_features).
        """

    @abstractmethod
    def loss(self, network: Layer) -> Loss:
        """Return the loss to train on: averaged over the examples of a batch, for targets that have been checked."""

    @abstractmethod
    def optimizer(self, network: Layer) -> Optimizer:
        """Return an optimizer that has taken no step yet."""

    def averaged_outputs(self, outputs: int) -> int:
        """Return the number of outputs to divide the loss by where it is reported, if the loss is their sum; else 1."""
        return 1

    def steps_counted(self, optimizer: Optimizer) -> int:
        """Return the number of steps that the schedule and the history count as taken before this fit."""
        return 0
