"""A network's architecture as plain data, and a network from it."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn

from torch import Tensor

from lincoln import init, layers
from lincoln._util.text import shown
from lincoln.checkpoint.values import DEEPEST, Packer, Unpacker, Unwritable
from lincoln.errors import ArgumentError, CheckpointError
from lincoln.layers import Layer

OWN: dict[str, type[Layer]] = {
    name: found
    for name, found in ((name, getattr(layers, name)) for name in layers.__all__)
    if isinstance(found, type) and issubclass(found, Layer) and found is not Layer
}
"""The layers of the library by name. A file may name others; their classes are given by whoever loads it."""
_INITIALISERS: dict[str, Any] = {name: found for name, found in vars(init).items() if dataclasses.is_dataclass(found)}
_POSITIONAL, _KEYWORDS = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD


def architecture(layer: Layer, tensors: dict[str, Tensor] | None = None, depth: int = 0) -> dict[str, Any]:
    """Return the layer's class with its constructor arguments, or with its layers, in a form that JSON can hold.

    A class that is not the library's is marked "given". Tensors and arrays among the arguments are put into `tensors` by
    number. Raises CheckpointError for an argument that has no form in a file or that the layer did not keep as an
    attribute, unless it is an initialiser, which a built network does not need; those are named under "left_out". If
    `tensors` is None, tensors are left out too, and nothing is refused but more than `DEEPEST` levels.
    """
    if depth >= DEEPEST:
        raise CheckpointError(f"{layer.label}: lies {depth} layers deep; a file holds at most {DEEPEST} in one another")
    described: dict[str, Any] = {"class": type(layer).__name__}
    if OWN.get(type(layer).__name__) is not type(layer):
        described["given"] = True
    children = _children(layer)
    if children:
        described["layers"] = {name: architecture(part, tensors, depth + 1) for name, part in children.items()}
    arguments, left_out = {}, []
    packer = Packer(tensors, lambda value, level: _form(value, tensors, level))
    for name, value in _arguments(layer, children):
        try:
            arguments[name] = packer.pack(value, depth=depth)
        except Unwritable as error:
            if tensors is not None and not (_initialises(name) and callable(value)):
                _refuse(layer, name, value, error)
            left_out.append(name)
    if arguments or left_out or "layers" not in described:
        described["arguments"] = arguments
    return described | ({"left_out": left_out} if left_out else {})


def rebuild(
    description: Mapping[str, Any], known: Iterable[type[Layer]] = (), tensors: Mapping[str, Tensor] | None = None
) -> Layer:
    """Return a network, not built yet, of the architecture that `description` holds, with `tensors` among its arguments.

    `known` are layer classes beside those of `lincoln.layers`. Raises CheckpointError for any other class, for a class
    whose constructor does not take the arguments, and for anything that `architecture` does not write.
    """
    maker = _Maker(by_name(known), tensors or {}, "encoding" in description)
    try:
        network = maker.layer(description, 0)
    except CheckpointError:
        raise
    except Exception as error:  # whatever a stranger's file, or a constructor that it calls, comes to
        raise CheckpointError(f"the network's description is damaged ({type(error).__name__}: {error!s:.300})") from error
    if maker.unpacker.tensors:
        raise CheckpointError(f"the network's description has no place for {len(maker.unpacker.tensors)} of its tensors")
    return network


def outline(description: Mapping[str, Any]) -> str:
    """Return an architecture in one line, for error messages."""
    if "layers" in description:
        return f"{description['class']}({', '.join(outline(part) for part in description['layers'].values())})"
    arguments = (f"{name}={value!r}" for name, value in description["arguments"].items() if value is not None)
    return f"{description['class']}({', '.join(arguments)})"


class _Maker:
    """Makes layers from their descriptions."""

    def __init__(self, given: Mapping[str, type[Layer]], tensors: Mapping[str, Tensor], marked: bool) -> None:
        self.given = given
        self.marked = marked
        """True if the file marks the classes that are not the library's; older files do not."""
        self.unpacker = Unpacker(tensors, self.special)

    def layer(self, description: Mapping[str, Any], depth: int) -> Layer:
        if depth >= DEEPEST:
            raise CheckpointError(
                f"the network has more than {DEEPEST} layers in one another; a file holds at most so many"
            )
        kind = self.kind(description)
        arguments = {name: self.unpacker.unpack(form, depth) for name, form in description.get("arguments", {}).items()}
        parameters = inspect.signature(kind).parameters
        for name in description.get("left_out", []):
            if name in parameters and _initialises(name) and parameters[name].default is inspect.Parameter.empty:
                arguments[name] = None
            elif self.marked and not _initialises(name):
                raise ValueError(f"{name!r:.80} is left out")
        if "layers" in description:
            children = {name: self.layer(part, depth + 1) for name, part in description["layers"].items()}
            kinds = {parameter.kind: name for name, parameter in parameters.items()}
            if _KEYWORDS in kinds:
                arguments[kinds[_KEYWORDS]] = children
            elif _POSITIONAL in kinds:
                arguments[kinds[_POSITIONAL]] = children.values()
            else:
                arguments |= children
        try:
            return _call(kind, dict(arguments))
        except Exception as error:
            raise CheckpointError(f"{kind.__name__} cannot be made from {arguments!s:.200}: {error!s:.200}") from error

    def kind(self, description: Mapping[str, Any]) -> type[Layer]:
        """Return a layer's class. The library's own come first, but for a file that does not tell them apart."""
        name = description["class"]
        if not isinstance(name, str):
            raise TypeError(f"a class is named {name!r:.80}")
        if description.get("given") is not True and name in OWN and (self.marked or name not in self.given):
            return OWN[name]
        if name not in self.given:
            raise CheckpointError(
                f"the network has a layer of class {name:.80}, which is not in lincoln.layers: give it with "
                f"layers=[{name:.80}]"
            )
        return self.given[name]

    def special(self, form: dict[str, Any], depth: int) -> Any:
        """Return the layer or the initialiser that an argument is."""
        if form.keys() == {"layer"}:
            return self.layer(form["layer"], depth + 1)
        if form.keys() == {"init", "arguments"} and form["init"] in _INITIALISERS:
            return _INITIALISERS[form["init"]](**form["arguments"])
        raise ValueError(f"no argument of a layer: {form!r:.80}")


def _children(layer: Layer) -> dict[str, Layer]:
    """Return the layers that the constructor takes, if it takes layers, one after another or by name, and no others."""
    if not layer.made_of_layers:
        return {}
    parameters, children = inspect.signature(type(layer)).parameters, layer.settings()
    variadic = any(parameter.kind in (_POSITIONAL, _KEYWORDS) for parameter in parameters.values())
    takes = variadic or children.keys() == parameters.keys()
    return children if takes and all(isinstance(child, Layer) for child in children.values()) else {}


def _arguments(layer: Layer, without: Mapping[str, Layer]) -> Iterator[tuple[str, Any]]:
    """Yield the constructor's arguments but for its layers; `inspect.Parameter.empty` for one not kept as an attribute."""
    for name, parameter in inspect.signature(type(layer)).parameters.items():
        if name not in without and not (without and parameter.kind in (_POSITIONAL, _KEYWORDS)):
            yield name, getattr(layer, name, inspect.Parameter.empty)


def _call(kind: type[Layer], arguments: dict[str, Any]) -> Layer:
    """Call a constructor with arguments by name; those before a `*args` by position."""
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    for name, parameter in inspect.signature(kind).parameters.items():
        if name not in arguments:
            continue
        value = arguments.pop(name)
        if parameter.kind is _POSITIONAL:
            positional, keywords = [*positional, *keywords.values(), *value], {}
        elif parameter.kind is _KEYWORDS:
            keywords |= value
        elif parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            positional.append(value)
        else:
            keywords[name] = value
    return kind(*positional, **keywords, **arguments)


def _form(value: Any, tensors: dict[str, Tensor] | None, depth: int) -> Any:
    """Return the form of a layer or an initialiser among the arguments."""
    if isinstance(value, Layer):
        return {"layer": architecture(value, tensors, depth + 1)}
    if type(value) in _INITIALISERS.values():
        return {"init": type(value).__name__, "arguments": dataclasses.asdict(value)}
    return NotImplemented


def _initialises(name: str) -> bool:
    return "init" in name


def _refuse(layer: Layer, name: str, value: Any, error: Unwritable) -> NoReturn:
    if value is inspect.Parameter.empty:
        raise CheckpointError(
            f"{layer.label}: cannot be saved, because its argument {name} is not kept: write self.{name} = {name} in "
            f"__init__"
        )
    raise CheckpointError(
        f"{layer.label}: cannot be saved, because its argument {name}{error.where:.80} is {shown(value)} (of type "
        f"{error}); expected numbers, words, None, tensors, arrays, layers, and lists, tuples or dicts of them"
    )


def by_name(known: Iterable[type[Layer]]) -> dict[str, type[Layer]]:
    """Return the given classes by name. Raises ArgumentError for anything else, and for two of one name."""
    if not isinstance(known, Iterable) or isinstance(known, type):
        raise ArgumentError(f"load: layers is {known!r:.80}; expected a list of layer classes, such as [MyLayer]")
    found: dict[str, type[Layer]] = {}
    for kind in known:
        if not (isinstance(kind, type) and issubclass(kind, Layer)):
            raise ArgumentError(f"load: layers holds {kind!r:.80}; expected layer classes, such as [MyLayer]")
        if found.setdefault(kind.__name__, kind) is not kind:
            raise ArgumentError(f"load: layers holds two classes named {kind.__name__}; expected one of each name")
    return found
