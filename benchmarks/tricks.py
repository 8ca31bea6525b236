"""Each trick of docs/performance.md against the plain form of the same computation.

    python benchmarks/tricks.py                   # a table, in about a minute
    python benchmarks/tricks.py --quick           # a few seconds, to see that it works
    python benchmarks/tricks.py --only products   # only the groups named
    python benchmarks/tricks.py --json [PATH]     # the numbers as JSON, on stdout without a PATH

One process and one thread, except where threads are what is measured. The two forms take turns, so that other programs on
the machine slow both. A time is that of the fastest turn; "ratio" is plain over trick, the median of the ratios of all
turns. Times change with the machine, ratios much less. Before it is timed, each trick is compared with its plain form.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from notebook_network import machine
from rich.console import Console
from rich.table import Table
from torch import Tensor
from trick_forms import GROUPS, Form, Trick


def tensors(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else [part for one in result for part in tensors(one)]


def compare(trick: Trick) -> None:
    """Raise AssertionError unless both forms give the same numbers, up to rounding."""
    for a, b in zip(tensors(trick.fast()), tensors(trick.plain()), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def seconds(form: Form, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        form()
    return (time.perf_counter() - start) / calls


def measure(trick: Trick, turns: int, duration: float) -> dict[str, Any]:
    """Return the least seconds of both forms and the median ratio; a turn of each lasts about `duration` seconds."""
    if trick.compared:
        compare(trick)
    for form in (trick.fast, trick.plain):
        seconds(form, 2)
    calls = max(1, int(duration / seconds(trick.plain, 3)))
    times = [(seconds(trick.fast, calls), seconds(trick.plain, calls)) for _ in range(turns)]
    fast, plain = (min(column) / trick.per for column in zip(*times, strict=True))
    ratio = statistics.median(b / a for a, b in times)
    return {"trick": trick.name, "size": trick.size, "seconds": fast, "plain": plain, "ratio": ratio}


def show(result: dict[str, Any]) -> None:
    console = Console()
    console.print(
        ", ".join(f"{name} {value}" for name, value in result["machine"].items()), highlight=False, soft_wrap=True
    )
    table = Table("trick", "size", "plain, us", "trick, us", "ratio")
    for row in result["rows"]:
        times = (f"{row[name] * 1e6:,.1f}" for name in ("plain", "seconds"))
        table.add_row(row["trick"], row["size"], *times, f"{row['ratio']:.2f}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds, to show that it works")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS), help="only these groups")
    parser.add_argument("--json", nargs="?", const="-", metavar="PATH", help="JSON to PATH, or alone to stdout")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    turns, duration = (3, 0.001) if options.quick else (201, 0.002)
    found = [measure(trick, turns, duration) for name in options.only for trick in GROUPS[name]()]
    result = {"machine": machine(), "rows": found}
    if options.json == "-":
        print(json.dumps(result, indent=2))
        return
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=2))
    show(result)


if __name__ == "__main__":
    main()
