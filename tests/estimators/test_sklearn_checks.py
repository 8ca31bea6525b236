"""scikit-learn's checks for estimators: our four classes pass every check that its own classes pass."""

import json
import os
import subprocess
import sys
from collections import ChainMap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# SCIPY_ARRAY_API must be set before scipy is imported, so the checks run in another process; pandas and polars being
# there, nothing is left out
RUN = """
import json, sys, traceback, warnings
import pandas, polars, torch
import sklearn.neural_network
from sklearn.utils.estimator_checks import check_estimator
from estimator_cases import net
from lincoln.estimators import MLPClassifier, MLPRegressor, NetworkClassifier, NetworkRegressor

torch.set_num_threads(1)
warnings.simplefilter("ignore")

def results(estimator):
    return [
        {
            "check": result["check_name"],
            "status": result["status"],
            "why": "".join(traceback.format_exception(result["exception"])) if result["exception"] else "",
            "reason": str(result["exception"]).replace(type(estimator).__name__, "it"),
            "expected": result["expected_to_fail"],
        }
        for result in check_estimator(estimator, on_fail=None, on_skip=None)
    ]

ESTIMATORS = {
    "MLPClassifier": MLPClassifier(max_iter=100),
    "MLPRegressor": MLPRegressor(max_iter=100),
    "NetworkClassifier": NetworkClassifier(net, lr=0.01, max_iter=300),
    "NetworkRegressor": NetworkRegressor(net, lr=0.02, max_iter=300),
    "scikit-learn's MLPClassifier": sklearn.neural_network.MLPClassifier(max_iter=100),
    "scikit-learn's MLPRegressor": sklearn.neural_network.MLPRegressor(max_iter=100),
}
json.dump({name: results(ESTIMATORS[name]) for name in sys.argv[1:]}, sys.stdout)
"""
HALVES = [  # each half runs in its own process
    ["MLPClassifier", "MLPRegressor", "scikit-learn's MLPRegressor"],
    ["NetworkClassifier", "NetworkRegressor", "scikit-learn's MLPClassifier"],
]


@pytest.fixture(scope="module")
def results():
    environment = os.environ | {
        "SCIPY_ARRAY_API": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "estimators"), os.environ.get("PYTHONPATH", "")]),
    }

    def run(names):
        done = subprocess.run(
            [sys.executable, "-c", RUN, *names], env=environment, capture_output=True, text=True, timeout=400
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    with ThreadPoolExecutor() as pool:
        return dict(ChainMap(*pool.map(run, HALVES)))


def outcomes(results):
    """Return the checks that did not pass, with status and reason."""
    return {(result["check"], result["status"], result["reason"]) for result in results if result["status"] != "passed"}


@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor", "NetworkClassifier", "NetworkRegressor"])
def test_every_check_passes_that_scikit_learns_own_pass(kind, results, capsys):
    found, own = results[kind], results[f"scikit-learn's MLP{kind.removeprefix('MLP').removeprefix('Network')}"]
    count = {status: sum(result["status"] == status for result in found) for status in ("passed", "skipped")}
    with capsys.disabled():
        skipped = f", {count['skipped']} skipped as scikit-learn's own" if count["skipped"] else ""
        print(f"\n{kind}: {count['passed']} of {len(found)} checks passed{skipped}")
    failures = [result["why"] for result in found if result["status"] not in ("passed", "skipped")]
    assert not failures, "\n".join(failures)
    assert outcomes(found) <= outcomes(own)
    assert not any(result["expected"] for result in found)
    assert {result["check"] for result in own} <= {result["check"] for result in found}
    assert len(found) >= len(own) >= 60


def test_scikit_learn_with_its_own_environment_skips_no_more(results):
    """A check is skipped because of what the estimator is, never because a library is missing."""
    reasons = {result["reason"] for found in results.values() for result in found if result["status"] == "skipped"}
    assert reasons <= {"it does not have a decision_function method."}
