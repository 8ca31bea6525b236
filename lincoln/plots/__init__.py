"""Plots of training, of decisions and of the way down."""

from lincoln.plots.plots import (
    BLUE,
    COLORS,
    GREEN,
    MARKERS,
    PURPLE,
    VERMILLION,
    confusion_matrix,
    decision_boundary,
    loss_curves,
    loss_surface,
    precision_recall,
    roc,
    threshold_curve,
    weights_and_gradients,
)

__all__ = [
    "BLUE",
    "COLORS",
    "GREEN",
    "MARKERS",
    "PURPLE",
    "VERMILLION",
    "confusion_matrix",
    "decision_boundary",
    "loss_curves",
    "loss_surface",
    "precision_recall",
    "roc",
    "threshold_curve",
    "weights_and_gradients",
]
