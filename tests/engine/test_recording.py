"""Recordings without a trainer."""

import pytest
import torch

from lincoln.engine.recording import Recording, Unrecordable, Watch

GENERATOR = torch.Generator()


def recorded(function, *batch):
    with Watch() as watch:
        result = function(*batch)
    return Recording(watch.calls, batch, result)


def products(x, y):
    a = torch.relu(x.t() @ y)
    a = a.mul_(2).sub(torch.ones_like(a)).flatten()
    return torch.where(a > 0, a, torch.full_like(a, 0.5)).sum() + x[1:].sum(0)[0] + y.view(-1)[0]


def test_it_gives_what_the_function_gives():
    replay = recorded(products, torch.randn(5, 3), torch.randn(5, 2))
    for _ in range(3):
        x, y = torch.randn(5, 3), torch.randn(5, 2)
        result = replay(x, y)
        assert torch.equal(result, products(x, y))
        assert result is replay.result  # each replay writes into the same memory


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.mT @ x,
        lambda x: x[[0, 2]] * 2,
        lambda x: x[:0].sum() + (x[:0] + 1).sum() + x.sum(),
        lambda x: x.double().sum(dtype=torch.float32),
        lambda x: torch.linalg.vector_norm(x, dtype=torch.float64),
    ],
)
def test_what_is_easily_got_wrong(function):
    replay = recorded(function, torch.randn(5, 3))
    x = torch.randn(5, 3)
    assert torch.equal(replay(x), function(x))


def test_it_looks_at_tensors_outside_the_batch():
    w = torch.randn(3)
    replay = recorded(lambda x: x @ w, torch.randn(5, 3))
    w.mul_(2)
    x = torch.randn(5, 3)
    assert torch.equal(replay(x), x @ w)


def test_it_writes_where_the_function_wrote():
    kept = torch.zeros(3)
    replay = recorded(lambda x: torch.sum(x, 0, out=kept).mul(1), torch.randn(5, 3))
    x = torch.randn(5, 3)
    replay(x)
    assert torch.equal(kept, x.sum(0))


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda x: x * x.sum().item(), "returns a float, expected one tensor"),
        (lambda x: x + 1 if torch.equal(x, x) else x, "returns a bool, expected one tensor"),
        (lambda x: x.max(0)[0], "returns a tuple, expected one tensor"),
        (lambda x: torch.cat([x, x]), "takes the batch in a list"),
        (lambda x: x[x > 9].sum(), "the shape of the result of aten.index.Tensor depends on the numbers"),
        (lambda x: x.masked_select(x > 0).sum(), "the shape of the result of aten.masked_select.default depends"),
        (lambda x: x.sum(1).unsqueeze_(1), "changes a tensor's shape in place"),
        (lambda x: x + torch.rand(x.shape, generator=GENERATOR), "draws from a generator of its own"),
        (lambda x: x, "the result is the batch"),
        (lambda x: x[1:], "the result is the batch"),
    ],
)
def test_what_cannot_be_recorded(function, why):
    with pytest.raises(Unrecordable, match=why):
        recorded(function, torch.randn(5, 3))
