"""Optimizers: update rules on the whole network as one vector."""

from lincoln.optim.adam import Adam, AdamHat, AdamW
from lincoln.optim.base import Optimizer
from lincoln.optim.sgd import SGD, Momentum

__all__ = ["SGD", "Adam", "AdamHat", "AdamW", "Momentum", "Optimizer"]
