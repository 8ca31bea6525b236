"""A loss as an objective: its formulas over a network, with weights, reduction and penalty."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, get_num_threads
from torch.compiler import is_dynamo_compiling

from lincoln._util.settings import FINITE_NON_NEGATIVE, instance_of, one_of, within
from lincoln._util.text import short
from lincoln._util.threads import on_few
from lincoln.errors import ArgumentError, DataError, DimensionError, LincolnError, StateError
from lincoln.layers import Layer, evaluating, run_back
from lincoln.losses.base import Formulas, stands_for
from lincoln.losses.explain import check_shapes, explained
from lincoln.losses.forwards import Forwards
from lincoln.losses.links import link_of, refuse_other_ending
from lincoln.losses.penalty import L2Penalty, Penalty
from lincoln.losses.weights import Reduction, reduced, refuse_misfit, summed, weighting

NO_PENALTY: tuple[float | Tensor, float | Tensor | None] = (0.0, None)


class Loss(Formulas):
    """L = sum_k w_k l_k ("sum") or sum_k w_k l_k / sum_k w_k ("mean"), over examples k with weights w (1 by default).

    l is written by a subclass, as two formulas (`Formulas`). `loss(features, targets)` runs the network and returns L, a
    0-d tensor; `loss.backward()` sends dL/dprediction back through the network. When the network ends in the loss's link,
    at any nesting, or when `from_logits=True` says that it leaves the link out, the loss runs the network up to the link
    and uses the formulas for the link's input.

    With `l2` the sum over examples has one more term in training, l2 / 2 times the sum of squares of all weights W, which
    draws them to zero (ridge, "weight decay"); biases are left alone. Under "mean" it is divided by sum_k w_k too, so that
    its share shrinks as 1 / sum_k w_k. dL/dW gains l2 W, or l2 W / sum_k w_k.

    Targets that the loss is not defined for are refused (`check`). `check_targets=False` skips the check, which on a GPU
    waits for the device. Use it only for data that are checked already: invalid targets or negative weights then give wrong
    numbers without an error. An empty batch is always refused. The sum of half-precision losses, and so L, is in float32.
    """

    reduction: Reduction = "mean"

    def __init__(
        self,
        network: Layer,
        reduction: Reduction | None = None,
        from_logits: bool = False,
        check_targets: bool = True,
        l2: float = 0.0,
    ) -> None:
        self.network = network
        self.l2 = l2
        self.reduction = type(self).reduction if reduction is None else reduction
        within(self, network=instance_of(Layer, "a Layer"), reduction=one_of("sum", "mean"), l2=FINITE_NON_NEGATIVE)
        self.from_logits = from_logits
        self.check_targets = check_targets
        network.name_layers()
        self.l2_penalty: Penalty = L2Penalty(network)
        self._cut_at_link()
        self._everything = [layer for _, layer in network.named_layers()]
        self._forwards = Forwards(self._layers)
        self._gradient: Tensor | None = None  # dL/dprediction, from a forward until its backward
        self.penalty_terms = NO_PENALTY
        """|W|^2 and the factor on W in dL/dW, from the last forward in training; the factor is None without penalty."""

    def _cut_at_link(self) -> None:
        """Choose the layers to run, and the formulas: for the link's input where the network ends in the link."""
        name, link = type(self).__name__, self.link
        self._layers = tuple(self.network.leaves())
        ends_in_link = type(self._layers[-1]) is link  # a subclass of it is another function
        if self.from_logits and (link is None or ends_in_link):
            two = f"would put two {link.__name__} in a row: {short(self.network)}" if link else ""
            why = two or "has no link function"
            raise ArgumentError(f"{name}: from_logits=True {why}; leave it out")
        self._on_logits = self.from_logits or ends_in_link
        self._value = self.value_from_logits if self._on_logits else self.value
        self._gradient_of = self.gradient_from_logits if self._on_logits else self.gradient
        self._both = self.value_and_gradient_from_logits if self._on_logits else self.value_and_gradient
        if not stands_for(self._both, self._value, self._gradient_of):
            self._both = self._separately  # a subclass overrode one of the two
        self._formulas_checked = False  # once is enough: formulas do not change their shapes
        if ends_in_link:
            self._layers = self._layers[:-1]
        elif link is not None and not self.from_logits:
            refuse_other_ending(name, link_of(link), self._layers)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in ("forward", "backward", "__call__"):
            if name in cls.__dict__:
                raise TypeError(
                    f"{cls.__name__} overrides {name}, which Loss keeps to itself: write value and gradient instead"
                )

    def forward(
        self,
        features: Tensor,
        targets: Tensor,
        sample_weight: Tensor | None = None,
        *,
        check_targets: bool | None = None,
        penalized: bool = True,
    ) -> Tensor:
        """Return the loss, a 0-d tensor on the network's device.

        `targets` may be float, integer or bool, and (n,) for (n, 1). `sample_weight` is (n,), or (n, 1). A caller that has
        checked all targets says `check_targets=False`; None is the loss's own setting. `penalized=False` leaves the
        penalty out: where several batches make one step, it counts for one of them. Raises MatchError for shapes that do
        not fit, DataError for values that do not.
        """
        prediction = self._run(features)
        if is_dynamo_compiling() or get_num_threads() == 1:
            return self._reduce(prediction, targets, sample_weight, check_targets, penalized)
        return on_few(prediction.numel(), self._reduce, prediction, targets, sample_weight, check_targets, penalized)

    __call__ = forward

    def _run(self, features: Tensor) -> Tensor:
        """Return the network's output, or the link's input."""
        for layer in self._layers:
            features = layer.forward(features)
        if features.dim() < 2:
            name, shape = type(self).__name__, tuple(features.shape)
            raise DimensionError(f"{name}: the network's output has shape {shape}, expected (examples, outputs)")
        return features

    def _reduce(
        self,
        prediction: Tensor,
        targets: Tensor,
        sample_weight: Tensor | None,
        check_targets: bool | None,
        penalized: bool = True,
    ) -> Tensor:
        """Return the loss over the examples; in training, keep its gradient for `backward`."""
        if not prediction.size(0):
            raise DataError(f"{type(self).__name__}: the batch has no examples, so it has no loss: leave empty batches out")
        check = self.check_targets if check_targets is None else check_targets
        value, gradient, counted = self._formulas(prediction, targets, check)
        if sample_weight is not None:
            refuse_misfit(type(self).__name__, sample_weight, prediction, check)
        weight, factor = weighting(self.reduction, prediction, sample_weight, counted)  # (n,), ()
        total, gradient = reduced(value, gradient, weight, factor)
        if gradient is None:
            return total  # an evaluation leaves the pending backward alone
        self._gradient = gradient
        self._forwards.note()
        if self.l2 and penalized:
            return self._with_penalty(total, self.l2 if factor is None else factor * self.l2)
        self.penalty_terms = NO_PENALTY
        return total

    def _formulas(self, prediction: Tensor, targets: Tensor, check: bool) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return value, in training gradient, and the loss's own weights, if any, of each example."""
        hard = self.hard
        try:
            target = self.match(prediction, targets)
            if check and not torch.compiler.is_compiling():
                self.hard = None  # what is found of this batch holds for this batch alone
                self.check(target, prediction.shape[-1])
            y = self.adjusted(target, prediction)
            value, gradient = self._both(prediction, y) if self.network.training else (self._value(prediction, y), None)
            counted = self.counted(target)
            if not self._formulas_checked:
                check_shapes(type(self).__name__, value, gradient, prediction)
                self._formulas_checked = gradient is not None
        except LincolnError:
            raise
        except (RuntimeError, TypeError, AttributeError) as error:
            raise explained(type(self).__name__, error, prediction, targets) from error
        finally:
            self.hard = hard
        return value, gradient, counted

    def backward(self, input_grad: bool = False) -> Tensor | None:
        """Send dL/dprediction back through the network; `network.grads()` then hold dL/dparameters.

        Return dL/dfeatures if `input_grad=True`. Raises StateError without a forward before it, or if a layer has run
        since.
        """
        if self._gradient is None or not self.network.training:
            raise StateError(
                f"{type(self).__name__}: backward without a forward before it: call loss(features, targets) first"
                f"{'' if self.network.training else ', with the network in training mode (network.train())'}"
            )
        gradient, self._gradient = self._gradient, None
        self._forwards.refuse_stale(type(self).__name__)
        at_features = run_back(self._layers, gradient, input_grad)
        factor = self.penalty_terms[1]
        if factor is not None:
            self.l2_penalty.add_gradient(factor)
        return at_features

    def evaluate(
        self,
        features: Tensor,
        targets: Tensor,
        sample_weight: Tensor | None = None,
        *,
        check_targets: bool | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the loss, 0-d, and the prediction, (n, o), in evaluation mode.

        If the loss has a link the predictions are probabilities, even where the network leaves the link out.
        """
        with evaluating(self.network, self._everything):
            prediction = self._run(features)
            loss = on_few(prediction.numel(), self._reduce, prediction, targets, sample_weight, check_targets)
        return loss, self._linked(prediction)

    def predict(self, features: Tensor) -> Tensor:
        """Return the prediction, (n, o), in evaluation mode: probabilities if the loss has a link."""
        with evaluating(self.network, self._everything):
            return self._linked(self._run(features))

    def _linked(self, prediction: Tensor) -> Tensor:
        return on_few(prediction.numel(), link_of(self.link).of, prediction) if self._on_logits else prediction

    def weight_of(self, features: Tensor, targets: Tensor, sample_weight: Tensor | None = None) -> int | Tensor:
        """Return the weight of a batch: the sum of its examples' weights, or their number if they have none."""
        counted = self.counted(targets)
        return len(features) if sample_weight is None and counted is None else summed(sample_weight, counted)

    @property
    def penalty(self) -> Tensor | float:
        """The penalty's part of the last loss in training."""
        squares, factor = self.penalty_terms
        return 0.0 if factor is None else squares * (factor / 2)

    def __getstate__(self) -> dict[str, Any]:
        """Return what copies and pickles carry: no pending backward."""
        return vars(self) | {"_gradient": None, "hard": None, "penalty_terms": NO_PENALTY}

    def _separately(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return self._value(prediction, target), self._gradient_of(prediction, target)

    def _with_penalty(self, total: Tensor, factor: float | Tensor) -> Tensor:
        squares = self.l2_penalty.squares()
        self.penalty_terms = squares, factor
        half = factor / 2
        return total + squares * half if isinstance(half, Tensor) else torch.add(total, squares, alpha=half)
