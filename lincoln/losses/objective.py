"""The contract of a loss, and everything that no loss has to repeat."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from lincoln.errors import ArgumentError, DimensionError, LayerError, LincolnError, MatchError, StateError
from lincoln.layers import Exp, Identity, Layer, Linear, ReLU, Sigmoid, Softmax, Tanh
from lincoln.losses.penalty import L2Penalty

Reduction = Literal["sum", "mean"]


class Loss(ABC):
    """L = sum_k w_k l_k ("sum") or sum_k w_k l_k / sum_k w_k ("mean"), over examples k with weights w (1 by default).

    With `l2` the sum over examples has one more term in training, l2 / 2 times the sum of squares of all weights W, which
    draws them to zero (ridge, "weight decay"); biases are left alone. Under "mean" it is divided by sum_k w_k too, so that
    it fades as data grow. dL/dW gains l2 W, or l2 W / sum_k w_k.

    A subclass writes l and its gradient as pure formulas:

    - `value(prediction, target)`: the loss of each example, (n,), or of each entry, (n, o), where an example's loss is the
      sum of its entries;
    - `gradient(prediction, target)`: dl/dprediction, shaped as the prediction.

    A loss that names the `link` it belongs to (log loss: `Sigmoid`, cross entropy: `Softmax`) also writes both for the
    link's input, `value_from_logits` and `gradient_from_logits`. When the network ends in that link, at any nesting, or
    when `from_logits=True` says that it leaves the link out, the loss runs the network up to the link and uses these:
    exact where a probability rounds to 0 or 1, and cheaper.

    Training wants both at once. Where they share work, as the softmax in cross entropy, a loss may write them once more in
    one, as `value_and_gradient` or `value_and_gradient_from_logits`.

    `loss(features, targets)` runs the network and returns L, a 0-d tensor; `loss.backward()` sends dL/dprediction back
    through the network. Targets that no formula can use (see `check`) are refused; `check_targets=False` saves that
    look (2 to 3 microseconds, on a GPU a synchronisation) where it has been done for all of the data. Without it, such
    targets give wrong numbers.
    """

    link: ClassVar[type[Layer] | None] = None
    reduction: Reduction = "mean"
    penalized: bool = True
    """Whether the `l2` penalty counts: where several batches make one step, it counts for one of them."""

    def __init__(
        self,
        network: Layer,
        reduction: Reduction | None = None,
        from_logits: bool = False,
        check_targets: bool = True,
        l2: float = 0.0,
    ) -> None:
        if not isinstance(network, Layer):
            raise ArgumentError(f"{type(self).__name__}: network is {network!r}, expected a Layer")
        if reduction not in (None, "sum", "mean"):
            raise ArgumentError(f"{type(self).__name__}: reduction is {reduction!r}, expected 'sum' or 'mean'")
        if not 0 <= l2 < math.inf:
            raise ArgumentError(f"{type(self).__name__}: l2 is {l2!r}, expected 0 or more")
        self.network = network
        self.l2 = l2
        self.reduction = reduction or type(self).reduction
        self.from_logits = from_logits
        self.check_targets = check_targets
        self._layers = tuple(network.leaves())
        ends_in_link = type(self._layers[-1]) is self.link  # a subclass of it is another function
        if from_logits and (self.link is None or ends_in_link):
            why = (
                "has no link function" if self.link is None else f"would put two {self.link.__name__} in a row: {network!r}"
            )
            raise ArgumentError(f"{type(self).__name__}: from_logits=True {why}; leave it out")
        self._on_logits = from_logits or ends_in_link
        self._value = self.value_from_logits if self._on_logits else self.value
        self._both = self.value_and_gradient_from_logits if self._on_logits else self.value_and_gradient
        if ends_in_link:
            self._layers = self._layers[:-1]
        elif self.link is not None and not from_logits:
            self._refuse_unbounded()
        network.name_layers()
        self._saved: Tensor | None = None  # dL/dprediction of the forward that awaits its backward
        self._pull: float | Tensor | None = None  # what W is multiplied by in the penalty's gradient, if there is one
        self._penalty = L2Penalty(network)
        self._squares: float | Tensor = 0.0
        self._formulas_checked = False  # once is enough: formulas do not change their shapes
        self._everything = [layer for _, layer in network.named_layers()]
        self._watched = [layer for top in self._layers for _, layer in top.named_layers()]
        self._forwards: list[object] = []  # of each of these, what tells this forward from any other

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in ("forward", "backward", "__call__"):
            if name in cls.__dict__:
                raise TypeError(
                    f"{cls.__name__} overrides {name}, which Loss keeps to itself: write value and gradient instead"
                )
        for suffix in ("", "_from_logits"):
            names = [f"{name}{suffix}" for name in ("value", "gradient", "value_and_gradient")]
            depths = [min(k for k, base in enumerate(cls.__mro__) if name in vars(base)) for name in names]
            if depths[2] > min(depths):  # what was written for both at once has a formula that has been overridden since
                setattr(cls, names[2], getattr(Loss, names[2]))

    # ---- What a subclass writes

    @abstractmethod
    def value(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The loss of each example (n,), or of each entry (n, o)."""

    @abstractmethod
    def gradient(self, prediction: Tensor, target: Tensor) -> Tensor:
        """dl/dprediction, shaped as the prediction."""

    def value_from_logits(self, z: Tensor, target: Tensor) -> Tensor:
        """`value` at link(z)."""
        raise NotImplementedError(f"{type(self).__name__} names a link, so it must write value_from_logits")

    def gradient_from_logits(self, z: Tensor, target: Tensor) -> Tensor:
        """dl/dz."""
        raise NotImplementedError(f"{type(self).__name__} names a link, so it must write gradient_from_logits")

    def value_and_gradient(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """`value` and `gradient` at once."""
        return self.value(prediction, target), self.gradient(prediction, target)

    def value_and_gradient_from_logits(self, z: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """`value_from_logits` and `gradient_from_logits` at once."""
        return self.value_from_logits(z, target), self.gradient_from_logits(z, target)

    def match(self, prediction: Tensor, target: Tensor) -> Tensor:
        """`target` in the shape and dtype the formulas want. MatchError where that would take a guess."""
        if target.shape != prediction.shape:
            if prediction.shape[-1] != 1 or target.shape != prediction.shape[:-1]:
                raise self._mismatch(prediction, target, f"{tuple(prediction.shape)}{_or_without_last(prediction)}")
            target = target.unsqueeze(-1)
        return target if target.dtype == prediction.dtype else target.to(prediction.dtype)

    def check(self, target: Tensor, outputs: int) -> None:
        """Raise a DataError if the values of `target` are not what a network of `outputs` outputs can be taught."""

    # ---- What a user calls

    def forward(self, features: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """The loss, a 0-d tensor on the network's device.

        `targets` may be float, integer or bool, and (n,) for (n, 1). `sample_weight` is (n,), or (n, 1).
        Raises MatchError for shapes that do not fit, DataError for values that do not.
        """
        prediction = self._run(features)
        return self._loss(prediction, targets, sample_weight)

    __call__ = forward

    def evaluate(self, features: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The loss, as `loss(...)` gives it, and the prediction it judged, in evaluation mode: without a trace.

        Where the loss has a link the predictions are probabilities, even if the network leaves the link out.
        """
        with evaluating(self.network, self._everything):
            prediction = self._run(features)
            loss = self._loss(prediction, targets, sample_weight)
        return loss, self._link(prediction)

    def predict(self, features: Tensor) -> Tensor:
        """The prediction that `evaluate` would judge."""
        with evaluating(self.network, self._everything):
            return self._link(self._run(features))

    def backward(self, input_grad: bool = False) -> Tensor | None:
        """Send dL/dprediction back through the network; `network.grads()` then hold dL/dparameters.

        Returns dL/dfeatures if asked for by `input_grad=True`. StateError without a forward before it.
        """
        if self._saved is None:
            raise StateError(
                f"{type(self).__name__}: backward without a forward before it: call loss(features, targets) first"
                f"{'' if self.network.training else ', with the network in training mode (network.train())'}"
            )
        gradient, self._saved = self._saved, None
        for layer, forward in zip(self._watched, self._forwards, strict=True):
            if layer.pending is not forward:
                if not layer.training:
                    raise StateError(
                        f"{layer.label} is in evaluation mode, and the network in training: it has saved nothing"
                    )
                raise StateError(
                    f"{type(self).__name__}: {layer.label} has run since this loss was computed, so its gradient would be "
                    f"another's. Compute the loss again; look at predictions in evaluation mode (network.eval()), or "
                    f"with loss.predict(features)"
                )
        for layer in self._layers[:0:-1]:
            gradient = layer.backward(gradient)  # type: ignore[assignment]  # asked for, so never None
        at_features = gradient if input_grad else None
        if self._layers:
            at_features = self._layers[0].backward(gradient, input_grad)
        if self._pull is not None:
            self._penalty.add_gradient(self._pull)
        return at_features

    def decide(self, prediction: Tensor) -> Tensor:
        """Classes from predicted probabilities: p >= 1/2 for a sigmoid link, the likeliest for a softmax."""
        if self.link is Softmax:
            return prediction.argmax(-1)
        return (prediction >= 0.5).to(prediction.dtype) if self.link is Sigmoid else prediction

    def __repr__(self) -> str:
        return type(self).__name__

    def __getstate__(self) -> dict[str, Any]:
        """A copy or pickle awaits no backward."""
        return vars(self) | {"_saved": None, "_forwards": [], "_squares": 0.0}

    # ---- The machinery

    def _run(self, features: Tensor) -> Tensor:
        """The network's output, or its log-odds."""
        for layer in self._layers:
            features = layer.forward(features)
        if features.dim() < 2:
            raise DimensionError(
                f"{type(self).__name__}: the network's output has shape {tuple(features.shape)}, expected (examples, outputs)"
            )
        return features

    def _link(self, prediction: Tensor) -> Tensor:
        return self.link()._forward(prediction) if self._on_logits and self.link is not None else prediction

    def _loss(self, prediction: Tensor, targets: Tensor, sample_weight: Tensor | None) -> Tensor:
        value, gradient = self._formulas(prediction, targets)
        share = self._share(prediction, sample_weight)
        if sample_weight is None:
            weight: Tensor | float = share
            total = torch.sum(value) * share if share != 1 else torch.sum(value)
        else:
            weight = sample_weight.to(prediction.dtype).reshape(-1) * share  # (n,)
            total = torch.sum(value * _spread(weight, value))
        if gradient is None:
            return total
        self._saved = gradient * _spread(weight, gradient) if sample_weight is not None or share != 1 else gradient
        self._forwards = [layer.pending if layer.training else None for layer in self._watched]
        self._pull = share * self.l2 if self.l2 and self.penalized else None
        return total if self._pull is None else self._with_penalty(total, self._pull / 2)

    def _formulas(self, prediction: Tensor, targets: Tensor) -> tuple[Tensor, Tensor | None]:
        """Value and, in training, gradient of each example."""
        try:
            target = self.match(prediction, targets)
            if self.check_targets and not torch.compiler.is_compiling():
                self.check(target, prediction.shape[-1])
            if self.network.training:
                value, gradient = self._both(prediction, target)
            else:
                value, gradient = self._value(prediction, target), None
            if not self._formulas_checked:
                self._check_formulas(value, gradient, prediction)
        except LincolnError:
            raise
        except (RuntimeError, TypeError, AttributeError) as error:
            raise self._explain(error, prediction, targets) from error
        return value, gradient

    def _with_penalty(self, total: Tensor, half: float | Tensor) -> Tensor:
        self._squares = squares = self._penalty.squares()
        return total + squares * half if isinstance(half, Tensor) else torch.add(total, squares, alpha=half)

    @property
    def penalty(self) -> Tensor | float:
        """What the penalty has added to the last loss in training."""
        return 0.0 if self._pull is None else self._squares * (self._pull / 2)

    def _share(self, prediction: Tensor, sample_weight: Tensor | None) -> float | Tensor:
        """What the sum over examples is multiplied by: 1, or one over the sum of their weights."""
        if sample_weight is None:
            return 1.0 if self.reduction == "sum" else 1.0 / max(prediction.shape[:-1].numel(), 1)
        examples = prediction.shape[:-1]
        if not isinstance(sample_weight, Tensor):
            raise MatchError(
                f"{type(self).__name__}: sample_weight is a {type(sample_weight).__name__}, expected a torch.Tensor"
            )
        if sample_weight.shape not in ((examples[0],), (examples[0], 1)):
            raise MatchError(
                f"{type(self).__name__}: sample_weight has shape {tuple(sample_weight.shape)}, expected one weight for each "
                f"of {examples[0]} examples"
            )
        if self.reduction == "sum":
            return 1.0
        total = sample_weight.sum().to(prediction.dtype) * examples[1:].numel()
        return 1 / torch.where(total > 0, total, torch.inf)  # a batch of weight 0 has loss 0

    def _check_formulas(self, value: Tensor, gradient: Tensor | None, prediction: Tensor) -> None:
        if value.shape not in (prediction.shape, prediction.shape[:-1]):
            raise MatchError(
                f"{type(self).__name__}: value returned shape {tuple(value.shape)} for a prediction "
                f"{tuple(prediction.shape)}; expected one loss for each example, or for each entry"
            )
        if gradient is None:
            return
        if gradient.shape != prediction.shape:
            raise MatchError(
                f"{type(self).__name__}: gradient returned shape {tuple(gradient.shape)} for a prediction "
                f"{tuple(prediction.shape)}; expected the same"
            )
        self._formulas_checked = True

    def _explain(self, error: Exception, prediction: Tensor, targets: object) -> LincolnError:
        """The error a user should see when the formulas failed with `error`."""
        name = type(self).__name__
        if not isinstance(targets, Tensor):
            return MatchError(
                f"{name}: targets are a {type(targets).__name__}, expected a torch.Tensor: use torch.as_tensor(targets)"
            )
        if targets.device != prediction.device:
            return MatchError(
                f"{name}: targets are on {targets.device}, the prediction on {prediction.device}: "
                f"use targets.to({str(prediction.device)!r})"
            )
        return LayerError(f"{name}: failed for a prediction {tuple(prediction.shape)} {prediction.dtype}: {error}")

    def _mismatch(self, prediction: Tensor, target: Tensor, expected: str) -> LincolnError:
        return MatchError(
            f"{type(self).__name__}: targets have shape {tuple(target.shape)} and the prediction "
            f"{tuple(prediction.shape)}; expected targets of shape {expected}"
        )

    def _refuse_unbounded(self) -> None:
        last = next((layer for layer in reversed(self._layers) if not isinstance(layer, Identity)), None)
        other = {Sigmoid: Softmax, Softmax: Sigmoid}.get(self.link or Identity, Identity)
        if type(last) is other and self.link is not None:
            raise ArgumentError(
                f"{type(self).__name__} belongs to {self.link.__name__}(), and the network ends in {last!r}: end it in "
                f"{self.link.__name__}(), or use {'CrossEntropy' if other is Softmax else 'LogLoss'}"
            )
        if isinstance(last, Linear | ReLU | Tanh) and self.link in _WANTED:
            raise ArgumentError(
                f"{type(self).__name__} wants {_WANTED[self.link]}, and the network ends in {last!r}: end it in "
                f"{self.link.__name__}(), or say from_logits=True"
            )


_WANTED: dict[type[Layer], str] = {
    Sigmoid: "probabilities",
    Softmax: "probabilities",
    Exp: "positive predictions",
}


@contextmanager
def evaluating(network: Layer, layers: Sequence[Layer] | None = None) -> Iterator[None]:
    """Evaluation mode inside, and for each layer the mode it was in after. `layers` are all of it, where they are known."""
    if layers is None:
        layers = [layer for _, layer in network.named_layers()]
    modes = [layer.training for layer in layers]
    for layer in layers:
        layer.training = False
    try:
        yield
    finally:
        for layer, mode in zip(layers, modes, strict=True):
            layer.training = mode


def _spread(weight: Tensor | float, tensor: Tensor) -> Tensor | float:
    """(n,) as (n, 1, ...) with the dimensions of `tensor`; a number as it is."""
    return weight.view(-1, *(1,) * (tensor.dim() - 1)) if isinstance(weight, Tensor) else weight


def _or_without_last(prediction: Tensor) -> str:
    return f" or {tuple(prediction.shape[:-1])}" if prediction.shape[-1] == 1 else ""
