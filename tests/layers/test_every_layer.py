"""Properties of every layer of the table."""

import copy
import pickle

import pytest
import torch
from cases import LAYERS, LayerCase, every_layer
from hypothesis import given, settings
from hypothesis import strategies as st

import lincoln as lnc
from lincoln.engine.recording import Recording, Watch
from lincoln.errors import MatchError, StateError
from lincoln.layers import (
    Identity,
    Linear,
    Sequential,
    Tanh,
)


def pair(case: LayerCase, dtype=torch.float64, device="cpu"):
    return case.make(), case.example(dtype=dtype, device=device)


def inputs_of(*scales):
    return given(
        sizes=st.lists(st.integers(1, 6), min_size=1, max_size=3),
        features=st.integers(1, 7),
        seed=st.integers(0, 10**6),
        scale=st.sampled_from(scales),
        dtype=st.sampled_from([torch.float64, torch.float32]),
    )


def check(case, sizes, features, seed, scale, dtype):
    torch.manual_seed(seed)
    if dtype == torch.float32:
        scale = min(scale, 1.0)  # beyond, a sigmoid rounds to 1 in float32 and its gradient to 0
    x = case.example((*sizes, features)) * scale
    report = lnc.check_gradients(case.make(), x, dtype=dtype)
    assert report, report


@every_layer
@inputs_of(0.01, 1.0, 30.0)
def test_gradients_are_autograds(case, sizes, features, seed, scale, dtype):
    check(case, sizes, features, seed, scale, dtype)


@pytest.mark.slow
@every_layer
@settings(max_examples=1000)
@inputs_of(0.01, 0.1, 1.0)  # at 30 every output of a small tanh may round to 1: its gradient is then nothing but rounding
def test_gradients_are_autograds_at_length(case, sizes, features, seed, scale, dtype):
    check(case, sizes, features, seed, scale, dtype)


@every_layer
def test_value_is_torchs(case, device):
    layer, x = pair(case, torch.float32, device)
    y = layer(x)
    torch.testing.assert_close(y, case.reference(layer, x))
    assert y.device.type == device


@every_layer
def test_gradients_of_parts_add_up(case):
    """Parameter gradients are sums over examples."""
    layer, x = pair(case)
    g = torch.randn_like(layer(x))
    whole_input = layer.backward(g)
    whole = [grad.clone() for grad in layer.grads()]
    parts = []
    for part in (slice(0, 1), slice(1, None)):
        layer(x[part])
        parts.append((layer.backward(g[part]), [grad.clone() for grad in layer.grads()]))
    torch.testing.assert_close(torch.cat([parts[0][0], parts[1][0]]), whole_input)
    torch.testing.assert_close([a + b for a, b in zip(parts[0][1], parts[1][1], strict=True)], whole)


@every_layer
def test_inside_sequential(case):
    x = case.example()
    assert lnc.check_gradients(Sequential(Linear(4), case.make(), Tanh()), x)


@every_layer
def test_evaluation_leaves_no_trace(case):
    layer, x = pair(case)
    y = layer(x)
    g = torch.randn_like(y)
    expected = layer.backward(g).clone()
    layer(x)
    layer.eval()
    torch.testing.assert_close(layer(x), y)
    layer(x[:1] * 3)
    layer.train()
    torch.testing.assert_close(layer.backward(g), expected)


@every_layer
def test_evaluation_saves_nothing(case):
    layer, x = pair(case)
    layer.eval()(x)
    assert all(inner.saved is None for _, inner in layer.named_layers())
    with pytest.raises(StateError, match="evaluation mode it saves nothing"):
        layer.backward(x)


@every_layer
def test_backward_frees_what_forward_saved(case):
    layer, x = pair(case)
    y = layer(x)
    layer.backward(torch.ones_like(y))
    assert all(inner.saved is None for _, inner in layer.named_layers())
    with pytest.raises(StateError, match="backward without a forward"):
        layer.backward(torch.ones_like(y))


@every_layer
def test_backward_before_forward(case):
    layer, x = pair(case)
    with pytest.raises(StateError, match=type(layer).__name__):
        layer.backward(x)


@every_layer
def test_output_grad_of_another_shape(case):
    layer, x = pair(case)
    y = layer(x)
    with pytest.raises(MatchError, match="output_grad has shape"):
        layer.backward(torch.ones(*y.shape, 2, dtype=torch.float64))
    assert layer.backward(torch.ones_like(y)) is not None, "the refused gradient must not have used up the forward"


@every_layer
def test_state_round_trip(case):
    layer, x = pair(case)
    y = layer(x)
    state = layer.state_dict()
    for tensor in layer.parameters():
        tensor.mul_(3)
    layer.load_state_dict(state)
    assert torch.equal(layer(x), y)


@every_layer
@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))], ids=["copy", "pickle"]
)
def test_copies_are_equal_and_apart(case, duplicate):
    layer, x = pair(case)
    y = layer(x)
    if list(layer.parameters()):
        layer.flatten()
    other = duplicate(layer)
    assert torch.equal(other(x), y)
    for tensor in other.parameters():
        tensor.add_(1)
    assert torch.equal(layer(x), y)
    other.backward(torch.ones_like(y))
    if list(other.parameters()):
        assert other.flatten()[0].sum().item() == pytest.approx(sum(tensor.sum().item() for tensor in other.parameters()))


@every_layer
def test_pickle_is_no_larger_than_its_parameters(case):
    layer, x = pair(case)
    layer(x)
    size = sum(tensor.numel() * 8 for tensor in layer.parameters())
    big = case.example((1000, *case.shape[1:]))
    layer(big)
    assert len(pickle.dumps(layer)) < size + 6000


@every_layer
def test_parameters_and_grads_in_the_same_order(case):
    layer, x = pair(case)
    assert list(layer.parameters()) == [] == list(layer.grads()), "nothing before the first input"
    layer(x)
    parameters, grads = list(layer.parameters()), list(layer.grads())
    assert [p.shape for p in parameters] == [g.shape for g in grads]
    assert [p.dtype for p in parameters] == [torch.float64] * len(parameters)
    assert not any(g.any() for g in grads)


@every_layer
def test_gradients_are_overwritten(case):
    layer, x = pair(case)
    for _ in range(2):
        layer.backward(torch.ones_like(layer(x)))
        grads = [grad.clone() for grad in layer.grads()]
    layer.backward(torch.ones_like(layer(x)))
    torch.testing.assert_close(list(layer.grads()), grads, rtol=0, atol=0)


@every_layer
def test_to_dtype(case):
    layer, x = pair(case)
    y = layer(x)
    layer.to(dtype=torch.float32)
    assert layer(x.float()).dtype == torch.float32
    torch.testing.assert_close(layer(x.float()), y.float())
    unbuilt = case.make().to(dtype=torch.float64)
    assert unbuilt(x).dtype == torch.float64


@every_layer
def test_repr_is_the_constructor_call(case):
    layer = case.make()
    assert repr(eval(repr(layer), vars(lnc))) == repr(layer)


@every_layer
def test_input_that_is_no_tensor(case):
    layer, x = pair(case)
    with pytest.raises(MatchError, match=r"input is a ndarray, expected a torch.Tensor: use torch.as_tensor"):
        layer(x.numpy())
    layer(x)
    if not isinstance(layer, Identity):
        with pytest.raises(MatchError, match="expected a torch.Tensor"):
            layer(x.numpy())


@every_layer
def test_checkpoint_round_trip(case, tmp_path):
    layer, x = pair(case)
    network = Sequential(layer)
    y = network(x)
    loaded = lnc.load(lnc.save(tmp_path / "network.safetensors", network))
    assert repr(loaded) == repr(network)
    assert torch.equal(loaded(x), y)
    g = torch.randn_like(y)
    assert torch.equal(loaded.backward(g), network.backward(g))
    assert all(torch.equal(a, b) for a, b in zip(loaded.grads(), network.grads(), strict=True))


def both_ways(layer, outcomes=None):
    """Return a function that runs the layer forward and back, and copies output and input gradient into `outcomes`."""

    def run(x, output_grad):
        y = layer.forward(x)
        input_grad = layer.backward(output_grad)
        if outcomes is None:
            return y, input_grad
        outcomes[0].copy_(y), outcomes[1].copy_(input_grad)
        return outcomes[0]

    return run


@pytest.mark.parametrize("case", [case for case in LAYERS if case.one_graph], ids=lambda case: case.name)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_compiled_it_is_one_graph(case):
    layer, x = pair(case)
    g = torch.randn_like(layer(x))
    expected = both_ways(layer)(x, g)
    grads = [grad.clone() for grad in layer.grads()]
    torch._dynamo.reset()
    compiled = torch.compile(both_ways(layer), fullgraph=True, backend="eager")
    for grad in layer.grads():
        grad.fill_(torch.nan)
    assert all(torch.equal(a, b) for a, b in zip(compiled(x, g), expected, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(layer.grads(), grads, strict=True))


@every_layer
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_recorded_it_gives_the_same_bits(case, dtype):
    layer, x = pair(case, dtype)
    y = layer(x)
    outcomes = torch.zeros_like(y), torch.zeros_like(x)
    run = both_ways(layer, outcomes)
    batch = x, torch.randn_like(y)
    with Watch() as watch:
        result = run(*batch)
    recording = Recording(watch.calls, batch, result)
    for _ in range(2):
        batch = case.example(dtype=dtype), torch.randn_like(y)
        expected = [tensor.clone() for tensor in (*both_ways(layer)(*batch), *layer.grads())]
        for tensor in (*outcomes, *layer.grads()):
            tensor.fill_(torch.nan)
        recording(*batch)
        assert all(torch.equal(a, b) for a, b in zip((*outcomes, *layer.grads()), expected, strict=True))
