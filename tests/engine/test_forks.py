"""Forked children compute after their parent has: neither torch's threads nor other threads' locks survive a fork."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

SCRIPT = """
import multiprocessing, os, signal, sys, threading, time, warnings
import numpy as np, torch
import lincoln as lnc
from lincoln.estimators import MLPClassifier, MLPRegressor

warnings.simplefilter("ignore")
torch.set_num_threads(2)
X = np.random.default_rng(0).normal(size=(2000, 400)).astype(np.float32)
y = (X[:, 0] > 0).astype(int)
path = os.path.join(sys.argv[1], "net.safetensors")

def network():
    return lnc.Sequential(lnc.Dense(256), lnc.Dense(1))

def trained():
    config = lnc.TrainerConfig(2, 1000, seed=0, progress=None)
    data = lnc.Dataset(torch.from_numpy(X), torch.from_numpy(y))
    return lnc.Trainer(network(), config, lnc.LogLoss, lnc.Adam, data).train().losses[-1]

classifier, regressor = lnc.Classifier(network()), lnc.Regressor(network())
mlp = MLPClassifier((256,), max_iter=2, batch_size=1000, random_state=0)
fit = dict(epochs=2, batch_size=1000, print_every=None, seed=0)
WORK = {
    "Trainer": lambda _=0: trained(),
    "Classifier.fit": lambda _=0: lnc.Classifier(network()).fit(X, y, **fit).losses[-1],
    "Classifier.predict": lambda _=0: float(classifier.predict_proba(X).sum()),
    "Classifier.evaluate": lambda _=0: classifier.evaluate(X, y)["loss"],
    "Regressor.fit": lambda _=0: lnc.Regressor(network()).fit(X, y, **fit).losses[-1],
    "Regressor.score": lambda _=0: regressor.score(X, y),
    "load": lambda _=0: lnc.load(path)(torch.from_numpy(X)).sum().item(),
    "check_gradients": lambda _=0: lnc.check_gradients(lnc.Dense(3), torch.ones(4, 300)) and 1.0,
    "estimator.fit": lambda _=0: MLPClassifier((256,), max_iter=2, batch_size=1000, random_state=0).fit(X, y).loss_,
    "estimator.partial_fit": lambda _=0: MLPRegressor(hidden_layer_sizes=(256,), random_state=0).partial_fit(X, y).loss_,
    "estimator.predict": lambda _=0: float(mlp.predict_proba(X).sum()),
}

def in_child(name, work, expected):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        found = work()
        os._exit(0 if np.isclose(found, expected, rtol=1e-4) else 1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(name, {0: "the same", 1: "another"}.get(code, "nothing"), flush=True)

def work(name):
    return WORK[name]()

if __name__ == "__main__":
    classifier.fit(X, y, **fit), regressor.fit(X, y, **fit), mlp.fit(X, y)
    lnc.save(path, classifier.network)
    expected = {name: work() for name, work in WORK.items()}
    for name in WORK:
        in_child(name, WORK[name], expected[name])

    class Fork(lnc.Callback):
        def epoch_end(self, trainer):
            if trainer.epoch == 1:
                in_child("a fork inside a run", WORK["Trainer"], expected["Trainer"])

    config = lnc.TrainerConfig(2, 10, seed=0, progress=None)
    small = lnc.Dataset(torch.from_numpy(X[:20]), torch.from_numpy(y[:20]))
    lnc.Trainer(lnc.Sequential(lnc.Dense(1)), config, lnc.LogLoss, lnc.SGD, small, callbacks=[Fork()]).train()
    assert torch.get_num_threads() == 2

    held, done = threading.Event(), threading.Event()

    class Hold(lnc.Callback):
        def epoch_end(self, trainer):
            held.set(), done.wait(30)

    config = lnc.TrainerConfig(1, 10, seed=0, progress=None)
    run = lnc.Trainer(lnc.Sequential(lnc.Dense(1)), config, lnc.LogLoss, lnc.SGD, small, callbacks=[Hold()])
    thread = threading.Thread(target=run.train)
    thread.start(), held.wait(30)
    in_child("a fork while another thread trains", WORK["Trainer"], expected["Trainer"])
    done.set(), thread.join()
    assert torch.get_num_threads() == 2
    if sys.argv[2:]:
        from joblib import Parallel, delayed
        with multiprocessing.get_context("fork").Pool(2) as pool:
            found = pool.map_async(work, ["estimator.fit", "Classifier.fit"]).get(timeout=30)
        assert np.allclose(found, [expected["estimator.fit"], expected["Classifier.fit"]], rtol=1e-4)
        found = Parallel(n_jobs=2, backend="multiprocessing", timeout=30)(delayed(work)("estimator.fit") for _ in range(2))
        assert np.allclose(found, expected["estimator.fit"], rtol=1e-4)
        print("pools the same")
"""


def test_children_compute_what_their_parent_does(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    forks = multiprocessing.get_all_start_methods()[0] == "fork"
    root = str(Path(__file__).parents[2])
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"} | {"PYTHONPATH": root}
    command = [sys.executable, str(script), str(tmp_path), *(["pools"] if forks else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 13 + forks
    assert [line for line in lines if not line.endswith("the same")] == []
