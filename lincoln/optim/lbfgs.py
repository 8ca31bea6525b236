"""L-BFGS: scipy's minimiser over a network's two vectors, for data that fit in one batch."""

from __future__ import annotations

import numpy as np
import scipy.optimize
import torch
from torch import Tensor

from lincoln._util.checks import to_numpy
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
    """Lower `loss` on these examples, all at once, until no entry of its gradient is larger than `tol`.

    It ends, too, when the loss falls by less than 2e-9 of itself, and after `max_iter` iterations or `max_fun` evaluations
    (those of the iteration under way are made). The network, which must be built, ends at the best weights
    found, with their gradients; what scipy says of the search is returned: `fun` the loss, `nit` the iterations, `nfev`
    the evaluations, `success` and `message`. The line search compares losses that differ little, so float64 serves better
    than float32. Liu and Nocedal (1989); `scipy.optimize.minimize(method="L-BFGS-B")`.
    """
    network = loss.network

    def value_and_gradient(x: np.ndarray) -> tuple[float, np.ndarray]:
        network.flatten()[0].copy_(torch.from_numpy(x))
        value = loss(features, targets, sample_weight)
        loss.backward()
        return value.item(), to_numpy(network.flatten()[1].double()).copy()

    with torch.inference_mode():
        network.train()
        result = scipy.optimize.minimize(
            value_and_gradient,
            to_numpy(network.flatten()[0].double()).copy(),
            method="L-BFGS-B",
            jac=True,
            options={"maxiter": max_iter, "maxfun": max_fun, "gtol": tol},
        )
        value_and_gradient(result.x)  # the last look was not at the best
    return result
