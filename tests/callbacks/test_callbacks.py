"""Callbacks that users write."""

import pytest
import resume_cases
from training_cases import X, Y, trainer

from lincoln import Callback


def test_callbacks_see_every_point_in_order():
    seen = []

    class Recorder(Callback):
        def close(self):
            seen.append("close")

    for point in ("train_begin", "epoch_begin", "step_begin", "step_end", "epoch_end", "train_end"):
        setattr(
            Recorder, point, lambda self, trainer, point=point: seen.append((point, trainer.epoch, trainer.history.steps))
        )
    trainer([(X, Y)], epochs=2, callbacks=[Recorder()]).train()
    assert seen == [
        ("train_begin", 0, 0),
        ("epoch_begin", 1, 0),
        ("step_begin", 1, 0),
        ("step_end", 1, 1),
        ("epoch_end", 1, 1),
        ("epoch_begin", 2, 1),
        ("step_begin", 2, 1),
        ("step_end", 2, 2),
        ("epoch_end", 2, 2),
        ("train_end", 2, 2),
        "close",
    ]


def test_a_callback_can_stop_the_run():
    class Stopper(Callback):
        def step_end(self, trainer):
            if trainer.history.steps == 4:
                trainer.stop("seen enough")

    history = trainer(epochs=10, callbacks=[Stopper()]).train()
    assert history.steps == 4
    assert history.epochs == 2
    assert history.stopped == "seen enough"


def test_callbacks_are_closed_after_an_error():
    class Failing(Callback):
        closed = False

        def epoch_end(self, trainer):
            raise KeyError("mine")

        def close(self):
            self.closed = True

    failing = Failing()
    run = trainer(callbacks=[failing])
    with pytest.raises(KeyError):
        run.train()
    assert failing.closed
    assert run.loss.check_targets


def test_a_callback_stops_the_run_at_any_point():
    for point, epochs, steps in (("epoch_begin", 1, 4), ("step_begin", 2, 5), ("step_end", 2, 5)):

        def method(self, trainer, point=point):
            if trainer.history.steps >= 4 and trainer.epoch == 2:
                trainer.stop("enough")

        stopper = type("Stop", (Callback,), {point: method})
        history = resume_cases.trainer(None, callbacks=[stopper()], accumulate=1).train()
        assert history.stopped == "enough"
        assert history.epochs == epochs
        assert history.steps == steps
