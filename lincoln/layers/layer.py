"""The contract of a layer: two methods of mathematics, and the two final methods that users call."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Self

import torch
from torch import Size, Tensor, get_num_threads
from torch.compiler import is_dynamo_compiling

from lincoln import init
from lincoln._util.tensors import inference, usable
from lincoln.errors import ArgumentError, MatchError, StateError
from lincoln.layers.explain import explained, is_clear, not_a_tensor
from lincoln.layers.parameters import Parameters
from lincoln.layers.sizing import on_its_threads, uncounted

Hook = Callable[[Tensor], Any]
Pass = tuple[Size, Size]
"""A forward that awaits its backward: the shapes of its input and output. Each forward makes a new tuple."""

_FINAL = {"forward": "_forward", "backward": "_backward", "__call__": "_forward"}


class Layer(Parameters["Layer"]):
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
    as attributes, or in lists or dicts, are children; their parameters are this layer's too. `@lincoln.recordable` above
    the class promises that its operations are the same for every input of a shape; then its steps may be replayed.

    Source: the two-method layers of the notebook, with the final public methods of Torch7's `nn.Module`.
    """

    backward_formula: ClassVar[str] = ""
    """The backward pass as formulas, one line for each gradient, for `lincoln.summary`."""
    suited_init: init.Initializer = init.glorot()
    """The initialiser for the weights of a layer that feeds this one, unless that layer was given its own."""
    takes_sparse: ClassVar[bool] = False
    """True if the input may be a sparse CSR tensor."""

    training: bool = True
    """True in training mode, where a forward saves what its backward needs."""
    needs_input_grad: bool = True
    """True if the backward under way must return dL/dinput."""
    saved: Any = None
    """What the pending backward needs, as `_forward` left it."""
    pending: Pass | None = None
    """The forward that awaits its backward, if there is one."""
    work: float | None = None
    """Multiplications of the largest product for one example, once a forward has shown them."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, hook in _FINAL.items():
            if name in cls.__dict__:
                raise TypeError(
                    f"{cls.__name__} overrides {name}, which Layer keeps to itself (it builds, checks shapes and frees "
                    f"memory): write {hook} instead"
                )

    def _forward(self, input: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} must write _forward(self, input)")

    def _backward(self, output_grad: Tensor) -> Tensor | None:
        raise NotImplementedError(f"{type(self).__name__} must write _backward(self, output_grad)")

    def build(self, input: Tensor) -> Mapping[str, Tensor]:
        """Return the initial parameters by name, made once, from the first input; empty for a layer that does not learn."""
        return {}

    def parameter_shapes(self) -> Mapping[str, tuple[int | None, ...]] | None:
        """Return the shapes of the parameters that `build` makes, with None for a size that the input decides.

        None if only `build` can say. `load` refuses a file whose shapes differ.
        """
        return None if self.learns else {}

    def check(self, input: Tensor) -> None:
        """Raise a LincolnError that says what is wrong with `input`, if anything is."""

    def followed_by(self, following: Layer) -> None:
        """Note the layer that this one feeds; a layer that learns takes its initialiser from it."""

    def multiplications(self, examples: int) -> float:
        """Return the multiplications of the largest product for so many examples, as the first forward showed.

        Other operations count as 4 for each number of the result. Infinity before the first forward of a layer that learns.
        """
        if self.work is None:
            return math.inf if self.learns else 0
        return self.work * examples

    def forward(self, input: Tensor) -> Tensor:
        """Return the layer's output. In training mode remember what `backward` needs; in evaluation mode, nothing.

        Raises MatchError or DimensionError for an input that does not fit, LayerError if `_forward` itself fails.
        """
        if not self.built:
            uncounted(self._build, input)
        kept = self.saved
        try:
            if self.work is not None and (is_dynamo_compiling() or get_num_threads() == 1):
                output = self._forward(input)
            else:
                output = on_its_threads(self, self._forward, input)
            if self.training:
                self.pending = input.shape, output.shape
            else:
                self.saved = kept
        except BaseException as error:
            self.saved = kept  # a forward that failed leaves no trace
            if is_clear(error):
                raise
            if isinstance(input, Tensor):
                self.check(input)
            raise explained(self, error, "input", input) from error
        return output

    __call__ = forward

    def _build(self, input: Tensor) -> None:
        self.name_layers()
        if not isinstance(input, Tensor):
            raise not_a_tensor(self, "input", input)
        self.check(input)
        with inference(False):
            self.register(self.build(input) or {})

    def backward(self, output_grad: Tensor, input_grad: bool = True) -> Tensor | None:
        """Return dL/dinput for dL/doutput; write dL/dparameters into `grads()`, overwriting the last ones.

        With `input_grad=False` dL/dinput is neither computed nor returned: the first layer of a network in training
        needs none. Raises StateError without a forward before it and in evaluation mode, where a forward saves nothing;
        MatchError for a gradient not shaped as its value.
        """
        if self.pending is None or not self.training:
            raise StateError(
                f"{self.label}: backward without a forward before it: call forward(input) before each backward"
                f"{'' if self.training else ', in training mode (train()): in evaluation mode it saves nothing'}"
            )
        input_shape, output_shape = self.pending
        if output_grad.shape != output_shape:
            raise MatchError(
                f"{self.label}: output_grad has shape {tuple(output_grad.shape)}, the output had {tuple(output_shape)}; "
                f"a gradient has the shape of its value"
            )
        self.needs_input_grad = input_grad
        try:
            if is_dynamo_compiling() or get_num_threads() == 1:
                gradient = self._backward(output_grad)
            else:
                gradient = on_its_threads(self, self._backward, output_grad)
        except BaseException as error:
            if is_clear(error):
                raise
            raise explained(self, error, "output_grad", output_grad) from error
        if not self.has_grad and len(self.grad) != len(self.own):  # once, at the first backward
            unknown = ", ".join(sorted(set(self.grad) - set(self.own)))
            raise MatchError(
                f"{self.label}: self.grad[...] was given {unknown}, but build returned no parameter of that name"
            )
        self.saved = self.pending = None
        self.has_grad = True
        if not input_grad:
            return None
        if gradient is None or gradient.shape != input_shape:
            got = "nothing" if gradient is None else f"shape {tuple(gradient.shape)}"
            raise MatchError(f"{self.label}: _backward returned {got}, the input had shape {tuple(input_shape)}")
        return gradient

    def train(self, mode: bool = True) -> Self:
        """Switch to training mode: a forward remembers what its backward needs."""
        for _, layer in self.named_layers():
            layer.training = mode
        return self

    def eval(self) -> Self:
        """Switch to evaluation mode: a forward saves nothing and disturbs no training step under way."""
        return self.train(False)

    def to(self, device: torch.device | str | torch.dtype | None = None, dtype: torch.dtype | None = None) -> Self:
        """Move parameters, gradients and buffers; a layer not built yet will be built there. A pending forward is dropped.

        Raises ArgumentError, with nothing moved, for a device that this machine does not have or a dtype that is not
        floating point.
        """
        if isinstance(device, torch.dtype):
            device, dtype = None, device
        if dtype is not None and not dtype.is_floating_point:
            raise ArgumentError(
                f"{self.label}: dtype is {dtype}; parameters are floating point: use torch.float32 or torch.float64"
            )
        target = None if device is None else usable(device)
        with inference(False):
            for _, layer in self.named_layers():
                layer.saved = layer.pending = None
                layer.move(target, dtype)
        return self

    @property
    def learns(self) -> bool:
        """True if the layer writes `build`, and so may have parameters of its own."""
        return type(self).build is not Layer.build

    def observe(self, note: Callable[[Layer, Tensor, Tensor], object]) -> None:
        """Call `note(layer, input, output)` after each forward of this layer. It cannot be undone: observe a copy."""

        def observed(run: Hook, input: Tensor) -> Tensor:
            output: Tensor = run(input)
            note(self, input, output)
            return output

        self.intercept(forward=observed)

    def intercept(
        self, forward: Callable[..., Any] | None = None, backward: Callable[..., Any] | None = None
    ) -> Callable[[], None]:
        """Run `forward(run, input)` where this layer would run `run(input)`, its own `_forward`; `backward` likewise.

        Return a function that ends it.
        """
        before = {name: vars(self)[name] for name in _FINAL.values() if name in vars(self)}
        for name, around in (("_forward", forward), ("_backward", backward)):
            if around is not None:
                vars(self)[name] = partial(around, getattr(self, name))

        def end() -> None:
            for name in _FINAL.values():
                vars(self).pop(name, None)
            vars(self).update(before)

        return end

    def __getstate__(self) -> dict[str, Any]:
        """Return what copies and pickles carry: the parameters, no pending forward."""
        return {name: value for name, value in super().__getstate__().items() if name not in ("saved", "pending")}
