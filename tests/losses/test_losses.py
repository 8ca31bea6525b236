"""What holds for every loss."""

import copy
import pickle

import numpy as np
import pytest
import torch
from cases import LOSSES, hidden
from hypothesis import given
from hypothesis import strategies as st

import lincoln as lnc
from lincoln.errors import ArgumentError, DataError, MatchError, StateError
from lincoln.layers import Dense, Identity, Linear, ReLU, Sequential, Sigmoid, Softmax, Tanh

every_loss = pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.name)
both_reductions = pytest.mark.parametrize("reduction", ["sum", "mean"])


@every_loss
@both_reductions
@given(
    n=st.integers(1, 9),
    seed=st.integers(0, 10**6),
    weighted=st.booleans(),
    dtype=st.sampled_from([torch.float64, torch.float32]),
)
def test_gradients_are_autograds(case, reduction, n, seed, weighted, dtype):
    torch.manual_seed(seed)
    x = torch.randn(n, 5)
    weights = (torch.rand(n) + 0.1,) if weighted else ()
    report = lnc.check_gradients(case.make(reduction=reduction), x, case.targets(n), *weights, dtype=dtype)
    assert report, report


@every_loss
@both_reductions
def test_value_is_torchs(case, reduction, device):
    loss = case.make(reduction=reduction)
    x, y = torch.randn(7, 5, device=device), case.targets(7)
    y = (y.float() if y.is_floating_point() else y).to(device)
    value = loss(x, y)
    assert value.shape == ()
    assert value.device.type == device
    torch.testing.assert_close(value, case.reference(loss.network.eval()(x), y, reduction))


@every_loss
@both_reductions
def test_weights_count_examples(case, reduction):
    """Weights 2 and 0 do what repeating and leaving out do."""
    loss = case.make(reduction=reduction)
    x, y = torch.randn(4, 5, dtype=torch.float64), case.targets(4)
    weighted = loss(x, y, torch.tensor([2, 0, 1, 1]))
    loss.backward()
    grads = [grad.clone() for grad in loss.network.grads()]
    chosen = [0, 0, 2, 3]
    torch.testing.assert_close(loss(x[chosen], y[chosen]), weighted)
    loss.backward()
    torch.testing.assert_close(list(loss.network.grads()), grads)


@every_loss
def test_evaluate_and_predict(case):
    loss = case.make()
    x, y = torch.randn(4, 5, dtype=torch.float64), case.targets(4)
    value = loss(x, y)
    loss.network.eval()
    again, prediction = loss.evaluate(x, y)
    assert torch.equal(value, again)
    assert torch.equal(prediction, loss.predict(x))
    output = loss.network(x)
    torch.testing.assert_close(prediction, loss.link()(output) if loss.from_logits else output)
    loss.network.train()
    loss.backward()  # the training step under way is not disturbed


@every_loss
def test_evaluation_mode_saves_nothing(case):
    loss = case.make()
    loss.network.eval()
    loss(torch.randn(4, 5, dtype=torch.float64), case.targets(4))
    with pytest.raises(StateError, match=r"training mode \(network.train\(\)\)"):
        loss.backward()


@every_loss
def test_backward_before_forward_and_twice(case):
    loss = case.make()
    with pytest.raises(StateError, match=f"{type(loss).__name__}: backward without a forward"):
        loss.backward()
    loss(torch.randn(4, 5, dtype=torch.float64), case.targets(4))
    assert loss.backward() is None
    with pytest.raises(StateError, match="call loss"):
        loss.backward()


@every_loss
def test_input_gradient_on_request(case):
    loss = case.make()
    x, y = torch.randn(4, 5, dtype=torch.float64), case.targets(4)
    loss(x, y)
    assert loss.backward(input_grad=True).shape == x.shape


@every_loss
@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda loss: pickle.loads(pickle.dumps(loss))], ids=["copy", "pickle"]
)
def test_copies_are_apart(case, duplicate):
    if duplicate is not copy.deepcopy and "lambda" in repr(case.make):
        case.make()
    loss = case.make()
    x, y = torch.randn(4, 5, dtype=torch.float64), case.targets(4)
    value = loss(x, y)
    other = duplicate(loss)
    assert other.network is not loss.network
    for tensor in loss.network.parameters():
        tensor.zero_()
    torch.testing.assert_close(other(x, y), value)
    other.backward()
    assert any(grad.any() for grad in other.network.grads())


def test_a_forward_in_between_is_an_error_and_not_a_wrong_gradient():
    loss = lnc.LogLoss(hidden(Dense(1)))
    x, y = torch.randn(4, 5), torch.ones(4)
    loss(x, y)
    loss.predict(x[:2])
    loss.evaluate(x[:2], y[:2])
    loss.backward()
    loss(x, y)
    loss.network(x[:2])
    with pytest.raises(StateError, match="Linear '0.linear' has run since this loss was computed"):
        loss.backward()
    loss(x, y)
    with pytest.raises(MatchError, match="input has 3 features"):
        loss(x[:, :3], y)
    with pytest.raises(MatchError, match="input has 3 features"):
        loss.predict(x[:, :3])
    loss.backward()
    assert loss.network.training


# ---- Exactness


def test_log_loss_is_exact_where_probabilities_round():
    """The notebook's wish: at z = 40 and y = 0 its formula gives loss 20.72 and gradient 0; the truth is 40 and 1."""
    loss = lnc.LogLoss(Sequential(Identity(), Sigmoid()))
    for z, value, gradient in (
        (1000.0, 1000.0, 1.0),
        (40.0, 40.0, 1.0),
        (-40.0, 4.248354255291589e-18, 4.248354255291589e-18),
        (700.0, 700.0, 1.0),
    ):
        x = torch.tensor([[z]], dtype=torch.float64)
        assert loss(x, torch.zeros(1, 1)).item() == pytest.approx(value, rel=1e-15)
        assert loss.backward(input_grad=True).item() == pytest.approx(gradient, rel=1e-15)


def test_log_loss_of_sure_and_right_predictions_does_not_cancel():
    loss = lnc.LogLoss(Sequential(Identity(), Sigmoid()))
    assert loss(torch.tensor([[16.0]]), torch.ones(1)).item() == pytest.approx(1.1253516e-07, rel=1e-6)


def test_cross_entropy_is_exact_where_probabilities_round():
    loss = lnc.CrossEntropy(Softmax())
    z = torch.tensor([[1000.0, 0.0, -1000.0]])
    assert loss(z, torch.tensor([2])).item() == 2000
    assert loss.backward(input_grad=True).tolist() == [[1, 0, -1]]


def test_log_loss_on_certain_probabilities_is_finite():
    """On plain probabilities logarithms stop at -100, as torch's BCELoss has it."""
    loss = lnc.LogLoss(Identity())
    p, y = torch.tensor([[1.0], [0.0], [1.0]]), torch.tensor([[0.0], [0.0], [1.0]])
    assert loss(p, y).item() == torch.nn.functional.binary_cross_entropy(p, y, reduction="sum").item() == 100
    assert torch.isfinite(loss.backward(input_grad=True)).all()


def test_links_are_split_off_at_any_depth():
    shallow = Sequential(Dense(4, "tanh"), Linear(1), Sigmoid())
    deep = Sequential(Sequential(Dense(4, "tanh"), Sequential(Linear(1))), Sequential(Sequential(Sigmoid())))
    x, y = torch.randn(6, 3), torch.ones(6)
    losses = [lnc.LogLoss(shallow), lnc.LogLoss(deep)]
    for loss in losses:
        loss(x, y)
    deep.load_state_dict(dict(zip(deep.state_dict(), shallow.state_dict().values(), strict=True)))
    assert losses[0](x, y) == losses[1](x, y)
    assert shallow[2].pending is None, "the sigmoid itself is never run"


# ---- Targets


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.int32, torch.uint8, torch.bool])
@pytest.mark.parametrize("shape", [(6,), (6, 1)])
def test_log_loss_takes_labels_of_any_kind(dtype, shape):
    """(n,) labels broadcast to (n, n) in the notebook, uint8 wrapped around, and bool raised."""
    loss = lnc.LogLoss(Dense(1))
    x = torch.randn(6, 3)
    y = torch.tensor([0, 1, 1, 0, 1, 0])
    expected = loss(x, y.float().reshape(6, 1))
    assert loss(x, y.to(dtype).reshape(shape)) == expected


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
@pytest.mark.parametrize("shape", [(6,), (6, 1)])
def test_cross_entropy_takes_class_indices_of_any_kind(dtype, shape):
    loss = lnc.CrossEntropy(Dense(3, "softmax"))
    x = torch.randn(6, 3)
    y = torch.arange(6) % 3
    assert loss(x, y.to(dtype).reshape(shape)) == loss(x, torch.nn.functional.one_hot(y, 3).float())


def test_losses_on_sequences():
    x = torch.randn(4, 7, 3)
    y = torch.randint(0, 5, (4, 7))
    loss = lnc.CrossEntropy(Dense(5, "softmax"))
    expected = torch.nn.functional.cross_entropy(torch.log(loss.network.eval()(x)).flatten(0, 1), y.flatten())
    torch.testing.assert_close(loss(x, y), expected)
    assert lnc.check_gradients(loss, x, y)
    assert lnc.check_gradients(loss, x, y, torch.rand(4))


@pytest.mark.parametrize("shape", [(5,), (6, 2), (1, 6), (6, 1, 1), ()])
@pytest.mark.parametrize("kind", [lnc.LogLoss, lnc.MSE])
def test_targets_of_another_shape(kind, shape):
    loss = kind(Dense(1))
    with pytest.raises(
        MatchError, match=r"targets have shape .* and the prediction \(6, 1\); expected .*\(6, 1\) or \(6,\)"
    ):
        loss(torch.randn(6, 3), torch.zeros(shape))


def test_cross_entropy_targets_of_another_shape():
    loss = lnc.CrossEntropy(Dense(3, "softmax"))
    x = torch.randn(6, 3)
    with pytest.raises(MatchError, match=r"expected targets of shape \(6,\) for class indices"):
        loss(x, torch.zeros(6, 3, dtype=torch.int64))
    with pytest.raises(MatchError, match="class indices must be integers, not torch.float32"):
        loss(x, torch.zeros(6))


@pytest.mark.parametrize(
    ("loss", "targets", "message"),
    [
        (lambda: lnc.LogLoss(Dense(1)), [0.0, 1.0, 2.0], r"targets hold 2 \(at \(2, 0\)\); expected 0 and 1 only"),
        (lambda: lnc.LogLoss(Dense(1)), [0.0, -1.0, 1.0], "targets hold -1"),
        (lambda: lnc.LogLoss(Dense(1)), [0.0, 0.5, 1.0], "targets hold 0.5"),
        (lambda: lnc.LogLoss(Dense(1)), [0.0, float("nan"), 1.0], "targets hold nan"),
        (lambda: lnc.LogLoss(Dense(1)), [0.0, float("inf"), 1.0], "targets hold inf"),
        (
            lambda: lnc.CrossEntropy(Dense(3, "softmax")),
            [0, 3, 1],
            r"hold 3 \(at 1\); the network has 3 outputs, so expected 0 to 2",
        ),
        (lambda: lnc.CrossEntropy(Dense(3, "softmax")), [0, -1, 1], "hold -1"),
        (lambda: lnc.CrossEntropy(Dense(3, "softmax")), [[1, 1, 0.0]] * 3, "0 or more and sum to 1"),
        (lambda: lnc.CrossEntropy(Dense(3, "softmax")), [[2, -1, 0.0]] * 3, "0 or more and sum to 1"),
        (lambda: lnc.CrossEntropy(Dense(3, "softmax")), [[float("nan"), 1, 0.0]] * 3, "0 or more and sum to 1"),
        (lambda: lnc.MSE(Dense(1)), [0.0, float("nan"), 1.0], r"targets hold nan \(at \(1, 0\)\); expected finite"),
    ],
)
def test_targets_of_other_values(loss, targets, message):
    with pytest.raises(DataError, match=message):
        loss()(torch.randn(3, 3), torch.tensor(targets))


def test_check_can_be_left_out():
    loss = lnc.LogLoss(Dense(1), check_targets=False)
    assert torch.isfinite(loss(torch.randn(2, 3), torch.tensor([0.0, 0.5])))


def test_targets_that_are_no_tensor():
    with pytest.raises(MatchError, match="targets are a ndarray, expected a torch.Tensor: use torch.as_tensor"):
        lnc.LogLoss(Dense(1))(torch.randn(2, 3), np.zeros(2))


@pytest.mark.parametrize("weights", [torch.ones(3), torch.ones(4, 2), torch.ones(1), torch.ones(())])
def test_weights_of_another_shape(weights):
    with pytest.raises(MatchError, match="one weight for each of 4 examples"):
        lnc.MSE(Dense(1))(torch.randn(4, 3), torch.zeros(4), weights)


# ---- Construction


@pytest.mark.parametrize("last", [Linear(1), ReLU(), Tanh(), Dense(1, None), Sequential(Linear(1), Identity())])
@pytest.mark.parametrize("kind", [lnc.LogLoss, lnc.CrossEntropy])
def test_a_network_without_the_link(kind, last):
    with pytest.raises(ArgumentError, match=r"expects probabilities, and the network ends in .* or say from_logits=True"):
        kind(Sequential(Dense(3), last))


def test_two_links_in_a_row():
    with pytest.raises(ArgumentError, match="from_logits=True would put two Sigmoid in a row"):
        lnc.LogLoss(Dense(1), from_logits=True)


def test_a_loss_without_a_link_has_no_logits():
    with pytest.raises(ArgumentError, match="MSE: from_logits=True has no link function"):
        lnc.MSE(Dense(1), from_logits=True)


def test_other_wrong_arguments():
    with pytest.raises(ArgumentError, match="reduction is 'none', expected 'sum' or 'mean'"):
        lnc.MSE(Dense(1), reduction="none")
    with pytest.raises(ArgumentError, match="expected a Layer"):
        lnc.MSE(torch.nn.Linear(1, 1))


def test_defaults():
    assert lnc.LogLoss(Dense(1)).reduction == "sum"
    assert lnc.MSE(Dense(1)).reduction == lnc.CrossEntropy(Dense(2, "softmax")).reduction == "mean"
    assert repr(lnc.LogLoss(Dense(1))) == "LogLoss"


class Absolute(lnc.Loss):
    """l = sum_o |p_o - y_o|, one value for each example."""

    def value(self, p, y):
        return (p - y).abs().sum(-1)

    def gradient(self, p, y):
        return (p - y).sign()


@both_reductions
def test_a_loss_that_users_write(reduction):
    loss = Absolute(hidden(Linear(2)), reduction=reduction)
    x, y = torch.randn(5, 3), torch.randn(5, 2)
    torch.testing.assert_close(loss(x, y) * (5 if reduction == "mean" else 1), (loss.network.eval()(x) - y).abs().sum())
    assert lnc.check_gradients(loss, x, y)
    assert lnc.check_gradients(loss, x, y, torch.rand(5))


# ---- Mistakes that must not pass in silence


class Steep(Sigmoid):
    """sigmoid(5 a): a subclass of the link, and another function."""

    def _forward(self, input):
        return super()._forward(5 * input)

    def _backward(self, output_grad):
        return 5 * super()._backward(output_grad)


def test_a_subclass_of_the_link_is_not_the_link():
    loss = lnc.LogLoss(Sequential(Linear(1), Steep()))
    x, y = torch.randn(6, 3), torch.ones(6, 1)
    value = loss(x, y)
    torch.testing.assert_close(value, torch.nn.functional.binary_cross_entropy(loss.network.eval()(x), y, reduction="sum"))


def test_a_sequence_with_a_backward_of_its_own_keeps_it():
    seen = []

    class Spy(Sequential):
        def _backward(self, output_grad):
            seen.append(output_grad)
            return super()._backward(output_grad)

    loss = lnc.LogLoss(Sequential(Spy(Dense(3)), Dense(1)))
    loss(torch.randn(4, 2), torch.ones(4))
    loss.backward()
    assert len(seen) == 1


def test_the_link_of_another_loss():
    with pytest.raises(ArgumentError, match=r"CrossEntropy belongs to Softmax\(\), and the network ends in Sigmoid\(\)"):
        lnc.CrossEntropy(Dense(3))
    with pytest.raises(ArgumentError, match="LogLoss belongs to Sigmoid.*or use CrossEntropy"):
        lnc.LogLoss(Dense(2, "softmax"))


@pytest.mark.parametrize("method", ["value", "gradient"])
def test_formulas_that_return_a_wrong_shape(method):
    class Wrong(lnc.MSE):
        def value(self, p, y):
            return super().value(p, y).mean() if method == "value" else super().value(p, y)

        def gradient(self, p, y):
            return super().gradient(p, y).mean(0, keepdim=True)

    loss = Wrong(Linear(2))
    with pytest.raises(MatchError, match=f"Wrong: {method} returned shape"):
        loss(torch.randn(4, 3), torch.zeros(4, 2)), loss.backward()


@every_loss
@pytest.mark.parametrize("scale", [1, 1000])
def test_both_formulas_at_once_are_the_two_formulas(case, scale):
    loss = case.make()
    shape = loss.network(torch.randn(6, 5)).shape
    z, p = scale * torch.randn(shape, dtype=torch.float64), torch.rand(shape, dtype=torch.float64)
    y = loss.match(p, case.targets(6))
    torch.testing.assert_close(loss.value_and_gradient(p, y), (loss.value(p, y), loss.gradient(p, y)))
    if loss.link is not None:
        torch.testing.assert_close(
            loss.value_and_gradient_from_logits(z, y), (loss.value_from_logits(z, y), loss.gradient_from_logits(z, y))
        )


class Halved:
    def gradient_from_logits(self, z, y):
        return lnc.CrossEntropy.gradient_from_logits(self, z, y) / 2


@pytest.mark.parametrize("bases", [(Halved, lnc.CrossEntropy), (lnc.CrossEntropy,)], ids=["mixed in", "overridden"])
def test_a_formula_of_a_subclass_is_used_in_training(bases):
    own = {} if Halved in bases else {"gradient_from_logits": Halved.gradient_from_logits}
    mine = type("Mine", bases, own)
    x, y = torch.randn(5, 4), torch.arange(5) % 3
    network = Dense(3, "softmax")
    lnc.CrossEntropy(network)(x, y)
    for heir in (mine, type("Heir", (mine,), {})):
        gradients = []
        for kind in (lnc.CrossEntropy, heir):
            loss = kind(network)
            loss(x, y)
            loss.backward()
            gradients.append(network.flatten()[1].clone())
        torch.testing.assert_close(gradients[1] * 2, gradients[0])


def test_cross_entropy_of_a_sure_answer_keeps_its_digits():
    z = torch.tensor([[1000.0, 990.0]])
    loss, _ = lnc.CrossEntropy(Dense(2, "softmax")).value_and_gradient_from_logits(z, torch.tensor([0]))
    torch.testing.assert_close(loss, torch.log1p(torch.exp(torch.tensor([-10.0]))))


def test_overriding_forward_is_refused():
    with pytest.raises(TypeError, match="Mine overrides forward, which Loss keeps to itself: write value and gradient"):
        type("Mine", (lnc.MSE,), {"forward": lambda self: None})


def test_an_inner_layer_run_in_between():
    class Wrapper(lnc.Layer):
        def __init__(self, inner):
            self.inner = inner

        def _forward(self, input):
            return self.inner.forward(input)

        def _backward(self, output_grad):
            return self.inner.backward(output_grad)

    loss = lnc.LogLoss(Sequential(Wrapper(Linear(3)), Dense(1)))
    x = torch.randn(4, 2)
    loss(x, torch.ones(4))
    loss.network[0].inner(x * 2)
    with pytest.raises(StateError, match="Linear '0.inner' has run since this loss was computed"):
        loss.backward()
    loss.network[0].inner.eval()
    loss(x, torch.ones(4))
    with pytest.raises(StateError, match="Linear '0.inner' is in evaluation mode, and the network in training"):
        loss.backward()


def test_evaluation_keeps_each_layers_mode():
    loss = lnc.LogLoss(hidden(Dense(1)))
    loss.network[0].eval()
    loss.predict(torch.randn(2, 3))
    assert [layer.training for layer in loss.network] == [False, True]


def test_a_batch_of_weight_zero():
    loss = lnc.LogLoss(Dense(1), reduction="mean")
    assert loss(torch.randn(3, 2), torch.ones(3), torch.zeros(3)).item() == 0
    loss.backward()
    assert not any(grad.any() for grad in loss.network.grads())
    with pytest.raises(MatchError, match="sample_weight is a list, expected a torch.Tensor"):
        loss(torch.randn(3, 2), torch.ones(3), [1, 1, 1])


def test_targets_on_another_device():
    with pytest.raises(MatchError, match=r"targets are on meta, the prediction on cpu: use targets.to\('cpu'\)"):
        lnc.MSE(Linear(1))(torch.randn(3, 2), torch.ones(3, 1, device="meta"))


def test_a_network_of_one_dimension():
    class Flat(lnc.Layer):
        def _forward(self, input):
            return input.sum(-1)

        def _backward(self, output_grad):
            return output_grad

    with pytest.raises(lnc.errors.DimensionError, match=r"output has shape \(3,\), expected \(examples, outputs\)"):
        lnc.MSE(Flat())(torch.randn(3, 2), torch.ones(3))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    for case in LOSSES:
        loss = case.make()
        y = case.targets(4)
        loss(
            torch.randn(4, 5, dtype=dtype), y.to(dtype) if y.is_floating_point() and "probabilities" not in case.name else y
        )
        loss.backward()
        assert all(torch.isfinite(grad).all() for grad in loss.network.grads())


# ---- The penalty


@every_loss
@both_reductions
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_gradients_with_a_penalty_are_autograds(case, reduction, weighted, dtype):
    torch.manual_seed(0)
    weights = (torch.rand(7) + 0.1,) if weighted else ()
    loss = case.make(reduction=reduction, l2=0.7)
    report = lnc.check_gradients(loss, torch.randn(7, 5), case.targets(7), *weights, dtype=dtype)
    assert report, report


@pytest.mark.parametrize(("reduction", "divisor"), [("sum", 1), ("mean", 4)])
def test_the_penalty_is_half_the_sum_of_squares_of_the_weights(reduction, divisor):
    loss = lnc.MSE(Sequential(Dense(3), Dense(1, None)), reduction, l2=0.5)
    x, y = torch.randn(4, 5, dtype=torch.float64), torch.randn(4, 1, dtype=torch.float64)
    whole = loss(x, y)
    for name, tensor in loss.network.named_parameters():
        if name.endswith("B"):
            tensor.fill_(10.0)
    weights = [tensor for name, tensor in loss.network.named_parameters() if name.endswith("W")]
    whole = loss(x, y)
    loss.l2 = 0.0
    penalty = 0.25 * sum((W**2).sum() for W in weights) / divisor
    torch.testing.assert_close(whole - loss(x, y), penalty)


def test_no_penalty_in_evaluation():
    loss = lnc.MSE(Sequential(Dense(3), Dense(1, None)), l2=100.0)
    x, y = torch.randn(4, 5), torch.randn(4, 1)
    with_penalty = loss(x, y)
    value, _ = loss.evaluate(x, y)
    assert value < with_penalty
    loss.network.eval()
    assert torch.equal(loss(x, y), value)


def test_the_penalty_counts_where_a_layer_assigns_its_gradients():
    class Assigning(Linear):
        def _backward(self, output_grad):
            self.grad["W"], self.grad["B"] = self.saved.t() @ output_grad, output_grad.sum(0, keepdim=True)
            return output_grad @ self.W.t()

    assert lnc.check_gradients(
        lnc.MSE(Sequential(Assigning(3), Tanh(), Assigning(1)), l2=2.0), torch.randn(4, 5), torch.randn(4, 1)
    )


@pytest.mark.parametrize("l2", [-1, float("nan"), float("inf")])
def test_penalties_that_are_none(l2):
    with pytest.raises(ArgumentError, match="MSE: l2 is .* expected 0 or more"):
        lnc.MSE(Dense(1), l2=l2)


# ---- Counts


def test_poisson_wants_counts():
    loss = lnc.PoissonLoss(Dense(1, "exp"))
    with pytest.raises(
        DataError, match=r"PoissonLoss: targets hold -1 \(at \(1, 0\)\); expected finite numbers, 0 or more"
    ):
        loss(torch.randn(3, 2), torch.tensor([[1.0], [-1.0], [2.0]]))


def test_poisson_wants_a_positive_prediction():
    with pytest.raises(
        ArgumentError, match=r"PoissonLoss expects positive predictions.*end it in Exp\(\), or say from_logits"
    ):
        lnc.PoissonLoss(Sequential(Dense(3), Linear(1)))


def test_poisson_is_least_and_zero_at_the_count():
    loss = lnc.PoissonLoss(Linear(1), from_logits=True, reduction="sum")
    y = torch.tensor([[0.0], [1.0], [5.0]], dtype=torch.float64)
    assert torch.allclose(loss.value_from_logits(torch.log(y), y)[1:], torch.zeros(2, 1, dtype=torch.float64))
    assert (loss.value_from_logits(torch.log(y + 1), y) > 0).all()
