"""The first fit in a process imports nothing heavy: torch._dynamo alone takes longer than the fit."""

import subprocess
import sys

import pytest

FITS = {
    "Classifier": """
history = lincoln.Classifier(network("sigmoid")).fit(x, x[:, 0] > 0, epochs=200, print_every=None)""",
    "Regressor": """
history = lincoln.Regressor(network()).fit(x, x[:, 0], epochs=200, print_every=50)""",
    "Trainer": """
config = lincoln.TrainerConfig(200, progress=None)
data = lincoln.Dataset(x, (x[:, :1] > 0).astype("float32"))
history = lincoln.Trainer(network("sigmoid"), config, lincoln.LogLoss, lincoln.Adam, data).train()""",
    "MLPClassifier": """
from lincoln.estimators import MLPClassifier
history = MLPClassifier((4,), max_iter=200, batch_size=32, tol=0, n_iter_no_change=200).fit(x, x[:, 0] > 0).history_""",
    "NetworkRegressor": """
from lincoln.estimators import NetworkRegressor
history = NetworkRegressor(network(), max_iter=200, batch_size=32, tol=0, n_iter_no_change=200).fit(x, x[:, 0]).history_""",
}
SCRIPT = """
import sys, warnings
import numpy as np
import lincoln
import lincoln.engine.replay
proven = []
run = lincoln.engine.replay.Recording.__call__
lincoln.engine.replay.Recording.__call__ = lambda self, *batch: proven.append(1) or run(self, *batch)
warnings.filterwarnings("error", message=".*not replayed")
network = lambda activation=None: lincoln.Sequential(lincoln.Dense(4), lincoln.Dense(1, activation))
x = np.random.default_rng(0).normal(size=(80, 5)).astype("float32")
{fit}
heavy = ("torch._dynamo", "torch._inductor", "sympy", "matplotlib")
print(history.steps >= 500, len(proven) > 400, [name for name in heavy if name in sys.modules])
"""


@pytest.mark.parametrize("what", FITS)
def test_a_first_fit_imports_nothing_heavy(what):
    command = [sys.executable, "-c", SCRIPT.format(fit=FITS[what])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "True True []"
