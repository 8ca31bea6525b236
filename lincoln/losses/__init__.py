"""Losses: two formulas each, value and gradient."""

from lincoln.losses.formulas import MSE, CrossEntropy, LogLoss, PoissonLoss, SquaredError
from lincoln.losses.objective import Loss

__all__ = ["MSE", "CrossEntropy", "LogLoss", "Loss", "PoissonLoss", "SquaredError"]
