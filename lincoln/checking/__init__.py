"""Gradients, checked against torch.autograd."""

from lincoln.checking.gradients import check_gradients
from lincoln.checking.report import Comparison, GradientReport

__all__ = ["Comparison", "GradientReport", "check_gradients"]
