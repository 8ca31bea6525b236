"""What is saved computes the same when it is loaded, or is refused; a stranger's file is a network or is refused."""

import json
import sys
import tracemalloc

import numpy as np
import pytest
import torch
from resume_cases import X

import lincoln as lnc
from lincoln import checkpoint, init
from lincoln.errors import ArgumentError, CheckpointError, LincolnError, StateError
from lincoln.layers import Dense, Dropout, Identity, Layer, Linear, ReLU, Sequential, Sigmoid


class Gain(Layer):
    """y = factor x."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def _forward(self, input):
        return input * torch.as_tensor(self.factor, dtype=input.dtype)

    def _backward(self, output_grad):
        return output_grad


class Net(Sequential):
    """A network as a class of its own."""

    def __init__(self, width):
        self.width = width
        super().__init__(Linear(width), ReLU(), Linear(1))


class Scaled(Sequential):
    """Layers, and a number beside them."""

    def __init__(self, scale, *layers, offset=0.0):
        super().__init__(*layers)
        self.scale, self.offset = scale, offset

    def _forward(self, input):
        return super()._forward(input) * self.scale + self.offset


class Twice(Layer):
    """y = f(g(x)), a container whose constructor takes its layers by their names."""

    made_of_layers = True

    def __init__(self, inner, outer):
        self.inner, self.outer = inner, outer

    def _forward(self, input):
        return self.outer(self.inner(input))


class Widths(Layer):
    """Takes numbers one after another."""

    def __init__(self, first, *widths, **more):
        self.first, self.widths, self.more = first, widths, more

    def _forward(self, input):
        return input * (self.first + sum(self.widths) + sum(self.more.values()))


def built(network, x=X):
    network(x)
    return network.eval()


@pytest.mark.parametrize(
    "network",
    [
        Dense(np.array([0, 1, 2]).max() + 1, np.str_("softmax"), bias=np.bool_(True)),
        Sequential(Linear(np.int64(3), bias=np.bool_(False)), Dropout(np.float32(0.3))),
        Linear(torch.tensor(2), init=init.normal(std=np.float32(0.5))),
        Dense(np.array(2), init=init.uniform(torch.tensor(0.5))),
        *(Gain(factor) for factor in (np.float32(0.1), np.float16(3), np.int8(3), np.array(0.1, np.float32))),
        *(Gain(factor) for factor in (torch.tensor(0.1), torch.arange(3.0), np.arange(3), [1.0, 2.0, 3.0], (1, 2, 3))),
        Net(4),
        Twice(Linear(2), Dense(np.int64(1))),
        Scaled(np.float32(2), Linear(2), offset=torch.tensor(1.0)),
        Widths(1, np.int64(2), 3.0, a=4, b=np.float32(0.1)),
    ],
    ids=lambda network: type(network).__name__,
)
def test_what_load_gives_computes_what_was_saved(tmp_path, network):
    network = built(network)
    random = torch.get_rng_state()
    path = lnc.save(tmp_path / "net.safetensors", network)
    assert torch.equal(torch.get_rng_state(), random)
    again = lnc.load(path, layers=[Gain, Net, Scaled, Twice, Widths]).eval()
    assert torch.equal(again(X), network(X))
    assert [type(value) for value in again.settings().values()] == [type(value) for value in network.settings().values()]


class Forgetful(Layer):
    def __init__(self, size=3, note=""):
        self.size = size

    def _forward(self, input):
        return input


class Holder(Forgetful):
    def __init__(self, factor=1.0):
        self.factor = factor


class Doubling(Forgetful):
    def __init__(self, size=3):
        self.size = 2 * size


class OtherReLU(Layer):
    def _forward(self, input):
        return input.clamp(min=0) + 1


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Holder(print), r"Holder '1.inner': cannot be saved, because its argument factor is <built-in function print>"),
        (Holder([1, {"x": {2}}]), r"Holder '1.inner': .* its argument factor\[1\]\['x'\]"),
        (Holder(10**5000), "Holder '1.inner': .*factor is <int>"),
        (Holder(1j), "Holder '1.inner': .*factor"),
        (Forgetful(), "Forgetful '1.inner': .*its argument note is not kept: write self.note = note"),
        (Doubling(), "could not be loaded again: the checkpoint's network is not this one"),
        (Sequential(a=Sequential(b=Linear(1)), **{"a.b": Linear(1)}), "2 layers have the path '1.inner.a.b'"),
        (Sequential(**{"\ud800": Linear(1)}), r"the name 'network/1.inner.\\ud800.B' is no text"),
        (type("Gain", (Gain,), {})(), None),
    ],
    ids=lambda part: type(part).__name__,
)
def test_what_would_not_come_back_is_refused(tmp_path, network, message):
    if message is None:
        network, message = Sequential(network, Gain()), "another class of layers in this network is named your Gain too"
    network = built(Sequential(Linear(3), Sequential(inner=network)))
    with pytest.raises(CheckpointError, match=message) as refused:
        lnc.save(tmp_path / "net.safetensors", network)
    assert len(str(refused.value)) <= 500
    assert not list(tmp_path.iterdir())


def test_parameters_that_no_load_would_take(tmp_path):
    network = built(Sequential(Linear(2), Linear(1)))
    network[1].to(torch.float64)
    with pytest.raises(CheckpointError, match="parameters are torch.float32, torch.float64; expected one floating point"):
        lnc.save(tmp_path / "net.safetensors", network)
    network = Sequential(Linear(2), Linear(1))
    network[0](X)
    with pytest.raises(StateError, match="not built yet"):
        lnc.save(tmp_path / "net.safetensors", network)


def test_wrong_arguments(tmp_path):
    network = built(Dense(1))
    with pytest.raises(ArgumentError, match=r"save: path is a network; expected the path first, .*save\(path, network\)"):
        lnc.save(network, tmp_path / "net")
    classifier = lnc.models.Classifier(network)
    for other in (classifier, {}, torch.ones(1), Dense, None):
        with pytest.raises(ArgumentError, match="save: network is a .*; expected a Layer"):
            lnc.save(tmp_path / "net", other)
    for path in (None, "", 3, network):
        with pytest.raises(ArgumentError):
            lnc.save(path, network)
        with pytest.raises(ArgumentError):
            lnc.load(path)
    for path in (tmp_path / "\ud800", tmp_path / ("x" * 300), "/proc/x/net", "a\0b"):
        for call in (lambda path=path: lnc.save(path, network), lambda path=path: lnc.load(path)):
            with pytest.raises(CheckpointError) as error:
                call()
            assert str(error.value).encode()
    path = lnc.save(tmp_path / "net", network)
    for layers in (Gain, [Gain()], [print], 3, [Gain, type("Gain", (Gain,), {})]):
        with pytest.raises(ArgumentError, match="load: layers"):
            lnc.load(path, layers=layers)


def test_a_class_of_the_users_is_not_taken_for_the_librarys(tmp_path):
    leaky = type("ReLU", (OtherReLU,), {})
    shifted = type("Linear", (Linear,), {"_forward": lambda self, x: x @ self.W + self.B + 1})
    both = {"leaky": leaky(), "mine": shifted(2), "plain": ReLU(), "line": Linear(1)}
    network = built(Sequential(**both))
    path = lnc.save(tmp_path / "net.safetensors", network)
    with pytest.raises(CheckpointError, match=r"a layer of class ReLU, which is not in lincoln.layers: give it"):
        lnc.load(path)
    again = lnc.load(path, layers=[leaky, shifted])
    assert [type(layer) for layer in again.layers] == [leaky, shifted, ReLU, Linear]
    assert torch.equal(again(X), network(X))
    plain = lnc.save(tmp_path / "plain.safetensors", built(Sequential(ReLU(), Linear(1))))
    assert type(lnc.load(plain, layers=[leaky, shifted])[0]) is ReLU


def forge(tmp_path, network, replaced=None, **changes):
    """Save a network, change its description and tensors, and write it again with the right checksum."""
    path = lnc.save(tmp_path / "net.safetensors", built(network))
    own, state = checkpoint.read(path)
    own |= {f"network/{name}": tensor for name, tensor in (replaced or {}).items()}
    own = {name: tensor for name, tensor in own.items() if tensor is not None}
    if replaced is not None:
        listed = {
            name.removeprefix("network/"): ["parameter", list(tensor.shape)]
            for name, tensor in own.items()
            if name.startswith("network/")
        }
        state["network"]["tensors"] = listed
    state["network"] |= changes
    return checkpoint.write(path, own, state)


def refused(path, layers=()):
    before = {name: dict(vars(module)) for name, module in (("init", init), ("layers", lnc.layers))}
    with pytest.raises(CheckpointError) as error:
        lnc.load(path, layers)
    assert len(str(error.value)) <= 500 + len(str(path))
    assert before == {name: dict(vars(module)) for name, module in (("init", init), ("layers", lnc.layers))}
    return str(error.value)


@pytest.mark.parametrize(
    "name",
    [
        "dataclass",
        "__init__",
        "__loader__",
        "Protocol",
        "math",
        "Tensor",
        "Initializer",
        "__doc__",
        "within",
        ["normal"],
        None,
    ],
    ids=str,
)
def test_only_initialisers_are_called(tmp_path, name):
    for arguments in ({}, {"name": "pwned"}, {"std": [1]}, {"std": -1}, []):
        init_form = {"init": name, "arguments": arguments}
        refused(forge(tmp_path, Linear(1), arguments={"size": 1, "bias": True, "init": init_form}))
    assert init.__name__ == "lincoln.init"


@pytest.mark.parametrize(
    "change",
    [
        {"class": name}
        for name in ("Layer", "Pass", "csr_tensor", "evaluating", "run_back", "object", "Missing", "", None, [], 1)
    ]
    + [
        {"arguments": arguments}
        for arguments in ({}, [], None, {"size": "1"}, {"size": 0}, {"size": 2}, {"size": 1, "x": 1})
    ]
    + [
        {"arguments": {"size": value}}
        for value in (1e400, 10**30, None, [1], {}, {"layer": 1}, {"layer": {}}, {"tensor": "0"})
    ]
    + [{"layers": {}}, {"layers": {"0": {}}}, {"layers": []}, {"left_out": 3}, {"tensors": {}}, {"tensors": []}]
    + [{"tensors": {"W": ["parameter", [3, 1]]}}, {"tensors": {"W": "ab", "B": ["parameter", [1, 1]]}}],
    ids=str,
)
def test_descriptions_that_nobody_writes(tmp_path, change):
    refused(forge(tmp_path, Linear(1), **change))


@pytest.mark.parametrize("description", [None, [], "Linear", 3, {}, {"class": "Linear"}], ids=str)
def test_no_description(tmp_path, description):
    refused(checkpoint.write(tmp_path / "net", {}, {"network": description}))
    refused(checkpoint.write(tmp_path / "net", {}, {}))


@pytest.mark.parametrize(
    ("network", "tensors"),
    [
        (Sigmoid(), {"W": torch.ones(1)}),
        (Sequential(Linear(2), Sigmoid()), {"1.W": torch.ones(1)}),
        (Linear(2), {"W": None}),
        (Linear(2), {"B": None}),
        (Linear(2), {"W": None, "B": None}),
        (Linear(2, bias=False), {"B": torch.ones(1, 2)}),
        (Linear(2), {"W": torch.ones(6)}),
        (Linear(2), {"W": torch.ones(3, 5)}),
        (Linear(2), {"B": torch.ones(2, 2)}),
        (Linear(7), {"B": torch.ones(2, 7)}),
        (Linear(2), {"B": torch.ones(2)}),
        (Linear(2), {"C": torch.ones(1, 2)}),
        (Linear(2), {"B": torch.ones(1, 2, dtype=torch.float64)}),
        (Linear(2), {"W": torch.ones(3, 2).long(), "B": torch.ones(1, 2).long()}),
        (Linear(2), {"W": torch.ones(3, 2).bool(), "B": torch.ones(1, 2).bool()}),
        (Sequential(Linear(2), Linear(1)), {"1.W": torch.ones(4, 1)}),
        (Sequential(Linear(2), Linear(1)), {"7.W": torch.ones(4, 1)}),
        (Sequential(Linear(2), Linear(1)), {"0.0.W": torch.ones(4, 1)}),
        (Sequential(Linear(2), Linear(1)), {"W": torch.ones(4, 1)}),
        *(
            (Linear(2), {name: torch.ones(1)})
            for name in ("forward", "_forward", "training", "check", "own", "__class__", "")
        ),
    ],
    ids=str,
)
def test_tensors_that_such_a_network_does_not_have(tmp_path, network, tensors):
    refused(forge(tmp_path, network, tensors))


class Learner(Layer):
    """Has a parameter and a buffer that the library knows nothing of."""

    buffers = ("mean",)
    mean = None

    def build(self, input):
        return {"scale": input.new_ones(input.shape[-1])}

    def _forward(self, input):
        self.mean = input.mean(0)
        return input * self.scale


@pytest.mark.parametrize(
    "name", ["forward", "_forward", "build", "check", "training", "saved", "pending", "flat", "mean", "path"]
)
def test_names_of_a_users_layer(tmp_path, name):
    network = Learner()
    path = lnc.save(tmp_path / "net", built(network))
    assert torch.equal(lnc.load(path, [Learner]).scale, network.scale)
    refused(forge(tmp_path, Learner(), {name: torch.ones(3)}), [Learner])
    tensors, state = checkpoint.read(path)
    for buffer in {"scale"} if name == "mean" else {name}:
        changed = {**state["network"]["tensors"], buffer: ["buffer", [3]]}
        odd = {"network": {**state["network"], "tensors": changed}}
        refused(checkpoint.write(path, tensors | {f"network/{buffer}": torch.ones(3)}, odd), [Learner])
    listed = {**state["network"]["tensors"], "7.mean": ["buffer", [3]]}
    odd = {"network": {**state["network"], "tensors": listed}}
    refused(checkpoint.write(path, tensors | {"network/7.mean": torch.ones(3)}, odd), [Learner])


def test_a_users_constructor_that_fails(tmp_path):
    class Picky(Gain):
        def __init__(self, factor=1.0):
            if factor == 2:
                raise RuntimeError("not two")
            super().__init__(factor)

    path = lnc.save(tmp_path / "net", built(Picky(3)))
    tensors, state = checkpoint.read(path)
    state["network"]["arguments"]["factor"] = 2
    assert "Picky cannot be made from {'factor': 2}: not two" in refused(checkpoint.write(path, tensors, state), [Picky])


def nested(depth):
    network = ReLU()
    for _ in range(depth):
        network = Sequential(network)
    return network


def test_how_deep_a_file_may_be(tmp_path):
    path = lnc.save(tmp_path / "net", built(nested(99)))
    assert len(list(lnc.load(path).named_layers())) == 100
    with pytest.raises(CheckpointError, match="a file holds at most 100 in one another"):
        lnc.save(path, built(nested(100)))
    for depth in (101, 300, 5000):
        description = {"class": "ReLU", "arguments": {}}
        argument: object = 1
        for _ in range(depth):
            description = {"class": "Sequential", "layers": {"0": description}}
            argument = {"list": [argument]}
        try:
            for odd in (description, {"class": "Linear", "arguments": {"size": argument}}):
                refused(checkpoint.write(tmp_path / "deep", {}, {"network": odd | {"tensors": {}}}))
        except LincolnError:
            assert depth > sys.getrecursionlimit(), "JSON itself cannot be written"


def test_many_layers_side_by_side(tmp_path):
    """Work in proportion: a layer more costs as much in a large network as in a small one."""
    calls = {}
    for layers in (100, 800):
        network = built(Sequential(*[Linear(1) for _ in range(layers)]))
        path = lnc.save(tmp_path / "net", network)
        calls[layers] = 0

        def count(frame, event, argument, layers=layers):
            calls[layers] += event == "call"

        sys.setprofile(count)
        try:
            again = lnc.load(path)
        finally:
            sys.setprofile(None)
        assert torch.equal(again(X), network(X))
    assert calls[800] < 9 * calls[100]


def test_a_large_claim_takes_no_memory(tmp_path):
    path = forge(tmp_path, Linear(1), arguments={"size": 10**12, "bias": True, "init": None})
    tracemalloc.start()
    refused(path)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    assert json.dumps({"network": 1})


def test_identity_between_layers_of_a_chain(tmp_path):
    network = built(Sequential(Linear(4), Identity(), Gain(2.0), Sequential(ReLU(), Dense(3)), Dropout(), Dense(1)))
    assert torch.equal(lnc.load(lnc.save(tmp_path / "net", network), [Gain]).eval()(X), network(X))
