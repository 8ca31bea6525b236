"""Parameters and gradients: of one layer by name, and of a whole network as two vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from lincoln._util.tensors import differences, inference
from lincoln._util.text import few
from lincoln.errors import ArgumentError, MatchError, StateError
from lincoln.layers.tree import Tree

P = TypeVar("P", bound="Parameters[Any]")
_MADE_AGAIN = ("grad", "own", "has_grad", "flat", "home")


class Parameters(Tree[P]):
    """The parameters of a layer, and of the layers in it.

    Each parameter is an attribute of its name (`layer.W`), its gradient is `layer.grad["W"]`. Both keep their memory:
    a tensor that is assigned to either is copied in at the next look (`adopt`).
    """

    buffers: ClassVar[tuple[str, ...]] = ()
    """Attributes that hold tensors which are no parameters but belong to the layer's state, such as a running mean."""
    memory: ClassVar[Mapping[str, Callable[[Tensor], Tensor]]] = {}
    """Functions of `ops` that lay a parameter out in memory, by name; one that is not named lies row by row."""
    penalized: ClassVar[tuple[str, ...]] = ()
    """Parameters that a loss with an `l2` penalty draws to zero: weights, not biases."""

    built: bool = False
    own: dict[str, tuple[Tensor, Tensor]] = {}  # noqa: RUF012  (each layer gets its own in register; this stays empty)
    """Each parameter of this layer alone and its gradient, by name."""
    grad: dict[str, Tensor] = {}  # noqa: RUF012  (as own)
    """The gradient of each parameter of this layer alone, by name."""
    has_grad: bool = False
    """True once a backward has filled `grad`; an optimizer's step uses it up."""
    flat: Flat | None = None
    """The vectors of the network that this layer is the top of, once `flatten` has made them."""
    home: Flat | None = None
    """The vectors that this layer's own parameters lie in: perhaps a larger network's."""
    _device: torch.device | None = None  # given to `to`
    _dtype: torch.dtype | None = None

    def parameters(self) -> Iterator[Tensor]:
        """Yield the parameters, in the order of `grads()`; none before the first forward."""
        return (tensor for _, tensor in self.named_parameters())

    def grads(self) -> Iterator[Tensor]:
        """Yield dL/dparameter for each of `parameters()`: zero until the first backward, overwritten by each."""
        return (layer.grad[name] for _, layer in self.named_layers() for name in layer.own)

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Yield the parameters with their paths, such as `0.linear.W`."""
        for path, layer in self.named_layers():
            for name in layer.own:
                yield f"{path}.{name}" if path else name, getattr(layer, name)

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Yield the buffers with their paths; those that have not been made yet are left out."""
        for path, layer in self.named_layers():
            for name in layer.buffers:
                if isinstance(getattr(layer, name, None), Tensor):
                    yield f"{path}.{name}" if path else name, getattr(layer, name)

    def set_buffers(self, buffers: Mapping[str, Tensor]) -> None:
        """Set copies of these tensors as the buffers of those paths, on the device and in the dtype given to `to`."""
        layers = dict(self.named_layers())
        with inference(False):
            for full, value in buffers.items():
                path, _, name = full.rpartition(".")
                setattr(layers[path], name, layers[path].placed(value.detach(), copy=True))

    @property
    def where(self) -> tuple[torch.device | None, torch.dtype | None]:
        """Device and dtype of the first parameter; before there is one, those given to `to`, or None."""
        first = self.flat.values if self.flat is not None and self.flat.valid else next(self.parameters(), None)
        return (self._device, self._dtype) if first is None else (first.device, first.dtype)

    def flatten(self) -> tuple[Tensor, Tensor]:
        """Return all parameters as one vector, and all gradients as another.

        Every parameter becomes a view of the first and stays the same tensor object, so changing the vector changes the
        network. Raises StateError before the network has seen an input.
        """
        if self.flat is None or not self.flat.valid:
            self.flat = Flat(self)
        self.flat.adopt()
        return self.flat.values, self.flat.grads

    def state_dict(self) -> dict[str, Tensor]:
        """Return a copy of every parameter and buffer, by path."""
        with inference(False):
            return {path: tensor.clone() for path, tensor in (*self.named_parameters(), *self.named_buffers())}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Copy `state` in. Raises MatchError, with nothing changed, unless all names, shapes and dtypes agree."""
        for _, layer in self.named_layers():
            layer.adopt()
        own = dict(self.named_parameters()) | dict(self.named_buffers())
        if not own and state:
            raise StateError(f"{self.label}: not built yet; run one forward, then load")
        if wrong := differences(state, own):
            raise MatchError(f"{self.label}: the state does not fit this network: {few(wrong, 3, 120, '; ')}")
        for name, tensor in own.items():
            tensor.copy_(state[name])

    def register(self, initial: Mapping[str, Tensor]) -> None:
        """Take copies of these tensors as this layer's own parameters, by name. From then on it is built."""
        with inference(False):  # parameters outlive the trainer's inference mode: users may touch them
            laid_out = {name: self.memory.get(name, _by_rows)(self.placed(t.detach())) for name, t in initial.items()}
            self.own = {name: (value, torch.zeros_like(value)) for name, value in laid_out.items()}
        vars(self).update(laid_out)
        self.grad = {name: grad for name, (_, grad) in self.own.items()}
        self.built = True
        if laid_out and self.home is not None:
            self.home.valid = False

    def placed(self, tensor: Tensor, copy: bool = False) -> Tensor:
        """Return `tensor` on the device and, if it is floating point, in the dtype given to `to`."""
        return tensor.to(self._device, self._dtype if tensor.is_floating_point() else None, copy=copy)

    def move(self, device: torch.device | None, dtype: torch.dtype | None) -> None:
        """Move this layer's own parameters, gradients and buffers; if it is not built yet, it will be built there."""
        self._device, self._dtype = device or self._device, dtype or self._dtype
        self.adopt()
        for value, grad in self.own.values():
            value.data, grad.data = self.placed(value.data), self.placed(grad.data)
        for name in self.buffers:
            if isinstance(getattr(self, name, None), Tensor):
                setattr(self, name, self.placed(getattr(self, name)))
        if self.home is not None:
            self.home.valid = False

    def adopt(self) -> None:
        """Copy in tensors that were assigned (`layer.W = w`, `self.grad["W"] = x.t() @ g`) instead of written in place."""
        for name, (value, grad) in self.own.items():
            if self.grad[name] is not grad:
                _copy_in(self.grad[name], grad, f"{self.label}: the gradient of {name}")
                self.grad[name] = grad
            assigned = getattr(self, name)
            if assigned is not value:
                _copy_in(assigned, value, f"{self.label}: {name}")
                vars(self)[name] = value

    def settle(self) -> None:
        """Replace tensors that the layer made in inference mode and keeps, such as a running mean, by normal ones."""
        with inference(False):
            for name, value in vars(self).items():
                if isinstance(value, Tensor) and value.is_inference():
                    vars(self)[name] = value.clone()

    def __getstate__(self) -> dict[str, Any]:
        """Return what copies and pickles carry: the parameters, each its own tensor; no gradients, no vectors."""
        self.adopt()
        state = {name: value for name, value in vars(self).items() if name not in _MADE_AGAIN}
        return state | {name: getattr(self, name).clone() for name in self.own} | {"own": tuple(self.own)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        names = state.pop("own")
        vars(self).update(state)
        self.settle()
        with inference(False):
            self.own = {name: (getattr(self, name), torch.zeros_like(getattr(self, name))) for name in names}
        self.grad = {name: grad for name, (_, grad) in self.own.items()}


class Flat:
    """All parameters of a network side by side in `values`, their gradients in `grads`, both (n_parameters,).

    Each lies there in its own memory order (`Parameters.memory`). The parameters stay the tensors they were; only their
    memory moves. The vectors are `valid` until a layer is moved to another device or dtype, is given other parameters, or
    becomes part of another network's vectors.

    Source: `getParameters` of Torch7's nn.
    """

    def __init__(self, network: Parameters[Any]) -> None:
        layers = [layer for _, layer in network.named_layers()]
        _refuse_unfit(network, layers)
        for layer in layers:
            _refuse_tied(layer, layers)
            layer.adopt()
        self.entries = [(layer, name, value, grad) for layer in layers for name, (value, grad) in layer.own.items()]
        kinds = {f"{value.dtype} on {value.device}" for _, _, value, _ in self.entries}
        if len(kinds) > 1:
            found = few(sorted(kinds))
            raise MatchError(f"{network.label}: parameters differ ({found}), expected one kind: call network.to(...)")
        with inference(False):
            self.values = _gather([value for _, _, value, _ in self.entries])
            self.grads = _gather([grad for _, _, _, grad in self.entries])
        self.valid = True
        for layer in layers:
            if layer.home is not None:
                layer.home.valid = False
            layer.home = self

    def adopt(self) -> None:
        """Copy tensors that were assigned since the last call into the vectors."""
        for layer, name, value, grad in self.entries:
            if layer.grad[name] is not grad or getattr(layer, name) is not value:
                _refuse_tied(layer, [other for other, _, _, _ in self.entries])
                layer.adopt()


def _copy_in(assigned: Tensor, own: Tensor, what: str) -> None:
    if assigned.shape != own.shape:
        raise MatchError(f"{what} was given shape {tuple(assigned.shape)}, expected {tuple(own.shape)}")
    own.copy_(assigned)


def _by_rows(value: Tensor) -> Tensor:
    return value.clone(memory_format=torch.contiguous_format)


def _gather(tensors: list[Tensor]) -> Tensor:
    """Move the tensors' memory into one vector, one after another, each a view of its part with the strides it had."""
    vector = torch.cat([tensor.as_strided((tensor.numel(),), (1,)) for tensor in tensors])
    start = 0
    for tensor in tensors:
        part = vector[start : start + tensor.numel()]
        tensor.data = part.as_strided(tensor.shape, tensor.stride())
        start += tensor.numel()
    return vector


def _refuse_unfit(network: Parameters[Any], layers: list[Any]) -> None:
    """Raise unless every layer that learns is built, and each layer has one place."""
    if not any(layer.own for layer in layers):
        raise StateError(f"{network.label}: no parameters yet; they are made by the first forward")
    if len({id(layer) for layer in layers}) < len(layers):
        raise ArgumentError(f"{network.label}: holds a layer in two places; a layer has one place: make two layers")
    for layer in layers:
        if layer.learns and not layer.built:
            raise StateError(f"{layer.label} has seen no input yet: run the whole network forward first")


def _refuse_tied(layer: Parameters[Any], layers: list[Any]) -> None:
    """Raise if a parameter is another layer's tensor: it would be copied, and the two would differ from then on."""
    for name in layer.own:
        for other in layers:
            if other is not layer and any(getattr(layer, name) is value for value, _ in other.own.values()):
                raise MatchError(
                    f"{layer.label}: {name} is the parameter of {other.label}; a tensor belongs to one layer. Copy it "
                    f"({name}.clone()), or write one layer that uses it twice"
                )
