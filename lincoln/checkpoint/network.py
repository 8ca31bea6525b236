"""Networks in checkpoint files: saved with their architecture, and rebuilt without the code that made them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lincoln.checkpoint.architecture import architecture, outline, rebuild
from lincoln.checkpoint.file import read, write
from lincoln.errors import CheckpointError, MatchError, StateError
from lincoln.layers import Layer


def save(path: str | Path, network: Layer) -> Path:
    """Save the architecture, parameters and buffers of `network` to one file, for `load`. Return the file's path.

    A file that stood at `path` stays until the new one is complete on the disk. Raises StateError for a network that has
    seen no input yet, CheckpointError if writing fails.
    """
    tensors = network.state_dict()
    if not tensors and not all(layer.built for _, layer in network.named_layers()):
        raise StateError(f"{network.label}: not built yet, so there is nothing to save; run one forward first")
    named = {f"network/{name}": tensor for name, tensor in tensors.items()}
    return write(Path(path), named, {"network": describe(network)})


def load(path: str | Path, layers: Iterable[type[Layer]] = (), device: str | torch.device = "cpu") -> Layer:
    """Return the network in a file of `save` or of a `Trainer`, rebuilt on `device` without the code that made it.

    `layers` are your own layer classes that the network has. Raises CheckpointError for a file that is damaged, no
    checkpoint or of another format version, and for a layer class that is not known.
    """
    tensors, state = read(Path(path))
    network = rebuild(state["network"], tuple(layers))
    own = grouped(tensors)["network"]
    try:
        check(network, own, {**describe(network), "tensors": state["network"]["tensors"]})
    except MatchError as error:
        raise CheckpointError(f"{path}: {error}") from error
    fill(network, own, state["network"])
    return network.to(device)


def describe(network: Layer) -> dict[str, Any]:
    """Return the network's architecture as JSON holds it; under "tensors", the kind and shape of each tensor by path.

    A kind is "parameter" or "buffer". A network that has seen no input yet has no tensors.
    """
    tensors = {name: ["buffer", list(tensor.shape)] for name, tensor in network.named_buffers()}
    parameters = {name: ["parameter", list(tensor.shape)] for name, tensor in network.named_parameters()}
    return architecture(network) | {"tensors": parameters | tensors}


def check(network: Layer, tensors: Mapping[str, Tensor], description: dict[str, Any]) -> int:
    """Return the number of parameters in `tensors`, after checking that they fit the network, built or not.

    Raises MatchError unless `description` is of a network of this architecture and `tensors` are those it names, with the
    shapes and, if the network is built, the dtypes of its own.
    """
    own = describe(network)
    if own != {**description, "tensors": own["tensors"]}:
        raise MatchError(
            f"the checkpoint's network is not this one: it has {outline(description)}, this has {outline(own)}"
        )
    wrong = [*_unlike_described(tensors, description["tensors"]), *_unlike_own(tensors, network.state_dict())]
    if wrong:
        raise MatchError(f"the checkpoint's tensors do not fit the network: {'; '.join(wrong)}")
    return sum(tensors[name].numel() for name, (kind, _) in description["tensors"].items() if kind == "parameter")


def fill(network: Layer, tensors: Mapping[str, Tensor], description: dict[str, Any]) -> None:
    """Give a network, built or not, the tensors that `check` has passed."""
    network.name_layers()
    kinds = {name: kind for name, (kind, _) in description["tensors"].items()}
    network.set_buffers({name: tensors[name] for name, kind in kinds.items() if kind == "buffer"})
    if any(True for _ in network.parameters()):
        network.load_state_dict(tensors)
        return
    for path, layer in network.named_layers():
        prefix = f"{path}." if path else ""
        own = [name for name in kinds if kinds[name] == "parameter" and name.rpartition(".")[0] == path]
        layer.register({name.removeprefix(prefix): tensors[name] for name in own})


def grouped(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Return the tensors of each group by name, from tensors named `group/name`. There is always a group "network"."""
    groups: dict[str, dict[str, Tensor]] = {"network": {}}
    for name, tensor in tensors.items():
        group, _, rest = name.partition("/")
        groups.setdefault(group, {})[rest] = tensor
    return groups


def _unlike_described(tensors: Mapping[str, Tensor], described: Mapping[str, Any]) -> Iterator[str]:
    """Yield what differs between the tensors and the names and shapes in a description."""
    yield from (f"{name} is missing" for name in described if name not in tensors)
    yield from (f"{name} is unknown" for name in tensors if name not in described)
    for name, (_, shape) in described.items():
        if name in tensors and list(tensors[name].shape) != shape:
            yield f"{name} has shape {tuple(tensors[name].shape)}, expected {tuple(shape)}"


def _unlike_own(tensors: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Iterator[str]:
    """Yield what differs between the tensors and the network's own of the same names, in shape or dtype."""
    for name, tensor in own.items():
        found = tensors.get(name, tensor)
        if (found.shape, found.dtype) != (tensor.shape, tensor.dtype):
            yield f"{name} is {tuple(found.shape)} {found.dtype}, expected {tuple(tensor.shape)} {tensor.dtype}"
