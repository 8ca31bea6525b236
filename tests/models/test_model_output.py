"""The lines and the progress bar that a fit prints, and the history that it returns."""

import re
from functools import partial

import pytest
import torch
from model_cases import classifier, quiet_fit, two_blobs

import lincoln as lnc
from lincoln.errors import DivergenceError

LINE = re.compile(r"Epoch (\d+)\.\. Train loss: (\d+\.\d{4})\.\.  Accuracy: (\d+\.\d{3})%")


def test_the_notebooks_line(capsys):
    x, y = two_blobs(100)
    model = classifier()
    history = model.fit(x, y, epochs=10, batch_size=30, print_every=8, seed=0)
    lines = capsys.readouterr().out.splitlines()
    found = [LINE.fullmatch(line) for line in lines]
    assert [int(match[1]) for match in found] == [2, 4, 6, 8, 10]
    assert [match[3] for match in found] == [f"{value * 100:.3f}" for _, value in history.metrics[:-1]]
    means = [sum(history.losses[i : i + 2]) / 2 for i in range(0, 10, 2)]
    assert [float(match[2]) for match in found] == pytest.approx(means, abs=1e-4), "loss per example since the last line"
    model.fit(x, y, epochs=2, batch_size=50, print_every=2, validation_data=(x, y), seed=0)
    assert capsys.readouterr().out.splitlines()[-1].count("..  Val loss: ") == 1


def test_silence(capsys):
    x, y = two_blobs()
    for print_every in (None, 0):
        classifier().fit(x, y, epochs=2, print_every=print_every)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.parametrize("progress", [None, True, False])
@pytest.mark.parametrize("terminal", [True, False])
def test_progress_bar_only_on_a_terminal(capsys, monkeypatch, terminal, progress):
    monkeypatch.setattr("lincoln.models.displays.on_terminal", lambda: terminal)
    x, y = two_blobs()
    classifier().fit(x, y, epochs=3, print_every=None, progress=progress, validation_data=(x, y))
    out = capsys.readouterr().out
    assert ("3/3" in out) == ("val loss 0." in out) == (terminal and progress is not False)
    with pytest.raises(DivergenceError):
        classifier(optimizer=partial(lnc.SGD, lr=float("inf"))).fit(x, y, epochs=3, progress=progress)


def test_history():
    x, y = two_blobs()
    history = quiet_fit(classifier(), x, y, epochs=5, validation_data=(x[:50], y[:50]))
    assert len(history.losses) == len(history.val_losses) == len(history.val_metrics) == history.epochs == 5
    assert history.steps == 5 * 7
    assert history.seconds > 0
    assert history.metric == "accuracy"
    assert history.metrics[-1][0] == 5
    assert history.stopped == "all 5 epochs done"
    assert re.fullmatch(
        r"History\(5 epochs, 35 steps, \d\.\d\d s, loss 0\.\d{4}, accuracy 0\.\d{4}, validation loss .*\)", repr(history)
    )


def test_losses_are_averaged_by_example():
    """The last batch has 8 examples and counts for 8: at learning rate 0 each epoch's loss is that of the whole data."""
    x, y = two_blobs(200)
    for reduction in ("sum", "mean"):
        model = classifier(loss=partial(lnc.LogLoss, reduction=reduction), optimizer=partial(lnc.SGD, lr=0.0))
        history = quiet_fit(model, x, y, epochs=2, batch_size=64, validation_data=(x, y))
        whole = lnc.LogLoss(model.network)(torch.tensor(x).float(), torch.tensor(y)).item() / 200
        assert history.losses == pytest.approx([whole] * 2)
        assert history.val_losses == pytest.approx([whole] * 2)
        assert model.evaluate(x, y)["loss"] == pytest.approx(whole)
