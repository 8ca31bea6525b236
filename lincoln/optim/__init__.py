"""Optimizers: an update rule over the whole network as one vector."""

from lincoln.optim.base import SGD, Adam, AdamHat, AdamW, Momentum, Optimizer

__all__ = ["SGD", "Adam", "AdamHat", "AdamW", "Momentum", "Optimizer"]
