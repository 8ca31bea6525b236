"""Networks in checkpoint files: saved with their architecture, and rebuilt without the code that made them."""

from __future__ import annotations

import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lincoln.checkpoint.architecture import OWN, architecture, by_name, outline, rebuild
from lincoln.checkpoint.file import read, write
from lincoln.checkpoint.fit import differences, listed, same_architecture
from lincoln.errors import ArgumentError, CheckpointError, MatchError, StateError
from lincoln.layers import Layer

Groups = Mapping[str, Mapping[str, Tensor]]
"""Tensors by group and name: a network's own in "network", those among its constructors' arguments in "arguments"."""


def save(path: str | Path, network: Layer) -> Path:
    """Save the architecture, parameters and buffers of `network` to one file, for `load`. Return the file's path.

    The network is made again from what is written, so that what `load` gives computes the same. A file that stood at `path`
    stays until the new one is complete on the disk. Raises ArgumentError for anything but a path and a network, StateError
    for a network that has seen no input yet, CheckpointError if writing fails or for a network that would not come back the
    same, with the layer and its argument.
    """
    _refuse_others(path, network)
    groups, description = sound_portrait(network)
    return write(Path(path), flat(groups), {"network": description})


def load(path: str | Path, layers: Iterable[type[Layer]] = (), device: str | torch.device = "cpu") -> Layer:
    """Return the network in a file of `save` or of a `Trainer`, rebuilt on `device` without the code that made it.

    `layers` are your own layer classes that the network has. Nothing else is called, whatever the file says. Raises
    CheckpointError for a file that is damaged, no checkpoint, of another format version or not as `save` writes it, and for
    a layer class that is not known.
    """
    network, _, _ = load_parts(path, layers)
    return network.to(device)


def load_parts(path: str | Path, layers: Iterable[type[Layer]] = ()) -> tuple[Layer, Groups, dict[str, Any]]:
    """Return the network in a file, as `load` does, and all else that the file holds: tensors by group, and plain data."""
    path, given = checked_path("load", path), by_name(layers).values()
    tensors, state = read(path)
    groups = grouped(tensors)
    try:
        network = rebuild(state["network"], given, groups["arguments"])
        check(network, groups, state["network"])
    except (AttributeError, KeyError, TypeError, ValueError, CheckpointError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise CheckpointError(f"{path}: {_reason(error)}") from error
    fill(network, groups["network"], state["network"])
    return network, groups, state


def sound_portrait(network: Layer) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Return the `portrait` of a network, after making the network again from it.

    Raises StateError for a network that has seen no input yet, CheckpointError for one that would not come back the same.
    """
    for _, layer in network.named_layers():
        if not layer.built and (layer.learns or layer is network):
            raise StateError(f"{layer.label}: not built yet, so there is nothing to save; run one forward first")
    groups, description = portrait(network)
    given = {type(layer) for _, layer in network.named_layers()} - set(OWN.values())
    try:
        with _same_random_numbers():
            twin = rebuild(description, given, groups["arguments"])
        check(twin, groups, description)
    except (CheckpointError, MatchError) as error:
        raise CheckpointError(f"{network.label}: cannot be saved, because it could not be loaded again: {error}") from error
    return groups, description


def describe(network: Layer) -> dict[str, Any]:
    """Return the network's architecture as JSON holds it; under "tensors", the kind and shape of each tensor by path.

    A kind is "parameter" or "buffer". A network that has seen no input yet has no tensors. Raises CheckpointError for what
    has no form in a file, with the layer and its argument.
    """
    return _described(network, {})


def portrait(network: Layer) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Return all that a file must hold of a network: copies of its tensors by group and name, and its description."""
    arguments: dict[str, Tensor] = {}
    description = _described(network, arguments)
    return {"network": network.state_dict(), "arguments": arguments}, description


def check(network: Layer, groups: Groups, description: Mapping[str, Any]) -> int:
    """Return the number of parameters in `groups`, after checking that they fit the network, built or not.

    Raises MatchError unless `description` is of a network of this architecture and the tensors are those it names, with
    names, shapes and dtypes that such a network has; KeyError, TypeError or ValueError if it is no description.
    """
    arguments: dict[str, Tensor] = {}
    own, tensors, expected = _described(network, arguments), groups["network"], listed(description)
    if not same_architecture(own, description, arguments, groups["arguments"]):
        raise MatchError(
            f"the checkpoint's network is not this one: it has {outline(description):.180}, this has {outline(own):.180}"
        )
    if wrong := differences(network, tensors, expected):
        raise MatchError(f"the checkpoint's tensors do not fit the network: {wrong}")
    return sum(tensors[name].numel() for name, (kind, _) in expected.items() if kind == "parameter")


def fill(network: Layer, tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> None:
    """Give a network, built or not, the tensors that `check` has passed."""
    network.name_layers()
    own: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for full, (kind, _) in listed(description).items():
        path, _, name = full.rpartition(".")
        if kind == "parameter":
            own[path][name] = tensors[full]
    network.set_buffers({name: tensors[name] for name, (kind, _) in listed(description).items() if kind == "buffer"})
    for path, layer in network.named_layers():
        if layer.own:
            layer.adopt()
            for name, (value, _) in layer.own.items():
                value.copy_(own[path][name])
        else:
            layer.register(own[path])


def flat(groups: Groups) -> dict[str, Tensor]:
    """Return the tensors of all groups, named `group/name`."""
    return {f"{group}/{name}": tensor for group, part in groups.items() for name, tensor in part.items()}


def grouped(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Return the tensors of each group by name, from tensors named `group/name`.

    There are always the groups "network" and "arguments".
    """
    groups: dict[str, dict[str, Tensor]] = {"network": {}, "arguments": {}}
    for name, tensor in tensors.items():
        group, _, rest = name.partition("/")
        groups.setdefault(group, {})[rest] = tensor
    return groups


def _described(network: Layer, arguments: dict[str, Tensor]) -> dict[str, Any]:
    """Return `describe`, and put the tensors among the constructors' arguments into `arguments`."""
    network.name_layers()
    _refuse_ambiguous(network)
    tensors = {name: ["buffer", list(tensor.shape)] for name, tensor in network.named_buffers()}
    parameters = {name: ["parameter", list(tensor.shape)] for name, tensor in network.named_parameters()}
    return architecture(network, arguments) | {"tensors": parameters | tensors, "encoding": 2}


def _refuse_ambiguous(network: Layer) -> None:
    """Raise CheckpointError if two layers or tensors have one path, or two classes of layers one name."""
    layers = list(network.named_layers())
    names = (name for name, _ in (*network.named_parameters(), *network.named_buffers()))
    for what, found in (("layers", (path for path, _ in layers)), ("tensors", names)):
        path, times = next(iter(Counter(found).most_common(1)), ("", 1))
        if times > 1:
            raise CheckpointError(
                f"{network.label}: {times} {what} have the path {path!r:.80}, so a file cannot tell them apart: name "
                f"layers and parameters without dots"
            )
    kinds: dict[str, type[Layer]] = {}
    for path, layer in layers:
        if kinds.setdefault(_title(layer), type(layer)) is not type(layer):
            raise CheckpointError(
                f"{path!r:.80}: another class of layers in this network is named {_title(layer)} too: rename one"
            )


def _title(layer: Layer) -> str:
    """Return the name of a layer's class, as a file tells it from the library's own."""
    name = type(layer).__name__
    return name if OWN.get(name) is type(layer) else f"your {name}"


@contextmanager
def _same_random_numbers() -> Iterator[None]:
    """Put the random numbers' states back that a constructor may draw from."""
    torchs, numpys, pythons = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        torch.set_rng_state(torchs)
        np.random.set_state(numpys)
        random.setstate(pythons)


def _refuse_others(path: object, network: object) -> None:
    """Raise ArgumentError unless `save` was given a path and a network, in this order."""
    if isinstance(path, Layer):
        raise ArgumentError("save: path is a network; expected the path first, then the network: save(path, network)")
    checked_path("save", path)
    if not isinstance(network, Layer):
        inner = getattr(network, "network", None) or getattr(network, "model", None)
        cure = f": give it the network of the {type(network).__name__}" if isinstance(inner, Layer) else ""
        raise ArgumentError(f"save: network is a {type(network).__name__}; expected a Layer{cure}")


def checked_path(function: str, path: object) -> Path:
    """Return the path. Raises ArgumentError, in the name of `function`, for anything else."""
    if isinstance(path, str | os.PathLike) and os.fspath(path):
        return Path(path)
    raise ArgumentError(f"{function}: path is {path!r:.80}; expected the path of a file")


def _reason(error: Exception) -> str:
    if isinstance(error, CheckpointError | MatchError):
        return str(error)
    return f"the network's description is damaged ({type(error).__name__}: {error!s:.200})"
