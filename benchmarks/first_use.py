"""CPU time of a process that imports a library and fits once: lincoln's against scikit-learn's and torch's own import.

    python benchmarks/first_use.py             # medians of 7 processes each
    python benchmarks/first_use.py --quick     # one process each, to see that it works

A fit is 500 steps of a 30-10-1 network on batches of 128. Each number is the CPU time of a process of its own, with what
the interpreter itself takes; the processes take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

DATA = """
import numpy as np
x = np.random.default_rng(0).normal(size=(640, 30))
y = (x[:, 0] > 0).astype(int)
"""
MLP = "MLPClassifier((10,), batch_size=128, max_iter=100, tol=0, n_iter_no_change=100).fit(x, y)"
PROCESSES = {
    "import torch": "import torch",
    "scikit-learn, import and fit": f"from sklearn.neural_network import MLPClassifier{DATA}{MLP}",
    "lincoln, import and fit of Classifier": f"""
import lincoln as lnc{DATA}
network = lnc.Sequential(lnc.Dense(10), lnc.Dense(1))
lnc.Classifier(network).fit(x, y, batch_size=128, epochs=100, print_every=None)
""",
    "lincoln, import and fit of MLPClassifier": f"from lincoln.estimators import MLPClassifier{DATA}{MLP}",
}


def cpu_seconds(code: str) -> float:
    """Return the CPU time of a process that runs this code."""
    code += "\nimport os\nprint(sum(os.times()[:2]))"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout)


def benchmark(repeats: int) -> dict[str, Any]:
    """Return the median CPU seconds of each process."""
    times: dict[str, list[float]] = {name: [] for name in PROCESSES}
    for code in PROCESSES.values():
        cpu_seconds(code)  # compiles what is not compiled yet
    for _ in range(repeats):
        for name, code in PROCESSES.items():
            times[name].append(cpu_seconds(code))
    return {"rows": [{"process": name, "cpu_seconds": statistics.median(found)} for name, found in times.items()]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one process each")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the numbers to this file")
    arguments = parser.parse_args()
    result = benchmark(1 if arguments.quick else 7)
    for row in result["rows"]:
        print(f"{row['process']:42}{row['cpu_seconds']:6.2f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
