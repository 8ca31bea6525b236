"""One step: accumulation, clipping and schedules."""

import pytest
import torch
from training_cases import X, Y, run

import lincoln as lnc
from lincoln import Callback, Dataset, schedules
from lincoln.steps import clip


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("weighted", [False, True])
def test_accumulated_minibatches_are_one_batch(reduction, weighted):
    """5 minibatches of 10, or 4 of 15, 15, 15 and 5, step as one batch of 50."""
    weights = (torch.linspace(0.1, 2, 50, dtype=torch.float64),) if weighted else ()
    ends = []
    for size, accumulate in ((50, 1), (10, 5), (15, 4)):
        trainer = run(
            Dataset(X.double(), Y, *weights),
            loss=lambda network: lnc.LogLoss(network, reduction=reduction, l2=0.5),
            train_minibatch_size=size,
            accumulate=accumulate,
            shuffle_minibatches=False,
        )
        history = trainer.train()
        assert history.steps == 3
        ends.append(trainer.model.flatten()[0])
    torch.testing.assert_close(ends[1], ends[0])
    torch.testing.assert_close(ends[2], ends[0])


def test_accumulated_minibatches_of_no_weight():
    weights = torch.ones(50, dtype=torch.float64)
    weights[:20] = 0
    trainer = run(
        Dataset(X.double(), Y, weights),
        loss=lambda network: lnc.LogLoss(network, reduction="mean"),
        accumulate=2,
        shuffle_minibatches=False,
    )
    assert trainer.train().steps == 9


def test_an_epochs_last_minibatches_make_a_smaller_step():
    assert run(accumulate=2).train().steps == 3 * 3


def test_clipping_is_torchs():
    grads = []

    class Compare(Callback):
        def step_end(self, trainer):
            grads.append(trainer.model.flatten()[1].norm().item())

    trainer = run(clip_norm=0.05, num_epochs=1, callbacks=[Compare()])
    trainer.train()
    assert all(norm <= 0.05 for norm in grads)
    gradient = torch.randn(100)
    for length in (0.5, 100.0):
        twin = torch.zeros(100, requires_grad=True)
        twin.grad = gradient.clone()
        torch.nn.utils.clip_grad_norm_([twin], length)
        mine = gradient.clone()
        clip(mine, length)
        torch.testing.assert_close(mine, twin.grad)


@pytest.mark.parametrize("unit", ["step", "epoch"])
def test_schedule_sets_the_learning_rate(unit):
    rates = []

    class Rates(Callback):
        def step_end(self, trainer):
            rates.append(trainer.optimizer.lr)

    schedule = schedules.exponential(0.5)
    trainer = run(
        optimizer=lambda n: lnc.SGD(n, lr=0.1), schedule=schedule, schedule_unit=unit, callbacks=[Rates()], num_epochs=2
    )
    history = trainer.train()
    expected = [0.1 * 0.5 ** (step if unit == "step" else step // 5) for step in range(10)]
    assert rates == pytest.approx(expected)
    assert history.learning_rates == [rates[4], rates[9]]


def test_reduce_on_plateau_watches_the_validation_loss():
    schedule = schedules.reduce_on_plateau(0.1, patience=1, threshold=0.5)
    history = run(val=Dataset(X.double(), Y), schedule=schedule, num_epochs=8).train()
    assert history.learning_rates[-1] < 0.003 * 0.011
    assert schedule(0) == 1.0, "the config's own schedule is not touched"
