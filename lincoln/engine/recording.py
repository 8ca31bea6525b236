"""Operations on tensors, recorded once and made again: the same numbers without the Python that asked for them.

CUDA graphs do this for a GPU; here it is Python's own calls of torch that are written down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

Slot = tuple[list[Any], int]
"""A place to be filled: a call's list of arguments, and the index in it."""


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes each of torch's operations while it lasts: the operation, its arguments, its keywords and its result."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[tuple[Any, Sequence[Any], dict[str, Any], Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, result))
        return result


class Unrecordable(Exception):
    """What was done cannot be done again by its calls alone."""


class Recording:
    """The calls that led from `batch` to `result`, to be made again for other batches of its shapes: `recording(*batch)`.

    Each call writes where it wrote when it was recorded, the one that gives the result included: nothing is allocated,
    and the next replay overwrites the result. Intermediate results stay in memory as long as the recording. Tensors that
    are not in the batch, such as weights, are looked at where they lay; numbers that are in no tensor are those of the
    recording.

    Unrecordable for calls that give no tensor (they look at the numbers in one) or several, or one whose shape depends on
    the numbers (`x[x > 0]`), that change a tensor's shape in place, that draw from a generator of their own, or that take
    the batch in a list or as a keyword; and for a result that is the batch itself.
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
        """Note one call. `slots` holds, for the batch and each view of it, where it is an argument."""
        of_batch = [(index, slots[id(part)]) for index, part in enumerate(arguments) if id(part) in slots]
        _refuse(operation, arguments, keywords, slots)
        if not _is_view(operation, arguments, outcome):
            self._calls.append((_again(operation, len(arguments), keywords, outcome), arguments))
        elif of_batch:  # a view of anything else goes on looking at the same memory
            slots[id(outcome)] = []
            self._views.append((_view(operation, keywords), arguments, slots[id(outcome)]))
        for index, places in of_batch:
            places.append((arguments, index))


def _refuse(operation: Any, arguments: list[Any], keywords: dict[str, Any], slots: dict[int, list[Slot]]) -> None:
    nested = [part for group in arguments if isinstance(group, list | tuple) for part in group]
    if any(id(part) in slots for part in (*nested, *keywords.values())):
        raise Unrecordable(f"{operation} takes the batch in a list or as a keyword")
    by_mask = any(isinstance(part, Tensor) and part.dtype in (torch.bool, torch.uint8) for part in nested)
    if torch.Tag.dynamic_output_shape in operation.tags and (by_mask or _name(operation) != "index"):
        raise Unrecordable(f"the shape of what {operation} gives depends on the numbers")
    if torch.Tag.inplace_view in operation.tags and _name(operation) != "detach_":
        raise Unrecordable(f"{operation} changes a tensor's shape in place")
    if any(isinstance(part, torch.Generator) for part in (*arguments, *keywords.values())):
        raise Unrecordable(f"{operation} draws from a generator of its own")


def _again(operation: Any, n_arguments: int, keywords: dict[str, Any], outcome: Any) -> Callable[..., Any]:
    """What does `operation` once more, given its arguments, and writes where it wrote: into `outcome`."""
    name = _name(operation)
    if operation._schema.is_mutable:  # it was told where to write
        return partial(_FAST.get(name, operation), **keywords)
    if not isinstance(outcome, Tensor):
        raise Unrecordable(f"{operation} gives a {type(outcome).__name__}, expected one tensor")
    if name == "relu":
        return partial(torch.clamp_min, min=0, out=outcome)
    if name == "sum" and n_arguments == 1:
        return partial(torch.sum, dim=None, out=outcome, **keywords)
    if name in _FAST:
        return partial(_FAST[name], out=outcome, **keywords)
    overload = _taking_out(operation)
    if overload is None:
        return partial(_copied, outcome, operation, **keywords)
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
"""Python's own functions, by the operation's name: called so, it costs 1.5 us less than as `torch.ops` has it."""


def _copied(outcome: Tensor, operation: Any, *arguments: Any, **keywords: Any) -> None:
    outcome.copy_(operation(*arguments, **keywords))


def _taking_out(operation: Any) -> Any:
    """The overload that takes the same arguments and `out`, or None. It may lack the keywords that `out` stands for."""
    expected = _signature(operation)
    for name in operation.overloadpacket.overloads():
        overload = getattr(operation.overloadpacket, name)
        if [part.name for part in overload._schema.arguments if part.is_out] == ["out"] and _signature(
            overload
        ) == expected:
            return overload
    return None


def _signature(operation: Any) -> list[tuple[str, str]]:
    told_by_out = ("dtype", "layout", "device", "pin_memory")
    return [
        (part.name, str(part.type))
        for part in operation._schema.arguments
        if not part.is_out and part.name not in told_by_out
    ]


def _is_view(operation: Any, arguments: list[Any], outcome: Any) -> bool:
    """Whether it only looks at an argument's memory in another way."""
    if operation._schema.is_mutable or not isinstance(outcome, Tensor):
        return False
    memory = [part.untyped_storage().data_ptr() for part in (outcome, *arguments) if isinstance(part, Tensor)]
    return memory[0] in memory[1:] and memory[0] != 0  # at 0 lies what is empty


def _view(operation: Any, keywords: dict[str, Any]) -> Callable[..., Tensor]:
    method = getattr(Tensor, _name(operation), None)
    return method if callable(method) and not keywords else partial(operation, **keywords)


def _name(operation: Any) -> str:
    return str(operation._schema.name).removeprefix("aten::")
