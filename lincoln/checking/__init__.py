"""Gradients, checked against torch.autograd."""

from lincoln.checking.gradients import Comparison, GradientReport, check_gradients

__all__ = ["Comparison", "GradientReport", "check_gradients"]
