"""Random numbers that leave the rest of the program's as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """torch's random numbers start from `seed` inside, and go on outside as if nothing had been drawn.

    With None nothing is changed: numbers come from torch's state, and `torch.manual_seed` before makes them repeatable.
    """
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield
