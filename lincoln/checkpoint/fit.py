"""Does what a file says fit a network? Every name, shape and dtype, before anything is changed."""

from __future__ import annotations

import hashlib
import inspect
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from lincoln._util.tensors import described
from lincoln.checkpoint.architecture import OWN
from lincoln.layers import Layer

_DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
_SHOWN = 3

Listed = dict[str, tuple[str, list[int]]]
"""The tensors of a network: kind ("parameter" or "buffer") and shape by path."""


def listed(description: Mapping[str, Any]) -> Listed:
    """Return the tensors that a description lists. Raises KeyError, TypeError or ValueError for one that does not."""
    found = {name: (kind, shape) for name, (kind, shape) in description["tensors"].items()}
    for name, (kind, shape) in found.items():
        if kind not in ("parameter", "buffer") or not isinstance(shape, list):
            raise ValueError(f"{name:.80} is listed as {kind!r:.40} of shape {shape!r:.40}")
    return found


def differences(network: Layer, tensors: Mapping[str, Tensor], expected: Listed) -> str:
    """Return what keeps `tensors` from being those of the network, built or not; "" if nothing does."""
    wrong = (
        list(_unlike_listed(tensors, expected))
        or list(_unlike_own(network, tensors))
        or list(_unfit(network, tensors, expected))
    )
    more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return "; ".join(f"{one:.120}" for one in wrong[:_SHOWN]) + more


def same_architecture(
    own: Mapping[str, Any], saved: Mapping[str, Any], values: Mapping[str, Tensor], others: Mapping[str, Tensor]
) -> bool:
    """Return True if two descriptions are of one architecture; `values` and `others` are the tensors in their arguments."""
    if own["class"] != saved["class"] or ("layers" in own) != ("layers" in saved):
        return False
    if "layers" in own:
        pairs = zip(own["layers"].values(), saved["layers"].values(), strict=False)
        if list(own["layers"]) != list(saved["layers"]) or not all(
            same_architecture(*pair, values, others) for pair in pairs
        ):
            return False
    left_out = {*own.get("left_out", ()), *saved.get("left_out", ())}
    mine, theirs = ({k: v for k, v in d.get("arguments", {}).items() if k not in left_out} for d in (own, saved))
    return mine.keys() == theirs.keys() and all(_plain(mine[name], values) == _plain(theirs[name], others) for name in mine)


def _plain(form: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return an argument for comparison: as numbers, whatever they were kept in, and in the words of any version."""
    if isinstance(form, list):
        return [_plain(part, tensors) for part in form]
    if not isinstance(form, dict):
        return form if form == form else "nan"
    if form.keys() == {"list"}:
        return _plain(form["list"], tensors)
    if form.keys() == {"numpy", "value"}:
        return _plain(form["value"], tensors)
    if len(form) == 1 and not {"tensor", "array", "numbers"}.isdisjoint(form):
        tensor = tensors[next(iter(form.values()))]
        content = tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        return [described(tensor), hashlib.sha256(content).hexdigest()]
    return {key: _plain(part, tensors) for key, part in form.items() if key not in ("given", "left_out")}


def _unlike_listed(tensors: Mapping[str, Tensor], expected: Listed) -> Iterator[str]:
    """Yield what differs between the tensors and the names and shapes in a description."""
    yield from (f"{name} is missing" for name in expected if name not in tensors)
    yield from (f"{name} is unknown" for name in tensors if name not in expected)
    for name, (_, shape) in expected.items():
        if name in tensors and list(tensors[name].shape) != shape:
            yield f"{name} has shape {tuple(tensors[name].shape)}, expected {tuple(shape)}"


def _unlike_own(network: Layer, tensors: Mapping[str, Tensor]) -> Iterator[str]:
    """Yield what differs between the tensors and those that the network has, in name, shape or dtype."""
    for name, tensor in (*network.named_parameters(), *network.named_buffers()):
        if name not in tensors:
            yield f"{name} is missing"
        elif (tensors[name].shape, tensors[name].dtype) != (tensor.shape, tensor.dtype):
            yield f"{name} is {described(tensors[name])}, expected {described(tensor)}"


def _unfit(network: Layer, tensors: Mapping[str, Tensor], expected: Listed) -> Iterator[str]:
    """Yield what is wrong with the tensors whatever the description says: a layer could not have made them."""
    layers = dict(network.named_layers())
    own: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for full, (kind, _) in expected.items():
        path, _, name = full.rpartition(".")
        if path not in layers:
            yield f"{full} belongs to no layer"
        elif kind == "buffer" and name not in layers[path].buffers:
            yield f"{full} is no buffer of {layers[path].label}"
        elif kind == "parameter":
            own[path][name] = tensors[full]
            if _taken(layers[path], name):
                yield f"{full} is no parameter of {layers[path].label}"
    yield from _mixed(own)
    for path, layer in layers.items():
        yield from _misshapen(layer, own.get(path, {}))
    yield from _broken_chain(network, {id(layer): own.get(path, {}) for path, layer in layers.items()})


def _taken(layer: Layer, name: str) -> bool:
    """Return True if a parameter of this name would replace something of the layer that is no tensor."""
    found = inspect.getattr_static(layer, name, None)
    return hasattr(Layer, name) or not (found is None or isinstance(found, Tensor)) or name in layer.buffers


def _mixed(own: Mapping[str, Mapping[str, Tensor]]) -> Iterator[str]:
    dtypes = {tensor.dtype for tensors in own.values() for tensor in tensors.values()}
    if len(dtypes) > 1 or not dtypes <= set(_DTYPES):
        found = ", ".join(sorted(map(str, dtypes)))
        yield f"parameters are {found}; expected one floating point dtype"


def _misshapen(layer: Layer, own: Mapping[str, Tensor]) -> Iterator[str]:
    """Yield what is wrong with a layer's own parameters. What a class of the user's makes, only its `build` knows."""
    known = {} if not layer.learns else layer.parameter_shapes() if type(layer) in OWN.values() else None
    if known is None:
        return
    yield from (f"{layer.label} has no parameter {name}" for name in own if name not in known)
    yield from (f"{layer.label}: {name} is missing" for name in known if name not in own)
    for name, shape in known.items():
        if name in own and not _like(own[name].shape, shape):
            words = ", ".join("any" if size is None else str(size) for size in shape)
            yield f"{layer.label}: {name} has shape {tuple(own[name].shape)}, expected ({words})"


def _like(shape: torch.Size, expected: tuple[int | None, ...]) -> bool:
    return len(shape) == len(expected) and all(want in (None, size) for size, want in zip(shape, expected, strict=True))


def _broken_chain(network: Layer, own: Mapping[int, Mapping[str, Tensor]]) -> Iterator[str]:
    """Yield the layers of the library whose W does not take what the layer before gives."""
    width: int | None = None
    for leaf in network.leaves():
        W = own.get(id(leaf), {}).get("W")
        if type(leaf) not in OWN.values() or (W is not None and W.dim() != 2):
            width = None
        elif W is not None:
            if width not in (None, W.shape[0]):
                yield f"{leaf.label}: W takes {W.shape[0]} features, and the layer before it gives {width}"
            width = W.shape[1]
