"""Networks saved and loaded."""

import pytest
import torch
from resume_cases import Noise, X, trainer

import lincoln as lnc
from lincoln import checkpoint
from lincoln.errors import CheckpointError, StateError
from lincoln.layers import Dense, Linear, ReLU, Sequential, Softmax

NETWORKS = {
    "one layer": lambda: Linear(2),
    "dense": lambda: Dense(3, "relu", bias=False, init=lnc.init.normal(std=0.5)),
    "no parameters": lambda: Sequential(ReLU(), Softmax()),
    "nested and named": lambda: Sequential(Sequential(Dense(4, "tanh"), ReLU()), output=Dense(2, Softmax())),
    "float64": lambda: Dense(3).to(dtype=torch.float64),
    "foreign initialiser": lambda: Linear(3, init=torch.nn.init.orthogonal_),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_round_trip(tmp_path, name, device):
    network = NETWORKS[name]()
    x = torch.randn(5, 4, dtype=torch.float64 if name == "float64" else torch.float32, device=device)
    y = network(x)
    if list(network.parameters()):
        network.flatten()
    path = lnc.save(tmp_path / "net.safetensors", network)
    other = lnc.load(path, device=device)
    assert torch.equal(other(x), y)
    assert [name for name, _ in other.named_parameters()] == [name for name, _ in network.named_parameters()]
    assert all(layer.path == path for path, layer in other.named_layers())
    if name != "foreign initialiser":
        assert repr(other) == repr(network)
    if list(other.parameters()):
        assert lnc.check_gradients(other, x)
        assert other.flatten()[0].dtype == x.dtype


def test_loading_needs_no_code_of_the_makers(tmp_path):
    network = Sequential(Dense(2), Noise())
    x = torch.randn(5, 4)
    y = network.eval()(x)
    path = lnc.save(tmp_path / "net.safetensors", network)
    with pytest.raises(
        CheckpointError, match=r"a layer of class Noise, which is not in lincoln.layers: .*layers=\[Noise\]"
    ):
        lnc.load(path)
    assert torch.equal(lnc.load(path, layers=[Noise]).eval()(x), y)


def test_a_trainers_checkpoint_is_a_network_too(tmp_path):
    run = trainer(tmp_path, interval=None, patience=None)
    run.train()
    network = lnc.load(checkpoint.candidates(tmp_path)[0], layers=[Noise])
    assert torch.equal(network.eval()(X), run.model.eval()(X))


def test_an_unbuilt_network_is_not_saved(tmp_path):
    with pytest.raises(StateError, match="run one forward first"):
        lnc.save(tmp_path / "net.safetensors", Dense(2))
    assert not list(tmp_path.iterdir())
