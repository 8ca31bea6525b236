"""Losses: two formulas each, value and gradient; the base class does the rest."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from lincoln.errors import ArgumentError, DataError, DimensionError, LayerError, LincolnError, MatchError, StateError
from lincoln.layers import Exp, Identity, Layer, Linear, ReLU, Sequential, Sigmoid, Softmax, Tanh
from lincoln.layers.activations import by_rows
from lincoln.penalty import L2Penalty

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
    recordable: ClassVar[bool] = False
    """As `Layer.recordable`, of the formulas."""
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
            raise ArgumentError(f"{type(self).__name__}: network is {network!r}, wanted a Layer")
        if reduction not in (None, "sum", "mean"):
            raise ArgumentError(f"{type(self).__name__}: reduction is {reduction!r}, wanted 'sum' or 'mean'")
        if not 0 <= l2 < math.inf:
            raise ArgumentError(f"{type(self).__name__}: l2 is {l2!r}, wanted 0 or more")
        self.network = network
        self.l2 = l2
        self.reduction = reduction or type(self).reduction
        self.from_logits = from_logits
        self.check_targets = check_targets
        self._layers = tuple(network.leaves()) if isinstance(network, Sequential) and network.plain else (network,)
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
            if layer._shapes is not forward:
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
                f"{type(self).__name__}: the network's output has shape {tuple(features.shape)}, wanted (examples, outputs)"
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
        self._forwards = [layer._shapes if layer.training else None for layer in self._watched]
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
                f"{type(self).__name__}: sample_weight is a {type(sample_weight).__name__}, wanted a torch.Tensor"
            )
        if sample_weight.shape not in ((examples[0],), (examples[0], 1)):
            raise MatchError(
                f"{type(self).__name__}: sample_weight has shape {tuple(sample_weight.shape)}, wanted one weight for each "
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
                f"{tuple(prediction.shape)}; wanted one loss for each example, or for each entry"
            )
        if gradient is None:
            return
        if gradient.shape != prediction.shape:
            raise MatchError(
                f"{type(self).__name__}: gradient returned shape {tuple(gradient.shape)} for a prediction "
                f"{tuple(prediction.shape)}; wanted the same"
            )
        self._formulas_checked = True

    def _explain(self, error: Exception, prediction: Tensor, targets: object) -> LincolnError:
        """The error a user should see when the formulas failed with `error`."""
        name = type(self).__name__
        if not isinstance(targets, Tensor):
            return MatchError(
                f"{name}: targets are a {type(targets).__name__}, wanted a torch.Tensor: use torch.as_tensor(targets)"
            )
        if targets.device != prediction.device:
            return MatchError(
                f"{name}: targets are on {targets.device}, the prediction on {prediction.device}: "
                f"use targets.to({str(prediction.device)!r})"
            )
        return LayerError(f"{name}: failed for a prediction {tuple(prediction.shape)} {prediction.dtype}: {error}")

    def _mismatch(self, prediction: Tensor, target: Tensor, wanted: str) -> LincolnError:
        return MatchError(
            f"{type(self).__name__}: targets have shape {tuple(target.shape)} and the prediction "
            f"{tuple(prediction.shape)}; wanted targets of shape {wanted}"
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


class LogLoss(Loss):
    """l = -y log p - (1 - y) log(1 - p) summed over outputs, for p, y (n, o), y in {0, 1}; added up over examples.

    dl/dp = (p - y) / (p (1 - p)). In log-odds z, where p = sigmoid(z): l = log(1 + e^z) - y z, which for y of 0 and
    1 is log(1 + e^((1 - 2y) z)), and dl/dz = p - y (docs/derivations/log_loss.md). On plain probabilities logarithms stop
    at -100, as in `torch.nn.BCELoss`. The default reduction is the notebook's, "sum".
    """

    recordable = True
    link = Sigmoid
    reduction: Reduction = "sum"

    def value(self, p: Tensor, y: Tensor) -> Tensor:
        return -(y * torch.log(p).clamp(min=-100) + (1 - y) * torch.log1p(-p).clamp(min=-100))

    def gradient(self, p: Tensor, y: Tensor) -> Tensor:
        return (p - y) / (p * (1 - p)).clamp(min=_floor(p))

    def value_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        return _softplus(torch.addcmul(z, y, z, value=-2))

    def gradient_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        return torch.sigmoid(z) - y

    def check(self, target: Tensor, outputs: int) -> None:
        if not torch.equal(torch.sign(target), target * target):  # true of 0 and 1 alone: not of -1, 1/2, NaN or infinity
            wrong = (target != 0) & (target != 1)
            raise DataError(f"LogLoss: targets hold {_first(target, wrong)}; wanted 0 and 1 only")


class CrossEntropy(Loss):
    """l = -sum_c y_c log p_c, for p (n, c); y is class indices, (n,) integers, or probabilities, (n, c), that sum to 1.

    dl/dp_c = -y_c / p_c. In log-odds z, where p = softmax(z): log p = z - log sum_c e^z_c and dl/dz = p - y
    (docs/derivations/softmax.md). On plain probabilities logarithms stop at -100.
    """

    recordable = True
    link = Softmax

    def value(self, p: Tensor, y: Tensor) -> Tensor:
        return -_picked(torch.log(p).clamp(min=-100), y)

    def gradient(self, p: Tensor, y: Tensor) -> Tensor:
        return -_one_hot(y, p) / p.clamp(min=_floor(p))

    def value_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        return -_picked(by_rows(torch.log_softmax, z), y)

    def gradient_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        return by_rows(torch.softmax, z) - _one_hot(y, z)

    def value_and_gradient_from_logits(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        log_p = by_rows(torch.log_softmax, z)
        p = torch.exp(log_p)
        if y.is_floating_point():
            return -_picked(log_p, y), p - y
        c = y.unsqueeze(-1)
        log_pc = log_p.gather(-1, c)
        return -log_pc.squeeze(-1), p.scatter_(-1, c, torch.expm1(log_pc))  # p_c - 1 for the class c, p for all others

    def match(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Class indices as (n,) int64, probabilities as (n, c) in the prediction's dtype."""
        if target.is_floating_point():
            if target.shape != prediction.shape:
                wanted = f"{tuple(prediction.shape)} for probabilities (class indices must be integers, not {target.dtype})"
                raise self._mismatch(prediction, target, wanted)
            return target.to(prediction.dtype)
        if target.dim() == prediction.dim() and target.shape[-1] == 1:
            target = target.squeeze(-1)
        if target.shape != prediction.shape[:-1]:
            raise self._mismatch(prediction, target, f"{tuple(prediction.shape[:-1])} for class indices")
        return target if target.dtype == torch.int64 else target.long()

    def check(self, target: Tensor, outputs: int) -> None:
        if not target.is_floating_point():
            wrong = (target < 0) | (target >= outputs)
            if wrong.any():
                raise DataError(
                    f"CrossEntropy: class indices hold {_first(target, wrong)}; the network has {outputs} outputs, so "
                    f"wanted 0 to {outputs - 1}"
                )
        elif not ((target >= 0).all() and torch.allclose(target.sum(-1), target.new_ones(()), atol=1e-3)):
            raise DataError("CrossEntropy: target probabilities must be 0 or more and sum to 1 over the last dimension")


class MSE(Loss):
    """l = sum_o (p_o - y_o)^2 / o, the squared error averaged over outputs, for p, y (n, o). dl/dp = 2 (p - y) / o."""

    recordable = True

    def value(self, p: Tensor, y: Tensor) -> Tensor:
        return (p - y) ** 2 / p.shape[-1]

    def gradient(self, p: Tensor, y: Tensor) -> Tensor:
        return (p - y) * (2 / p.shape[-1])

    def check(self, target: Tensor, outputs: int) -> None:
        if not torch.isfinite(target).all():
            raise DataError(f"MSE: targets hold {_first(target, ~torch.isfinite(target))}; wanted finite numbers")


class SquaredError(Loss):
    """l = sum_o (p_o - y_o)^2 / 2, for p, y (n, o), so dl/dp = p - y: scikit-learn's, and o / 2 times MSE."""

    recordable = True

    def value(self, p: Tensor, y: Tensor) -> Tensor:
        return (p - y) ** 2 / 2

    def gradient(self, p: Tensor, y: Tensor) -> Tensor:
        return p - y

    def check(self, target: Tensor, outputs: int) -> None:
        if not torch.isfinite(target).all():
            raise DataError(f"SquaredError: targets hold {_first(target, ~torch.isfinite(target))}; wanted finite numbers")


class PoissonLoss(Loss):
    """l = p - y + y log(y / p) summed over outputs, for rates p > 0 and counts y >= 0, (n, o): half the Poisson deviance.

    dl/dp = 1 - y / p. In logarithms z, where p = e^z: l = e^z - y z + y log y - y and dl/dz = p - y. The least is 0, at
    p = y; from a Poisson distribution's -log P(y) = p - y log p + log y! it differs by what does not depend on p.
    """

    recordable = True
    link = Exp

    def value(self, p: Tensor, y: Tensor) -> Tensor:
        return p - y + torch.xlogy(y, y) - torch.xlogy(y, p)

    def gradient(self, p: Tensor, y: Tensor) -> Tensor:
        return 1 - y / p

    def value_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        return torch.exp(z) - y * z + torch.xlogy(y, y) - y

    def gradient_from_logits(self, z: Tensor, y: Tensor) -> Tensor:
        return torch.exp(z) - y

    def check(self, target: Tensor, outputs: int) -> None:
        wrong = ~(torch.isfinite(target) & (target >= 0))
        if wrong.any():
            raise DataError(f"PoissonLoss: targets hold {_first(target, wrong)}; wanted finite numbers, 0 or more")


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


def _softplus(z: Tensor) -> Tensor:
    """log(1 + e^z), exact for every z: torch's own becomes z beyond its threshold, where it rounds to z in float64."""
    return F.softplus(z, threshold=40)


def _floor(p: Tensor) -> float:
    """What a product of probabilities is not let fall below before something is divided by it."""
    return max(1e-12, torch.finfo(p.dtype).tiny)


def _picked(t: Tensor, y: Tensor) -> Tensor:
    """sum_c y_c t_c, (n,), for y as probabilities (n, c) or as class indices (n,)."""
    return (y * t).sum(-1) if y.is_floating_point() else t.gather(-1, y.unsqueeze(-1)).squeeze(-1)


def _one_hot(y: Tensor, like: Tensor) -> Tensor:
    return y if y.is_floating_point() else torch.zeros_like(like).scatter_(-1, y.unsqueeze(-1), 1.0)


def _spread(weight: Tensor | float, tensor: Tensor) -> Tensor | float:
    """(n,) as (n, 1, ...) with the dimensions of `tensor`; a number as it is."""
    return weight.view(-1, *(1,) * (tensor.dim() - 1)) if isinstance(weight, Tensor) else weight


def _first(target: Tensor, wrong: Tensor) -> str:
    where = wrong.nonzero()[0].tolist()
    return f"{target[tuple(where)].item():g} (at {where[0] if len(where) == 1 else tuple(where)})"


def _or_without_last(prediction: Tensor) -> str:
    return f" or {tuple(prediction.shape[:-1])}" if prediction.shape[-1] == 1 else ""
