"""Files written at commit d2000af still load, and a run continues from one of them."""

from functools import partial
from pathlib import Path

import pytest
import torch

import lincoln as lnc
from lincoln import schedules
from lincoln.callbacks import ParameterRecorder

FILES = Path(__file__).parent / "files"


def test_a_network_computes_what_it_computed():
    network = lnc.load(FILES / "network.safetensors")
    assert repr(network["inner"]) == repr(
        lnc.Sequential(lnc.Dense(3, "tanh", bias=False, init=lnc.init.normal(0.1)), lnc.Linear(2))
    )
    p = network.eval()(torch.linspace(-1, 1, 15).reshape(5, 3))
    torch.testing.assert_close(p[:, 0], torch.tensor([0.5583, 0.5323, 0.5050, 0.4899, 0.4790]), atol=5e-5, rtol=0)


def trainer(folder):
    X, y = lnc.data.make_classification(60, 3, generator=torch.Generator().manual_seed(0))
    config = lnc.TrainerConfig(
        num_epochs=8,
        train_minibatch_size=16,
        seed=3,
        accumulate=2,
        clip_norm=1.0,
        schedule=schedules.join(schedules.linear(5), schedules.reduce_on_plateau(patience=1), at=(5,)),
        patience=20,
        checkpoint_folder=folder,
        checkpoint_interval=3,
        progress=None,
    )
    return lnc.Trainer(
        lnc.Sequential(lnc.Dense(4, "relu", init=lnc.init.he()), lnc.Dropout(0.25), lnc.Dense(1)),
        config,
        partial(lnc.LogLoss, l2=0.01),
        partial(lnc.Adam, lr=0.02, amsgrad=True),
        lnc.Dataset(X[:45], y[:45]),
        lnc.Dataset(X[45:], y[45:]),
        [ParameterRecorder()],
    )


def test_a_run_continues_in_the_middle_of_its_fifth_epoch(tmp_path):
    """It has all that a run can save: AMSGrad, a joined schedule, dropout, accumulation, a recorder, best weights."""
    whole = trainer(tmp_path / "whole")
    whole.train()
    resumed = trainer(tmp_path / "resumed")
    resumed.resume(FILES / "run.safetensors")
    assert (resumed.epoch, resumed.batch, resumed.in_epoch, resumed.history.steps) == (5, 2, True, 9)
    resumed.train()
    assert resumed.history.losses == pytest.approx(whole.history.losses, rel=1e-5)
    assert resumed.history.val_losses == pytest.approx(whole.history.val_losses, rel=1e-5)
    torch.testing.assert_close(resumed.model.state_dict(), whole.model.state_dict(), rtol=1e-4, atol=1e-6)
    recorded = resumed.callbacks.saved[0].record
    assert {path: len(rows) for path, rows in recorded.items()} == dict.fromkeys(recorded, 8)
