"""Ctrl-C, the end of the program and a lack of memory at any instant: what a run has set is put back, and it says so."""

import os
import random
import shutil
import sys
import tempfile
import warnings

import numpy as np
import pytest
import torch
from resume_cases import DATA, Interrupt, X, Y, trainer
from torch.utils._python_dispatch import _get_current_dispatch_mode

import lincoln as lnc
from lincoln import checkpoint
from lincoln.errors import DivergenceError, LayerError
from lincoln.estimators import MLPClassifier

# a file whose `with` block was cut off is closed by Python, with a word about it
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

LINCOLN = os.path.dirname(lnc.__file__)
OTHERS = tuple(
    os.path.join(os.path.dirname(torch.__file__), name)
    for name in ("autograd/grad_mode.py", "random.py", "utils/_python_dispatch.py")
)


class Tracer:
    """Count how often each line runs; raise an error when one line runs for a given time."""

    def __init__(self, files, at=None, error=KeyboardInterrupt):
        self.files, self.at, self.error = files, at, error
        self.seen = {}
        self.raised = False

    def __call__(self, frame, event, argument):
        return self.line if frame.f_code.co_filename.startswith(self.files) else None

    def line(self, frame, event, argument):
        if event == "line" and not self.raised:
            place = frame.f_code.co_filename, frame.f_lineno
            self.seen[place] = self.seen.get(place, 0) + 1
            if self.at == (place, self.seen[place]):
                self.raised = True
                raise self.error
        return self.line

    def run(self, work):
        """Return the error that the work ended with, or None."""
        before = sys.gettrace()
        sys.settrace(self)
        try:
            work()
        except BaseException as error:
            return error
        finally:
            sys.settrace(before)
        return None


def surroundings():
    """Return what belongs to the whole process."""
    mask = os.umask(0o022)
    os.umask(mask)
    return (
        torch.is_inference_mode_enabled(),
        torch.is_grad_enabled(),
        _get_current_dispatch_mode(),
        torch.get_num_threads(),
        torch.get_rng_state().numpy().tobytes(),
        np.random.get_state()[1].tobytes(),
        hash(random.getstate()),
        mask,
    )


def places(files, work):
    """Return each line that the work runs, for the first and for the last time."""
    tracer = Tracer(files)
    assert tracer.run(work) is None
    return [(place, time) for place, times in tracer.seen.items() for time in sorted({1, times})]


def interrupted_everywhere(tmp_path, settings, every):
    """Interrupt a run at its lines, and look at what is left."""
    folder = tmp_path / "run"

    def make():
        shutil.rmtree(folder, ignore_errors=True)
        return trainer(folder, **settings)

    files = (LINCOLN, *OTHERS)
    before = surroundings()
    points = places(files, make().train)
    said = []
    for at in points[::every]:
        run = make()
        tracer = Tracer(files, at)
        error = tracer.run(run.train)  # its traceback keeps all frames alive
        assert surroundings() == before, at
        assert isinstance(error, KeyboardInterrupt), at
        error = None
        assert surroundings() == before, at
        assert not list(folder.glob(".*")), at
        said.append(run.history.stopped)
        if folder.exists():
            lock = checkpoint.FolderLock(folder)
            lock.take()
            lock.release()
    assert sum(words != "interrupted" for words in said) <= 5, "only before the run begins, and after its end"


@pytest.mark.parametrize("every", [17, pytest.param(1, marks=pytest.mark.slow)])
def test_an_interrupt_at_every_line_of_a_run(tmp_path, every):
    interrupted_everywhere(tmp_path, {"epochs": 2, "interval": None}, every)


@pytest.mark.parametrize("every", [97, pytest.param(5, marks=pytest.mark.slow)])
def test_an_interrupt_in_a_run_that_is_replayed(tmp_path, every):
    interrupted_everywhere(tmp_path, {"epochs": 27, "patience": None, "interval": 60, "schedule": None}, every)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, SystemExit])
def test_an_interrupt_at_every_line_of_save(tmp_path, error):
    network = lnc.Sequential(lnc.Dense(2))
    network(X)
    path = lnc.save(tmp_path / "net.safetensors", network)
    before = path.read_bytes(), surroundings()
    network.flatten()[0].add_(1)
    new = tmp_path / "new.safetensors"
    files = (os.path.join(LINCOLN, "checkpoint"), tempfile.__file__)
    after = lnc.save(tmp_path / "after.safetensors", network).read_bytes()
    for target in (path, new):
        content = target.read_bytes() if target.exists() else None
        for at in places(files, lambda target=target: lnc.save(target, network)):
            if content is None:
                target.unlink(missing_ok=True)
            else:
                target.write_bytes(content)
            tracer = Tracer(files, at, error)
            tracer.run(lambda target=target: lnc.save(target, network))
            left = {name for name in os.listdir(tmp_path) if name not in (path.name, new.name, "after.safetensors")}
            assert left == set(), at
            assert (target.read_bytes() if target.exists() else None) in (content, after)
            assert surroundings() == before[1]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_the_history_says_interrupted(error):
    class Raise(lnc.Callback):
        def step_end(self, trainer):
            if trainer.history.steps == 6:
                raise error

    run = trainer(None, callbacks=[Raise()])
    with pytest.raises(error):
        run.train()
    assert (run.history.stopped, run.history.epochs, run.history.steps) == ("interrupted", 1, 6)
    assert run.history.seconds > 0


def test_no_memory_in_a_layer_is_an_interrupt():
    class Full(lnc.Layer):
        def _forward(self, input):
            if self.training:
                raise MemoryError
            return input

        def _backward(self, output_grad):
            return output_grad

    run = lnc.Trainer(lnc.Sequential(Full(), lnc.Dense(1)), lnc.TrainerConfig(progress=None), lnc.LogLoss, lnc.SGD, DATA)
    with pytest.raises((LayerError, MemoryError)):
        run.train()
    assert run.history.stopped == "interrupted"


def test_classifier_and_regressor_keep_the_history_of_an_interrupted_fit():
    def batches(features, labels, size):
        for epoch_batch in lnc.generate_batches(features, labels, size=size):
            batches.left -= 1
            if batches.left == 0:
                raise KeyboardInterrupt
            yield epoch_batch

    for model in (lnc.Classifier, lnc.Regressor):
        fitted = model(lnc.Sequential(lnc.Dense(1)), batch_gen=batches)
        assert fitted.history_ is None
        batches.left = 12
        with pytest.raises(KeyboardInterrupt):
            fitted.fit(X.numpy(), Y.numpy(), epochs=10, batch_size=11, print_every=None)
        assert (fitted.history_.stopped, fitted.history_.epochs) == ("interrupted", 2)
        batches.left = -1
        history = fitted.fit(X.numpy(), Y.numpy(), epochs=2, batch_size=11, print_every=None)
        assert fitted.history_ is history
        assert history.stopped == "all 2 epochs done"


def test_an_estimators_history_says_interrupted():
    class Raise(lnc.Callback):
        def epoch_end(self, trainer):
            if trainer.epoch == 3:
                raise KeyboardInterrupt

    mlp = MLPClassifier((4,), callbacks=[Raise()])
    with pytest.warns(UserWarning, match="interrupted by user"):
        mlp.fit(X.numpy(), Y.numpy())
    assert mlp.history_.stopped == "interrupted"


class Closing(lnc.Callback):
    def __init__(self, error=None):
        self.error, self.closed = error, 0

    def close(self):
        self.closed += 1
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("error", [ValueError("first"), KeyboardInterrupt("first")])
def test_a_callback_that_raises_in_close_keeps_no_other_from_it(error):
    callbacks = [Closing(), Closing(error), Closing(OSError("second")), Closing()]
    run = trainer(None, callbacks=callbacks)
    with pytest.raises(type(error), match="first"):
        run.train()
    assert [callback.closed for callback in callbacks] == [1, 1, 1, 1]
    assert run.history.seconds > 0
    assert run.history.epochs == 3


def test_an_error_in_close_does_not_hide_the_runs_own():
    callbacks = [Closing(ValueError("in close")), Closing(), Interrupt(2)]
    run = trainer(None, callbacks=callbacks)
    with pytest.raises(KeyboardInterrupt) as interrupt:
        run.train()
    assert interrupt.value.__notes__ == ["After this, cleaning up failed too: ValueError: in close"]
    assert [callback.closed for callback in callbacks[:2]] == [1, 1]

    class Explode(lnc.Callback):
        def step_begin(self, trainer):
            trainer.base_lr = float("inf")

    run = trainer(None, callbacks=[Closing(ValueError("in close")), Explode()], clip_norm=None)
    with pytest.raises(DivergenceError), warnings.catch_warnings():
        run.train()
