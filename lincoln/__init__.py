"""Neural networks on raw torch tensors, every gradient written by hand."""

from types import ModuleType

from lincoln import (
    callbacks,
    checkpoint,
    data,
    errors,
    init,
    interop,
    layers,
    losses,
    metrics,
    models,
    optim,
    plots,
    schedules,
    trainer,
)
from lincoln._util.marks import recordable
from lincoln.callbacks import Callback
from lincoln.checking import GradientReport, check_gradients
from lincoln.checkpoint import load, save
from lincoln.data import DataLoader, Dataset, generate_batches, standardize
from lincoln.inspection import Summary, summary
from lincoln.layers import (
    Dense,
    Dropout,
    Exp,
    Identity,
    Layer,
    Linear,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    SparseLinear,
    Tanh,
    csr_tensor,
)
from lincoln.losses import MSE, CrossEntropy, LogLoss, Loss, PoissonLoss, SquaredError
from lincoln.metrics import accuracy
from lincoln.models import Classifier, Regressor
from lincoln.optim import SGD, Adam, AdamHat, AdamW, Momentum, Optimizer
from lincoln.trainer import Trainer
from lincoln.training.config import TrainerConfig
from lincoln.training.history import History, TrainerRunResult

__all__ = [
    "MSE",
    "SGD",
    "Adam",
    "AdamHat",
    "AdamW",
    "Callback",
    "Classifier",
    "CrossEntropy",
    "DataLoader",
    "Dataset",
    "Dense",
    "Dropout",
    "Exp",
    "GradientReport",
    "History",
    "Identity",
    "Layer",
    "Linear",
    "LogLoss",
    "Loss",
    "Momentum",
    "Optimizer",
    "PoissonLoss",
    "ReLU",
    "Regressor",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "SparseLinear",
    "SquaredError",
    "Summary",
    "Tanh",
    "Trainer",
    "TrainerConfig",
    "TrainerRunResult",
    "accuracy",
    "callbacks",
    "check_gradients",
    "checkpoint",
    "csr_tensor",
    "data",
    "errors",
    "generate_batches",
    "init",
    "interop",
    "layers",
    "load",
    "losses",
    "metrics",
    "models",
    "optim",
    "plots",
    "recordable",
    "save",
    "schedules",
    "standardize",
    "summary",
    "trainer",
]


def __getattr__(name: str) -> ModuleType:
    """`lincoln.estimators`, loaded when asked for: it brings scikit-learn."""
    if name != "estimators":
        raise AttributeError(f"module 'lincoln' has no attribute {name!r}")
    import lincoln.estimators

    return lincoln.estimators
