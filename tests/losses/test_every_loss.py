"""Properties of every loss of the table."""

import copy
import pickle

import pytest
import torch
from cases import LOSSES, both_reductions, every_loss
from hypothesis import given, settings
from hypothesis import strategies as st

import lincoln as lnc
from lincoln.errors import StateError

any_batch = given(
    n=st.integers(1, 9),
    seed=st.integers(0, 10**6),
    weighted=st.booleans(),
    dtype=st.sampled_from([torch.float64, torch.float32]),
)


def check(case, reduction, n, seed, weighted, dtype):
    torch.manual_seed(seed)
    x = torch.randn(n, 5)
    weights = (torch.rand(n) + 0.1,) if weighted else ()
    report = lnc.check_gradients(case.make(reduction=reduction), x, case.targets(n), *weights, dtype=dtype)
    assert report, report


@every_loss
@both_reductions
@any_batch
def test_gradients_are_autograds(case, reduction, n, seed, weighted, dtype):
    check(case, reduction, n, seed, weighted, dtype)


@pytest.mark.slow
@every_loss
@both_reductions
@settings(max_examples=1000)
@any_batch
def test_gradients_are_autograds_at_length(case, reduction, n, seed, weighted, dtype):
    check(case, reduction, n, seed, weighted, dtype)


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
    """A weight of 2 equals repeating the example, a weight of 0 leaving it out."""
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
    loss.backward()  # the evaluations between forward and backward have not disturbed the step


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


@every_loss
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_compiled_it_is_one_graph(case):
    loss = case.make(l2=0.1)
    x, y = torch.randn(6, 5, dtype=torch.float64), case.targets(6)

    def run(x, y):
        value = loss(x, y)
        return value, loss.backward(input_grad=True)

    expected = run(x, y)
    grads = [grad.clone() for grad in loss.network.grads()]
    torch._dynamo.reset()
    compiled = torch.compile(run, fullgraph=True, backend="eager")
    for grad in loss.network.grads():
        grad.fill_(torch.nan)
    assert all(torch.equal(a, b) for a, b in zip(compiled(x, y), expected, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(loss.network.grads(), grads, strict=True))
