"""The gradient check itself: it must see every kind of mistake, name it, and leave no trace."""

import copy

import pytest
import torch

import lincoln as lnc
from lincoln.errors import ArgumentError
from lincoln.layers import Dense, Layer, Linear, Sequential, Sigmoid, Tanh
from lincoln.losses.penalty import L2Penalty


class Cube(Layer):
    """y = x^3, with dL/dx = `factor` x^2 dL/dy: right for factor 3."""

    def __init__(self, factor=3.0):
        self.factor = factor

    def _forward(self, input):
        self.saved = input
        return input**3

    def _backward(self, output_grad):
        return self.factor * self.saved**2 * output_grad


class Affine(Layer):
    """y = s x + t, with the mistake given."""

    def __init__(self, mistake=""):
        self.mistake = mistake

    def build(self, input):
        return {"s": input.new_full((1, input.shape[-1]), 1.5), "t": input.new_zeros(1, input.shape[-1])}

    def _forward(self, input):
        self.saved = input
        return self.s * input + self.t

    def _backward(self, output_grad):
        x = self.saved
        self.grad["s"] = (x * output_grad).sum(0, keepdim=True)
        if self.mistake == "one element":
            self.grad["s"][0, 2] *= 1.01
        if self.mistake == "lazy" and not self.needs_input_grad:
            self.grad["s"] = self.grad["s"] * 2
        if self.mistake == "zero":
            self.grad["s"] = torch.zeros_like(self.grad["s"])
        if self.mistake != "unwritten":
            self.grad["t"] = output_grad.sum(0, keepdim=True)
        return output_grad * self.s


def test_right_is_true():
    report = lnc.check_gradients(Sequential(Dense(3), Cube(), Dense(2, "relu"), Affine()), torch.randn(4, 5))
    assert report
    assert report.failures == []
    assert [row.name for row in report.comparisons] == [
        "input",
        "0.linear.W",
        "0.linear.B",
        "2.linear.W",
        "2.linear.B",
        "3.s",
        "3.t",
    ]
    text = str(report)
    assert "against torch.autograd" in text
    assert "WRONG" not in text


def test_wrong_is_false_and_explained():
    report = lnc.check_gradients(Cube(2.0), torch.tensor([[1.0, 2.0]]))
    assert not report
    (failure,) = report.failures
    assert failure.startswith("input[0, ")
    assert "every element is 0.6667 times what it should be" in failure
    assert "WRONG" in str(report)


def test_worst_element_got_and_expected():
    report = lnc.check_gradients(Affine("one element"), torch.ones(4, 3))
    (failure,) = report.failures
    assert failure.startswith("s[0, 2]: got ")
    (row,) = [row for row in report.comparisons if not row.passed]
    assert row.got == pytest.approx(1.01 * row.expected)
    assert row.error == pytest.approx(0.01, rel=0.01)


def test_a_gradient_never_written():
    report = lnc.check_gradients(Affine("unwritten"), torch.randn(4, 3))
    assert report.failures == [report.failures[0]]
    assert "t[0, 0]: got nan" in report.failures[0]
    assert "no element was written: _backward must fill self.grad['t']" in report.failures[0]


def test_a_gradient_of_zeros():
    assert "every element is zero" in lnc.check_gradients(Affine("zero"), torch.randn(4, 3)).failures[0]


def test_wrong_only_when_the_input_gradient_is_skipped():
    report = lnc.check_gradients(Affine("lazy"), torch.randn(4, 3))
    (failure,) = report.failures
    assert failure.startswith("s, input_grad=False[0, ")


def test_the_layer_to_blame():
    """A wrong layer spoils every gradient before it; only it is blamed."""
    network = Sequential(Dense(3), Sequential(Dense(3, "tanh"), odd=Cube(-3.0)), Dense(1))
    report = lnc.check_gradients(network, torch.randn(6, 4))
    assert {row.name for row in report.comparisons if not row.passed} >= {"input", "0.linear.W", "1.0.linear.W"}
    assert {label for label, _ in report.culprits} == {"Cube '1.odd'"}
    assert "to blame: Cube '1.odd', alone on its own input" in report.failures[-1]
    loss_report = lnc.check_gradients(lnc.LogLoss(network), torch.randn(6, 4), torch.ones(6))
    assert {label for label, _ in loss_report.culprits} == {"Cube '1.odd'"}


class Wrong(lnc.MSE):
    """Squared error whose gradient forgot the 2."""

    def gradient(self, p, y):
        return p - y


def test_a_wrong_loss():
    report = lnc.check_gradients(Wrong(Linear(1)), torch.randn(4, 2), torch.randn(4, 1))
    assert not report
    assert "every element is 0.5 times" in report.failures[0]


@pytest.mark.parametrize("weighted", [False, True])
def test_a_wrong_layer_under_a_penalty(weighted):
    """Autograd includes the penalty, so only the gradients below the wrong layer fail, and only it is blamed."""
    network = Sequential(Dense(3), Sequential(Dense(3, "tanh"), odd=Cube(-3.0)), Dense(1))
    data = [torch.randn(6, 4), torch.ones(6), torch.rand(6)]
    report = lnc.check_gradients(lnc.LogLoss(network, l2=0.5), *data[: 3 if weighted else 2])
    failed = {row.name for row in report.comparisons if not row.passed}
    assert failed == {"features", "0.linear.W", "0.linear.B", "1.0.linear.W", "1.0.linear.B"}
    assert {label for label, _ in report.culprits} == {"Cube '1.odd'"}
    assert "to blame: Cube '1.odd', alone on its own input" in report.failures[-1]


def test_a_wrong_penalty(monkeypatch):
    add_gradient = L2Penalty.add_gradient
    monkeypatch.setattr(L2Penalty, "add_gradient", lambda self, factor: add_gradient(self, 2 * factor))
    report = lnc.check_gradients(lnc.MSE(Sequential(Dense(3), Dense(1)), l2=0.5), torch.randn(6, 4), torch.randn(6, 1))
    assert {row.name for row in report.comparisons if not row.passed} == {"0.linear.W", "1.linear.W"}
    assert report.culprits == []


def test_a_penalty_without_weights():
    assert lnc.check_gradients(lnc.MSE(Affine(), l2=0.5), torch.randn(4, 3), torch.randn(4, 3))


def test_tolerance():
    layer = Cube(3.0 * (1 + 1e-4))
    x = torch.rand(3, 3) + 1
    assert not lnc.check_gradients(layer, x)
    assert lnc.check_gradients(layer, x, tolerance=1e-3)
    assert lnc.check_gradients(layer, x, dtype=torch.float32)


@pytest.mark.parametrize("state", ["unbuilt", "evaluation", "awaiting backward", "flat", "float64", "wrong"])
def test_no_trace(state):
    network = Sequential(Dense(3), Cube(2.0) if state == "wrong" else Tanh(), Dense(1))
    x = torch.randn(4, 5, dtype=torch.float64 if state == "float64" else torch.float32)
    if state != "unbuilt":
        y = network(x)
        network.backward(torch.randn_like(y))
    if state == "flat":
        vectors = network.flatten()
    if state == "evaluation":
        network.eval()
    if state == "awaiting backward":
        output = network(x)
        expected = copy.deepcopy(network)
        expected(x)
        expected = expected.backward(torch.ones_like(output))
    values, grads = [[t.clone() for t in ts] for ts in (network.parameters(), network.grads())]
    modes = [layer.training for _, layer in network.named_layers()]
    random_state = torch.random.get_rng_state()
    copied = x.clone()

    report = lnc.check_gradients(network, x)

    assert bool(report) == (state != "wrong")
    assert torch.equal(torch.random.get_rng_state(), random_state)
    assert torch.equal(x, copied)
    assert not x.requires_grad
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), values, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(network.grads(), grads, strict=True))
    assert len(list(network.parameters())) == len(values)
    assert [layer.training for _, layer in network.named_layers()] == modes
    assert all("_forward" not in vars(layer) for _, layer in network.named_layers())
    if state == "flat":
        assert all(a is b for a, b in zip(network.flatten(), vectors, strict=True))
    if state == "awaiting backward":
        assert torch.equal(network.backward(torch.ones_like(output)), expected)


def test_on_a_device(device):
    if device == "mps":
        pytest.skip("no float64 there")
    network = Dense(3)
    network(torch.randn(2, 4, device=device))
    assert lnc.check_gradients(network, torch.randn(2, 4, device=device))


@pytest.mark.parametrize(("target", "inputs"), [(Sigmoid, (torch.ones(1),)), (Sigmoid(), ()), ("layer", (torch.ones(1),))])
def test_misuse(target, inputs):
    with pytest.raises(ArgumentError, match="check_gradients"):
        lnc.check_gradients(target, *inputs)


def test_inside_inference_mode():
    with torch.inference_mode():
        assert lnc.check_gradients(Dense(3), torch.randn(4, 2))


def test_a_gradient_that_is_added_to():
    class Adds(Affine):
        def _backward(self, output_grad):
            x = self.saved
            self.grad["s"] += (x * output_grad).sum(0, keepdim=True)
            self.grad["t"] = output_grad.sum(0, keepdim=True)
            return output_grad * self.s

    (failure,) = lnc.check_gradients(Adds(), torch.randn(4, 3)).failures
    assert "it was added to (+=) what stood there: gradients are overwritten, so use = or out=" in failure


def test_a_gradient_of_a_wrong_shape_is_a_failure():
    class Transposed(Linear):
        def _backward(self, output_grad):
            self.grad["W"] = output_grad.t() @ self.saved
            self.grad["B"] = output_grad.sum(0, keepdim=True)
            return output_grad @ self.W.t()

    (failure,) = lnc.check_gradients(Transposed(2), torch.randn(4, 3)).failures
    assert "it has shape (2, 3), expected (3, 2)" in failure


def test_a_wrong_layer_of_layers_is_to_blame():
    class Residual(Layer):
        def __init__(self, inner):
            self.inner = inner

        def _forward(self, input):
            return input + self.inner.forward(input)

        def _backward(self, output_grad):
            return self.inner.backward(output_grad)  # without the gradient of the skip connection

    report = lnc.check_gradients(Sequential(Dense(3), Residual(Dense(3, "tanh")), Dense(1)), torch.randn(4, 2))
    assert {label for label, _ in report.culprits} == {"Residual '1'"}
    inside = lnc.check_gradients(Sequential(Dense(3), Residual(Sequential(Dense(3), Cube(2.0)))), torch.randn(4, 2))
    assert "Cube '1.inner.1'" in {label for label, _ in inside.culprits}


@pytest.mark.parametrize(
    "inputs",
    [(torch.ones(2, 2), torch.ones(2), torch.ones(2)), (torch.ones(0, 2),), ([[1.0, 2.0]],)],
    ids=["three", "none", "list"],
)
def test_inputs_that_cannot_be_checked(inputs):
    with pytest.raises(ArgumentError, match="check_gradients"):
        lnc.check_gradients(Linear(2), *inputs)


def test_half_precision_is_refused():
    with pytest.raises(ArgumentError, match="dtype is torch.float16; expected torch.float64 or torch.float32"):
        lnc.check_gradients(Dense(2), torch.randn(2, 2), dtype=torch.float16)
