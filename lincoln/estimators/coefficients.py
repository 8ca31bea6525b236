"""A network's parameters as scikit-learn shows them: `coefs_` and `intercepts_`."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from lincoln._util.userdata import as_tensor, to_numpy
from lincoln.layers import Layer


class Coefficients:
    """Weights, (n_in, n_out), and biases, (n_out,), of each layer that learns, as arrays.

    On the CPU the arrays are the network's own memory; elsewhere they are copies that cannot be written to.
    """

    def __init__(self, network: Layer) -> None:
        network.flatten()  # from here on the parameters' memory stays where it is
        parameters = _parameters(network)
        self.coefs = [_array(W) for W, _ in parameters]
        self.intercepts = [_array(B)[0] for _, B in parameters]
        self._network, self._first = network, _learning(network)[0]
        self._address = parameters[0][0].data_ptr()

    def __getstate__(self) -> dict[str, Any]:
        """Return the arrays and their address, without the network, which the estimator holds."""
        return {name: value for name, value in vars(self).items() if name not in ("_network", "_first")}

    def moved(self, network: Layer) -> bool:
        """Return True if the network's parameters lie elsewhere by now, as after `network.to(...)`."""
        return network is not self._network or self._first.own["W"][0].data_ptr() != self._address

    def same_as(self, coefs: Any, intercepts: Any) -> bool:
        """Return True if these lists hold the very arrays that are shown here."""
        shown, given = [*self.coefs, *self.intercepts], [*coefs, *intercepts]
        return len(given) == len(shown) and all(a is b for a, b in zip(given, shown, strict=True))

    def assign(self, network: Layer, coefs: Any, intercepts: Any) -> None:
        """Copy arrays that a user assigned into the network. Raises ValueError if their shapes are not the network's."""
        expected = [np.shape(array) for array in (*self.coefs, *self.intercepts)]
        found = [np.shape(array) for array in (*coefs, *intercepts)]
        if found != expected:
            raise ValueError(f"coefs_ and intercepts_ have shapes {found}, expected the network's: {expected}")
        for (W, B), coef, intercept in zip(_parameters(network), coefs, intercepts, strict=True):
            W.copy_(as_tensor("coefs_", coef))
            B.copy_(as_tensor("intercepts_", intercept))


def fill(network: Layer, coefs: list[np.ndarray], intercepts: list[np.ndarray]) -> None:
    """Make these arrays the parameters of the layers that learn."""
    for layer, coef, intercept in zip(_learning(network), coefs, intercepts, strict=True):
        layer.register({"W": as_tensor("coefs_", coef), "B": as_tensor("intercepts_", intercept).reshape(1, -1)})


def _learning(network: Layer) -> list[Layer]:
    return [layer for _, layer in network.named_layers() if layer.learns]


def _parameters(network: Layer) -> list[tuple[Tensor, Tensor]]:
    return [(layer.own["W"][0], layer.own["B"][0]) for layer in _learning(network)]


def _array(parameter: Tensor) -> np.ndarray:
    array = to_numpy(parameter)
    if parameter.device.type != "cpu":
        array.flags.writeable = False
    return array
