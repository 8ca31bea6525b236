"""Plots of a training run: losses and norms by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lincoln.errors import DataError, MatchError
from lincoln.plots.axes import BLUE, COLORS, VERMILLION, axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class LossHistory(Protocol):
    """Name what `loss_curves` reads: `lincoln.History` has both."""

    @property
    def losses(self) -> Sequence[float]:
        """Return the training loss of each epoch."""

    @property
    def val_losses(self) -> Sequence[float]:
        """Return the validation loss after each epoch, or nothing without validation data."""


def loss_curves(history: LossHistory, ax: Axes | None = None) -> Axes:
    """Draw the training loss of each epoch, the validation loss if there is one, and the best epoch.

    The best epoch has the lowest finite validation loss, or training loss without validation; that of a run that watched a
    metric, the best value of it. Raises DataError if the history has no epochs.
    """
    if not history.losses:
        raise DataError("loss_curves: the history holds no epochs; train first")
    ax = axes(ax)
    _draw_by_epoch(ax, history.losses, color=BLUE, label="training")
    if history.val_losses:
        _draw_by_epoch(ax, history.val_losses, linestyle="--", color=VERMILLION, label="validation")
    finite = [(loss, epoch) for epoch, loss in enumerate(history.val_losses or history.losses, 1) if math.isfinite(loss)]
    watched = getattr(history, "best_epoch", 0) if getattr(history, "watch", "loss") != "loss" else 0
    if finite:
        loss, epoch = next((pair for pair in finite if pair[1] == watched), min(finite))
        ax.plot([epoch], [loss], "o", ms=9, mfc="none", mew=2, color="black", label=f"best epoch: {epoch} ({loss:.4g})")
    ax.set(xlabel="epoch", ylabel="loss per example")
    ax.legend()
    return ax


def weights_and_gradients(record: Mapping[str, Sequence[tuple[float, float]]], ax: Axes | None = None) -> Axes:
    """Draw the norm of each parameter (solid) and of its gradient (dashed) by epoch, on a logarithmic axis.

    `record` holds (parameter norm, gradient norm) of every epoch by the parameter's path, such as `0.linear.W`; the
    callback `ParameterRecorder` makes one. Raises DataError if there are no epochs, MatchError if a value is not
    (epochs, 2).
    """
    norms = {path: np.asarray(epochs, dtype=float) for path, epochs in record.items()}  # (epochs, 2) each
    if not norms or any(len(epochs) == 0 for epochs in norms.values()):
        raise DataError("weights_and_gradients: the record holds no epochs; train with the recorder first")
    for path, epochs in norms.items():
        if epochs.ndim != 2 or epochs.shape[1] != 2:
            raise MatchError(f"weights_and_gradients: {path!r} has shape {epochs.shape}; expected (epochs, 2)")
    ax = axes(ax)
    for (path, epochs), color in zip(norms.items(), _colors(len(norms)), strict=True):
        positive = np.where(epochs > 0, epochs, np.nan)  # 0 has no place on a logarithmic axis
        _draw_by_epoch(ax, positive[:, 0], color=color, label=path)
        _draw_by_epoch(ax, positive[:, 1], color=color, linestyle="--")
    ax.plot([], [], color="gray", label="weights")
    ax.plot([], [], color="gray", linestyle="--", label="gradient")
    ax.set(xlabel="epoch", ylabel="Euclidean norm", yscale="log")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def _draw_by_epoch(ax: Axes, values: Sequence[float] | np.ndarray, **style: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.plot(range(1, len(values) + 1), values, marker="." if len(values) < 30 else "", **style)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _colors(count: int) -> Sequence[Any]:
    """Return `count` different colours; from dark to light if there are more than the palette has."""
    from matplotlib import colormaps

    return COLORS[:count] if count <= len(COLORS) else list(colormaps["viridis"](np.linspace(0, 0.9, count)))
