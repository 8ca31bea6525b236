"""Losses: two formulas each, value and gradient."""

from lincoln.losses.base import fuses
from lincoln.losses.binary import LogLoss
from lincoln.losses.categorical import CrossEntropy
from lincoln.losses.objective import Loss
from lincoln.losses.regression import MSE, PoissonLoss, SquaredError

__all__ = ["MSE", "CrossEntropy", "LogLoss", "Loss", "PoissonLoss", "SquaredError", "fuses"]
