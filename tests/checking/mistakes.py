"""Right layers, and deliberate mistakes in them, each with the reason that the gradient check must give, in words."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

import lincoln as lnc
from lincoln.layers import Dense, Layer, Linear, Sequential, Tanh


class Affine(Layer):
    """y = x W + b."""

    def __init__(self, size=3):
        self.size = size

    def build(self, x):
        torch.manual_seed(1)
        return {"W": torch.randn(x.shape[-1], self.size).to(x), "b": torch.zeros(1, self.size).to(x)}

    def _forward(self, x):
        self.saved = x
        return x @ self.W + self.b

    def _backward(self, G):
        x = self.saved
        rows, grads = x.reshape(-1, x.shape[-1]), G.reshape(-1, G.shape[-1])
        self.grad["W"] = rows.mT @ grads
        self.grad["b"] = grads.sum(0, keepdim=True)
        return G @ self.W.mT


class Scale(Layer):
    """y = s x + t, for each feature."""

    def build(self, x):
        return {"s": x.new_ones(1, x.shape[-1]), "t": x.new_zeros(1, x.shape[-1])}

    def _forward(self, x):
        self.saved = x
        return self.s * x + self.t

    def _backward(self, G):
        x = self.saved
        self.grad["s"] = (x * G).sum(0, keepdim=True)
        self.grad["t"] = G.sum(0, keepdim=True)
        return self.s * G


class Cube(Layer):
    """y = x^3."""

    def _forward(self, x):
        self.saved = x
        return x**3

    def _backward(self, G):
        return 3 * self.saved**2 * G


class Leaky(Layer):
    """y = x where x > 0, else x / 10."""

    def _forward(self, x):
        self.saved = x
        return torch.where(x > 0, x, x / 10)

    def _backward(self, G):
        return torch.where(self.saved > 0, G, G / 10)


class Logistic(Layer):
    """y = 1 / (1 + e^-x)."""

    def _forward(self, x):
        self.saved = p = torch.sigmoid(x)
        return p

    def _backward(self, G):
        p = self.saved
        return p * (1 - p) * G


class Soft(Layer):
    """The softmax of each row."""

    def _forward(self, x):
        self.saved = p = torch.softmax(x, -1)
        return p

    def _backward(self, G):
        p = self.saved
        return p * (G - (p * G).sum(-1, keepdim=True))


class LayerNorm(Layer):
    """y = g h + b, for h = (x - mean) / sqrt(var + eps) of each row."""

    def build(self, x):
        return {"g": x.new_ones(1, x.shape[-1]), "b": x.new_zeros(1, x.shape[-1])}

    def _forward(self, x):
        centred = x - x.mean(-1, keepdim=True)
        s = (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        self.saved = h, s = centred / s, s
        return self.g * h + self.b

    def _backward(self, G):
        h, s = self.saved
        self.grad["g"] = (h * G).sum(0, keepdim=True)
        self.grad["b"] = G.sum(0, keepdim=True)
        D = self.g * G
        return (D - D.mean(-1, keepdim=True) - h * (D * h).mean(-1, keepdim=True)) / s


class BatchNorm(LayerNorm):
    """The same over the examples, of each feature."""

    def _forward(self, x):
        centred = x - x.mean(0)
        s = (centred.square().mean(0) + 1e-5).sqrt()
        self.saved = h, s = centred / s, s
        return self.g * h + self.b

    def _backward(self, G):
        h, s = self.saved
        self.grad["g"] = (h * G).sum(0, keepdim=True)
        self.grad["b"] = G.sum(0, keepdim=True)
        D = self.g * G
        return (D - D.mean(0) - h * (D * h).mean(0)) / s


class Embed(Layer):
    """The rows of E that the input names."""

    def build(self, x):
        torch.manual_seed(1)
        return {"E": torch.randn(6, 2)}

    def _forward(self, x):
        self.saved = x
        return self.E[x]

    def _backward(self, G):
        self.grad["E"].zero_()
        self.grad["E"].index_put_((self.saved,), G, accumulate=True)
        return torch.zeros(self.saved.shape, dtype=G.dtype)


class Residual(Layer):
    """y = x + f(x)."""

    def __init__(self, inner=None):
        self.inner = inner or Sequential(Linear(4), Tanh())

    def _forward(self, x):
        return x + self.inner.forward(x)

    def _backward(self, G):
        return G + self.inner.backward(G)


class Recurrent(Layer):
    """h_t = tanh(x_t W + h_(t-1) U), for x (n, time, i): every h_t."""

    def build(self, x):
        torch.manual_seed(1)
        return {"W": torch.randn(x.shape[-1], 3).to(x) / 2, "U": torch.randn(3, 3).to(x) / 2}

    def _forward(self, x):
        h = [x.new_zeros(len(x), 3)]
        for t in range(x.shape[1]):
            h.append(torch.tanh(x[:, t] @ self.W + h[-1] @ self.U))
        self.saved = x, h
        return torch.stack(h[1:], 1)

    def _backward(self, G, steps=None, back=True):
        x, h = self.saved
        dx, dh = torch.empty_like(x), torch.zeros_like(h[0])
        self.grad["W"].zero_()
        self.grad["U"].zero_()
        for t in reversed(range(x.shape[1])):
            da = (G[:, t] + dh) * (1 - h[t + 1] ** 2)
            if steps is None or t in steps:
                self.grad["W"] += x[:, t].mT @ da
                self.grad["U"] += h[t].mT @ da
            dx[:, t] = da @ self.W.mT
            dh = da @ self.U.mT if back else torch.zeros_like(da)
        return dx


class MeanPool(Layer):
    """The mean over positions, for x (n, time, i)."""

    def _forward(self, x):
        self.saved = x.shape
        return x.mean(1)

    def _backward(self, G):
        return (G / self.saved[1])[:, None].expand(self.saved)


class Center(Layer):
    """y = x minus its mean over features."""

    def _forward(self, x):
        return x - x.mean(-1, keepdim=True)

    def _backward(self, G):
        return G - G.mean(-1, keepdim=True)


class Sine(Layer):
    """y = sin(x W), whose factor cos is within the sum."""

    def build(self, x):
        torch.manual_seed(1)
        return {"W": torch.randn(x.shape[-1], 3).to(x)}

    def _forward(self, x):
        a = x @ self.W
        self.saved = x, a
        return torch.sin(a)

    def _backward(self, G):
        x, a = self.saved
        D = G * torch.cos(a)
        self.grad["W"] = x.mT @ D
        return D @ self.W.mT


class Drop(Layer):
    """Half of the numbers, drawn at random."""

    def _forward(self, x):
        if not self.training:
            return x
        self.saved = m = (torch.rand(x.shape) < 0.5).to(x.dtype) * 2
        return m * x

    def _backward(self, G):
        return self.saved * G


class Gate(Layer):
    """y = a sigmoid(b), for x = (a, b) side by side."""

    def _forward(self, x):
        a, b = x.chunk(2, -1)
        self.saved = a, torch.sigmoid(b)
        return a * self.saved[1]

    def _backward(self, G):
        a, p = self.saved
        return torch.cat([G * p, G * a * p * (1 - p)], -1)


def numbers(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


PLAIN = numbers(5, 4)
SQUARE = numbers(4, 4)
SEQUENCE = numbers(2, 5, 4)
INDICES = torch.tensor([[0, 3], [3, 1], [5, 3]])

RIGHT = [
    (Affine, PLAIN),
    (Affine, SEQUENCE),
    (Scale, PLAIN),
    (Cube, PLAIN),
    (Leaky, PLAIN),
    (Logistic, PLAIN),
    (Soft, PLAIN),
    (LayerNorm, PLAIN),
    (BatchNorm, PLAIN),
    (Embed, INDICES),
    (Residual, PLAIN),
    (Recurrent, SEQUENCE),
    (MeanPool, SEQUENCE),
    (Center, PLAIN),
    (Sine, PLAIN),
    (Drop, PLAIN),
    (Gate, PLAIN),
]


@dataclass(frozen=True)
class Mistake:
    """A wrong layer, the input that it is checked on, and the words of the reason."""

    name: str
    make: Callable[[], Layer | lnc.Loss]
    inputs: tuple[Tensor, ...]
    reason: str


MISTAKES: list[Mistake] = []


def mistake(reason, *inputs, base=None, **settings):
    """Register a class with a mistake, or a `_backward` for `base`; `inputs` are what it is checked on."""

    def register(thing):
        made = thing if base is None else type(thing.__name__, (base,), {"_backward": thing})
        usual = next((x for other, x in RIGHT if issubclass(made, other)), PLAIN)
        MISTAKES.append(Mistake(thing.__name__, lambda: made(**settings), inputs or (usual,), reason))
        return thing

    return register


def right(layer, G):
    """Run the right backward of the class that a mistake is made in, and return dL/dx."""
    return type(layer).__bases__[0]._backward(layer, G)


@mistake("the transpose", base=Affine, size=4)
def weight_gradient_transposed(self, G):
    dx = right(self, G)
    self.grad["W"] = self.grad["W"].mT.clone()
    return dx


@mistake("it has shape .3, 4., expected .4, 3.: it is the transpose", base=Affine)
def weight_gradient_transposed_in_shape(self, G):
    dx = right(self, G)
    self.grad["W"] = self.grad["W"].mT.clone()
    return dx


@mistake("the transpose of W is needed", base=Affine, size=4)
def input_gradient_without_transpose(self, G):
    right(self, G)
    return G @ self.W


@mistake("transpose", base=Affine)
def input_gradient_with_shapes_that_do_not_fit(self, G):
    right(self, G)
    return G @ self.W


@mistake("sum over dimension 0 .the examples of the batch. is missing", base=Affine)
def bias_gradient_without_sum(self, G):
    dx = right(self, G)
    self.grad["b"] = G
    return dx


@mistake("keepdim", base=Affine)
def bias_gradient_of_one_dimension(self, G):
    dx = right(self, G)
    self.grad["b"] = G.sum(0)
    return dx


@mistake("counts only the first example", base=Affine)
def bias_gradient_of_the_first_example(self, G):
    dx = right(self, G)
    self.grad["b"] = G[:1]
    return dx


@mistake("counts only the last example", base=Affine)
def weight_gradient_of_the_last_example(self, G):
    dx = right(self, G)
    self.grad["W"] = self.saved[-1:].mT @ G[-1:]
    return dx


@mistake("divided by the number of examples, 5.*mean", base=Affine)
def mean_instead_of_sum(self, G):
    dx = right(self, G)
    self.grad["W"] = self.grad["W"] / len(G)
    return dx


@mistake("wrong axis", numbers(3, 4), base=Affine)
def sum_over_the_wrong_axis(self, G):
    dx = right(self, G)
    self.grad["b"] = G.sum(1, keepdim=True).mT.clone()
    return dx


@mistake("factor output_grad is missing", base=Cube)
def without_output_grad(self, G):
    return 3 * self.saved**2


@mistake("factor output_grad is missing", base=Scale)
def parameter_without_output_grad(self, G):
    dx = right(self, G)
    self.grad["s"] = self.saved.sum(0, keepdim=True)
    return dx


@mistake("it is output_grad itself: the derivative", base=Cube)
def output_grad_passed_on(self, G):
    return G


@mistake("it is output_grad summed over dimension 0.*a factor is missing", base=Scale)
def scale_gradient_without_the_input(self, G):
    dx = right(self, G)
    self.grad["s"] = G.sum(0, keepdim=True)
    return dx


@mistake("the input is negative .input < 0.", base=Leaky)
def wrong_where_negative(self, G):
    return torch.where(self.saved > 0, G, G / 5)


@mistake("the input is negative .input < 0.; it is zero there", base=Leaky)
def zero_where_negative(self, G):
    return torch.where(self.saved > 0, G, 0)


@mistake("the input is positive .input > 0.", base=Leaky)
def wrong_where_positive(self, G):
    return torch.where(self.saved > 0, 2 * G, G / 10)


@mistake("the input is exactly 0", torch.where(PLAIN.abs() < 0.4, 0.0, PLAIN), base=Leaky)
def wrong_at_zero(self, G):
    return torch.where(self.saved >= 0, G, G / 10)


@mistake("wrong only where .*input.* is above", base=Cube)
def wrong_where_large(self, G):
    return right(self, G) * torch.where(self.saved.abs() > 0.8, 1.3, 1)


@mistake("the term with the mean", base=LayerNorm)
def mean_dropped(self, G):
    right(self, G)
    h, s = self.saved
    D = self.g * G
    return (D - h * (D * h).mean(-1, keepdim=True)) / s


@mistake("the term of the variance|multiple of the output", base=LayerNorm)
def variance_dropped(self, G):
    right(self, G)
    _, s = self.saved
    D = self.g * G
    return (D - D.mean(-1, keepdim=True)) / s


@mistake("the terms of the mean and the variance", base=LayerNorm)
def mean_and_variance_dropped(self, G):
    right(self, G)
    return self.g * G / self.saved[1]


@mistake("the factor g is missing", base=LayerNorm)
def gain_left_out(self, G):
    right(self, G)
    h, s = self.saved
    return (G - G.mean(-1, keepdim=True) - h * (G * h).mean(-1, keepdim=True)) / s


@mistake("1 / standard deviation is missing", base=LayerNorm)
def deviation_left_out(self, G):
    return right(self, G) * self.saved[1]


@mistake("the term with the mean .* over the examples", base=BatchNorm)
def batch_mean_dropped(self, G):
    right(self, G)
    h, s = self.saved
    D = self.g * G
    return (D - h * (D * h).mean(0)) / s


@mistake("multiple of the output: the term with the sum", base=Soft)
def softmax_without_subtraction(self, G):
    return self.saved * G


@mistake("the term with the mean", base=Center)
def centre_without_mean(self, G):
    return G - 0


@mistake("duplicates are lost", base=Embed)
def duplicates_lost(self, G):
    self.grad["E"].zero_()
    self.grad["E"][self.saved] = G
    return torch.zeros(self.saved.shape, dtype=G.dtype)


@mistake("zeros included", base=Embed)
def rows_left_unwritten(self, G):
    self.grad["E"][self.saved.flatten().unique()] = 0
    self.grad["E"].index_put_((self.saved,), G, accumulate=True)
    return torch.zeros(self.saved.shape, dtype=G.dtype)


@mistake(r"added to \(\+=\)", base=Embed)
def rows_added_to(self, G):
    self.grad["E"].index_put_((self.saved,), G, accumulate=True)
    return torch.zeros(self.saved.shape, dtype=G.dtype)


@mistake("the skip path", base=Residual)
def skip_path_missing(self, G):
    return self.inner.backward(G)


@mistake("output_grad itself.*the inner path", base=Residual)
def inner_path_missing(self, G):
    self.inner.backward(G)
    return G


@mistake("every element is -1 times.*the sign is wrong", base=Cube)
def sign_wrong(self, G):
    return -right(self, G)


@mistake("a factor 2 too many", base=Cube)
def factor_two(self, G):
    return 2 * right(self, G)


@mistake("a factor 2 is missing|every element is 0.5 times", base=Cube)
def half(self, G):
    return right(self, G) / 2


@mistake("every element is 0.3333 times", base=Cube)
def exponent_forgotten(self, G):
    return self.saved**2 * G


@mistake("the two are swapped", base=Scale)
def gradients_swapped(self, G):
    dx = right(self, G)
    self.grad["s"], self.grad["t"] = self.grad["t"].clone(), self.grad["s"].clone()
    return dx


@mistake("right only at index 0 of dimension 1, the first, and zero elsewhere", base=Cube)
def first_feature_only(self, G):
    dx = right(self, G)
    dx[:, 1:] = 0
    return dx


@mistake("wrong only at index 3 of dimension 1, the last", base=Cube)
def last_feature_wrong(self, G):
    dx = right(self, G)
    dx[:, -1] = 0
    return dx


@mistake("right only at index 0 of dimension 0 .the examples of the batch., the first", base=Cube)
def first_example_only(self, G):
    dx = torch.zeros_like(G)
    dx[0] = right(self, G)[0]
    return dx


@mistake("only this element is wrong", base=Cube)
def one_element(self, G):
    dx = right(self, G)
    dx[2, 1] *= 1.5
    return dx


@mistake(r"added to \(\+=\)", base=Scale)
def accumulated(self, G):
    self.grad["s"] += (self.saved * G).sum(0, keepdim=True)
    self.grad["t"] = G.sum(0, keepdim=True)
    return self.s * G


@mistake("no element was written", base=Scale)
def not_written(self, G):
    self.grad["s"] = (self.saved * G).sum(0, keepdim=True)
    return self.s * G


@mistake("every element is zero", base=Scale)
def zero(self, G):
    dx = right(self, G)
    self.grad["s"] = torch.zeros_like(self.s)
    return dx


@mistake("every element is the same number", base=Cube)
def constant(self, G):
    return torch.full_like(G, 0.3)


@mistake("shifted by one along dimension 1", base=Cube)
def shifted(self, G):
    return right(self, G).roll(1, 1)


@mistake("reverse order along dimension 0", base=Cube)
def reversed_examples(self, G):
    return right(self, G).flip(0)


@mistake("elementwise product", SQUARE, base=Affine, size=4)
def elementwise_instead_of_product(self, G):
    right(self, G)
    return G * self.W


@mistake("elementwise product", SQUARE, base=Affine, size=4)
def elementwise_weight_gradient(self, G):
    dx = right(self, G)
    self.grad["W"] = self.saved * G
    return dx


@mistake("clipped to", base=Cube)
def clipped(self, G):
    return right(self, G).clamp(-0.7, 0.7)


@mistake("not proportional to output_grad", base=Sine)
def output_grad_clipped(self, G):
    return right(self, G.clamp(-0.5, 0.5))


@mistake("sign is lost", base=Cube)
def absolute(self, G):
    return right(self, G).abs()


@mistake("random numbers drawn in _backward", base=Drop)
def mask_drawn_again(self, G):
    return (torch.rand(G.shape) < 0.5).to(G.dtype) * 2 * G


@mistake("self.saved holds the input instead of the output")
class OutputSaved(Cube):
    def _forward(self, x):
        self.saved = x**3
        return self.saved


@mistake("self.saved holds the output instead of the input")
class InputSaved(Logistic):
    def _forward(self, x):
        self.saved = x
        return torch.sigmoid(x)


@mistake("_backward changed output_grad in place", base=Cube)
def output_grad_changed(self, G):
    return G.mul_(3 * self.saved**2)


@mistake("_forward changed input in place")
class InputChanged(Leaky):
    def _forward(self, x):
        self.saved = x.clone()
        x[x <= 0] /= 10
        return x * 1


@mistake("_backward changed input in place", base=Cube)
def input_changed_by_backward(self, G):
    return self.saved.square_().mul_(3) * G


@mistake("_backward changed output in place", base=Logistic)
def output_changed_by_backward(self, G):
    p = self.saved
    return p.mul_(1 - p) * G


@mistake("changed its parameter in place", base=Scale)
def parameter_changed(self, G):
    dx = right(self, G)
    self.s.mul_(1.1)
    return dx


@mistake("rounding|rounded to torch.float32", base=Sine)
def single_precision(self, G):
    x, a = self.saved
    D = G.float() * torch.cos(a.float())
    self.grad["W"] = (x.float().mT @ D).to(x.dtype)
    return (D @ self.W.float().mT).to(x.dtype)


@mistake("hides a part of itself from autograd")
class Detached(Cube):
    def _forward(self, x):
        self.saved = x
        return x * x.detach() ** 2


@mistake("hides a part of itself from autograd")
class Numpy(Cube):
    def _forward(self, x):
        self.saved = x
        return torch.from_numpy(x.detach().numpy() ** 3)


@mistake("counts only the last index of dimension 1|counts only one of 5 uses", SEQUENCE, base=Recurrent)
def weights_of_the_last_step(self, G):
    return Recurrent._backward(self, G, steps={G.shape[1] - 1})


@mistake("the path through matrix product is missing in every step", SEQUENCE, base=Recurrent)
def not_through_time(self, G):
    return Recurrent._backward(self, G, back=False)


@mistake("divided by 5|times what it should be", SEQUENCE, base=MeanPool)
def pool_without_division(self, G):
    return G[:, None].expand(self.saved)


@mistake("the derivative of sin, a factor, is missing|gradient without cos", base=Sine)
def inner_derivative_missing(self, G):
    x, _ = self.saved
    self.grad["W"] = x.mT @ G
    return G @ self.W.mT


@mistake("_backward returned nothing|expected a tensor", base=Cube)
def nothing_returned(self, G):
    right(self, G)


@mistake("is it the sum|sum over dimension|summed over|it has shape", base=Cube)
def input_gradient_summed(self, G):
    return right(self, G).sum(0, keepdim=True)


@mistake("an evaluation forward .* changes it: keep .* in self.saved, not in self.x")
class Stale(Cube):
    def _forward(self, x):
        self.x = x
        return x**3

    def _backward(self, G):
        return 3 * self.x**2 * G


@mistake("an evaluation forward .* self.mask")
class StaleMask(Leaky):
    def _forward(self, x):
        self.mask = x > 0
        return torch.where(self.mask, x, x / 10)

    def _backward(self, G):
        return torch.where(self.mask, G, G / 10)


@mistake("kept from an earlier forward, in self.x", torch.ones(4, 3))
class Remembers(Scale):
    """Keeps the input of its first forward for good."""

    def _forward(self, x):
        if not hasattr(self, "x"):
            self.x = x
        return self.s * x + self.t

    def _backward(self, G):
        self.saved = self.x
        return super()._backward(G)


@mistake("an evaluation forward", INDICES)
class StaleIndices(Embed):
    def _forward(self, x):
        self.indices = x
        return self.E[x]

    def _backward(self, G):
        self.saved = self.indices
        return super()._backward(G)


@mistake("input_grad=False", base=Scale)
def lazy(self, G):
    dx = right(self, G)
    if not self.needs_input_grad:
        self.grad["s"] = self.grad["s"] * 2
    return dx


@mistake("the sign of the path|the factor", numbers(5, 6), base=Gate)
def gate_with_a_sign(self, G):
    a, p = self.saved
    return torch.cat([G * p, G * a * p * (p - 1)], -1)


@mistake("leaves out examples 3, 4", base=Affine)
def half_of_the_batch(self, G):
    dx = right(self, G)
    self.grad["W"] = self.saved[:3].mT @ G[:3]
    return dx


@mistake("output_grad summed over dimension 0 .* and repeated", base=Affine)
def weight_gradient_without_the_input(self, G):
    dx = right(self, G)
    self.grad["W"] = G.sum(0).expand(4, 3).clone()
    return dx


@mistake("output_grad \\* output, which is not the derivative", base=Logistic)
def logistic_without_one_minus_p(self, G):
    return self.saved * G


@mistake("W = 1: the factor W is missing", base=Affine)
def input_gradient_without_weights(self, G):
    right(self, G)
    return G.sum(1, keepdim=True).expand(-1, 4)


@mistake("not proportional to output_grad", base=Affine)
def number_added(self, G):
    dx = right(self, G)
    self.grad["W"] = self.grad["W"] + self.W / 10
    return dx


@mistake("a number of the input.*a mean where a sum belongs|every element is 0.05 times", base=Scale)
def input_gradient_averaged(self, G):
    return right(self, G) / G.numel()


@mistake("the path through .* is missing", numbers(5, 6), base=Gate)
def half_of_the_gate(self, G):
    _, p = self.saved
    return torch.cat([G * p, torch.zeros_like(G)], -1)


@mistake("on 3 examples made of the one given", PLAIN[:1], base=Affine)
def one_example_hides_it(self, G):
    dx = right(self, G)
    self.grad["b"] = G[:1]
    return dx


def losses():
    """Return losses with mistakes, as Mistakes."""

    def made(name, reason, **formulas):
        cls = type(name, (lnc.MSE,), formulas)
        return Mistake(name, lambda: cls(Sequential(Dense(3, "tanh"), Linear(2))), (numbers(6, 4), numbers(6, 2)), reason)

    return [
        made("FactorForgotten", "every element is 0.5 times.*a factor 2 is missing", gradient=lambda _, p, y: (p - y) / 2),
        made("SignWrong", "the sign is wrong", gradient=lambda _, p, y: y - p),
        made("DividedTwice", "divided by the number of examples, 6", gradient=lambda _, p, y: (p - y) / len(p)),
        made("NotDivided", "1/n is missing, for n = 6", gradient=lambda _, p, y: (p - y) * len(p)),
        made("Absolute", "sign is lost", gradient=lambda _, p, y: (p - y).abs()),
        made(
            "OnePrediction",
            "wrong only at index 1 of dimension 1, the last, where it is zero",
            gradient=lambda _, p, y: (p - y) * torch.tensor([1.0, 0.0]).to(p),
        ),
        made(
            "Asymmetric",
            "the prediction is negative",
            value=lambda _, p, y: p**2,
            gradient=lambda _, p, y: torch.where(p < 0, p, 2 * p),
        ),
    ]


LOSSES = losses()
