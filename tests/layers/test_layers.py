"""What holds for every layer."""

import copy
import pickle

import numpy as np
import pytest
import torch
from cases import LAYERS, LayerCase
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

import lincoln as lnc
from lincoln import ops
from lincoln.errors import ArgumentError, DimensionError, LayerError, MatchError, StateError
from lincoln.layers import (
    Dense,
    Dropout,
    Identity,
    Layer,
    Linear,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    SparseLinear,
    Tanh,
    csr_tensor,
)

every_layer = pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)


def pair(case: LayerCase, dtype=torch.float64, device="cpu"):
    return case.make(), torch.randn(case.shape, dtype=dtype, device=device)


@every_layer
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    features=st.integers(1, 7),
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([0.01, 1.0, 30.0]),
    dtype=st.sampled_from([torch.float64, torch.float32]),
)
def test_gradients_are_autograds(case, sizes, features, seed, scale, dtype):
    torch.manual_seed(seed)
    if dtype == torch.float32:
        scale = min(scale, 1.0)  # where a sigmoid rounds to 1, its float32 gradient is 0 and the true one is not
    x = torch.randn(*sizes, features, dtype=torch.float64) * scale
    report = lnc.check_gradients(case.make(), x, dtype=dtype)
    assert report, report


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
    x = torch.randn(case.shape, dtype=torch.float64)
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
    big = torch.randn(1000, *case.shape[1:], dtype=torch.float64)
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


def test_no_graph_and_no_autograd_kernel():
    """Under torch's profiler a training step shows no kernel of a backward that somebody else wrote."""
    network = Sequential(Dense(5, "relu"), Dense(4, "tanh"), Dense(3, "softmax"))
    loss = lnc.CrossEntropy(network)
    optimizer = lnc.Adam(network)
    x, y = torch.randn(6, 4), torch.arange(6) % 3
    loss(x, y)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        loss(x, y)
        loss.backward()
        optimizer.step()
    names = {event.key for event in profile.key_averages()}
    assert "aten::addmm" in names
    assert not [name for name in names if "backward" in name.lower() or "autograd" in name.lower()]
    assert not any(tensor.requires_grad for tensor in network.parameters())


def test_first_layer_skips_its_input_gradient():
    network = Sequential(Linear(3), Linear(2))
    y = network(torch.randn(5, 4))
    assert network.backward(torch.ones_like(y), input_grad=False) is None
    assert network[1].needs_input_grad
    assert not network[0].needs_input_grad


# ---- Linear


def test_linear_shapes():
    layer = Linear(3)
    layer(torch.randn(5, 4))
    assert layer.W.shape == (4, 3)
    assert layer.B.shape == (1, 3)
    assert not layer.B.any()


def test_linear_on_a_vector():
    layer = Sequential(first=Linear(3))
    with pytest.raises(DimensionError, match=r"Linear 'first'.*at least 2 dimensions.*it has 1") as caught:
        layer(torch.randn(4))
    assert caught.value.message == str(caught.value)


def test_linear_with_another_number_of_features():
    network = Sequential(Dense(2))
    network(torch.randn(5, 30))
    with pytest.raises(MatchError, match=r"Linear '0.linear': input has 29 features, W was built for 30"):
        network(torch.randn(5, 29))


def test_linear_on_integers():
    with pytest.raises(MatchError, match=r"int64, expected floating point: use input.float"):
        Linear(1)(torch.ones(2, 3, dtype=torch.int64))


def test_input_of_another_dtype():
    layer = Linear(1)
    layer(torch.randn(2, 3))
    with pytest.raises(MatchError, match=r"input is torch.float64, W is torch.float32"):
        layer(torch.randn(2, 3, dtype=torch.float64))
    layer(torch.randn(2, 3))
    with pytest.raises(MatchError, match=r"output_grad is torch.float64, W is torch.float32"):
        layer.backward(torch.ones(2, 1, dtype=torch.float64))


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "3", None])
def test_linear_size(size):
    with pytest.raises(ArgumentError, match="integer of at least 1"):
        Linear(size)


def test_initial_weights_suit_the_activation():
    x = torch.randn(2, 400)
    spread = {}
    for name in ("sigmoid", "tanh", "relu"):
        layer = Dense(300, name)
        layer(x)
        spread[name] = layer["linear"].W.std().item()
    glorot, he = (2 / 700) ** 0.5, (2 / 400) ** 0.5
    assert spread["sigmoid"] == pytest.approx(glorot, rel=0.02)
    assert spread["tanh"] == pytest.approx(glorot, rel=0.02)
    assert spread["relu"] == pytest.approx(he, rel=0.02)
    plain = Sequential(Sequential(Linear(300)), ReLU())
    plain(x)
    assert plain[0][0].W.std().item() == pytest.approx(he, rel=0.02)
    small = Dense(300, "relu", init=lnc.init.normal(std=0.01))
    small(x)
    assert small["linear"].W.std().item() == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize("init", [lnc.init.uniform(0.2), torch.nn.init.zeros_, torch.nn.init.orthogonal_])
def test_any_function_of_a_tensor_initialises(init):
    layer = Linear(3, init=init)
    layer(torch.randn(2, 4))
    assert layer.W.abs().max() <= 1


# ---- Containers


def test_sequential_names_indexes_and_iterates():
    a, b, c = Dense(4), Dense(3), Linear(1)
    network = Sequential(a, b, output=c)
    assert list(network) == [a, b, c]
    assert len(network) == 3
    assert network[0] is a is network["0"]
    assert network["output"] is c is network[-1]
    tail = network[1:]
    assert isinstance(tail, Sequential)
    assert list(tail) == [b, c]
    assert tail.names == ("1", "output")
    network(torch.randn(2, 5))
    assert [name for name, _ in network.named_parameters()] == [
        "0.linear.W",
        "0.linear.B",
        "1.linear.W",
        "1.linear.B",
        "output.W",
        "output.B",
    ]
    with pytest.raises(KeyError, match="no layer 'middle'; it has 0, 1, output"):
        network["middle"]
    with pytest.raises(IndexError):
        network[3]


def test_nested_repr():
    network = Sequential(Sequential(Linear(3), Tanh()), output=Dense(1, activation=None))
    assert repr(network) == (
        "Sequential(\n  Sequential(\n    Linear(3),\n    Tanh()),\n  output=Dense(1, activation=None))"
    )
    assert repr(Dense(10)) == "Dense(10)"
    assert repr(Linear(10, init=lnc.init.normal(std=0.01))) == "Linear(10, init=normal(std=0.01))"


def test_a_layer_used_twice_is_refused():
    shared = Linear(4)
    with pytest.raises(ArgumentError, match="the same Linear stands at '0' and '1.linear'|the same Linear stands at"):
        Sequential(shared, Sequential(Sigmoid(), shared))


def test_a_layer_run_twice_gives_an_error_and_not_a_wrong_gradient():
    class Twice(Layer):
        def __init__(self, inner):
            self.inner = inner

        def _forward(self, input):
            return self.inner.forward(self.inner.forward(input))

        def _backward(self, output_grad):
            return self.inner.backward(self.inner.backward(output_grad))

    layer = Twice(Linear(4))
    y = layer(torch.randn(3, 4))
    with pytest.raises(StateError, match="Linear 'inner': backward without a forward"):
        layer.backward(torch.ones_like(y))


@pytest.mark.parametrize("wrong", [Linear, "sigmoid", None, torch.sigmoid])
def test_sequential_takes_layers_only(wrong):
    with pytest.raises(TypeError, match="expected a Layer"):
        Sequential(Linear(1), wrong)


def test_empty_sequential():
    with pytest.raises(ArgumentError, match="no layers"):
        Sequential()


def test_unknown_activation():
    with pytest.raises(ArgumentError, match="'rely'; expected one of sigmoid, tanh, relu, softmax, exp, identity"):
        Dense(3, "rely")


def test_dense_takes_a_layer_as_activation():
    assert lnc.check_gradients(Dense(3, Softmax()), torch.randn(4, 2))


# ---- Layers that users write


def test_overriding_forward_is_refused_when_the_class_is_made():
    for name, hook in {"forward": "_forward", "backward": "_backward", "__call__": "_forward"}.items():
        with pytest.raises(TypeError, match=f"Mine overrides {name}.*write {hook} instead"):
            type("Mine", (Layer,), {name: lambda self, input: input})


def test_unwritten_methods_say_what_to_write():
    class Half(Layer):
        def _forward(self, input):
            return input

    with pytest.raises(NotImplementedError, match="must write _forward"):
        type("Empty", (Layer,), {})().forward(torch.ones(1))
    half = Half()
    half(torch.ones(1))
    with pytest.raises(NotImplementedError, match="Half must write _backward"):
        half.backward(torch.ones(1))


class Scale(Layer):
    """y = s x, written as a learner would: no super().__init__, gradients assigned."""

    def __init__(self, start=1.0):
        self.start = start

    def build(self, input):
        return {"s": input.new_full((1,), self.start)}

    def _forward(self, input):
        self.saved = input
        return self.s * input

    def _backward(self, output_grad):
        self.grad["s"] = (self.saved * output_grad).sum().reshape(1)
        return self.s * output_grad


def test_a_learners_layer():
    network = Sequential(Linear(3), Scale(2.0))
    assert lnc.check_gradients(network, torch.randn(4, 5))
    assert repr(Scale(2.0)) == "Scale(start=2.0)"


def test_assigned_gradients_reach_the_optimizer():
    network = Sequential(Scale(2.0))
    loss = lnc.MSE(network)
    optimizer = lnc.SGD(network, lr=0.1)
    x, y = torch.ones(4, 1), torch.zeros(4, 1)
    for s in (2.0, 1.6, 1.28):  # d/ds mean (s - 0)^2 = 2 s, so s <- 0.8 s
        loss(x, y)
        assert network[0].s.item() == pytest.approx(s)
        loss.backward()
        optimizer.step()


def test_assigned_parameters_are_adopted():
    network = Sequential(Linear(2))
    network(torch.randn(3, 2))
    network.flatten()
    network[0].W = torch.eye(2)
    values, _ = network.flatten()
    assert values[:4].tolist() == [1, 0, 0, 1]
    values.zero_()
    assert not network[0].W.any()
    network[0].W = torch.eye(3)
    with pytest.raises(MatchError, match=r"Linear '0': W was given shape \(3, 3\), expected \(2, 2\)"):
        network.flatten()


def test_an_error_inside_a_layer_names_it():
    class Broken(Layer):
        def _forward(self, input):
            return input @ torch.ones(7, 7)

        def _backward(self, output_grad):
            return output_grad

    with pytest.raises(LayerError, match=r"Broken 'oops': _forward failed for input \(2, 3\) torch.float32") as caught:
        Sequential(oops=Broken())(torch.ones(2, 3))
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize("returned", [None, torch.ones(3)])
def test_a_wrong_input_gradient_is_refused(returned):
    class Wrong(Layer):
        def _forward(self, input):
            return input

        def _backward(self, output_grad):
            return returned

    layer = Wrong()
    layer(torch.ones(2, 3))
    with pytest.raises(MatchError, match=r"_backward returned .* the input had shape \(2, 3\)"):
        layer.backward(torch.ones(2, 3))


# ---- Flat vectors


def test_flat_vectors_are_the_network():
    network = Sequential(Dense(3), Dense(2))
    x = torch.randn(4, 5)
    y = network(x)
    tensors = list(network.parameters())
    values, grads = network.flatten()
    assert all(a is b for a, b in zip(network.parameters(), tensors, strict=True)), "parameters keep their identity"
    assert values.shape == grads.shape == (5 * 3 + 3 + 3 * 2 + 2,)
    assert torch.equal(network(x), y)
    network.backward(torch.ones_like(y))
    pairs = zip(network.parameters(), network.grads(), strict=True)
    assert all(grad.stride() == tensor.stride() for tensor, grad in pairs)
    torch.testing.assert_close(grads.norm(), torch.cat([grad.reshape(-1) for grad in network.grads()]).norm())
    assert grads.any()
    values.zero_()
    assert all(not tensor.any() for tensor in tensors)
    assert network.flatten()[0] is values


def test_flattening_before_the_first_input():
    with pytest.raises(StateError, match="no parameters yet"):
        Sequential(Linear(1)).flatten()


def test_part_and_whole_can_both_be_flat():
    network = Sequential(Dense(3), Dense(2))
    x = torch.randn(4, 5)
    y = network(x)
    head = network[0]
    for order in ((network, head), (head, network), (network, head)):
        for part in order:
            part.flatten()[0].mul_(1.0)
    assert torch.equal(network(x), y)
    head.flatten()[0].zero_()
    assert torch.equal(network.flatten()[0][:18], torch.zeros(18))
    assert network.flatten()[0][18:].any()


def test_moving_a_flat_network():
    network = Sequential(Dense(3))
    x = torch.randn(4, 5)
    y = network(x)
    network.flatten()
    network.to(dtype=torch.float64)
    values, grads = network.flatten()
    assert values.dtype == grads.dtype == torch.float64
    torch.testing.assert_close(network(x.double()), y.double())


def test_mixed_dtypes_do_not_flatten():
    network = Sequential(Linear(3), Linear(2))
    network(torch.randn(4, 5))
    network[1].to(dtype=torch.float64)
    with pytest.raises(MatchError, match=r"torch.float32 on cpu, torch.float64 on cpu"):
        network.flatten()


# ---- State


def test_state_that_does_not_fit_changes_nothing():
    network = Sequential(Dense(3), Dense(2))
    network(torch.randn(4, 5))
    before = network.state_dict()
    for change, message in {
        "missing": "1.linear.B is missing",
        "unknown": "extra is unknown",
        "shape": r"1.linear.B is \(7,\) torch.float32, expected \(1, 2\) torch.float32",
        "dtype": r"1.linear.B is \(1, 2\) torch.float64, expected \(1, 2\) torch.float32",
    }.items():
        state = {name: tensor + 1 for name, tensor in before.items()}
        if change == "missing":
            del state["1.linear.B"]
        elif change == "unknown":
            state["extra"] = torch.ones(1)
        else:
            state["1.linear.B"] = torch.ones(7) if change == "shape" else state["1.linear.B"].double()
        with pytest.raises(MatchError, match=message):
            network.load_state_dict(state)
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in before.items())
    with pytest.raises(StateError, match="run one forward"):
        Sequential(Dense(3)).load_state_dict(before)


def test_parameters_made_in_inference_mode_are_normal_tensors():
    network = Sequential(Dense(3))
    with torch.inference_mode():
        network(torch.randn(2, 2))
        network.flatten()
    assert not any(tensor.is_inference() for tensor in network.parameters())
    network.parameters().__next__().mul_(2)


# ---- Mistakes that must not pass in silence


class Mistaken(Linear):
    """A linear layer that writes its gradients in a wrong way of choice."""

    def __init__(self, size, mistake):
        super().__init__(size)
        self.mistake = mistake

    def _backward(self, output_grad):
        x = self.saved
        if self.mistake == "transposed":
            self.grad["W"] = output_grad.t() @ x
        elif self.mistake == "no longer a row":
            self.grad["B"] = output_grad.sum()
        elif self.mistake == "unknown name":
            self.grad["V"] = output_grad.sum(0)
        elif self.mistake == "shared":
            self.grad["B"] = self.shared = output_grad.sum(0, keepdim=True)
            self.grad["W"] = x.t() @ output_grad
        return output_grad @ self.W.t()


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("transposed", r"Mistaken '0': the gradient of W was given shape \(2, 5\), expected \(5, 2\)"),
        ("no longer a row", r"the gradient of B was given shape \(\), expected \(1, 2\)"),
        ("unknown name", "was given V, but build returned no parameter of that name"),
    ],
)
def test_gradients_of_a_wrong_form(mistake, message):
    network = Sequential(Mistaken(2, mistake), Linear(1))
    loss = lnc.MSE(network)
    optimizer = lnc.SGD(network)
    loss(torch.randn(4, 5), torch.zeros(4, 1))
    with pytest.raises(MatchError, match=message):
        loss.backward(), optimizer.step()


def test_an_assigned_gradient_stays_its_owners():
    """It is copied: neither the caller's tensor nor another parameter's gradient becomes part of the network."""
    network = Sequential(Mistaken(2, "shared"))
    loss = lnc.MSE(network)
    optimizer = lnc.SGD(network, lr=0.1)
    for _ in range(2):
        loss(torch.randn(4, 5), torch.zeros(4, 2))
        loss.backward()
        kept = network[0].shared
        before = kept.clone()
        optimizer.step()
        network.flatten()[1].fill_(7)
        assert torch.equal(kept, before)


def test_tied_weights_are_refused():
    network = Sequential(Linear(4), Linear(4))
    network(torch.randn(2, 4))
    network[1].W = network[0].W
    with pytest.raises(MatchError, match="Linear '1': W is the parameter of Linear '0'; a tensor belongs to one layer"):
        network.flatten()
    other = Sequential(Linear(4), Linear(4))
    other(torch.randn(2, 4))
    other.flatten()
    other[1].W = other[0].W
    with pytest.raises(MatchError, match="belongs to one layer"):
        other.flatten()


def test_flattening_half_a_network_is_refused():
    network = Sequential(Linear(3), Linear(2))
    network[0](torch.randn(2, 4))
    with pytest.raises(StateError, match="Linear has seen no input yet: run the whole network forward"):
        network.flatten()


def test_layers_in_lists_and_beside_a_sequence_are_seen():
    class Parallel(Layer):
        def __init__(self, inner):
            self.inner = inner

        def _forward(self, input):
            return sum(layer.forward(input) for layer in self.inner)

        def _backward(self, output_grad):
            return sum(layer.backward(output_grad) for layer in self.inner)

    class Skip(Sequential):
        def __init__(self, *layers):
            super().__init__(*layers)
            self.skip = Linear(3)

        def _forward(self, input):
            return super()._forward(input) + self.skip.forward(input)

        def _backward(self, output_grad):
            return super()._backward(output_grad) + self.skip.backward(output_grad)

    network = Sequential(Parallel([Linear(3), Linear(3)]), Skip(Linear(3), Tanh()))
    report = lnc.check_gradients(network, torch.randn(4, 2))
    assert report, report
    assert [row.name for row in report.comparisons][1:] == [
        f"{path}.{name}" for path in ("0.inner.0", "0.inner.1", "1.0", "1.skip") for name in ("W", "B")
    ]
    assert lnc.check_gradients(lnc.LogLoss(Sequential(network, Dense(1))), torch.randn(4, 2), torch.ones(4))


def test_running_a_part_in_between_is_an_error():
    network = Sequential(Linear(3), Linear(2))
    x = torch.randn(4, 5)
    y = network(x)
    network[0](x * 2)
    with pytest.raises(StateError, match="Linear '0' has run again since Sequential did"):
        network.backward(torch.ones_like(y))
    y = network(x)
    with pytest.raises(MatchError):
        network(torch.randn(4, 6))
    network.backward(torch.ones_like(y))


@pytest.mark.parametrize("error", [KeyError, AssertionError, KeyboardInterrupt])
def test_a_forward_that_fails_leaves_what_was_saved(error):
    class Moody(Layer):
        angry = False

        def _forward(self, input):
            self.saved = input
            if self.angry:
                raise error("no")
            return input * 2

        def _backward(self, output_grad):
            return output_grad * 2 + 0 * self.saved

    layer = Moody()
    x = torch.randn(3, 2)
    layer(x)
    layer.angry = True
    with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else LayerError):
        layer(torch.randn(9, 9))
    assert layer.saved is x


def test_initialisers_that_do_not_fill():
    with pytest.raises(ArgumentError, match=r"init is 0.01; expected a function"):
        Linear(3, init=0.01)
    with pytest.raises(ArgumentError, match="left NaN in W: it must fill the tensor it is given, in place"):
        Linear(3, init=lambda W: torch.randn(W.shape))(torch.randn(2, 2))


def test_devices_and_dtypes_that_cannot_be():
    network = Dense(2)
    x = torch.randn(2, 3)
    network(x)
    for device in ("gpu", "cuda:99"):
        with pytest.raises(ArgumentError, match=f"device is '{device}', which cannot be used here"):
            network.to(device)
    with pytest.raises(ArgumentError, match=r"dtype is torch.int32; parameters are floating point"):
        network.to(dtype=torch.int32)
    assert network(x).dtype == torch.float32
    assert network.to(torch.float64)(x.double()).dtype == torch.float64


def test_names_given_twice():
    with pytest.raises(ArgumentError, match="the name '0' is given twice"):
        Sequential(Linear(1), **{"0": Linear(2)})


def test_input_on_another_device():
    layer = Linear(2)
    layer(torch.randn(2, 3))
    with pytest.raises(MatchError, match="input is on meta, W on cpu: move one of them"):
        layer(torch.randn(2, 3, device="meta"))


def test_sizes_from_numpy():
    assert Dense(np.int64(3))(torch.randn(2, 2)).shape == (2, 3)


# ---- Memory


class Turned(Layer):
    """y = x W, with a W whose memory is not row by row."""

    def build(self, input):
        return {"W": torch.randn(2, input.shape[-1], dtype=input.dtype).t()}

    def _forward(self, input):
        self.saved = input
        return input @ self.W

    def _backward(self, output_grad):
        torch.mm(self.saved.t(), output_grad, out=self.grad["W"])
        return output_grad @ self.W.t()


@pytest.mark.parametrize("make", [lambda: Turned(), lambda: Linear(2), lambda: Dense(2)])
@pytest.mark.parametrize("how", ["copy", "pickle", "state", "assigned, then copied"])
def test_the_order_of_the_vector_is_the_networks_own(make, how):
    """An optimizer's memory goes with it: copies train on as the original does."""
    network = Sequential(make(), Linear(1))
    loss = lnc.MSE(network)
    optimizer = lnc.Adam(network, lr=0.1)
    x, y = torch.randn(10, 6, 3), torch.randn(10, 6, 1)

    def train(loss, optimizer, part):
        for features, targets in zip(x[part], y[part], strict=True):
            loss(features, targets)
            loss.backward()
            optimizer.step()

    train(loss, optimizer, slice(0, 5))
    if "assigned" in how:
        network[1].W = network[1].W.contiguous()
    if how == "state":
        twin = Sequential(make(), Linear(1))
        twin(x[0])
        twin.load_state_dict({name: tensor.contiguous() for name, tensor in network.state_dict().items()})
        twin_loss, twin_optimizer = lnc.MSE(twin), lnc.Adam(twin, lr=0.1)
        twin_optimizer.load_state_dict(optimizer.state_dict())
    elif how == "pickle":
        twin_loss, twin_optimizer = (
            pickle.loads(pickle.dumps((loss, optimizer)))
            if make().__class__ is not Turned
            else (copy.deepcopy((loss, optimizer)))
        )
    else:
        twin_loss, twin_optimizer = copy.deepcopy((loss, optimizer))
    train(loss, optimizer, slice(5, 10))
    train(twin_loss, twin_optimizer, slice(5, 10))
    assert torch.equal(network.flatten()[0], twin_loss.network.flatten()[0])


def test_assigned_tensors_are_adopted_before_anything_else():
    network = Sequential(Linear(3, bias=False))
    network(torch.randn(2, 4))
    w = torch.randn(4, 3)
    network[0].W = w
    network.to(torch.float64)
    assert network.flatten()[0].dtype == torch.float64
    assert w.dtype == torch.float32
    other = Sequential(Linear(3, bias=False))
    other(torch.randn(2, 4))
    other[0].W = w
    other.load_state_dict({"0.W": torch.zeros(4, 3)})
    assert w.any()


def test_a_layer_in_two_places_of_a_composite_is_refused():
    class Two(Layer):
        def __init__(self):
            self.parts = [Linear(3), Linear(1)]
            self.first = self.parts[0]

        def _forward(self, input):
            return self.parts[1].forward(self.first.forward(input))

        def _backward(self, output_grad):
            return self.first.backward(self.parts[1].backward(output_grad))

    network = Two()
    network(torch.randn(2, 2))
    with pytest.raises(ArgumentError, match="holds a layer in two places"):
        network.flatten()


# ---- Dropout


@given(
    rate=st.sampled_from([0.0, 0.1, 0.5, 0.9]),
    seed=st.integers(0, 10**6),
    dtype=st.sampled_from([torch.float64, torch.float32]),
)
def test_dropout_gradients_are_autograds(rate, seed, dtype):
    x = torch.randn(6, 5, dtype=torch.float64)
    network = Sequential(Dense(8, "tanh"), Dropout(rate), Dense(3, "sigmoid"), Dropout(rate))
    assert lnc.check_gradients(network, x, dtype=dtype, seed=seed)


def test_dropout_drops_its_share_and_keeps_the_mean(device):
    torch.manual_seed(0)
    x = torch.ones(400, 500, device=device)
    y = Dropout(0.3)(x)
    torch.testing.assert_close(y.unique().cpu(), torch.tensor([0.0, 1 / 0.7]))
    assert (y == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert y.mean().item() == pytest.approx(1, abs=0.01)


def test_dropout_is_nothing_in_evaluation():
    layer, x = Dropout(0.9).eval(), torch.randn(5, 4)
    assert torch.equal(layer(x), x)


def test_dropout_draws_the_same_from_the_same_seed():
    masks = []
    for dtype in (torch.float32, torch.float64):
        torch.manual_seed(3)
        masks.append(Dropout(0.5)(torch.ones(5, 7, dtype=dtype)).double())
    assert torch.equal(*masks)
    assert not torch.equal(Dropout(0.5)(torch.ones(5, 7)), masks[0].float())


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2, True, float("nan")])
def test_dropout_refuses_rates_that_are_none(rate):
    with pytest.raises(ArgumentError, match="expected 0 or more and below 1"):
        Dropout(rate)


# ---- Sparse inputs


@given(
    n=st.integers(1, 6),
    i=st.integers(1, 9),
    o=st.integers(1, 5),
    bias=st.booleans(),
    seed=st.integers(0, 10**6),
    dtype=st.sampled_from([torch.float64, torch.float32]),
)
def test_sparse_inputs_give_what_dense_ones_give(n, i, o, bias, seed, dtype):
    """Values and gradients; those of the dense input are proven against autograd in the table."""
    torch.manual_seed(seed)
    x = torch.randn(n, i, dtype=dtype) * (torch.rand(n, i) < 0.3)
    layer = SparseLinear(o, bias=bias)
    y = layer(x)
    g = torch.randn_like(y)
    input_grad = layer.backward(g)
    grads = [grad.clone() for grad in layer.grads()]
    sparse = csr_tensor(csr_array(x.numpy()))
    torch.testing.assert_close(layer(sparse), y)
    torch.testing.assert_close(layer.backward(g), input_grad)
    torch.testing.assert_close(list(layer.grads()), grads)
    assert layer(sparse).dtype == dtype


def test_sparse_inputs_of_another_width():
    layer = SparseLinear(3)
    layer(torch.randn(2, 4))
    with pytest.raises(MatchError, match="input has 5 features, W was built for 4"):
        layer(csr_tensor(csr_array((2, 5))).float())


def test_a_csr_tensor_in_the_dtype_asked_for():
    assert csr_tensor(csr_array((2, 5)), torch.float32).dtype == torch.float32
    assert csr_tensor(csr_array((2, 5))).dtype == torch.float64


@pytest.mark.parametrize("shape", [(8, 1), (8, 3), (8, 32), (8, 33), (4, 5, 3), (0, 3)])
@pytest.mark.parametrize("by_columns", [False, True])
def test_softmax_is_torchs_however_its_input_lies(shape, by_columns):
    z = 300 * torch.randn(shape, dtype=torch.float64)
    if by_columns:
        z = z.mT.contiguous().mT
    torch.testing.assert_close(Softmax()(z), torch.softmax(z, -1))
    torch.testing.assert_close(ops.log_softmax(z), torch.log_softmax(z, -1))
