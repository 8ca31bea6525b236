"""Networks and training runs in files that are safe: whole or not there, checked to the last bit, and no pickle.

A checkpoint is one safetensors file: every tensor by name, and in the header's metadata the network's structure and
everything else as JSON, the format's version, and a SHA-256 checksum of the whole file, taken with the checksum's own
place filled with zeros. (safetensors alone does not notice a flipped bit.)
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lincoln.checkpoint.architecture import describe as _structure
from lincoln.checkpoint.architecture import rebuild
from lincoln.errors import CheckpointError, MatchError, StateError
from lincoln.layers import Layer

__all__ = ["describe", "load", "rebuild", "save"]

FORMAT, VERSION = "lincoln", "1"
_ZEROS = "0" * 64


def save(path: str | Path, network: Layer) -> Path:
    """Save `network`, structure and parameters, to one file that `load` rebuilds it from. Returns the path.

    The file appears whole or not at all: whatever stood at `path` stays until the new file is safely on disk. StateError
    for a network that has seen no input yet.
    """
    parameters = network.state_dict()
    if not parameters and not all(layer.built for _, layer in network.named_layers()):
        raise StateError(f"{network.label}: not built yet, so there is nothing to save; run one forward first")
    return write(
        Path(path), {f"network/{name}": tensor for name, tensor in parameters.items()}, {"network": describe(network)}
    )


def load(path: str | Path, layers: Iterable[type[Layer]] = (), device: str | torch.device = "cpu") -> Layer:
    """The network in a file written by `save` or by a `Trainer`, rebuilt without the code that made it, on `device`.

    Layers of your own are named in `layers`, as classes. CheckpointError for a file that is damaged, foreign or of another
    version, or whose layers are not known.
    """
    tensors, state = read(Path(path))
    network = rebuild(state["network"], tuple(layers))
    parameters = grouped(tensors)["network"]
    try:
        check(network, parameters, {**describe(network), "tensors": state["network"]["tensors"]})
    except MatchError as error:
        raise CheckpointError(f"{path}: {error}") from error
    fill(network, parameters, state["network"])
    return network.to(device)


def describe(network: Layer) -> dict[str, Any]:
    """The network's structure, and the tensors it has by now: whether parameter or buffer, and their shapes."""
    tensors = {name: ["buffer", list(tensor.shape)] for name, tensor in network.state_dict().items()}
    tensors |= {name: ["parameter", list(tensor.shape)] for name, tensor in network.named_parameters()}
    return _structure(network) | {"tensors": tensors}


def check(network: Layer, tensors: Mapping[str, Tensor], description: dict[str, Any]) -> int:
    """MatchError unless the description is of this network, built or not, and the tensors are those it names.

    Returns the number of the network's parameters.
    """
    own = describe(network)
    if own != {**description, "tensors": own.get("tensors")}:
        raise MatchError(
            f"the checkpoint's network is not this one: it has {_outline(description)}, this has {_outline(own)}"
        )
    expected = description["tensors"]
    wrong = [f"{name} is missing" for name in expected if name not in tensors]
    wrong += [f"{name} is unknown" for name in tensors if name not in expected]
    wrong += [
        f"{name} has shape {tuple(tensors[name].shape)}, expected {tuple(shape)}"
        for name, (_, shape) in expected.items()
        if name in tensors and list(tensors[name].shape) != shape
    ]
    for name, tensor in network.state_dict().items():
        if name in tensors and (tensor.shape, tensor.dtype) != (tensors[name].shape, tensors[name].dtype):
            found = f"{tuple(tensors[name].shape)} {tensors[name].dtype}"
            wrong.append(f"{name} is {found}, expected {tuple(tensor.shape)} {tensor.dtype}")
    if wrong:
        raise MatchError(f"the checkpoint's tensors do not fit the network: {'; '.join(wrong)}")
    return sum(tensors[name].numel() for name, (kind, _) in expected.items() if kind == "parameter")


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


def write(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> Path:
    """Write a checkpoint to a temporary file beside `path`, see it safely onto the disk, and put it in the place of `path`.

    At every instant `path` is the old file or the new one. A failure leaves the old one, removes the temporary file,
    and raises CheckpointError. The file's permissions are those of the old one, or what is usual for a new file.
    """
    from safetensors.torch import save as to_bytes

    path = path.resolve()  # through a symbolic link to the file itself
    metadata = {"format": FORMAT, "version": VERSION, "checksum": _ZEROS, "state": json.dumps(state)}
    flat = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = bytearray(to_bytes(flat, metadata))
    place = content.index(_ZEROS.encode())
    content[place : place + 64] = hashlib.sha256(content).hexdigest().encode()
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            os.chmod(temporary, _mode(path))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise CheckpointError(f"{path}: could not be written ({error}); what stood there before is untouched") from error
    try:
        _sync_folder(path.parent)
    except OSError as error:
        raise CheckpointError(f"{path}: written, but its folder could not be synced to the disk ({error})") from error
    return path


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A checkpoint's tensors and state. CheckpointError that says what is wrong with the file, if anything is."""
    from safetensors import SafetensorError
    from safetensors.torch import load as from_bytes

    try:
        content = bytearray(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from error
    metadata = _metadata(path, content)
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path}: a safetensors file, but not a checkpoint of lincoln's")
    checksum = metadata.get("checksum", "")
    place = content.find(checksum.encode())
    if len(checksum) != 64 or place < 0:
        raise CheckpointError(f"{path}: damaged (its checksum is not where it belongs)")
    content[place : place + 64] = _ZEROS.encode()
    if hashlib.sha256(content).hexdigest() != checksum:
        raise CheckpointError(f"{path}: damaged (its checksum is not that of its content)")
    if metadata.get("version") != VERSION:
        raise CheckpointError(f"{path}: of format version {metadata.get('version')}; this lincoln reads version {VERSION}")
    try:
        return from_bytes(bytes(content)), json.loads(metadata["state"])
    except (SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged ({error})") from error


def grouped(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Tensors named `group/name`, by group."""
    groups: dict[str, dict[str, Tensor]] = {"network": {}}
    for name, tensor in tensors.items():
        group, _, rest = name.partition("/")
        groups.setdefault(group, {})[rest] = tensor
    return groups


def candidates(path: Path) -> list[Path]:
    """The checkpoint at `path`, or those of the run in this folder, the newest first."""
    return sorted(path.glob("step-*.safetensors"), reverse=True) if path.is_dir() else [path]


def prune(folder: Path, keep: int) -> None:
    """Remove all but the newest `keep` checkpoints of a run, and what an interrupted write has left."""
    left = [*folder.glob(".step-*.safetensors.*.tmp"), *folder.glob(".best.safetensors.*.tmp")]
    for old in [*candidates(folder)[keep:], *left]:
        old.unlink(missing_ok=True)


def _metadata(path: Path, content: bytearray) -> dict[str, str]:
    """The header's metadata, read by hand: safetensors gives it only for files, and this file is in memory already."""
    try:
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length].decode())
        metadata = header.get("__metadata__", {})
        if len(content) < 8 + length or not isinstance(metadata, dict):
            raise ValueError("its header is cut off")
    except (ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged, truncated, or no safetensors file ({error})") from error
    return metadata


def _mode(path: Path) -> int:
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself last through a loss of power. Windows has no such call."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _outline(description: dict[str, Any]) -> str:
    if "layers" in description:
        return f"{description['class']}({', '.join(_outline(part) for part in description['layers'].values())})"
    arguments = (f"{name}={value!r}" for name, value in description["arguments"].items() if value is not None)
    return f"{description['class']}({', '.join(arguments)})"
