"""The contract of a layer, and everything that no layer has to repeat."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Size, Tensor

from lincoln import init
from lincoln.errors import ArgumentError, LayerError, LincolnError, MatchError, StateError
from lincoln.layers.parameters import Flat

_FINAL = {"forward": "_forward", "backward": "_backward", "__call__": "_forward"}
_TRANSIENT = ("saved", "grad", "has_grad", "_own", "_shapes", "_flat", "_home")


class Layer:
    """A differentiable function: y = f(x) forward, dL/dx = f'(x)^T dL/dy backward.

    A subclass writes only mathematics:

    - `_forward(input)` returns the output and leaves in `self.saved` exactly what the gradient needs;
    - `_backward(output_grad)` returns dL/dinput and writes dL/dparameter into `self.grad[name]`; where
      `self.needs_input_grad` is False it may return None instead;
    - `build(input)`, if it learns, returns its initial parameters by name, on the input's device and dtype; each becomes
      an attribute (`self.W`);
    - `check(input)`, if it can say more clearly than torch what is wrong with an input, raises a `LincolnError`. It runs
      once before `build` and again only when `_forward` has failed, so it costs a training step nothing.

    Constructor arguments are kept as attributes of the same name: `repr` and checkpoints are made from them. Layers held
    as attributes, or in lists or dicts, are children; their parameters are this layer's too.

    Source: the two-method layers of the notebook, with the final public methods of Torch7's `nn.Module`.
    """

    backward_formula: ClassVar[str] = ""
    """The backward pass in one line, for `lincoln.summary`."""
    suited_init: init.Initializer = init.glorot()
    """What the weights of a `Linear` that feeds this layer are drawn from, unless it was told otherwise."""

    buffers: ClassVar[tuple[str, ...]] = ()
    """Attributes that hold tensors which are no parameters and yet belong to the layer's state: a running mean, say."""

    transposed: ClassVar[tuple[str, ...]] = ()
    """Parameters, matrices, that are kept in memory as their transpose, where that makes products faster."""

    penalized: ClassVar[tuple[str, ...]] = ()
    """Parameters that a loss with an `l2` penalty draws to zero: weights, not biases."""

    recordable: ClassVar[bool] = False
    """Whether `_forward` and `_backward` come to the same operations on tensors for all inputs of a shape, and do nothing
    else that matters. None looks at the numbers (`.item()`, `x[x > 0]`), goes through numpy or gives several tensors
    (`sort`, `chunk`); nothing is printed, or kept from step to step. Then steps of a small network may be replayed
    (`TrainerConfig.replay`). Each class says it for itself; it is not inherited."""

    path: str = ""
    """The layer's place in its network, such as `0.linear`; it names the layer in errors."""
    built: bool = False
    training: bool = True
    needs_input_grad: bool = True
    saved: Any = None
    grad: dict[str, Tensor] = {}  # noqa: RUF012  (each layer gets its own in _build; this one stays empty)
    has_grad: bool = False
    """Whether a backward has filled `grad` yet."""

    _names: tuple[str, ...] = ()
    _own: dict[str, tuple[Tensor, Tensor]] = {}  # noqa: RUF012  each parameter and its gradient; `adopt` keeps to these
    _shapes: tuple[Size, Size] | None = None  # of the input and the output of the forward that awaits its backward
    _device: torch.device | None = None  # where `to` said the parameters should be
    _dtype: torch.dtype | None = None
    _flat: Flat | None = None  # this network's vectors
    _home: Flat | None = None  # the vectors that this layer's own parameters lie in: perhaps a larger network's

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, hook in _FINAL.items():
            if name in cls.__dict__:
                raise TypeError(
                    f"{cls.__name__} overrides {name}, which Layer keeps to itself (it builds, checks shapes and frees "
                    f"memory): write {hook} instead"
                )

    # ---- What a subclass writes

    def _forward(self, input: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} must write _forward(self, input)")

    def _backward(self, output_grad: Tensor) -> Tensor | None:
        raise NotImplementedError(f"{type(self).__name__} must write _backward(self, output_grad)")

    def build(self, input: Tensor) -> Mapping[str, Tensor]:
        """Initial parameters by name, made once, from the first input; empty for a layer that does not learn."""
        return {}

    def check(self, input: Tensor) -> None:
        """Raise a LincolnError that says what is wrong with `input`, if anything is."""

    # ---- What a user calls

    def forward(self, input: Tensor) -> Tensor:
        """The layer's output. In training mode it remembers what `backward` needs; in evaluation mode, nothing.

        Raises MatchError or DimensionError for an input that does not fit, LayerError if `_forward` itself fails.
        """
        if not self.built:
            self._build(input)
        kept = self.saved
        try:
            output = self._forward(input)
            if self.training:
                self._shapes = input.shape, output.shape
            else:
                self.saved = kept
        except BaseException as error:
            self.saved = kept  # a forward that failed leaves no trace
            if _explained(error):
                raise
            raise self._explain(error, "input", input) from error
        return output

    __call__ = forward

    def backward(self, output_grad: Tensor, input_grad: bool = True) -> Tensor | None:
        """dL/dinput from dL/doutput; dL/dparameters land in `grads()`, overwriting what stood there.

        With `input_grad=False` dL/dinput is neither computed nor returned: the first layer of a network in training
        needs none. Raises StateError without a forward before it, MatchError when a gradient has not its value's shape.
        """
        if self._shapes is None:
            raise StateError(
                f"{self.label}: backward without a forward before it. Each backward takes up one forward; run the layer "
                f"again{'' if self.training else ', in training mode (train()): in evaluation mode it saves nothing'}"
            )
        input_shape, output_shape = self._shapes
        if output_grad.shape != output_shape:
            raise MatchError(
                f"{self.label}: output_grad has shape {tuple(output_grad.shape)}, the output had {tuple(output_shape)}; "
                f"a gradient has the shape of its value"
            )
        self.needs_input_grad = input_grad
        try:
            gradient = self._backward(output_grad)
        except BaseException as error:
            if _explained(error):
                raise
            raise self._explain(error, "output_grad", output_grad) from error
        if not self.has_grad and len(self.grad) != len(self._names):
            unknown = ", ".join(sorted(set(self.grad) - set(self._names)))
            raise MatchError(
                f"{self.label}: self.grad[...] was given {unknown}, but build returned no parameter of that name"
            )
        self.saved = self._shapes = None
        self.has_grad = True
        if not input_grad:
            return None
        if gradient is None or gradient.shape != input_shape:
            got = "nothing" if gradient is None else f"shape {tuple(gradient.shape)}"
            raise MatchError(f"{self.label}: _backward returned {got}, the input had shape {tuple(input_shape)}")
        return gradient

    def train(self, mode: bool = True) -> Self:
        """Training mode: a forward remembers what its backward needs."""
        for _, layer in self.named_layers():
            layer.training = mode
        return self

    def eval(self) -> Self:
        """Evaluation mode: a forward saves nothing and disturbs no training step under way."""
        return self.train(False)

    def to(self, device: torch.device | str | torch.dtype | None = None, dtype: torch.dtype | None = None) -> Self:
        """Move parameters and gradients; a layer not built yet will be built there. A forward under way is forgotten.

        ArgumentError, with nothing moved, for a device that is not here or a dtype that is not floating point.
        """
        if isinstance(device, torch.dtype):
            device, dtype = None, device
        if dtype is not None and not dtype.is_floating_point:
            raise ArgumentError(f"{self.label}: dtype is {dtype}; parameters are floating point")
        if device is not None:
            device = usable(device)
        with torch.inference_mode(False):
            for _, layer in self.named_layers():
                layer._device = device or layer._device
                layer._dtype = dtype or layer._dtype
                layer.saved = layer._shapes = None
                layer.adopt()
                for tensor in (*layer._own_parameters(), *layer.grad.values()):
                    tensor.data = tensor.data.to(layer._device, layer._dtype)
                for name in layer.buffers:
                    if isinstance(getattr(layer, name, None), Tensor):
                        kept = getattr(layer, name)
                        setattr(layer, name, kept.to(layer._device, layer._dtype if kept.is_floating_point() else None))
                if layer._home is not None:
                    layer._home.valid = False
        return self

    def parameters(self) -> Iterator[Tensor]:
        """The parameters, in the same order as `grads()`. A layer that has seen no input yet has none."""
        return (tensor for _, tensor in self.named_parameters())

    def grads(self) -> Iterator[Tensor]:
        """dL/dparameter for each of `parameters()`: zero until the first backward, overwritten by each."""
        return (layer.grad[name] for _, layer in self.named_layers() for name in layer._names)

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Parameters with their paths, such as `0.linear.W`."""
        for path, layer in self.named_layers():
            for name in layer._names:
                yield f"{path}.{name}" if path else name, getattr(layer, name)

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Buffers with their paths; those that have not been made yet are left out."""
        for path, layer in self.named_layers():
            for name in layer.buffers:
                if isinstance(getattr(layer, name, None), Tensor):
                    yield f"{path}.{name}" if path else name, getattr(layer, name)

    def set_buffers(self, buffers: Mapping[str, Tensor]) -> None:
        """Copies of these tensors as the buffers of those paths, where `to` said that the network should be."""
        layers = dict(self.named_layers())
        with torch.inference_mode(False):
            for full, value in buffers.items():
                path, _, name = full.rpartition(".")
                dtype = layers[path]._dtype if value.is_floating_point() else None
                setattr(layers[path], name, value.detach().to(layers[path]._device, dtype, copy=True))

    def _named_state(self) -> Iterator[tuple[str, Tensor]]:
        yield from self.named_parameters()
        yield from self.named_buffers()

    def children(self) -> Iterator[tuple[str, Layer]]:
        """The layers directly inside this one, with their names: its attributes, and those in lists and dicts of layers."""
        for name, value in vars(self).items():
            if isinstance(value, Layer):
                yield name, value
            elif isinstance(value, list | tuple | dict):
                items = value.items() if isinstance(value, dict) else enumerate(value)
                yield from ((f"{name}.{key}", part) for key, part in items if isinstance(part, Layer))

    def named_layers(self, path: str = "") -> Iterator[tuple[str, Layer]]:
        """This layer and all below it, outermost first, with their paths."""
        yield path, self
        for name, child in self.children():
            yield from child.named_layers(f"{path}.{name}" if path else name)

    def flatten(self) -> tuple[Tensor, Tensor]:
        """All parameters as one vector, and all gradients as another.

        Every parameter becomes a view of the first and stays the same tensor object, so changing the vector changes the
        network. Raises StateError before the network has seen an input.
        """
        if self._flat is None or not self._flat.valid:
            self._flat = Flat(self)
        self._flat.adopt()
        return self._flat.values, self._flat.grads

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of every parameter and buffer, by path."""
        with torch.inference_mode(False):
            return {path: tensor.clone() for path, tensor in self._named_state()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Copy `state` in. MatchError, with nothing changed, unless all names, shapes and dtypes agree."""
        for _, layer in self.named_layers():
            layer.adopt()
        own = dict(self._named_state())
        if not own and state:
            raise StateError(f"{self.label}: not built yet; run one forward, then load")
        wrong = [f"{name} is missing" for name in own if name not in state]
        wrong += [f"{name} is unknown" for name in state if name not in own]
        wrong += [
            f"{name} is {_describe(state[name])}, expected {_describe(tensor)}"
            for name, tensor in own.items()
            if name in state and (state[name].shape, state[name].dtype) != (tensor.shape, tensor.dtype)
        ]
        if wrong:
            raise MatchError(f"{self.label}: the state does not fit this network: {'; '.join(wrong)}")
        for name, tensor in own.items():
            tensor.copy_(state[name])

    @property
    def learns(self) -> bool:
        """Whether the layer writes `build`, and so may have parameters of its own."""
        return type(self).build is not Layer.build

    @property
    def label(self) -> str:
        """How errors name this layer: its class, and its path in the network."""
        return f"{type(self).__name__} '{self.path}'" if self.path else type(self).__name__

    def name_layers(self) -> None:
        """Tell every layer below its path from here."""
        for path, layer in self.named_layers(self.path):
            layer.path = path

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._arguments())})"

    # ---- The machinery

    def _arguments(self) -> Iterator[str]:
        for name, parameter in inspect.signature(type(self)).parameters.items():
            value = getattr(self, name, parameter.default)
            if parameter.default is inspect.Parameter.empty:
                yield repr(value)
            elif value != parameter.default:
                yield f"{name}={value!r}"

    def _own_parameters(self) -> list[Tensor]:
        return [getattr(self, name) for name in self._names]

    def _build(self, input: Tensor) -> None:
        self.name_layers()
        if not isinstance(input, Tensor):
            raise self._explain(TypeError(), "input", input)
        self.check(input)
        with torch.inference_mode(False):
            self.register(self.build(input) or {})

    def register(self, initial: Mapping[str, Tensor]) -> None:
        """Take copies of these tensors as the layer's own parameters, by name. From then on it is built."""
        with torch.inference_mode(False):  # parameters outlive the trainer's inference mode: users may touch them
            own = {name: self._placed(name, value) for name, value in initial.items()}
            self._own = {name: (value, torch.zeros_like(value)) for name, value in own.items()}
        vars(self).update(own)
        self.grad = {name: grad for name, (_, grad) in self._own.items()}
        self._names = tuple(own)
        self.built = True
        if own and self._home is not None:
            self._home.valid = False

    def _placed(self, name: str, value: Tensor) -> Tensor:
        """A copy where `to` said it should be, and in memory row by row (or, if `transposed`, its transpose is)."""
        value = value.detach().to(self._device, self._dtype)
        if name in self.transposed:
            return value.t().clone(memory_format=torch.contiguous_format).t()
        return value.clone(memory_format=torch.contiguous_format)

    def adopt(self) -> None:
        """Take in tensors that were assigned (`layer.W = w`, `self.grad["W"] = x.t() @ g`) instead of written in place."""
        for name, (value, grad) in self._own.items():
            if self.grad[name] is not grad:
                self._copy(self.grad[name], grad, f"the gradient of {name}")
                self.grad[name] = grad
            assigned = getattr(self, name)
            if assigned is not value:
                self._copy(assigned, value, name)
                vars(self)[name] = value

    def settle(self) -> None:
        """Make tensors that the layer itself keeps, a running mean say, normal ones if they were made in inference mode."""
        with torch.inference_mode(False):
            for name, value in vars(self).items():
                if isinstance(value, Tensor) and value.is_inference():
                    vars(self)[name] = value.clone()

    def _copy(self, assigned: Tensor, own: Tensor, what: str) -> None:
        if assigned.shape != own.shape:
            raise MatchError(f"{self.label}: {what} was given shape {tuple(assigned.shape)}, expected {tuple(own.shape)}")
        own.copy_(assigned)

    def _explain(self, error: BaseException, role: str, tensor: Any) -> LincolnError:
        """The error a user should see when `_forward` or `_backward` failed with `error`."""
        if not isinstance(tensor, Tensor):
            return MatchError(
                f"{self.label}: {role} is a {type(tensor).__name__}, expected a torch.Tensor: use torch.as_tensor({role})"
            )
        if role == "input":
            self.check(tensor)
        for name, own in zip(self._names, self._own_parameters(), strict=True):
            if own.device != tensor.device:
                return MatchError(
                    f"{self.label}: {role} is on {tensor.device}, {name} on {own.device}: move one of them with .to(device)"
                )
            if own.dtype != tensor.dtype:
                return MatchError(
                    f"{self.label}: {role} is {tensor.dtype}, {name} is {own.dtype}: use {role}.to({own.dtype}) "
                    f"or network.to(dtype=...)"
                )
        method = "_forward" if role == "input" else "_backward"
        return LayerError(f"{self.label}: {method} failed for {role} {_describe(tensor)}: {error}")

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles carry parameters, each its own tensor; not activations, gradients or the flat vector."""
        self.adopt()
        state = {name: value for name, value in vars(self).items() if name not in _TRANSIENT}
        return state | {name: getattr(self, name).clone() for name in self._names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        with torch.inference_mode(False):
            for name in self._names:
                if getattr(self, name).is_inference():
                    vars(self)[name] = getattr(self, name).clone()
            self._own = {name: (getattr(self, name), torch.zeros_like(getattr(self, name))) for name in self._names}
        self.grad = {name: grad for name, (_, grad) in self._own.items()}


def _explained(error: BaseException) -> bool:
    """Whether an error says all that a user needs to know, or is not about the layer at all."""
    about_layer = (
        RuntimeError,
        TypeError,
        AttributeError,
        IndexError,
        KeyError,
        ValueError,
        ArithmeticError,
        AssertionError,
    )
    return isinstance(error, LincolnError | NotImplementedError) or not isinstance(error, about_layer)


def usable(device: torch.device | str) -> torch.device:
    """The device, if it is here. ArgumentError otherwise."""
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ArgumentError(f"device is {str(device)!r}, which cannot be used here: {reason}") from error


def _describe(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {tensor.dtype}"
