"""A network as a tree: the layers in a layer, their paths, and how a layer is named and printed."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, ClassVar, Generic, TypeVar, cast

L = TypeVar("L", bound="Tree[Any]")


class Tree(Generic[L]):
    """A layer and the layers in it: those held as attributes, or in lists, tuples or dicts that are attributes.

    L is the type of its layers.
    """

    made_of_layers: ClassVar[bool] = False
    """True if the constructor takes layers, by name or one after another, and `settings` are these layers."""
    path: str = ""
    """The layer's place in its network, such as `0.linear`; it names the layer in errors."""

    def children(self) -> Iterator[tuple[str, L]]:
        """Yield the layers directly inside this one, with their names."""
        for name, value in vars(self).items():
            if isinstance(value, Tree):
                yield name, cast(L, value)
            elif isinstance(value, list | tuple | dict):
                items = value.items() if isinstance(value, dict) else enumerate(value)
                yield from ((f"{name}.{key}", cast(L, part)) for key, part in items if isinstance(part, Tree))

    def named_layers(self, path: str = "") -> Iterator[tuple[str, L]]:
        """Yield this layer and all below it, outermost first, with their paths."""
        yield path, cast(L, self)
        above = [(path, self.children())]  # no recursion: a deep network costs no more a layer than a flat one
        while above:
            path, children = above[-1]
            for name, child in children:
                inner = f"{path}.{name}" if path else name
                yield inner, child
                above.append((inner, child.children()))
                break
            else:
                above.pop()

    def leaves(self) -> Iterator[L]:
        """Yield the layers that compute, in the order they run: this one, or those in a plain `Sequential`."""
        yield cast(L, self)

    @property
    def label(self) -> str:
        """The name of this layer in errors: its class, and its path in the network."""
        return f"{type(self).__name__} '{self.path}'" if self.path else type(self).__name__

    def name_layers(self) -> None:
        """Tell every layer below its path from here."""
        for path, layer in self.named_layers(self.path):
            layer.path = path

    def settings(self) -> dict[str, Any]:
        """Return the constructor's arguments by name; `inspect.Parameter.empty` for one not kept as an attribute."""
        return {name: getattr(self, name, inspect.Parameter.empty) for name in inspect.signature(type(self)).parameters}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._arguments())})"

    def _arguments(self) -> Iterator[str]:
        for name, parameter in inspect.signature(type(self)).parameters.items():
            value = getattr(self, name, parameter.default)
            if parameter.default is inspect.Parameter.empty:
                yield repr(value)
            elif value != parameter.default:
                yield f"{name}={value!r}"
