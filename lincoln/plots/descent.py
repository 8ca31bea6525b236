"""Plot of gradient descent: the loss over two parameters, and the path of training on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from lincoln._util.measured import as_array, finite_numbers
from lincoln._util.tensors import inference
from lincoln._util.text import short
from lincoln._util.userdata import as_tensor
from lincoln.errors import ArgumentError, MatchError, StateError
from lincoln.layers import Layer
from lincoln.losses import Loss
from lincoln.plots.axes import VERMILLION, axes, grid_points, numbers_around

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GRID = 60  # points along each side of the plane; the loss is computed at one after the other


def loss_surface(loss: Loss, features: Any, targets: Any, path: Any, ax: Axes | None = None) -> Axes:
    """Draw the loss over the two parameters of its network, and on it the `path` of training, (steps, 2).

    A path holds a copy of `network.flatten()[0]` for each step; the callback `WeightRecorder` makes one. The network is
    left unchanged. Raises ArgumentError unless `loss` is a Loss of a network with two parameters, StateError if they have
    not been made, MatchError for a path of another shape, and DataError if a loss is not finite.
    """
    if not isinstance(loss, Loss):
        raise ArgumentError(f"loss_surface: loss is {short(loss)}; expected a Loss, such as MSE(network)")
    names = _two_parameters(loss.network)
    points = _path_points(path)
    device, dtype = loss.network.where
    x, y = as_tensor("features", features).to(device, dtype), as_tensor("targets", targets).to(device)
    first, second = (numbers_around(column, _GRID, margin=0.3) for column in points.T)
    heights = _heights(loss, x, y, grid_points(first, second)).reshape(_GRID, _GRID)
    ax = axes(ax)
    _draw_surface(ax, first, second, heights, f"{loss!r}, {loss.reduction} over examples")
    _draw_path(ax, points)
    ax.set(xlabel=names[0], ylabel=names[1])
    ax.legend()
    return ax


def _two_parameters(network: Layer) -> list[str]:
    """Return the names of the two parameters: `W` and `B`, or `W[0, 0]` and `W[1, 0]`."""
    names = [
        path if tensor.numel() == 1 else f"{path}[{', '.join(map(str, index))}]"
        for path, tensor in network.named_parameters()
        for index in np.ndindex(*tensor.shape)
    ]
    if not names:
        raise StateError(f"loss_surface: {network.label} has no parameters yet; they are made by the first forward")
    if len(names) != 2:
        raise ArgumentError(f"loss_surface: {network.label} has {len(names)} parameters; a plane has room for 2")
    return names


def _path_points(path: Any) -> np.ndarray:
    """Return the path as float64, (steps, 2)."""
    points = [np.ravel(as_array(point)) for point in path]
    if not points or any(point.shape != (2,) for point in points):
        shapes = sorted({point.shape for point in points})
        raise MatchError(f"loss_surface: path has {len(points)} points of shape {shapes}; expected (steps, 2)")
    return finite_numbers("path", np.stack(points))


def _heights(loss: Loss, x: Tensor, y: Tensor, points: np.ndarray) -> np.ndarray:
    """Return the loss with each of the points, (m, 2), as parameters, (m,)."""
    parameters = list(loss.network.parameters())
    sizes = [tensor.numel() for tensor in parameters]
    with inference(True):
        before = [tensor.clone() for tensor in parameters]
        heights = []
        try:
            for point in torch.from_numpy(points).to(x):
                _write(parameters, point.split(sizes))
                heights.append(loss.evaluate(x, y)[0])
        finally:
            _write(parameters, before)
        return finite_numbers("losses of the surface", torch.stack(heights).double().cpu().numpy())


def _write(parameters: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for tensor, value in zip(parameters, values, strict=True):
        tensor.copy_(value.view(tensor.shape))


def _draw_surface(ax: Axes, first: np.ndarray, second: np.ndarray, heights: np.ndarray, name: str) -> None:
    """Draw the heights, (second, first), as filled contours with a colour bar called `name`."""
    from matplotlib.colors import PowerNorm

    low, high = heights.min(), heights.max()
    levels = low + max(high - low, 1e-6) * np.linspace(0, 1, 16) ** 2  # closer together near the minimum
    filled = ax.contourf(first, second, heights, levels=levels, cmap="Blues_r", norm=PowerNorm(0.5, low, levels[-1]))
    ax.contour(first, second, heights, levels=levels[1:-1], colors="white", linewidths=0.5, alpha=0.6)
    ax.figure.colorbar(filled, ax=ax, label=name, format="%.3g")


def _draw_path(ax: Axes, points: np.ndarray) -> None:
    size = 3 if len(points) < 100 else 1.5
    ax.plot(*points.T, "o-", color=VERMILLION, ms=size, lw=1.5, label=f"{len(points) - 1} steps")
    ax.plot(*points[0], "s", color="white", mec="black", ms=8, ls="none", label="start")
    ax.plot(*points[-1], "*", color="#F0E442", mec="black", ms=14, ls="none", label="end")
