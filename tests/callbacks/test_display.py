"""The display of a run."""

import os
import pty
import re
import subprocess
import sys

import pytest
from training_cases import X, Y, lnc_accuracy, run

from lincoln import Dataset


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
