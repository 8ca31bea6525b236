"""Checkpoints of another run are refused, and change nothing."""

import pytest
import torch
from resume_cases import DATA, Interrupt, Noise, X, trainer

import lincoln as lnc
from lincoln import checkpoint, schedules
from lincoln.callbacks import WeightRecorder
from lincoln.errors import CheckpointError, MatchError
from lincoln.layers import Dense, Sequential


@pytest.mark.parametrize("built", [False, True])
def test_the_checkpoint_of_another_network(tmp_path, built):
    trainer(tmp_path, interval=None).train()
    network = Sequential(Dense(7, "tanh"), Noise(), Dense(1))
    if built:
        network(X)
        before = network.state_dict()
    settings = lnc.TrainerConfig(checkpoint_folder=tmp_path, progress=None, schedule=schedules.cosine(12, warmup=3))
    other = lnc.Trainer(network, settings, lnc.LogLoss, lnc.Adam, DATA)
    with pytest.raises(MatchError, match=r"it has Sequential\(Dense\(size=6.*this has Sequential\(Dense\(size=7"):
        other.resume()
    assert (other.epoch, other.history.steps, other.optimizer.steps) == (0, 0, 0)
    if built:
        assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in before.items())
    else:
        assert not list(network.parameters())


def test_another_width_of_input(tmp_path):
    trainer(tmp_path, interval=None).train()
    other = trainer(tmp_path, interval=None)
    other.model(torch.randn(2, 5))
    before = other.model.flatten()[0].clone()
    with pytest.raises(MatchError, match=r"0.linear.W is \(3, 6\) torch.float32, expected \(5, 6\)"):
        other.resume()
    assert torch.equal(other.model.flatten()[0], before)
    assert other.optimizer.steps == 0


def test_another_optimizer_or_other_callbacks(tmp_path):
    trainer(tmp_path, interval=None, optimizer="adam").train()
    with pytest.raises(MatchError, match="the checkpoint's run has optimizer Adam, this trainer's SGD"):
        trainer(tmp_path, optimizer="sgd").resume()
    with pytest.raises(MatchError, match=r"callbacks \[\], this trainer's \['WeightRecorder'\]"):
        trainer(tmp_path, callbacks=[WeightRecorder()]).resume()
    with pytest.raises(MatchError, match="schedule True, this trainer's False"):
        trainer(tmp_path, schedule=None).resume()
    lnc.save(tmp_path / "net.safetensors", lnc.load(tmp_path / "best.safetensors", layers=[Noise]))
    with pytest.raises(CheckpointError, match="without the training run"):
        trainer(tmp_path).resume(tmp_path / "net.safetensors")


def test_settings_that_must_not_change_within_an_epoch(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path, callbacks=[Interrupt(2)]).train()
    with pytest.raises(MatchError, match="accumulate 1, this trainer's 2: make the trainer as it was"):
        trainer(tmp_path, accumulate=2).resume()
    shown = trainer(tmp_path, progress="lines")
    shown.resume()


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("missing", "0.linear.B is missing"),
        ("extra", "9.W is unknown"),
        ("misshapen", r"0.linear.B has shape \(1, 7\), expected \(1, 6\)"),
        ("best", r"best/weights has shape \(3,\)"),
        ("numbers", "lacks what a run needs"),
        ("history", "lacks what a run needs"),
    ],
)
def test_tensors_that_do_not_fit(tmp_path, optimizer, what, message):
    """The file is whole and its checksum right, but its content is not that of this run."""
    trainer(tmp_path, interval=None, optimizer=optimizer).train()
    tensors, state = checkpoint.read(checkpoint.candidates(tmp_path)[0])
    if what == "missing":
        del tensors["network/0.linear.B"]
    elif what == "extra":
        tensors["network/9.W"] = torch.ones(1)
    elif what == "misshapen":
        tensors["network/0.linear.B"] = torch.ones(1, 7)
    elif what == "best":
        tensors["best/weights"] = torch.ones(3)
    elif what == "numbers":
        del tensors["random/torch"]
    else:
        del state["history"]
    path = checkpoint.write(tmp_path / "odd.safetensors", tensors, state)
    for built in (True, False):
        other = trainer(tmp_path, optimizer=optimizer)
        if built:
            other.model(X)
            before = other.model.flatten()[0].clone()
        with pytest.raises((MatchError, CheckpointError), match=message):
            other.resume(path)
        if built:
            assert torch.equal(other.model.flatten()[0], before)
        else:
            assert not list(other.model.parameters())
        assert other.history.steps == other.optimizer.steps == other.epoch == 0
    if what in ("missing", "extra", "misshapen"):
        with pytest.raises(CheckpointError, match=message):
            lnc.load(path, layers=[Noise])
