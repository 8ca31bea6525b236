"""The display of a run."""

import os
import pty
import re
import subprocess
import sys

import pytest
import torch
from training_cases import X, Y, lnc_accuracy, run

from lincoln import Callback, Dataset
from lincoln.callbacks.display import EpochLines, LinePrinter, ProgressDisplay
from lincoln.data import DataLoader


def test_lines_elsewhere_than_on_a_terminal(capsys):
    run(val=Dataset(X.double(), Y), metric=lnc_accuracy, progress="auto", num_epochs=4, log_interval=2).train()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["Epoch 2/4", "Epoch 4/4"]
    losses = r"Epoch 4/4  loss 0\.\d{4}  val loss 0\.\d{4}(\*| \(best 0\.\d{4}\))"
    pattern = losses + r"  lnc_accuracy 0\.\d{4}  lr 0\.003  [\d,]+ examples/s  0:00 left"
    assert re.fullmatch(pattern, lines[1])


def test_silence_on_request(capsys):
    run(progress=None).train()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("colour", [True, False])
def test_display_on_a_terminal(monkeypatch, colour):
    """In a pseudo-terminal the display is shown, in colours unless NO_COLOR is set."""
    code = (
        "import torch, lincoln as lnc\n"
        "x = torch.randn(500, 3); y = (x[:, 0] > 0).float()\n"
        "config = lnc.TrainerConfig(num_epochs=40, seed=0)\n"
        "data = lnc.Dataset(x, y)\n"
        "lnc.Trainer(lnc.Dense(1), config, lnc.LogLoss, lnc.SGD, data, data).train()\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "100"} | ({} if colour else {"NO_COLOR": "1"})
    master, slave = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    shown = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(master)
    assert process.wait(60) == 0
    text = shown.decode()
    assert "epoch 40/40" in text
    assert "val loss" in text
    assert "examples/s" in text
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]", text)) == colour


def test_no_files_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(progress="lines").train()
    assert list(tmp_path.iterdir()) == []


class Sized:
    """Five batches, and a length of one's own making."""

    def __init__(self, length):
        self.length = length

    def __iter__(self):
        return iter(DataLoader(Dataset(X.double(), Y), -(-len(X) // 5)))

    def __len__(self):
        if isinstance(self.length, type):
            raise self.length("no length")
        return self.length


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter([(torch.randn(4).double(), torch.tensor([float(i % 2)])) for i in range(64)])


class Fractions(Callback):
    def __init__(self):
        self.seen = []

    def step_end(self, trainer):
        self.seen.append(round(trainer.epoch_fraction, 3))


@pytest.mark.parametrize(
    ("length", "fractions"),
    [
        (TypeError, [0, 0, 0, 0, 0]),
        (NotImplementedError, [0, 0, 0, 0, 0]),
        (ValueError, [0, 0, 0, 0, 0]),
        (0, [0, 0, 0, 0, 0]),
        (-3, [0, 0, 0, 0, 0]),
        (2.5, [0, 0, 0, 0, 0]),
        (2, [0.5, 1, 1, 1, 1]),
        (5, [0.2, 0.4, 0.6, 0.8, 1]),
        (10, [0.1, 0.2, 0.3, 0.4, 0.5]),
    ],
)
def test_a_loader_without_a_right_length_is_shown_all_the_same(length, fractions, capsys):
    noted = Fractions()
    run(Sized(length), callbacks=[noted, ProgressDisplay()], num_epochs=2, progress=None).train()
    assert noted.seen == fractions * 2
    assert "epoch 2/2" in capsys.readouterr().out


def test_a_loader_of_torchs_over_a_stream_is_shown(capsys):
    loader = torch.utils.data.DataLoader(Stream(), batch_size=16)
    run(loader, callbacks=[ProgressDisplay()], num_epochs=2, progress=None).train()
    assert "epoch 2/2" in capsys.readouterr().out


class StopIn(Callback):
    def __init__(self, epoch, error=None):
        self.epoch, self.error = epoch, error

    def epoch_end(self, trainer):
        if trainer.epoch == self.epoch:
            if self.error is not None:
                raise self.error
            trainer.stop("preempted")


def test_a_display_that_stops_early_says_why(capsys):
    run(callbacks=[StopIn(3), ProgressDisplay()], num_epochs=5, progress=None).train()
    out = capsys.readouterr().out
    assert "epoch 3/5" in out
    assert "60%" in out
    assert out.rstrip().endswith("stopped: preempted")


def test_early_stopping_is_shown_on_a_line(capsys):
    val = Dataset(X.double(), 1 - Y)
    history = run(val=val, num_epochs=50, patience=2, progress="lines").train()
    last = capsys.readouterr().out.splitlines()[-1]
    assert f"Epoch {history.epochs:2}/50" in last
    assert last.endswith("stopped: no better loss in 2 epochs (patience)")
    assert "left" not in last


def test_a_display_that_ends_in_an_error_promises_no_time(capsys):
    with pytest.raises(ZeroDivisionError):
        run(callbacks=[ProgressDisplay(), StopIn(3, ZeroDivisionError())], num_epochs=5, progress=None).train()
    out = capsys.readouterr().out
    assert "epoch 3/5" in out
    assert "left" not in out


@pytest.mark.parametrize(
    ("losses", "shown"),
    [
        ([float("nan"), 0.5, 0.7], "0.7000 (best 0.5000)  "),
        ([float("nan"), 0.5], "0.5000*  "),
        ([0.5, float("nan")], "nan (best 0.5000)  "),
        ([float("nan")], "nan  "),
    ],
)
def test_nan_is_not_the_best_loss_on_display(losses, shown):
    trainer, lines = run(), EpochLines()
    trainer.history.val_losses = losses
    lines.train_begin(trainer)
    assert lines.numbers(trainer).startswith(f"val loss {shown}")


def test_lines_over_steps_of_weight_zero(capsys):
    data = Dataset(X.double(), Y, (torch.arange(50) >= 40).double())
    run(data, callbacks=[LinePrinter(1, lambda: 0.5)], shuffle_minibatches=False, num_epochs=1).train()
    assert capsys.readouterr().out.startswith("Epoch 1.. Train loss: 0.0000..  Metric: 0.5000")
