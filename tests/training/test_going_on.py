"""Runs that ended early and go on: after a stop, after lost patience, with another learning rate."""

import pytest
from resume_cases import Interrupt, outcome, trainer

import lincoln as lnc
from lincoln import schedules


class StopAt(lnc.Callback):
    """Stop in a given step or after a given epoch."""

    saved = False

    def __init__(self, *, step=None, epoch=None, why="preempted"):
        self.step, self.epoch, self.why = step, epoch, why

    def step_end(self, trainer):
        if trainer.history.steps == self.step:
            trainer.stop(self.why)

    def epoch_end(self, trainer):
        if trainer.epoch == self.epoch:
            trainer.stop(self.why)


@pytest.mark.parametrize("interval", [None, 1])
@pytest.mark.parametrize("epochs", [3, 6])
def test_a_stopped_run_goes_on(tmp_path, interval, epochs):
    settings = {"patience": None, "interval": interval, "schedule": None}
    stopped = trainer(tmp_path, epochs=3, callbacks=[StopAt(epoch=2)], **settings)
    assert stopped.train().stopped == "preempted"
    resumed = trainer(tmp_path, epochs=epochs, **settings)
    resumed.resume()
    assert resumed.train().stopped == f"all {epochs} epochs done"
    whole = trainer(None, epochs=epochs, **settings)
    whole.train()
    assert outcome(resumed) == outcome(whole)


def test_a_run_stopped_within_an_epoch_goes_on(tmp_path):
    settings = {"patience": None, "schedule": None, "epochs": 3}
    stopped = trainer(tmp_path, callbacks=[StopAt(step=6)], **settings)
    assert stopped.train().stopped == "preempted"
    assert (stopped.history.epochs, stopped.history.steps) == (2, 6)
    resumed = trainer(tmp_path, **settings)
    resumed.resume()
    history = resumed.train()
    assert (history.epochs, history.stopped) == (3, "all 3 epochs done")


LOSING = {"epochs": 12, "min_delta": 10.0, "schedule": None}  # no epoch is better by so much


@pytest.mark.parametrize("interval", [None, 1])
def test_more_patience_goes_on_as_if_it_had_been_there(tmp_path, interval):
    short = trainer(tmp_path, patience=2, interval=interval, **LOSING)
    assert short.train().stopped == "no better loss in 2 epochs (patience)"
    for patience, epochs in ((4, 5), (None, 12)):
        more = trainer(tmp_path, patience=patience, interval=interval, **LOSING)
        more.resume()
        assert more.train().epochs == epochs
        whole = trainer(None, patience=patience, **LOSING)
        whole.train()
        if patience is not None:
            assert outcome(more) == outcome(whole)
        assert more.history.losses == whole.history.losses


def test_more_epochs_give_the_patience_anew(tmp_path):
    short = trainer(tmp_path, patience=2, interval=None, **LOSING)
    assert short.train().epochs == 3
    again = trainer(tmp_path, patience=2, interval=None, **LOSING)
    again.resume()
    again.train()
    assert outcome(again) == outcome(short), "the same settings have nothing to go on with"
    longer = trainer(tmp_path, patience=2, interval=None, **LOSING | {"epochs": 20})
    longer.resume()
    assert longer.train().epochs == 5
    assert longer.history.stopped == "no better loss in 2 epochs (patience)"


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("schedule", [None, schedules.exponential(0.9)])
def test_another_learning_rate_after_a_resume(tmp_path, optimizer, schedule):
    settings = {"optimizer": optimizer, "schedule": schedule, "patience": None}
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path, callbacks=[Interrupt(5)], **settings).train()
    resumed = trainer(tmp_path, **settings)
    resumed.resume()
    resumed.optimizer.lr = 0.5
    rates = resumed.train().learning_rates
    assert rates[-1] == pytest.approx(0.5 * (schedule(11) if schedule else 1))
    again = trainer(tmp_path, epochs=4, **settings)
    again.resume()
    assert again.train().learning_rates[-1] == pytest.approx(0.5 * (schedule(15) if schedule else 1)), "it is remembered"


def test_the_base_rate_may_be_set_too(tmp_path):
    schedule = schedules.exponential(0.9)
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path, callbacks=[Interrupt(5)], schedule=schedule, patience=None).train()
    resumed = trainer(tmp_path, schedule=schedule, patience=None)
    resumed.resume()
    resumed.base_lr = 0.5
    assert resumed.train().learning_rates[-1] == pytest.approx(0.5 * schedule(11))


def test_a_rate_set_before_the_first_step_is_the_schedules():
    schedule = schedules.exponential(0.9)
    run = trainer(None, schedule=schedule, patience=None)
    run.optimizer.lr = 0.5
    assert run.train().learning_rates[-1] == pytest.approx(0.5 * schedule(11))
