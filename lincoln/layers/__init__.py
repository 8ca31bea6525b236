"""Layers: differentiable functions with a hand-written forward and backward."""

from lincoln.layers.activations import Identity, ReLU, Sigmoid, Softmax, Tanh
from lincoln.layers.base import Layer
from lincoln.layers.containers import Dense, Sequential
from lincoln.layers.linear import Linear

__all__ = ["Dense", "Identity", "Layer", "Linear", "ReLU", "Sequential", "Sigmoid", "Softmax", "Tanh"]
