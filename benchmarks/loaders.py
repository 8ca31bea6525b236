"""Compare lincoln's DataLoader with torch's: one epoch over 1,000,000 x 30 float32 in shuffled batches of 256.

    python benchmarks/loaders.py                # a table, in about a minute
    python benchmarks/loaders.py --quick        # a few seconds, on less data, to show that it works
    python benchmarks/loaders.py --json [PATH]  # the numbers as JSON, on stdout without a PATH

lincoln gathers each batch of so large a table by its indices. The second row is its method for data that stay in the
processor's cache: one shuffled copy, cut into views. One process and one thread; repetitions are interleaved, times are
medians. Read the ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from notebook_network import machine
from rich.console import Console
from rich.table import Table
from torch.utils import data as torch_data

from lincoln.data import DataLoader, Dataset

BATCH, FEATURES = 256, 30
BAR = 20  # the ratio to reach


def epoch(loader: Iterable[Any]) -> float:
    """Return the seconds of one epoch; each batch is taken and dropped."""
    start = time.perf_counter()
    batches = 0
    for _ in loader:
        batches += 1
    assert batches == len(loader)  # type: ignore[arg-type]
    return time.perf_counter() - start


def benchmark(examples: int, repeats: int) -> dict[str, Any]:
    """Measure each contestant `repeats` times, in turns."""
    torch.set_num_threads(1)
    x, y = torch.randn(examples, FEATURES), torch.randint(0, 2, (examples, 1)).float()
    dataset = Dataset(x, y)
    contestants: dict[str, Callable[[], Iterable[Any]]] = {
        "lincoln": lambda: DataLoader(dataset, BATCH, shuffle=True),
        "lincoln, one shuffled copy": lambda: DataLoader(dataset, BATCH, shuffle=True, copy_budget=2**40),
        "torch": lambda: torch_data.DataLoader(torch_data.TensorDataset(x, y), batch_size=BATCH, shuffle=True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, make in contestants.items():
            seconds[name].append(epoch(make()))
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    first = medians["lincoln"]
    rows = [
        {"loader": name, "median": medians[name], "min": min(times), "max": max(times), "ratio": medians[name] / first}
        for name, times in seconds.items()
    ]
    return {"machine": machine(), "settings": {"examples": examples, "repeats": repeats}, "rows": rows}


def show(result: dict[str, Any]) -> None:
    """Print the table and the ratio."""
    title = ", ".join(f"{name} {value}" for name, value in (result["machine"] | result["settings"]).items())
    table = Table("loader", "median", "min .. max", "ratio")
    for row in result["rows"]:
        times = f"{row['min'] * 1e3:.1f} .. {row['max'] * 1e3:.1f}"
        table.add_row(row["loader"], f"{row['median'] * 1e3:.1f} ms", times, f"{row['ratio']:.1f}")
    console = Console()
    console.print(title, highlight=False, soft_wrap=True)
    console.print(table)
    console.print(f"lincoln is {result['rows'][-1]['ratio']:.0f} x faster than torch (bar {BAR})", highlight=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds, to show that it works")
    parser.add_argument("--json", nargs="?", const="-", metavar="PATH", help="JSON to PATH, or alone to stdout")
    options = parser.parse_args()
    result = benchmark(50_000 if options.quick else 1_000_000, 2 if options.quick else 7)
    if options.json == "-":
        print(json.dumps(result, indent=2))
        return
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=2))
    show(result)


if __name__ == "__main__":
    main()
