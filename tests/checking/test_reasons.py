"""Each mistake gets its reason in words, and a right layer never gets one."""

import re

import pytest
import torch
from cases import LAYERS, LOSSES
from mistakes import LOSSES as WRONG_LOSSES
from mistakes import MISTAKES, RIGHT, Affine, Cube, Embed, LayerNorm, MeanPool, Recurrent, Residual, Scale, numbers

import lincoln as lnc
from lincoln.layers import Dense, Linear, Sequential, Tanh

by_name = pytest.mark.parametrize("mistake", MISTAKES + WRONG_LOSSES, ids=lambda one: one.name)
by_layer = pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.name)


def test_there_are_many_mistakes():
    assert len({mistake.name for mistake in MISTAKES + WRONG_LOSSES}) > 75


@by_name
def test_a_mistake_gets_its_reason(mistake):
    report = lnc.check_gradients(mistake.make(), *mistake.inputs)
    assert not report
    assert re.search(mistake.reason, "\n".join(report.failures)), str(report)
    assert all(len(failure) <= 500 for failure in report.failures)


@by_layer
def test_it_is_blamed_inside_a_network(mistake):
    layer = mistake.make()
    if mistake.name in ("wrong_at_zero", "lazy"):
        pytest.skip("its mistake does not show there")
    if not mistake.inputs[0].is_floating_point() or layer(mistake.inputs[0]).dim() < 2 or len(mistake.inputs[0]) == 1:
        pytest.skip("it cannot follow a layer that learns")
    network = Sequential(Linear(mistake.inputs[0].shape[-1]), mistake.make(), Dense(2, "tanh"))
    report = lnc.check_gradients(network, numbers(*mistake.inputs[0].shape))
    assert not report
    assert {label for label, _ in report.culprits} == {f"{mistake.name} '1'"}


@by_layer
def test_it_is_found_in_single_precision(mistake):
    if "single_precision" in mistake.name:
        pytest.skip("that is no mistake then")
    assert not lnc.check_gradients(mistake.make(), *mistake.inputs, dtype=torch.float32)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("make", "x"), RIGHT, ids=[f"{make.__name__} {tuple(x.shape)}" for make, x in RIGHT])
def test_a_right_layer_gets_no_reason(make, x, dtype):
    report = lnc.check_gradients(make(), x, dtype=dtype)
    assert report
    assert report.failures == []
    assert all(row.hint == row.at == "" for row in report.comparisons)
    assert lnc.check_gradients(make(), x[:1], dtype=dtype)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [(5, 4), (1, 4), (3, 3), (2, 2), (7, 1), (1, 1)])
@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)
def test_a_right_layer_passes_at_any_point(case, shape, seed):
    if len(case.shape) > 2:
        shape = (*case.shape[:-2], *shape)
    torch.manual_seed(seed)
    assert lnc.check_gradients(case.make(), case.example(shape), seed=seed).failures == []
    assert lnc.check_gradients(case.make(), torch.zeros(shape), seed=seed).failures == []


@pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.name)
@pytest.mark.parametrize("n", [1, 2, 6])
def test_a_right_loss_gets_no_reason(case, n):
    for weights in ([], [torch.rand(n) + 0.5]):
        report = lnc.check_gradients(case.make(l2=0.1), torch.randn(n, 3), case.targets(n), *weights)
        assert report.failures == []


def test_right_layers_together():
    network = Sequential(Affine(4), LayerNorm(), Residual(Sequential(Scale(), Affine(4), Tanh())), Cube(), Dense(2))
    assert lnc.check_gradients(network, numbers(6, 4)).failures == []
    assert lnc.check_gradients(lnc.MSE(network, l2=0.1), numbers(6, 4), numbers(6, 2)).failures == []
    assert lnc.check_gradients(Sequential(Recurrent(), MeanPool(), LayerNorm()), numbers(3, 5, 4)).failures == []
    assert (
        lnc.check_gradients(
            Sequential(Embed(), Affine(4), MeanPool(), LayerNorm(), Dense(3)), torch.tensor([[0, 1], [1, 1]])
        ).failures
        == []
    )
