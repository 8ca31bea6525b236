"""Functions and classes in files: by name, those that are not the library's to be given when the file is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lincoln import losses, metrics, optim
from lincoln.data import generate_batches
from lincoln.errors import ArgumentError, CheckpointError
from lincoln.losses import Loss
from lincoln.optim import Optimizer

Given = Mapping[str, Callable[..., Any]]
OWN: dict[str, dict[str, Any]] = {
    "loss": {name: found for name, found in vars(losses).items() if isinstance(found, type) and issubclass(found, Loss)},
    "optimizer": {
        name: found for name, found in vars(optim).items() if isinstance(found, type) and issubclass(found, Optimizer)
    },
    "metric": {name: found for name, found in vars(metrics).items() if hasattr(found, "higher_is_better")},
    "batch_gen": {"generate_batches": generate_batches},
}
"""What the library has of each kind, by name."""
_BASES: dict[str, type] = {"loss": Loss, "optimizer": Optimizer}


def reference(kind: str, thing: Any) -> dict[str, str]:
    """Return a class or function as a name. Raises CheckpointError for one that has no name it could be given by."""
    name = getattr(thing, "__name__", None)
    if isinstance(name, str) and OWN[kind].get(name) is thing:
        return {"own": name}
    if not isinstance(name, str) or not name.isidentifier():
        raise CheckpointError(
            f"cannot be saved, because its {kind} {thing!r:.120} has no name; expected a function or class made by "
            f"def or class"
        )
    return {"given": name}


def resolve(kind: str, form: Any, given: Given) -> Any:
    """Return what a name stands for: of the library, or of what was given. Raises CheckpointError for any other."""
    if not isinstance(form, dict) or form.keys() not in ({"own"}, {"given"}):
        raise ValueError(f"{kind}: {form!r:.80} is no name")
    ((source, name),) = form.items()
    if source == "own":
        return OWN[kind][name]
    if name not in given:
        raise CheckpointError(f"its {kind} {name!s:.80} is not lincoln's: give it with given=[{name!s:.80}]")
    thing, base = given[name], _BASES.get(kind)
    if base is not None and not (isinstance(thing, type) and issubclass(thing, base)):
        raise CheckpointError(f"its {kind} {name!s:.80} was given as {thing!r:.80}; expected a {base.__name__} class")
    return thing


def by_name(given: Iterable[Callable[..., Any]]) -> Given:
    """Return classes and functions by name. Raises ArgumentError for anything else, and for two of one name."""
    if not isinstance(given, Iterable) or isinstance(given, type | str):
        raise ArgumentError(f"load: given is {given!r:.80}; expected a list of classes and functions, such as [my_metric]")
    found: dict[str, Callable[..., Any]] = {}
    for thing in given:
        name = getattr(thing, "__name__", None)
        if not callable(thing) or not isinstance(name, str):
            raise ArgumentError(f"load: given holds {thing!r:.80}; expected classes and functions, such as my_metric")
        if found.setdefault(name, thing) is not thing:
            raise ArgumentError(f"load: given holds two things named {name:.80}; expected one of each name")
    return found
