"""Layers: differentiable functions with a hand-written forward and backward."""

from lincoln.layers.activations import Exp, Identity, ReLU, Sigmoid, Softmax, Tanh
from lincoln.layers.dense import Dense
from lincoln.layers.dropout import Dropout
from lincoln.layers.layer import Layer, Pass
from lincoln.layers.linear import Linear
from lincoln.layers.modes import evaluating
from lincoln.layers.sequential import Sequential, run_back
from lincoln.layers.sparse import SparseLinear
from lincoln.ops import csr_tensor

__all__ = [
    "Dense",
    "Dropout",
    "Exp",
    "Identity",
    "Layer",
    "Linear",
    "Pass",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "SparseLinear",
    "Tanh",
    "csr_tensor",
    "evaluating",
    "run_back",
]
