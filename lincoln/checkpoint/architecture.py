"""A network's structure as plain data, and a network from it."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable
from typing import Any

from lincoln import init, layers
from lincoln.errors import CheckpointError
from lincoln.layers import Dense, Layer, Sequential

_LAYERS: dict[str, type[Layer]] = {name: getattr(layers, name) for name in layers.__all__}


def describe(layer: Layer) -> dict[str, Any]:
    """The layer's class and constructor arguments, and those of the layers in it, as JSON has them.

    Arguments that JSON cannot hold are left out, and named under "left_out": an initialiser that is not lincoln's, say.
    """
    if isinstance(layer, Sequential) and not isinstance(layer, Dense):
        return {"class": type(layer).__name__, "layers": {name: describe(child) for name, child in layer.children()}}
    arguments, left_out = {}, []
    for name in inspect.signature(type(layer)).parameters:
        try:
            arguments[name] = _encoded(getattr(layer, name))
        except (TypeError, AttributeError):
            left_out.append(name)
    return {"class": type(layer).__name__, "arguments": arguments} | ({"left_out": left_out} if left_out else {})


def rebuild(description: dict[str, Any], known: Iterable[type[Layer]] = ()) -> Layer:
    """A network, not built yet, from what `describe` gave. CheckpointError for a class neither lincoln's nor known."""
    classes = _LAYERS | {layer.__name__: layer for layer in known}
    name = description["class"]
    if name not in classes:
        raise CheckpointError(
            f"the network has a layer of class {name}, which is not one of lincoln's: give it with layers=[{name}]"
        )
    if "layers" in description:
        return classes[name](**{child: rebuild(part, known) for child, part in description["layers"].items()})
    arguments = {key: _decoded(value, known) for key, value in description["arguments"].items()}
    try:
        return classes[name](**arguments)
    except TypeError as error:
        raise CheckpointError(f"{name} cannot be made from {arguments}: {error}") from error


def _encoded(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return {"list": [_encoded(part) for part in value]}
    if isinstance(value, Layer):
        return {"layer": describe(value)}
    if dataclasses.is_dataclass(value) and getattr(init, type(value).__name__, None) is type(value):
        return {"init": type(value).__name__, "arguments": dataclasses.asdict(value)}  # type: ignore[arg-type]
    raise TypeError(f"{value!r} has no JSON form")


def _decoded(value: Any, known: Iterable[type[Layer]]) -> Any:
    if not isinstance(value, dict):
        return value
    if "list" in value:
        return tuple(_decoded(part, known) for part in value["list"])
    if "layer" in value:
        return rebuild(value["layer"], known)
    return getattr(init, value["init"])(**value["arguments"])
