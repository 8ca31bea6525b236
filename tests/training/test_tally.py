"""The losses of an epoch."""

import pytest
import torch
from training_cases import X, Y, run

import lincoln as lnc
from lincoln import Dataset
from lincoln.errors import DataError
from lincoln.training.tally import Tally


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


def by_batches(weights, size=10):
    return [tuple(part[i : i + size] for part in (X.double(), Y, weights)) for i in range(0, 50, size)]


@pytest.mark.parametrize("bad", [-1.0, float("nan")])
def test_unusable_weights_in_batches(bad):
    weights = torch.ones(50)
    weights[13] = bad
    for data in ({"data": by_batches(weights)}, {"val": by_batches(weights)}):
        with pytest.raises(DataError, match=rf"LogLoss: sample_weight: holds {bad:g} \(at 3\)"):
            run(**data).train()


def test_the_first_unusable_weight_of_a_dataset_is_named():
    weights = torch.ones(50)
    weights[13] = -2
    with pytest.raises(DataError, match=r"weights: holds -2 \(at 13\); expected finite numbers of at least 0"):
        run(Dataset(X.double(), Y, weights)).train()


def test_batches_of_weight_zero_alone():
    nothing = by_batches(torch.zeros(50))
    with pytest.raises(DataError, match="no example with a weight above 0"):
        run(nothing).train()
    with pytest.raises(DataError, match="no example with a weight above 0"):
        run(val=nothing).train()


def test_an_empty_batch_moves_nothing():
    """It moved the weights, by momentum."""
    trainer = run([(X[:10].double(), Y[:10]), (X[:0].double(), Y[:0])], optimizer=lambda net: lnc.SGD(net, momentum=0.9))
    with pytest.raises(DataError, match="the batch has no examples"):
        trainer.train()
    assert trainer.history.steps == 1


@pytest.mark.parametrize("weights", [torch.ones(8), torch.ones(8, 1).half(), torch.ones(8, dtype=torch.int64)])
def test_weights_are_packed_like_losses(weights):
    """Kept one by one they filled the memory in a long epoch."""
    loss = lnc.LogLoss(lnc.layers.Dense(1), reduction="mean")
    tally = Tally(loss)
    x, y = torch.randn(8, 3), torch.ones(8)
    value = loss(x, y)
    for step in range(10_000):
        tally.add(value, x, y, *((weights,) if step % 2 else ()))
    kept = [part for name, part in vars(tally).items() if isinstance(part, list)]
    assert sum(isinstance(one, torch.Tensor) for part in kept for one in part) < 5000
    total, weight = tally.read()
    assert weight == tally.examples == 80_000
    assert total == pytest.approx(value.item() * 80_000)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_weights_of_a_run_in_half_precision(kind, accumulate):
    losses = []
    for dtype in (torch.float32, kind):
        data = Dataset(X.double(), Y, torch.full((50,), 3008.0, dtype=dtype))
        mean = lambda network: lnc.LogLoss(network, reduction="mean")  # noqa: E731
        losses.append(run(data, loss=mean, val=data, train_minibatch_size=25, accumulate=accumulate).train())
    assert losses[0].losses == pytest.approx(losses[1].losses, rel=1e-6)
    assert losses[0].val_losses == pytest.approx(losses[1].val_losses, rel=1e-6)


def test_a_run_of_a_network_in_half_precision():
    """A batch's sum of losses was infinite; so was the sum of weighted gradients over accumulated batches."""
    x = torch.randn(2**17, 2).half()
    y = (x[:, 0] > 0).half()
    for reduction, weights, accumulate in (("sum", (), 1), ("mean", (torch.full((2**17,), 9.0).half(),), 2)):
        network = lnc.layers.Dense(1).to(dtype=torch.float16)
        history = run(
            Dataset(x, y, *weights),
            network=network,
            loss=lambda net, reduction=reduction: lnc.LogLoss(net, reduction),
            optimizer=lambda net: lnc.SGD(net, lr=1e-6),
            train_minibatch_size=2**16 if accumulate > 1 else 2**17,
            accumulate=accumulate,
            clip_norm=1.0,
        ).train()
        assert all(0.1 < loss < 3 for loss in history.losses)
