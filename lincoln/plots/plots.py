"""Plots of training, of decisions and of the way down, by matplotlib, which is imported when the first is asked for.

Every function draws on `ax`, or on a new figure's if it is None, and returns the axes, as in
`plots.roc(targets, probabilities).figure.savefig("roc.png")`. None of them shows anything. Colours are Okabe and Ito's,
which the colour-blind can tell apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from lincoln import metrics
from lincoln._util.checks import as_tensor
from lincoln.errors import ArgumentError, DataError, DimensionError, MatchError, StateError
from lincoln.layers import Layer, evaluating
from lincoln.losses import Loss
from lincoln.metrics import _array, _binary, _classes, _finite, _found, _labels
from lincoln.training.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
COLORS = (BLUE, VERMILLION, GREEN, PURPLE, "#E69F00", "#56B4E9", "#000000")
MARKERS = "o^sDvPX"
_GRID = 200  # points a side at which a network is asked for its decision
_SURFACE = 60  # points a side at which a loss is computed, one after the other


# ---- Training


def loss_curves(history: History, ax: Axes | None = None) -> Axes:
    """The training loss of each epoch, the validation loss if there is one, and the epoch in which that was lowest."""
    if not history.losses:
        raise DataError("loss_curves: the history holds no epochs; train first")
    ax = _axes(ax)
    _by_epoch(ax, history.losses, color=BLUE, label="training")
    if history.val_losses:
        _by_epoch(ax, history.val_losses, linestyle="--", color=VERMILLION, label="validation")
    finite = [(loss, epoch) for epoch, loss in enumerate(history.val_losses or history.losses, 1) if math.isfinite(loss)]
    if finite:
        loss, epoch = min(finite)
        ax.plot([epoch], [loss], "o", ms=9, mfc="none", mew=2, color="black", label=f"best epoch: {epoch} ({loss:.4g})")
    ax.set(xlabel="epoch", ylabel="loss per example")
    ax.legend()
    return ax


def weights_and_gradients(record: Mapping[str, Sequence[tuple[float, float]]], ax: Axes | None = None) -> Axes:
    """The norm of each parameter (solid) and of its gradient (dashed) by epoch, on a logarithmic axis.

    `record` holds, for each path such as `0.linear.W`, a (parameter norm, gradient norm) for every epoch; the callback
    `ParameterRecorder` fills one.
    """
    norms = {path: np.asarray(epochs, dtype=float) for path, epochs in record.items()}  # (epochs, 2) each
    if not norms or any(len(epochs) == 0 for epochs in norms.values()):
        raise DataError("weights_and_gradients: the record holds no epochs; train with the recorder first")
    for path, epochs in norms.items():
        if epochs.ndim != 2 or epochs.shape[1] != 2:
            raise MatchError(f"weights_and_gradients: {path!r} has shape {epochs.shape}; expected (epochs, 2)")
    ax = _axes(ax)
    for (path, epochs), color in zip(norms.items(), _by_depth(len(norms)), strict=True):
        positive = np.where(epochs > 0, epochs, np.nan)  # a logarithmic axis has no 0
        _by_epoch(ax, positive[:, 0], color=color, label=path)
        _by_epoch(ax, positive[:, 1], color=color, linestyle="--")
    ax.plot([], [], color="gray", label="weights")
    ax.plot([], [], color="gray", linestyle="--", label="gradient")
    ax.set(xlabel="epoch", ylabel="Euclidean norm", yscale="log")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


# ---- Decisions


def decision_boundary(
    model: Any, features: Any, targets: Any, ax: Axes | None = None, threshold: float = 0.5, from_logits: bool = False
) -> Axes:
    """What a classifier of two features says everywhere around the data: probabilities, the boundary, and the examples.

    `model` has `predict_proba`, or is a network whose output is a probability, or a log-odds with `from_logits=True`. Of
    two classes the boundary is where p is `threshold`; of more, each region is that of its likeliest class.
    """
    x = _finite("features", _array(features))
    if x.ndim != 2 or x.shape[1] != 2:
        raise DimensionError(f"decision_boundary: features have shape {x.shape}; expected two features, (n, 2)")
    y = _labels("targets", _array(targets), "were features and targets swapped?")
    if y.shape != (len(x),):
        raise MatchError(f"decision_boundary: targets have shape {y.shape}, features {x.shape}; expected ({len(x)},)")
    columns, rows = (_around(column, _GRID) for column in x.T)
    p = _probabilities(model, np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2), from_logits)
    p = p.reshape(_GRID, _GRID, -1)
    classes = _found(y)
    several = p.shape[-1] > 2
    if several and y.dtype.kind != "U":
        classes = np.arange(p.shape[-1])
    if len(classes) != max(p.shape[-1], 2) or not np.isin(y, classes).all():
        found = ", ".join(map(str, np.unique(y)[:8]))
        raise DataError(f"decision_boundary: the model tells {max(p.shape[-1], 2)} classes apart, targets hold {found}")
    ax = _axes(ax)
    if several:
        _regions(ax, columns, rows, p)
    else:
        _shades(ax, columns, rows, p[..., -1], threshold, f"probability of class {classes[-1]}")
    for index, label in enumerate(classes):
        marker, color = MARKERS[index % len(MARKERS)], COLORS[index % len(COLORS)]
        a, b = x[y == label].T
        ax.scatter(a, b, s=32, c=color, marker=marker, edgecolors="white", linewidths=0.6, label=f"class {label}")
    names = list(getattr(features, "columns", ("first feature", "second feature")))
    ax.set(xlabel=names[0], ylabel=names[1], xlim=columns[[0, -1]], ylim=rows[[0, -1]])
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, frameon=False)  # outside, where no examples are
    return ax


def confusion_matrix(targets: Any, predictions: Any, ax: Axes | None = None, labels: Sequence[str] | None = None) -> Axes:
    """How many examples of each class were predicted as each. `labels` names the classes, in sorted order."""
    from sklearn.metrics import ConfusionMatrixDisplay

    matrix = metrics.confusion_matrix(targets, predictions)
    names = [str(label) for label in (_classes(targets, predictions)[2] if labels is None else labels)]
    if len(names) != len(matrix):
        raise ArgumentError(f"confusion_matrix: labels name {len(names)} classes, the data hold {len(matrix)}")
    ax = _axes(ax)
    rotation = "vertical" if sum(map(len, names)) > 40 else "horizontal"
    size = {"fontsize": "x-large" if len(names) < 6 else "medium"}
    display = ConfusionMatrixDisplay(matrix, display_labels=names)
    display.plot(ax=ax, cmap="Blues", colorbar=False, values_format="d", xticks_rotation=rotation, text_kw=size)
    ax.set(xlabel="predicted class", ylabel="true class")
    return ax


def roc(targets: Any, probabilities: Any, ax: Axes | None = None, label: str | None = None) -> Axes:
    """The true positive rate against the false positive rate over all thresholds; the diagonal is chance.

    A second call on the same axes, with a `label` of its own, draws a second curve.
    """
    from sklearn.metrics import RocCurveDisplay

    t, p = _both_kinds(*_binary(targets, probabilities, "roc", scores=True), "roc")
    ax = _axes(ax)
    RocCurveDisplay.from_predictions(t, p, ax=ax, name=label, plot_chance_level=_is_new(ax))
    ax.set(xlabel="false positive rate", ylabel="true positive rate (recall)")
    return ax


def precision_recall(targets: Any, probabilities: Any, ax: Axes | None = None, label: str | None = None) -> Axes:
    """Precision against recall over all thresholds; the level line is chance, the (first) share of positives.

    A second call on the same axes, with a `label` of its own, draws a second curve.
    """
    from sklearn.metrics import PrecisionRecallDisplay

    t, p = _both_kinds(*_binary(targets, probabilities, "precision_recall", scores=True), "precision_recall")
    ax = _axes(ax)
    PrecisionRecallDisplay.from_predictions(t, p, ax=ax, name=label, plot_chance_level=_is_new(ax))
    ax.set(xlabel="recall (true positive rate)", ylabel="precision")
    return ax


def threshold_curve(targets: Any, probabilities: Any, ax: Axes | None = None) -> Axes:
    """Precision, recall and false positive rate of predicting 1 where p >= threshold, for every threshold."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    t, p = _both_kinds(*_binary(targets, probabilities, "threshold_curve"), "threshold_curve")
    ax = _axes(ax)
    precision, recall, thresholds = precision_recall_curve(t, p)
    false_positives = roc_curve(t, p, drop_intermediate=False)[0][::-1]  # its thresholds fall, those above rise
    edges = np.concatenate([[0.0], thresholds, [1.0]])  # up to and including an edge, the rate is what it is there
    precision = np.concatenate([precision[:1], precision[:-1]])  # without its last, which belongs to no threshold
    ax.plot(edges[:-1], precision, color=BLUE, label="precision", drawstyle="steps-pre")
    for rate, name, color, style in (
        (recall, "recall (true positive rate)", VERMILLION, "--"),
        (false_positives, "false positive rate", GREEN, "-."),
    ):
        ax.plot(edges, np.concatenate([rate[:1], rate]), style, color=color, label=name, drawstyle="steps-pre")
    ax.set(xlabel="threshold", ylabel="rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    ax.legend(loc="center")
    return ax


# ---- The way down


def loss_surface(loss: Loss, features: Any, targets: Any, path: Any, ax: Axes | None = None) -> Axes:
    """The loss over the two parameters of its network, and over it the `path` that training took, (steps, 2).

    A path is what `network.flatten()[0]` was after each step, copied; the callback `WeightRecorder` keeps one. The network
    is left as it was.
    """
    if not isinstance(loss, Loss):
        raise ArgumentError(f"loss_surface: loss is {loss!r}; expected a Loss, such as MSE(network)")
    names = _two_parameters(loss.network)
    points = _points(path)
    own = next(loss.network.parameters())
    x, y = as_tensor("features", features).to(own.device, own.dtype), as_tensor("targets", targets).to(own.device)
    first, second = (_around(column, _SURFACE, 0.3) for column in points.T)
    heights = _heights(loss, x, y, np.stack(np.meshgrid(first, second), -1).reshape(-1, 2)).reshape(_SURFACE, _SURFACE)
    low, high = heights.min(), heights.max()
    levels = low + max(high - low, 1e-6) * np.linspace(0, 1, 16) ** 2  # closer together near the bottom
    ax = _axes(ax)
    from matplotlib.colors import PowerNorm

    filled = ax.contourf(first, second, heights, levels=levels, cmap="Blues_r", norm=PowerNorm(0.5, low, levels[-1]))
    ax.contour(first, second, heights, levels=levels[1:-1], colors="white", linewidths=0.5, alpha=0.6)
    ax.figure.colorbar(filled, ax=ax, label=f"{loss!r}, {loss.reduction} over examples", format="%.3g")
    size = 3 if len(points) < 100 else 1.5
    ax.plot(*points.T, "o-", color=VERMILLION, ms=size, lw=1.5, label=f"{len(points) - 1} steps")
    ax.plot(*points[0], "s", color="white", mec="black", ms=8, ls="none", label="start")
    ax.plot(*points[-1], "*", color="#F0E442", mec="black", ms=14, ls="none", label="end")
    ax.set(xlabel=names[0], ylabel=names[1])
    ax.legend()
    return ax


# ---- What they share


def _axes(ax: Axes | None) -> Axes:
    try:
        import matplotlib.pyplot as plt
        from matplotlib.axes import Axes
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "matplotlib":
            raise
        raise ModuleNotFoundError(
            "lincoln.plots needs matplotlib: pip install lincoln-nn[plot]", name=error.name
        ) from error
    if ax is None:
        return plt.subplots(layout="constrained")[1]
    if not isinstance(ax, Axes):
        raise ArgumentError(f"ax is {ax!r}; expected one matplotlib Axes, as plt.subplots() returns second, or None")
    return ax


def _by_epoch(ax: Axes, values: Sequence[float] | np.ndarray, **style: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.plot(range(1, len(values) + 1), values, marker="." if len(values) < 30 else "", **style)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _by_depth(count: int) -> Sequence[Any]:
    """A colour for each parameter; from dark to light where there are more than colours to tell apart."""
    from matplotlib import colormaps

    return COLORS[:count] if count <= len(COLORS) else list(colormaps["viridis"](np.linspace(0, 0.9, count)))


def _around(column: np.ndarray, count: int, margin: float = 0.15) -> np.ndarray:
    """`count` numbers from below the smallest to above the largest."""
    room = margin * (np.ptp(column) or 1.0)
    return np.linspace(column.min() - room, column.max() + room, count)


def _probabilities(model: Any, points: np.ndarray, from_logits: bool) -> np.ndarray:
    """Of the positive class, (m,), or of every class, (m, classes)."""
    if isinstance(model, Layer):
        own = next(model.parameters(), None)
        if own is None:
            raise StateError(f"decision_boundary: {model.label} has no parameters yet; train it first")
        with torch.inference_mode(), evaluating(model):
            output = model(torch.from_numpy(points).to(own.device, own.dtype))
            if from_logits:
                output = torch.sigmoid(output) if output.shape[-1] == 1 else torch.softmax(output, -1)
        p = _array(output)
    elif hasattr(model, "predict_proba") and not from_logits:
        p = _array(model.predict_proba(points))
    else:
        expected = "a network" if from_logits else "a network, or a model with predict_proba"
        raise ArgumentError(f"decision_boundary: model is {model!r}; expected {expected}")
    if not ((p >= 0) & (p <= 1)).all():
        raise ArgumentError(
            f"decision_boundary: the model's outputs go from {p.min():.3g} to {p.max():.3g}; "
            "expected probabilities, or from_logits=True if the network leaves them as log-odds"
        )
    return p


def _shades(ax: Axes, columns: np.ndarray, rows: np.ndarray, p: np.ndarray, threshold: float, name: str) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    tints = LinearSegmentedColormap.from_list("two classes", ["#8CC3E6", "#FFFFFF", "#F2AE7D"])
    filled = ax.contourf(columns, rows, p, levels=np.linspace(0, 1, 21), cmap=tints)
    ax.figure.colorbar(filled, ax=ax, label=name, ticks=np.linspace(0, 1, 6))
    if p.min() < threshold < p.max():
        ax.contour(columns, rows, p, levels=[threshold], colors="black", linewidths=1.5)
        ax.plot([], [], color="black", label=f"p = {threshold:g}")


def _regions(ax: Axes, columns: np.ndarray, rows: np.ndarray, p: np.ndarray) -> None:
    for index in range(p.shape[-1]):
        lead = p[..., index] - np.delete(p, index, -1).max(-1)  # over the likeliest other class
        if lead.max() > 0:
            ax.contourf(columns, rows, lead, levels=[0, 1], colors=[COLORS[index % len(COLORS)]], alpha=0.25)
            if lead.min() < 0:
                ax.contour(columns, rows, lead, levels=[0], colors="black", linewidths=1.0)


def _is_new(ax: Axes) -> bool:
    """Whether the first curve is still to come; if so, curves will be in our colours and different dashes."""
    if ax.lines:
        return False
    ax.set_prop_cycle(color=COLORS[:4], linestyle=["-", "-.", ":", (0, (5, 1))])
    return True


def _both_kinds(t: np.ndarray, p: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    if t.all() or not t.any():
        which = "only" if t.any() else "no"
        raise DataError(f"{name}: targets hold {which} examples of the positive class; expected both kinds")
    return t, p


def _two_parameters(network: Layer) -> list[str]:
    """What the two are called."""
    parameters = list(network.named_parameters())
    names = [
        path if tensor.numel() == 1 else f"{path}[{', '.join(map(str, index))}]"
        for path, tensor in parameters
        for index in np.ndindex(*tensor.shape)
    ]
    if not names:
        raise StateError(f"loss_surface: {network.label} has no parameters yet; they are made by the first forward")
    if len(names) != 2:
        raise ArgumentError(f"loss_surface: {network.label} has {len(names)} parameters; a plane has room for 2")
    return names


def _points(path: Any) -> np.ndarray:
    points = [np.ravel(_array(point)) for point in path]
    if not points or any(point.shape != (2,) for point in points):
        shapes = sorted({point.shape for point in points})
        raise MatchError(f"loss_surface: path has {len(points)} points of shape {shapes}; expected (steps, 2)")
    return _finite("path", np.stack(points))


def _heights(loss: Loss, x: Tensor, y: Tensor, points: np.ndarray) -> np.ndarray:
    """The loss at each of `points`, (m, 2)."""
    parameters = list(loss.network.parameters())
    sizes = [tensor.numel() for tensor in parameters]
    with torch.inference_mode():
        before = [tensor.clone() for tensor in parameters]
        heights = []
        try:
            for point in torch.from_numpy(points).to(x):
                _write(parameters, point.split(sizes))
                heights.append(loss.evaluate(x, y)[0])
        finally:
            _write(parameters, before)
        return _finite("losses of the surface", torch.stack(heights).double().cpu().numpy())


def _write(parameters: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for tensor, value in zip(parameters, values, strict=True):
        tensor.copy_(value.view(tensor.shape))
