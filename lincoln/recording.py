"""A step's operations on tensors, recorded once and replayed: the same numbers without the Python around them.

A step of a small network is two dozen operations of a microsecond or two each, and half as much time again goes into the
Python that asks for them: layers, checks, views, memory for results. What it asks for is the same in every step, because no
layer looks at the numbers. So it can be written down once and then read off, as CUDA graphs do it on a GPU.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from lincoln.losses import Loss
from lincoln.threads import SMALL, largest_product

_OFTEN = 10
"""How often a size of batch comes before it is recorded, as recording costs what 15 to 25 replays save."""

_Place = tuple[list[Any], int]  # in a list of arguments


class Gradient:
    """The loss of a batch and, in the network, its gradient: `loss(*batch)`, then `loss.backward()`.

    If `replayed`, read off a recording from the eleventh batch of a size on. Then all batches of a size must be alike in
    shapes, strides and dtypes, and nothing about network and loss may change but the numbers in their tensors.
    """

    def __init__(self, loss: Loss, replayed: bool = False) -> None:
        self.loss = loss
        self.replayed = replayed
        self._times: Counter[int] = Counter()
        self._recordings: dict[int, Recording] = {}
        self._penalties: dict[int, tuple[Any, Any]] = {}
        self._learning = [layer for _, layer in loss.network.named_layers() if layer.learns]

    def __call__(self, *batch: Tensor) -> Tensor:
        if not self.replayed:
            return self._computed(*batch)
        size = len(batch[0])
        if size not in self._recordings:
            return self._perhaps_recorded(size, *batch)
        value = self._recordings[size](*batch)
        self.loss._squares, self.loss._pull = self._penalties[size]  # what loss.penalty is made of
        for layer in self._learning:
            layer.has_grad = True
        return value.clone()  # the next replay overwrites it

    def _computed(self, *batch: Tensor) -> Tensor:
        value = self.loss(*batch)
        self.loss.backward()
        return value

    def _perhaps_recorded(self, size: int, *batch: Tensor) -> Tensor:
        self._times[size] += 1
        if self._times[size] <= _OFTEN:
            return self._computed(*batch)
        with Watch() as watch:
            value = self._computed(*batch)
        try:
            self._recordings[size] = Recording(watch.calls, batch, value)
        except Unrecordable as error:
            warnings.warn(f"{self.loss}: this network's steps cannot be recorded: {error}", stacklevel=5)
            self.replayed = False
        self._penalties[size] = self.loss._squares, self.loss._pull
        return value.clone()


def worth_replaying(loss: Loss, examples: int) -> bool:
    """Whether steps on so many examples are small, on the CPU, and of layers and a loss that say they are `recordable`."""
    parts = [loss, *(layer for _, layer in loss.network.named_layers())]
    return (
        all(vars(type(part)).get("recordable", False) for part in parts)
        and largest_product(loss.network, examples) < SMALL
        and all(parameter.is_cpu for parameter in loss.network.parameters())
    )


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes each of torch's operations while it lasts: the operation, its arguments, those by name, and its result."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[tuple[Any, Sequence[Any], dict[str, Any], Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, result))
        return result


class Recording:
    """The calls that led from `batch` to `result`, to be made again for other batches: `recording(*batch)`.

    A replay gives exactly the same numbers. Each operation writes where it wrote when it was recorded, that of the result
    included, so nothing is allocated and the next replay overwrites this one. Numbers that are not in tensors, and tensors
    that are not in the batch, are those of the recording.

    Unrecordable for calls that look at a tensor's numbers or give several tensors.
    """

    def __init__(self, calls: Sequence[Any], batch: tuple[Tensor, ...], result: Tensor) -> None:
        self.result = result
        self._operations: list[tuple[Any, list[Any], dict[str, Any]]] = []
        self._views: list[tuple[Any, list[Any], list[_Place]]] = []  # of the batch: each with the places it is used in
        self._batch: list[list[_Place]] = [[] for _ in batch]
        self._uses = {id(tensor): places for tensor, places in zip(batch, self._batch, strict=True)}
        for operation, arguments, named, outcome in calls:
            self._add(operation, list(arguments), named, outcome)

    def __call__(self, *batch: Tensor) -> Tensor:
        for tensor, places in zip(batch, self._batch, strict=True):
            for arguments, index in places:
                arguments[index] = tensor
        for view, viewed, places in self._views:
            tensor = view(*viewed)
            for arguments, index in places:
                arguments[index] = tensor
        for operation, arguments, named in self._operations:
            operation(*arguments, **named)
        return self.result

    def _add(self, operation: Any, arguments: list[Any], named: dict[str, Any], outcome: Any) -> None:
        used = [(index, self._uses[id(part)]) for index, part in enumerate(arguments) if id(part) in self._uses]
        if any(id(part) in self._uses for part in _nested(arguments, named)):
            raise Unrecordable(f"{operation} takes the batch in a list or by name")
        if _is_view(operation, arguments, outcome):
            if not used:
                return  # of memory that stays where it is
            self._uses[id(outcome)] = []
            view = partial(operation, **named) if named else getattr(Tensor, _name(operation), operation)
            self._views.append((view, arguments, self._uses[id(outcome)]))
        else:
            function, more, named = _into(operation, arguments, named, outcome)
            arguments += more
            self._operations.append((function, arguments, named))
        for index, places in used:
            places.append((arguments, index))


class Unrecordable(Exception):
    """What was done cannot be done again by its calls alone."""


_TAKE_OUT: dict[str, Any] = {
    function.__name__: function
    for function in (
        *(torch.add, torch.addcmul, torch.addmm, torch.div, torch.dot, torch.exp, torch.expm1, torch.gather, torch.log),
        *(torch.mm, torch.mul, torch.neg, torch.sigmoid, torch.sign, torch.sub, torch.sum, torch.tanh, F.softplus),
    )
} | {"relu": torch.clamp_min}
"""Python's own functions that take `out`, by the operation's name: called so, it costs 1.5 us less than by `torch.ops`."""
_LAST = {("relu", 1): (0,), ("sum", 1): (None,)}
"""What such a function wants beside the operation's own arguments, by their number."""


def _into(
    operation: Any, arguments: list[Any], named: dict[str, Any], outcome: Any
) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """How to call `operation` again so that it writes into `outcome`: the function, further arguments, those by name."""
    name = _name(operation)
    if operation._schema.is_mutable:  # it already writes where it was told to
        function = getattr(Tensor, name) if name.endswith("_") else _TAKE_OUT.get(name, operation)
        return function, (), named
    if not isinstance(outcome, Tensor):
        raise Unrecordable(f"{operation} gives a {type(outcome).__name__}, wanted one tensor")
    if name in _TAKE_OUT:
        return _TAKE_OUT[name], _LAST.get((name, len(arguments)), ()), named | {"out": outcome}
    form = _form_with_out(operation)
    if form is None:
        return partial(_copied, outcome, operation), (), named
    return form, (), {key: value for key, value in named.items() if key not in _PLACE} | {"out": outcome}


def _copied(outcome: Tensor, operation: Any, *arguments: Any, **named: Any) -> None:
    outcome.copy_(operation(*arguments, **named))


_PLACE = ("dtype", "layout", "device", "pin_memory")
"""Arguments that `out` stands for."""


def _form_with_out(operation: Any) -> Any:
    """The overload that takes the same arguments and `out`, if there is one."""
    wanted = _kinds(operation._schema)
    for overload in operation.overloadpacket.overloads():
        form = getattr(operation.overloadpacket, overload)
        if [part.name for part in form._schema.arguments if part.is_out] == ["out"] and _kinds(form._schema) == wanted:
            return form
    return None


def _kinds(schema: Any) -> list[tuple[str, str]]:
    return [(part.name, str(part.type)) for part in schema.arguments if not part.is_out and part.name not in _PLACE]


def _is_view(operation: Any, arguments: list[Any], outcome: Any) -> bool:
    """Whether it only looks at an argument's memory in another way."""
    if operation._schema.is_mutable or not isinstance(outcome, Tensor):
        return False
    return any(_memory(part) == _memory(outcome) for part in arguments if isinstance(part, Tensor))


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _nested(arguments: list[Any], named: dict[str, Any]) -> list[Any]:
    """Arguments by name, and those in lists."""
    return [*named.values(), *(part for group in arguments if isinstance(group, list | tuple) for part in group)]


def _name(operation: Any) -> str:
    return str(operation._schema.name).removeprefix("aten::")
