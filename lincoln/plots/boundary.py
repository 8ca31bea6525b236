"""Plot of a classifier's decisions in the plane of two features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lincoln._util.measured import as_array, class_labels, classes_in, finite_numbers
from lincoln._util.tensors import inference
from lincoln._util.text import few, short
from lincoln.errors import ArgumentError, DataError, DimensionError, MatchError, StateError
from lincoln.layers import Layer, evaluating
from lincoln.plots.axes import COLORS, MARKERS, axes, grid_points, numbers_around

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GRID = 200  # points along each side of the plane


def decision_boundary(
    model: Any, features: Any, targets: Any, ax: Axes | None = None, threshold: float = 0.5, from_logits: bool = False
) -> Axes:
    """Draw the probabilities of a classifier of two features around the data, its decision boundary, and the examples.

    `model` has `predict_proba`, or is a network whose outputs are probabilities, or logits with `from_logits=True`. The
    boundary of two classes is where p is `threshold`; of more, each region has the colour of its likeliest class. Features
    are (n, 2), targets classes, (n,). Raises StateError for a network without parameters, and ArgumentError, DataError,
    DimensionError or MatchError for a model or data that cannot be drawn.
    """
    x, y = _examples(features, targets)
    columns, rows = (numbers_around(column, _GRID, margin=0.15) for column in x.T)
    p = _probabilities(model, grid_points(columns, rows), from_logits).reshape(_GRID, _GRID, -1)
    classes = _classes(y, p.shape[-1])
    ax = axes(ax)
    if p.shape[-1] > 2:
        _draw_regions(ax, columns, rows, p)
    else:
        _draw_shades(ax, columns, rows, p[..., -1], threshold, f"probability of class {classes[-1]}")
    for index, label in enumerate(classes):
        marker, color = MARKERS[index % len(MARKERS)], COLORS[index % len(COLORS)]
        a, b = x[y == label].T
        ax.scatter(a, b, s=32, c=color, marker=marker, edgecolors="white", linewidths=0.6, label=f"class {label}")
    names = list(getattr(features, "columns", ("first feature", "second feature")))
    ax.set(xlabel=names[0], ylabel=names[1], xlim=columns[[0, -1]], ylim=rows[[0, -1]])
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, frameon=False)  # above the plane, clear of examples
    return ax


def _examples(features: Any, targets: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return features, (n, 2) float64, and class labels, (n,)."""
    x = finite_numbers("features", as_array(features))
    if x.ndim != 2 or x.shape[1] != 2:
        raise DimensionError(f"decision_boundary: features have shape {x.shape}; expected two features, (n, 2)")
    y = class_labels("targets", as_array(targets), "were features and targets swapped?")
    if y.shape != (len(x),):
        raise MatchError(f"decision_boundary: targets have shape {y.shape}, features {x.shape}; expected ({len(x)},)")
    return x, y


def _classes(y: np.ndarray, outputs: int) -> np.ndarray:
    """Return the classes that a model with this number of outputs tells apart, in sorted order."""
    count = max(outputs, 2)
    classes = np.arange(outputs) if outputs > 2 and y.dtype.kind != "U" else classes_in(y)
    if len(classes) != count or not np.isin(y, classes).all():
        found = few(np.unique(y), 8)
        raise DataError(f"decision_boundary: the model tells {count} classes apart, targets hold {found}")
    return classes


def _probabilities(model: Any, points: np.ndarray, from_logits: bool) -> np.ndarray:
    """Return the probability of the positive class at each point, (m,), or that of every class, (m, classes)."""
    if isinstance(model, Layer):
        p = _network_probabilities(model, points, from_logits)
    elif hasattr(model, "predict_proba") and not from_logits:
        p = as_array(model.predict_proba(points))
    else:
        expected = "a network" if from_logits else "a network, or a model with predict_proba"
        raise ArgumentError(f"decision_boundary: model is {short(model)}; expected {expected}")
    if not ((p >= 0) & (p <= 1)).all():
        raise ArgumentError(
            f"decision_boundary: the model's outputs go from {p.min():.3g} to {p.max():.3g}; "
            "expected probabilities, or from_logits=True if the network's outputs are logits"
        )
    return p


def _network_probabilities(network: Layer, points: np.ndarray, from_logits: bool) -> np.ndarray:
    if next(network.parameters(), None) is None:
        raise StateError(f"decision_boundary: {network.label} has no parameters yet; train it first")
    device, dtype = network.where
    with inference(True), evaluating(network):
        output = network(torch.from_numpy(points).to(device, dtype))
        if from_logits:
            output = torch.sigmoid(output) if output.shape[-1] == 1 else torch.softmax(output, -1)
    return as_array(output)


def _draw_shades(ax: Axes, columns: np.ndarray, rows: np.ndarray, p: np.ndarray, threshold: float, name: str) -> None:
    """Draw p, (rows, columns), in shades with a colour bar called `name`, and the line where p is `threshold`."""
    from matplotlib.colors import LinearSegmentedColormap

    tints = LinearSegmentedColormap.from_list("two classes", ["#8CC3E6", "#FFFFFF", "#F2AE7D"])
    filled = ax.contourf(columns, rows, p, levels=np.linspace(0, 1, 21), cmap=tints)
    ax.figure.colorbar(filled, ax=ax, label=name, ticks=np.linspace(0, 1, 6))
    if p.min() < threshold < p.max():  # otherwise there is no line, and matplotlib would warn
        ax.contour(columns, rows, p, levels=[threshold], colors="black", linewidths=1.5)
        ax.plot([], [], color="black", label=f"p = {threshold:g}")


def _draw_regions(ax: Axes, columns: np.ndarray, rows: np.ndarray, p: np.ndarray) -> None:
    """Draw the region of each class: where its probability, of p (rows, columns, classes), is the largest."""
    for index in range(p.shape[-1]):
        lead = p[..., index] - np.delete(p, index, -1).max(-1)  # over the likeliest other class
        if lead.max() > 0:
            ax.contourf(columns, rows, lead, levels=[0, 1], colors=[COLORS[index % len(COLORS)]], alpha=0.25)
            if lead.min() < 0:
                ax.contour(columns, rows, lead, levels=[0], colors="black", linewidths=1.0)
