"""The check is not fooled by initial values, single examples, evaluations, in-place changes or kept attributes."""

import math

import numpy as np
import pytest
import torch
from mistakes import Affine, Cube, LayerNorm, Leaky, Residual, Scale, numbers

import lincoln as lnc
from lincoln.errors import ArgumentError, LayerError, LincolnError
from lincoln.layers import Dense, Layer, Linear, Sequential, Sigmoid, Tanh


class NoGain(LayerNorm):
    """LayerNorm without g in dx: right at g = 1."""

    def _backward(self, G):
        super()._backward(G)
        h, s = self.saved
        return (G - G.mean(-1, keepdim=True) - h * (G * h).mean(-1, keepdim=True)) / s


class OneBias(Affine):
    """The bias gradient of the first example alone."""

    def _backward(self, G):
        dx = super()._backward(G)
        self.grad["b"] = G[:1]
        return dx


class KeepsGraph(Cube):
    """A wrong cube that keeps its input and output in attributes."""

    def _forward(self, x):
        self.kept = {"x": [x], "y": x**3}
        self.saved = x
        return self.kept["y"]

    def _backward(self, G):
        return self.saved * G


class InPlace(Cube):
    def _backward(self, G):
        return G.mul_(3 * self.saved**2)


class HalvesInPlace(Layer):
    def _forward(self, x):
        return x.mul_(0.5)

    def _backward(self, G):
        return G / 2


def test_initial_values_hide_nothing():
    report = lnc.check_gradients(NoGain(), numbers(5, 4))
    (failure,) = report.failures
    assert "only with the parameters moved off their initial values" in failure
    assert "the factor g is missing" in failure
    network = Sequential(Linear(4), NoGain(), Dense(1))
    report = lnc.check_gradients(lnc.LogLoss(network), numbers(5, 4), torch.ones(5))
    assert {label for label, _ in report.culprits} == {"NoGain '1'"}
    assert "moved off their initial values" in report.failures[-1]


def test_values_given_by_the_user_are_named_so():
    layer = NoGain()
    layer(numbers(5, 4))
    assert "moved off their given values" in lnc.check_gradients(layer, numbers(5, 4)).failures[0]
    assert torch.equal(layer.g, torch.ones(1, 4))


def test_wrong_at_the_initial_values_only():
    class AtOne(Scale):
        def _backward(self, G):
            dx = super()._backward(G)
            return dx * 2 if (self.s == 1).all() else dx

    (failure,) = lnc.check_gradients(AtOne(), numbers(5, 4)).failures
    assert "at the initial parameters only" in failure


@pytest.mark.parametrize("target", ["layer", "network", "loss"])
def test_one_example_is_made_three(target):
    layer = OneBias()
    inputs = (numbers(1, 4),)
    if target == "network":
        layer = Sequential(Dense(3, "tanh"), layer)
    if target == "loss":
        layer, inputs = lnc.MSE(Sequential(layer)), (*inputs, numbers(1, 3), torch.ones(1))
    report = lnc.check_gradients(layer, *inputs)
    assert not report
    assert "3 examples made of the one given" in "\n".join(report.failures)
    assert report.notes[0].startswith("one example cannot show a missing sum over examples; it was checked on 3")
    assert "note: one example cannot show" in str(report)


def test_one_example_that_cannot_be_made_several():
    class OneOnly(Affine):
        def check(self, x):
            if len(x) != 1:
                raise ArgumentError("one example, please")

        def _forward(self, x):
            self.check(x)
            return super()._forward(x)

    report = lnc.check_gradients(OneOnly(), numbers(1, 4))
    assert report
    assert report.notes == [
        "one example cannot show a missing sum over examples; the layer takes no other number of examples: check on "
        "several if it can"
    ]
    assert lnc.check_gradients(Affine(), numbers(2, 4)).notes == []


def test_examples_that_are_all_the_same_hide_nothing():
    class FirstInput(Affine):
        def _backward(self, G):
            dx = super()._backward(G)
            self.grad["W"] = self.saved[:1].mT @ G.sum(0, keepdim=True)
            return dx

    assert not lnc.check_gradients(FirstInput(), torch.ones(4, 3))
    assert not lnc.check_gradients(FirstInput(), torch.zeros(4, 3))


@pytest.mark.parametrize("where", ["alone", "sequential", "residual", "loss"])
def test_output_grad_changed_in_place(where):
    layer, inputs = InPlace(), (numbers(5, 4),)
    if where == "sequential":
        layer = Sequential(Linear(4), layer, Dense(2))
    if where == "residual":
        layer = Sequential(Linear(4), Residual(layer), Dense(2))
    if where == "loss":
        layer, inputs = lnc.MSE(Sequential(Linear(4), layer)), (*inputs, numbers(5, 4))
    report = lnc.check_gradients(layer, *inputs)
    assert not report
    assert "_backward changed output_grad in place" in "\n".join(report.failures)
    if where != "alone":
        assert {label.split()[0] for label, _ in report.culprits} == {"InPlace"}


@pytest.mark.parametrize("before", [Linear(4), Sigmoid(), Tanh()], ids=repr)
def test_an_input_changed_in_place_behind_any_layer(before):
    """Autograd's own complaint about a changed tensor does not come through."""
    report = lnc.check_gradients(Sequential(before, HalvesInPlace(), Dense(2)), numbers(5, 4))
    assert not report
    assert {label for label, _ in report.culprits} == {"HalvesInPlace '1'"}
    assert "_forward changed input in place" in report.failures[-1]


def test_an_input_changed_in_place_alone():
    x = numbers(5, 4)
    report = lnc.check_gradients(HalvesInPlace(), x)
    assert not report
    assert torch.equal(x, numbers(5, 4))


@pytest.mark.parametrize("before", ["nothing", "a forward under autograd"])
@pytest.mark.parametrize("where", ["alone", "sequential", "loss with l2"])
def test_a_wrong_layer_that_keeps_a_graph(where, before):
    layer, inputs = KeepsGraph(), (numbers(5, 4),)
    if where != "alone":
        layer = Sequential(Linear(4), layer, Dense(2))
    if before != "nothing":
        (layer[1] if where != "alone" else layer)(numbers(5, 4).requires_grad_())
    if where == "loss with l2":
        layer, inputs = lnc.MSE(layer, l2=0.3), (*inputs, numbers(5, 2))
    report = lnc.check_gradients(layer, *inputs)
    assert not report
    if where != "alone":
        assert {label for label, _ in report.culprits} == {"KeepsGraph '1'"}


def test_a_failing_loss_with_l2():
    class Wrong(lnc.MSE):
        def gradient(self, p, y):
            return p - y

    network = Sequential(Dense(3), Dense(1))
    report = lnc.check_gradients(Wrong(network, l2=0.3), numbers(6, 4), numbers(6, 1), torch.rand(6))
    assert not report
    (culprit,) = report.culprits
    assert culprit[0] == "Wrong"


@pytest.mark.parametrize("network", [lambda: Linear(1), lambda: Sequential(Dense(3), Dense(1))])
def test_a_wrong_loss_is_blamed_once(network):
    class Wrong(lnc.LogLoss):
        def gradient_from_logits(self, z, y):
            return torch.sigmoid(z) + y

    report = lnc.check_gradients(Wrong(network(), from_logits=isinstance(network(), Linear)), numbers(6, 4), torch.ones(6))
    assert [label for label, _ in report.culprits] == ["Wrong"]
    assert sum("to blame: Wrong" in failure for failure in report.failures) == 1
    assert "prediction[" in report.failures[-1]


def test_a_wrong_loss_and_a_wrong_layer():
    class Wrong(lnc.MSE):
        def gradient(self, p, y):
            return (p - y) / 2

    report = lnc.check_gradients(Wrong(Sequential(Linear(4), KeepsGraph(), Dense(2))), numbers(6, 4), numbers(6, 2))
    assert [label for label, _ in report.culprits] == ["Wrong", "KeepsGraph '1'"]


def test_a_right_loss_is_not_blamed_for_a_layer():
    report = lnc.check_gradients(lnc.MSE(Sequential(Linear(4), KeepsGraph())), numbers(6, 4), numbers(6, 4))
    assert {label for label, _ in report.culprits} == {"KeepsGraph '1'"}


@pytest.mark.parametrize("shape", ["transposed", "unsummed", "flat", "of another size"])
def test_a_wrong_shape_is_told_in_words(shape):
    class Shape(Affine):
        def _backward(self, G):
            dx = super()._backward(G)
            name, value = {
                "transposed": ("W", self.grad["W"].mT),
                "unsummed": ("b", G),
                "flat": ("b", G.sum(0)),
                "of another size": ("b", G[:, :2]),
            }[shape]
            self.grad[name] = value
            return dx

    (failure,) = lnc.check_gradients(Shape(), numbers(8, 4)).failures
    assert "nan" not in failure
    assert "inf" not in failure
    assert "it has shape" in failure


def test_a_gradient_returned_in_another_shape():
    class Sum(Cube):
        def _backward(self, G):
            return super()._backward(G).sum(0, keepdim=True)

    report = lnc.check_gradients(Sum(), numbers(8, 3))
    (failure,) = report.failures
    assert "it has shape (1, 3), expected (8, 3)" in failure
    inside = lnc.check_gradients(Sequential(Linear(3), Sum()), numbers(8, 3))
    assert {label for label, _ in inside.culprits} == {"Sum '1'"}


@pytest.mark.parametrize("found", [None, 3.0, (1, 2), "int"])
def test_a_backward_that_returns_no_gradient(found):
    class Odd(Cube):
        def _backward(self, G):
            return G.long() if found == "int" else found

    assert not lnc.check_gradients(Odd(), numbers(4, 3))
    report = lnc.check_gradients(Sequential(Linear(3), Odd()), numbers(4, 3))
    assert not report
    assert {label for label, _ in report.culprits} == {"Odd '1'"}


@pytest.mark.parametrize("error", [RuntimeError, TypeError, IndexError, ZeroDivisionError])
def test_a_backward_that_raises(error):
    class Raises(Cube):
        def _backward(self, G):
            raise error("here")

    report = lnc.check_gradients(Sequential(Dense(3), Raises(), Dense(1)), numbers(4, 3))
    assert not report
    assert "Raises '1': _backward failed" in report.failures[0]


def test_a_gradient_that_is_no_tensor():
    class Odd(Scale):
        def _backward(self, G):
            dx = super()._backward(G)
            self.grad["t"] = 3.0
            return dx

    (failure,) = lnc.check_gradients(Odd(), numbers(4, 3)).failures
    assert "t: it is a float, expected a tensor" in failure


class Forward(Layer):
    """Whatever forward."""

    def __init__(self, function):
        self.function = function

    def _forward(self, x):
        self.saved = x
        return self.function(x)

    def _backward(self, G):
        return torch.ones_like(self.saved)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.long(),
        lambda x: x > 0,
        lambda x: x.exp_(),
        lambda x: torch.sigmoid(x).mul_(2).exp(),
        lambda x: torch.from_numpy(np.tanh(x.detach().numpy())),
        lambda x: torch.from_numpy(np.tanh(x.numpy())),
        lambda x: x.data * 2,
        lambda x: torch.zeros(len(x), 2),
        lambda x: x.argmax(1, keepdim=True).double(),
        lambda x: x * math.nan,
        lambda x: x.sqrt(),
        lambda x: None,
        lambda x: 3.0,
        lambda x: x.tolist(),
        lambda x: torch.nextafter(x, x + 1),
        lambda x: x[:, :0],
        lambda x: x.requires_grad_().clone(),
        lambda x: x.to_sparse(),
        lambda x: x.sum(),
        lambda x: torch.complex(x, x),
        lambda x: x.half(),
        lambda x: torch.tensor(float(x.sum())),
    ],
)
def test_whatever_the_forward_torch_has_no_word(function):
    """A report, or an error of the library's own."""
    for target in (Forward(function), Sequential(Linear(3), Forward(function), Dense(1))):
        try:
            report = lnc.check_gradients(target, numbers(4, 3))
        except LincolnError as error:
            assert type(error).__module__ == "lincoln.errors"  # noqa: PT017
            assert len(str(error)) <= 500  # noqa: PT017
        else:
            assert isinstance(str(report), str)
            assert all(len(failure) <= 500 for failure in report.failures)


def test_a_forward_that_autograd_cannot_differentiate():
    with pytest.raises(LayerError, match=r"Forward: torch.autograd, which judges .* cannot differentiate its forward"):
        lnc.check_gradients(Forward(lambda x: torch.sigmoid(x).square_().mul_(2)), numbers(4, 3))


def test_infinities_and_missing_numbers():
    class Root(Layer):
        def _forward(self, x):
            self.saved = y = x.sqrt()
            return y

        def _backward(self, G):
            return G / (2 * self.saved)

    assert lnc.check_gradients(Root(), torch.rand(4, 3) + 0.1)
    assert lnc.check_gradients(Root(), torch.tensor([[0.0, 1.0, 4.0]]).repeat(3, 1))  # infinite in both
    (failure,) = lnc.check_gradients(Root(), torch.tensor([[-1.0, 1.0, 4.0]]).repeat(2, 1)).failures
    assert "autograd itself finds no finite number" in failure


@pytest.mark.parametrize(
    "x", [torch.ones(2, 2, dtype=torch.complex64), torch.eye(3).to_sparse(), torch.ones(2, 2, device="meta")]
)
def test_inputs_without_real_numbers(x):
    with pytest.raises(ArgumentError, match="expected a dense tensor of real numbers"):
        lnc.check_gradients(Tanh(), x)


@pytest.mark.parametrize("settings", [{"tolerance": "1"}, {"tolerance": -1}, {"tolerance": math.nan}, {"seed": 1.5}])
def test_settings_that_are_none(settings):
    with pytest.raises(ArgumentError, match=f"check_gradients: {next(iter(settings))} is"):
        lnc.check_gradients(Tanh(), numbers(2, 2), **settings)


def test_a_layer_that_keeps_its_input_passes_nowhere():
    class Stale(Leaky):
        def _forward(self, x):
            self.x = x
            return super()._forward(x)

        def _backward(self, G):
            return torch.where(self.x > 0, G, G / 10)

    for network in (Stale(), Sequential(Linear(4), Stale(), Dense(2)), Residual(Sequential(Linear(4), Stale()))):
        report = lnc.check_gradients(network, numbers(5, 4))
        assert "an evaluation forward between forward and backward changes it" in report.failures[-1]
        assert "self.x" in report.failures[-1]


def test_random_state_and_modes_of_numpy_and_python_come_back():
    np.random.seed(3)
    expected = np.random.get_state()[1].copy()
    lnc.check_gradients(KeepsGraph(), numbers(5, 4))
    assert (np.random.get_state()[1] == expected).all()
