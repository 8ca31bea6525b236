"""The losses of an epoch."""

import pytest
import torch
from training_cases import X, Y, run

import lincoln as lnc
from lincoln import Dataset
from lincoln.errors import DataError


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("size", [50, 7, 1])
def test_weighted_losses_do_not_depend_on_the_batch_size(reduction, size):
    """At learning rate 0 each epoch's loss is the weighted mean over all examples."""
    weights = torch.linspace(0, 2, 50, dtype=torch.float64)
    trainer = run(
        Dataset(X.double(), Y, weights),
        loss=lambda network: lnc.LogLoss(network, reduction=reduction),
        optimizer=lambda network: lnc.SGD(network, lr=0.0),
        train_minibatch_size=size,
        val=Dataset(X.double(), Y, weights),
    )
    history = trainer.train()
    loss = lnc.LogLoss(trainer.model)(X.double(), Y, weights).item() / weights.sum().item()
    assert history.losses == pytest.approx([loss] * 3)
    assert history.val_losses == pytest.approx([loss] * 3)


@pytest.mark.parametrize("weights", [-torch.ones(50), torch.zeros(50), torch.full((50,), float("nan"))])
def test_unusable_weights(weights):
    with pytest.raises(DataError, match="weights"):
        run(Dataset(X.double(), Y, weights)).train()


def test_many_steps_are_packed(monkeypatch):
    """Losses are packed into one number now and then; the sum must not depend on when."""
    losses = []
    for loose in (4096, 2):
        monkeypatch.setattr("lincoln.training.tally._LOOSE", loose)
        losses.append(run().train().losses)
    assert losses[0] == losses[1]
