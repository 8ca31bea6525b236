"""Plots of training, of a classifier's decisions and of gradient descent.

matplotlib draws them, and is imported when the first is drawn. Each function draws on `ax`, or on a
new figure if it is None, and returns the axes: `plots.roc(targets, probabilities).figure.savefig("roc.png")`. No function
shows a figure.
"""

from lincoln.plots.axes import BLUE, COLORS, GREEN, MARKERS, PURPLE, VERMILLION
from lincoln.plots.boundary import decision_boundary
from lincoln.plots.decisions import confusion_matrix, precision_recall, roc, threshold_curve
from lincoln.plots.descent import loss_surface
from lincoln.plots.training import loss_curves, weights_and_gradients

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
