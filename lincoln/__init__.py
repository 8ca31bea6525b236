"""Neural networks on raw torch tensors, every gradient written by hand."""

from lincoln import data, errors, init, layers, losses, metrics, models, optim, trainer
from lincoln.layers import Dense, Identity, Layer, Linear, ReLU, Sequential, Sigmoid, Softmax, Tanh
from lincoln.models import Classifier, Regressor
