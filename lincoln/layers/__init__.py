"""Layers: differentiable functions with a hand-written forward and backward."""

from lincoln.layers.activations import Exp, Identity, ReLU, Sigmoid, Softmax, Tanh
from lincoln.layers.dense import Dense
from lincoln.layers.dropout import Dropout
from lincoln.layers.layer import Layer
from lincoln.layers.linear import Linear
from lincoln.layers.sequential import Sequential
from lincoln.layers.sparse import SparseLinear
from lincoln.ops import csr_tensor

__all__ = [
    "Dense",
    "Dropout",
    "Exp",
    "Identity",
    "Layer",
    "Linear",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "SparseLinear",
    "Tanh",
    "csr_tensor",
]
