"""L-BFGS by scipy, on a network's vectors of parameters and gradients, for data that fit in one batch."""

from __future__ import annotations

import numpy as np
import scipy.optimize
import torch
from torch import Tensor

from lincoln._util.tensors import inference
from lincoln._util.userdata import to_numpy
from lincoln.losses import Loss


def minimize(
    loss: Loss,
    features: Tensor,
    targets: Tensor,
    sample_weight: Tensor | None = None,
    max_iter: int = 200,
    max_fun: int = 15000,
    tol: float = 1e-4,
) -> scipy.optimize.OptimizeResult:
    """Minimise `loss` on all examples at once until no entry of its gradient is larger than `tol` in absolute value.

    The search also ends when an iteration lowers the loss by less than a relative 2e-9, and after `max_iter` iterations or
    the iteration that reaches `max_fun` evaluations. The network must be built; it ends in training mode, with the best
    weights found and their gradients. Returns scipy's result: `fun` (the loss), `nit` (iterations), `nfev` (evaluations),
    `success` and `message`. The line search compares nearly equal losses, so prefer float64. Liu and Nocedal (1989);
    `scipy.optimize.minimize(method="L-BFGS-B")`.
    """
    network = loss.network

    def value_and_gradient(x: np.ndarray) -> tuple[float, np.ndarray]:
        network.flatten()[0].copy_(torch.from_numpy(x))
        value = loss(features, targets, sample_weight)
        loss.backward()
        return value.item(), to_numpy(network.flatten()[1].double()).copy()

    with inference(True):
        network.train()
        result = scipy.optimize.minimize(
            value_and_gradient,
            to_numpy(network.flatten()[0].double()).copy(),
            method="L-BFGS-B",
            jac=True,
            options={"maxiter": max_iter, "maxfun": max_fun, "gtol": tol},
        )
        value_and_gradient(result.x)  # scipy need not have evaluated its best point last
    return result
