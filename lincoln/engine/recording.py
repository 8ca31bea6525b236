"""Tensor operations, recorded once and run again: the same numbers without the Python that called them.

CUDA graphs do this on a GPU; here the recording is a list of torch's functions and their arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lincoln._util.dispatch import Mode

Slot = tuple[list[Any], int]
"""A place for a tensor: the list of a call's arguments, and the index in it."""


class Watch(Mode):
    """Note each operation that torch dispatches inside the block: the operation, arguments, keywords and result."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[tuple[Any, Sequence[Any], dict[str, Any], Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, result))
        return result


class Unrecordable(Exception):
    """The calls alone do not determine the result for other batches."""


class Recording:
    """The calls that led from `batch` to `result`; `recording(*batch)` runs them for another batch of the same shapes.

    Each call writes into the memory that it wrote when it was recorded, also the one that returns the result. So nothing
    is allocated, the next run overwrites the result, and intermediate results stay in memory as long as the recording.
    Tensors outside the batch, such as weights, are read where they are; Python numbers keep the values of the recording.

    Raises Unrecordable for a call that returns no tensor (such as `.item()`), several tensors, or one whose shape depends
    on the numbers (`x[x > 0]`); that changes a tensor's shape in place; that draws from a generator of its own; or that
    takes the batch in a list or as a keyword. Also for a result that is the batch itself.
    """

    def __init__(self, calls: Sequence[Any], batch: tuple[Tensor, ...], result: Tensor) -> None:
        self.result = result
        self._calls: list[tuple[Callable[..., Any], list[Any]]] = []
        self._views: list[tuple[Callable[..., Tensor], list[Any], list[Slot]]] = []  # views of the batch
        self._batch: list[list[Slot]] = [[] for _ in batch]
        slots = {id(tensor): places for tensor, places in zip(batch, self._batch, strict=True)}
        for operation, arguments, keywords, outcome in calls:
            self._add(operation, list(arguments), keywords, outcome, slots)
        if id(result) in slots:
            raise Unrecordable("the result is the batch, or a view of it")

    def __call__(self, *batch: Tensor) -> Tensor:
        """Run the calls for `batch`. Returns `result`, which the next run overwrites."""
        for tensor, slots in zip(batch, self._batch, strict=True):
            for arguments, index in slots:
                arguments[index] = tensor
        for view, viewed, slots in self._views:
            tensor = view(*viewed)
            for arguments, index in slots:
                arguments[index] = tensor
        for call, arguments in self._calls:
            call(*arguments)
        return self.result

    def _add(
        self, operation: Any, arguments: list[Any], keywords: dict[str, Any], outcome: Any, slots: dict[int, list[Slot]]
    ) -> None:
        """Add one call. `slots` holds the places where the batch, and each view of it, is an argument."""
        of_batch = [(index, slots[id(part)]) for index, part in enumerate(arguments) if id(part) in slots]
        _refuse(operation, arguments, keywords, slots)
        if not _is_view(operation, arguments, outcome):
            self._calls.append((_repeated(operation, len(arguments), keywords, outcome), arguments))
        elif of_batch:  # a view of any other tensor stays valid: its memory does not move
            slots[id(outcome)] = []
            self._views.append((_view(operation, keywords), arguments, slots[id(outcome)]))
        for index, places in of_batch:
            places.append((arguments, index))


def _refuse(operation: Any, arguments: list[Any], keywords: dict[str, Any], slots: dict[int, list[Slot]]) -> None:
    """Raise Unrecordable for a call that cannot be repeated for another batch."""
    nested = [part for group in arguments if isinstance(group, list | tuple) for part in group]
    if any(id(part) in slots for part in (*nested, *keywords.values())):
        raise Unrecordable(f"{operation} takes the batch in a list or as a keyword")
    by_mask = any(isinstance(part, Tensor) and part.dtype in (torch.bool, torch.uint8) for part in nested)
    if torch.Tag.dynamic_output_shape in operation.tags and (by_mask or _name(operation) != "index"):
        raise Unrecordable(f"the shape of the result of {operation} depends on the numbers")
    if torch.Tag.inplace_view in operation.tags and _name(operation) != "detach_":
        raise Unrecordable(f"{operation} changes a tensor's shape in place")
    if any(isinstance(part, torch.Generator) for part in (*arguments, *keywords.values())):
        raise Unrecordable(f"{operation} draws from a generator of its own")


def _repeated(operation: Any, n_arguments: int, keywords: dict[str, Any], outcome: Any) -> Callable[..., Any]:
    """Return a function of the arguments that runs `operation` and writes into `outcome`."""
    name = _name(operation)
    if operation._schema.is_mutable:  # it writes into one of its arguments
        return partial(_FAST.get(name, operation), **keywords)
    if not isinstance(outcome, Tensor):
        raise Unrecordable(f"{operation} returns a {type(outcome).__name__}, expected one tensor")
    if name == "relu":
        return partial(torch.clamp_min, min=0, out=outcome)
    if name == "sum" and n_arguments == 1:
        return partial(torch.sum, dim=None, out=outcome, **keywords)
    if name in _FAST:
        return partial(_FAST[name], out=outcome, **keywords)
    overload = _overload_with_out(operation)
    if overload is None:
        return partial(_copy_result, outcome, operation, **keywords)
    known = {part.name for part in overload._schema.arguments}
    return partial(overload, out=outcome, **{key: value for key, value in keywords.items() if key in known})


_FAST: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        *(torch.add, torch.addcmul, torch.addmm, torch.div, torch.dot, torch.exp, torch.expm1, torch.gather, torch.log),
        *(torch.mm, torch.mul, torch.neg, torch.sigmoid, torch.sign, torch.sub, torch.sum, torch.tanh, F.softplus),
        *(Tensor.add_, Tensor.addcmul_, Tensor.div_, Tensor.mul_, Tensor.scatter_, Tensor.sub_),
    )
}
"""Python's own bindings by the operation's name: a call costs less than one of `torch.ops`."""


def _copy_result(outcome: Tensor, operation: Any, *arguments: Any, **keywords: Any) -> None:
    outcome.copy_(operation(*arguments, **keywords))


def _overload_with_out(operation: Any) -> Any:
    """Return the overload that takes the same arguments and `out`, or None. It may lack the keywords that `out` implies."""
    expected = _signature(operation)
    for name in operation.overloadpacket.overloads():
        overload = getattr(operation.overloadpacket, name)
        outs = [part.name for part in overload._schema.arguments if part.is_out]
        if outs == ["out"] and _signature(overload) == expected:
            return overload
    return None


def _signature(operation: Any) -> list[tuple[str, str]]:
    """Return the names and types of the arguments that `out` does not imply."""
    implied = ("dtype", "layout", "device", "pin_memory")
    return [
        (part.name, str(part.type)) for part in operation._schema.arguments if not part.is_out and part.name not in implied
    ]


def _is_view(operation: Any, arguments: list[Any], outcome: Any) -> bool:
    """Return True if the result shares an argument's memory and nothing was written."""
    if operation._schema.is_mutable or not isinstance(outcome, Tensor):
        return False
    memory = [part.untyped_storage().data_ptr() for part in (outcome, *arguments) if isinstance(part, Tensor)]
    return memory[0] in memory[1:] and memory[0] != 0  # empty tensors are all at address 0


def _view(operation: Any, keywords: dict[str, Any]) -> Callable[..., Tensor]:
    method = getattr(Tensor, _name(operation), None)
    return method if callable(method) and not keywords else partial(operation, **keywords)


def _name(operation: Any) -> str:
    return str(operation._schema.name).removeprefix("aten::")
