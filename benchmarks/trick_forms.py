"""The tricks of docs/performance.md, each beside the plain form of the same computation; tricks.py measures them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.sparse import random_array
from torch import Tensor

from lincoln import ops
from lincoln.engine.replay import Replay
from lincoln.layers import Dense, Linear, ReLU, Sequential, Softmax
from lincoln.losses import CrossEntropy, LogLoss
from lincoln.optim import Adam

F32, F64 = torch.float32, torch.float64
ATEN_MM = torch.ops.aten.mm.out
STEPS = 20
Form = Callable[[], Any]


class Trick(NamedTuple):
    name: str
    size: str
    fast: Form
    plain: Form
    compared: bool = True
    """False for steps that change a network: each form has one of its own, so their results differ."""
    per: int = 1
    """Repetitions in one call."""


def products() -> Iterator[Trick]:
    """The linear layer: narrow outputs, weights kept as their transpose, and the gradient that is not needed."""
    for n, i, o in ((200, 30, 10), (200, 256, 10)):
        x, W, B, _ = linear(n, i, o, F64)
        narrow, wide = partial(ops.affine, x, W, B), partial(torch.addmm, B, x, W)
        yield Trick("narrow outputs by columns", f"{n} x {i} x {o}, float64", narrow, wide)
    for n, i, o in ((128, 30, 10), (32, 256, 10), (200, 256, 256)):
        x, W, B, G = linear(n, i, o, F32)
        by_columns, by_rows = partial(three_products, x, W, B, G), partial(three_products, x, W.contiguous(), B, G)
        yield Trick("weights as their transpose", f"{n} x {i} x {o}, float32", by_columns, by_rows)
    for n, i, o in ((128, 30, 10), (200, 256, 256)):
        layer, (x, _, _, G) = Linear(o), linear(n, i, o, F32)
        backward = partial(forward_backward, layer, x, G)
        yield Trick("no input gradient in the first layer", f"{n} x {i} x {o}, float32", backward, partial(backward, True))
    _, W, _, G = linear(200, 30, 10, F64)
    r = torch.randn(30, 200, dtype=F64).relu_().t()  # by columns, as a narrow layer leaves it
    same, other = lambda: ops.where_positive(r, ops.input_grad(G, W, r)), lambda: ops.where_positive(r, torch.mm(G, W.t()))
    yield Trick("input gradient in the order of the input", "200 x 30 x 10, float64", same, other)


def linear(n: int, i: int, o: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return x (n, i), W (i, o) by columns, B (1, o) and G (n, o)."""
    x, W, B, G = (torch.randn(shape, dtype=dtype) for shape in ((n, i), (i, o), (1, o), (n, o)))
    return x, ops.by_columns(W), B, G


def three_products(x: Tensor, W: Tensor, B: Tensor, G: Tensor) -> list[Tensor]:
    """x W + B, x^T G and G W^T, the second in the memory order of W."""
    a, weight_grad = ops.affine(x, W, B), torch.empty_like(W)
    if W.stride(0) == 1:
        ops.weight_grad(x, G, weight_grad)
    else:
        torch.mm(x.t(), G, out=weight_grad)
    return [a, weight_grad, ops.input_grad(G, W, x)]


def forward_backward(layer: Linear, x: Tensor, G: Tensor, input_grad: bool = False) -> Tensor:
    layer(x)
    layer.backward(G, input_grad)
    return layer.grad["W"]


def elementwise() -> Iterator[Trick]:
    """Two operations in one pass, and the mask of a ReLU."""
    p, g = torch.rand(128, 10), torch.randn(128, 10)
    yield Trick("sigmoid's backward in two passes", "128 x 10, float32", lambda: minus(p * g, p), lambda: p * (1 - p) * g)
    z, y = torch.randn(128, 1), torch.randint(0, 2, (128, 1)).float()
    yield Trick("(1 - 2y) z in one pass", "128 x 1, float32", lambda: ops.signed(z, y), lambda: (1 - 2 * y) * z)
    r, h = torch.randn(200, 10, dtype=F64).relu_(), torch.randn(200, 10, dtype=F64)
    yield Trick("ReLU's backward by sign", "200 x 10, float64", lambda: ops.where_positive(r, h), lambda: h * (r > 0))


def minus(q: Tensor, p: Tensor) -> Tensor:
    return ops.minus_product(q, q, p)


def rows() -> Iterator[Trick]:
    """Softmax down columns, and cross entropy with one exponential."""
    z = torch.randn(10, 200, dtype=F64).t()
    yield Trick("softmax down columns", "200 x 10, float64", lambda: ops.softmax(z), lambda: torch.softmax(z, -1))
    y, loss = torch.randint(10, (200,)), CrossEntropy(Sequential(Linear(10), Softmax()))
    both = partial(loss.value_and_gradient_from_logits, z, y)
    apart = partial(lambda: (loss.value_from_logits(z, y), loss.gradient_from_logits(z, y)))
    yield Trick("cross entropy with one exponential", "200 x 10, float64", both, apart)


def sparse() -> Iterator[Trick]:
    """x W and x^T G for an x with few entries, by scipy and dense."""
    for share, o in ((0.01, 10), (0.01, 100), (0.05, 100)):
        matrix = random_array((200, 20_000), density=share, format="csr", rng=np.random.default_rng(0))
        x, dense = ops.csr_tensor(matrix), torch.from_numpy(matrix.toarray())
        W, G = torch.randn(20_000, o, dtype=F64), torch.randn(200, o, dtype=F64)
        W_dense = ops.by_columns(W)
        fast = partial(sparse_products, x, W, G, torch.empty_like(W))
        plain = partial(sparse_products, dense, W_dense, G, torch.empty_like(W_dense))
        yield Trick("sparse products", f"200 x 20,000 x {o}, {share:.0%} stored, float64", fast, plain)


def sparse_products(x: Tensor, W: Tensor, G: Tensor, out: Tensor) -> list[Tensor]:
    a = ops.sparse_affine(x, W)
    ops.sparse_weight_grad(x, G, out)
    return [a, out]


def vectors() -> Iterator[Trick]:
    """All parameters as one vector: optimizer, penalty, and the copies of the finite guard."""
    for hidden in (1, 4):
        network = Sequential(*(Dense(10, "relu") for _ in range(hidden)), Dense(1))
        loss = LogLoss(network, reduction="mean", l2=1e-4)
        loss(torch.randn(128, 30), torch.ones(128, 1))
        loss.backward()
        size = f"{hidden + 1} layers of 10 units, float32"
        w, g = network.flatten()
        whole, parts = AdamState([(w, g)]), AdamState(list(zip(network.parameters(), network.grads(), strict=True)))
        yield Trick("Adam on one vector", size, whole.step, parts.step, compared=False)
        layers = [layer.own["W"] for layer in network.leaves() if layer.own]
        yield Trick(
            "penalty on one vector", size, partial(penalize, loss), partial(penalize_layers, layers), compared=False
        )
    copy = torch.empty_like(w)
    yield Trick("copies of weights reused", f"{len(w)} parameters", lambda: copy.copy_(w), w.clone)


class AdamState:
    """The steps of `lincoln.optim.Adam` on any list of (parameter, gradient)."""

    def __init__(self, pairs: list[tuple[Tensor, Tensor]]) -> None:
        self.pairs = pairs
        self.optimizers = [self._for(w) for w, _ in pairs]

    def step(self) -> None:
        for (w, g), optimizer in zip(self.pairs, self.optimizers, strict=True):
            optimizer.steps += 1
            optimizer.update(w, g)

    @staticmethod
    def _for(w: Tensor) -> Adam:
        optimizer = Adam(ReLU(), lr=1e-6)
        optimizer.mean, optimizer.square = torch.zeros_like(w), torch.zeros_like(w)
        return optimizer


def penalize(loss: LogLoss) -> Tensor:
    squares = loss.l2_penalty.squares()
    loss.l2_penalty.add_gradient(1e-9)
    return squares


def penalize_layers(weights: list[tuple[Tensor, Tensor]]) -> Tensor:
    squares = torch.stack([W.square().sum() for W, _ in weights]).sum()
    for W, grad in weights:
        grad.add_(W, alpha=1e-9)
    return squares


def steps() -> Iterator[Trick]:
    """Training steps of the notebook's network: link, checks, inference mode, replay, and reading of losses."""
    size = "30-10-1, 128 examples, float32"
    x, y = torch.randn(128, 30), torch.randint(0, 2, (128, 1)).float()
    p_loss, link = LogLoss(Sequential(Dense(10), Dense(1))), LogLoss(Sequential(Dense(10), Dense(1)))
    on_p = partial(step_on_probabilities, p_loss, x, y)
    yield Trick("loss on log-odds", size, partial(step, link, x, y, False), on_p, compared=False)
    unchecked, checked = partial(step, link, x, y, False), partial(step, link, x, y, True)
    yield Trick("targets checked once", size, unchecked, checked, compared=False)
    many, layers = partial(repeat, unchecked), partial(in_inference, unchecked)
    yield Trick("inference mode", size, layers, many, compared=False, per=STEPS)
    replay = Replay(LogLoss(link.network, check_targets=False))
    yield Trick("replay", size, partial(in_inference, partial(replay, x, y)), layers, compared=False, per=STEPS)
    a, b, out = torch.randn(8, 8), torch.randn(8, 8), torch.empty(8, 8)
    yield Trick("torch.mm instead of torch.ops", "8 x 8", *(partial(f, a, b, out=out) for f in (torch.mm, ATEN_MM)))


def step(loss: LogLoss, x: Tensor, y: Tensor, check: bool) -> Tensor:
    value = loss(x, y, check_targets=check)
    loss.backward()
    return value


def step_on_probabilities(loss: LogLoss, x: Tensor, y: Tensor) -> Tensor:
    """The same step through the sigmoid: loss and gradient on p, and the chain rule."""
    p = loss.network(x)
    value = loss.value(p, y).sum()
    loss.network.backward(loss.gradient(p, y), input_grad=False)
    return value


def repeat(form: Form) -> None:
    for _ in range(STEPS):
        form()


def in_inference(form: Form) -> None:
    with torch.inference_mode():
        repeat(form)


def threads() -> Iterator[Trick]:
    """A step on one thread and on two."""
    for n, hidden in ((200, 100), (1000, 1000)):
        loss = CrossEntropy(Sequential(Dense(hidden, "relu"), Dense(10, "softmax")))
        x, y = torch.randn(n, 64, dtype=F64), torch.randint(10, (n,))
        one, two = (partial(on_threads, count, partial(step, loss, x, y, False)) for count in (1, 2))
        yield Trick("one thread", f"64-{hidden}-10, {n:,} examples, float64", one, two, compared=False)


def on_threads(count: int, form: Form) -> Any:
    torch.set_num_threads(count)
    try:
        return form()
    finally:
        torch.set_num_threads(1)


def batches() -> Iterator[Trick]:
    """An epoch's batches: one shuffled copy cut into views, and how it is cut."""
    x, order = torch.randn(569, 30), torch.randperm(569)
    yield Trick(
        "one shuffled copy an epoch", "569 x 30 in batches of 128", partial(copied, x, order), partial(gathered, x, order)
    )
    large = torch.randn(8192, 30)
    yield Trick("unsafe_split", "64 views", partial(torch.unsafe_split, large, 128), partial(torch.split, large, 128))


def copied(x: Tensor, order: Tensor) -> tuple[Tensor, ...]:
    return torch.unsafe_split(x.index_select(0, order), 128)


def gathered(x: Tensor, order: Tensor) -> tuple[Tensor, ...]:
    return tuple(x.index_select(0, order[start : start + 128]) for start in range(0, len(x), 128))


GROUPS: dict[str, Callable[[], Iterator[Trick]]] = {
    group.__name__: group for group in (products, elementwise, rows, sparse, vectors, steps, threads, batches)
}
