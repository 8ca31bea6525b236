"""Neural networks on raw torch tensors, every gradient written by hand."""

from lincoln import data, errors, init, layers, losses, metrics, models, optim, trainer
from lincoln.checking import GradientReport, check_gradients
from lincoln.data import DataLoader, Dataset, generate_batches, standardize
from lincoln.history import History
from lincoln.inspection import Summary, summary
from lincoln.layers import Dense, Identity, Layer, Linear, ReLU, Sequential, Sigmoid, Softmax, Tanh
from lincoln.losses import MSE, CrossEntropy, LogLoss, Loss
from lincoln.metrics import accuracy
from lincoln.models import Classifier, Regressor
from lincoln.optim import SGD, Adam, AdamW, Optimizer
from lincoln.trainer import Callback, Trainer, TrainerConfig

__all__ = [
    "MSE",
    "SGD",
    "Adam",
    "AdamW",
    "Callback",
    "Classifier",
    "CrossEntropy",
    "DataLoader",
    "Dataset",
    "Dense",
    "GradientReport",
    "History",
    "Identity",
    "Layer",
    "Linear",
    "LogLoss",
    "Loss",
    "Optimizer",
    "ReLU",
    "Regressor",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Summary",
    "Tanh",
    "Trainer",
    "TrainerConfig",
    "accuracy",
    "check_gradients",
    "data",
    "errors",
    "generate_batches",
    "init",
    "layers",
    "losses",
    "metrics",
    "models",
    "optim",
    "standardize",
    "summary",
    "trainer",
]
