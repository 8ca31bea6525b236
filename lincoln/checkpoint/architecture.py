"""A network's architecture as plain data, and a network from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from lincoln import init, layers
from lincoln.errors import CheckpointError
from lincoln.layers import Layer

_LAYERS: dict[str, type[Layer]] = {name: getattr(layers, name) for name in layers.__all__}


def architecture(layer: Layer) -> dict[str, Any]:
    """Return the layer's class with its constructor arguments, or with its layers, in a form that JSON can hold.

    Arguments that JSON cannot hold, such as an initialiser that is not one of `lincoln.init`, and those that the layer did
    not keep as attributes are left out, and named under "left_out".
    """
    described: dict[str, Any] = {"class": type(layer).__name__}
    if layer.made_of_layers:
        return described | {"layers": {name: architecture(child) for name, child in layer.settings().items()}}
    arguments, left_out = {}, []
    for name, value in layer.settings().items():
        try:
            arguments[name] = _encoded(value)
        except TypeError:
            left_out.append(name)
    return described | {"arguments": arguments} | ({"left_out": left_out} if left_out else {})


def rebuild(description: dict[str, Any], known: Iterable[type[Layer]] = ()) -> Layer:
    """Return a network, not built yet, of the architecture that `description` holds.

    `known` are layer classes beside those of `lincoln.layers`. Raises CheckpointError for any other class, and for a class
    whose constructor does not take the arguments.
    """
    classes = _LAYERS | {layer.__name__: layer for layer in known}
    name = description["class"]
    if name not in classes:
        raise CheckpointError(
            f"the network has a layer of class {name}, which is not in lincoln.layers: give it with layers=[{name}]"
        )
    if "layers" in description:
        return classes[name](**{child: rebuild(part, known) for child, part in description["layers"].items()})
    arguments = {key: _decoded(value, known) for key, value in description["arguments"].items()}
    try:
        return classes[name](**arguments)
    except TypeError as error:
        raise CheckpointError(f"{name} cannot be made from {arguments}: {error}") from error


def outline(description: dict[str, Any]) -> str:
    """Return an architecture in one line, for error messages."""
    if "layers" in description:
        return f"{description['class']}({', '.join(outline(part) for part in description['layers'].values())})"
    arguments = (f"{name}={value!r}" for name, value in description["arguments"].items() if value is not None)
    return f"{description['class']}({', '.join(arguments)})"


def _encoded(value: Any) -> Any:
    """Return a constructor argument as JSON can hold it. Raises TypeError if it cannot."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return {"list": [_encoded(part) for part in value]}
    if isinstance(value, Layer):
        return {"layer": architecture(value)}
    if dataclasses.is_dataclass(value) and getattr(init, type(value).__name__, None) is type(value):
        return {"init": type(value).__name__, "arguments": dataclasses.asdict(value)}  # type: ignore[arg-type]
    raise TypeError(f"{value!r} has no JSON form")


def _decoded(value: Any, known: Iterable[type[Layer]]) -> Any:
    """Return the constructor argument that `_encoded` turned into `value`."""
    if not isinstance(value, dict):
        return value
    if "list" in value:
        return tuple(_decoded(part, known) for part in value["list"])
    if "layer" in value:
        return rebuild(value["layer"], known)
    return getattr(init, value["init"])(**value["arguments"])
