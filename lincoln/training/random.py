"""Random numbers: from a seed, without a trace in the rest of the program; and their state, to continue from."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Generator, Tensor

from lincoln._util.forks import ProcessLock
from lincoln._util.undoing import surely

T = TypeVar("T")

_one_at_a_time = ProcessLock()


def with_seed(seed: int | None, body: Callable[[], T]) -> T:
    """Return `body()`, run with the random numbers of torch, numpy and Python from `seed`; put their states back after it.

    With None nothing is changed, and `torch.manual_seed` before makes the numbers repeatable. The generators belong to the
    whole process, so of several threads that seed them one waits for another.
    """
    if seed is None:
        return body()
    with _one_at_a_time.here:
        before = _states()

        def started() -> T:
            _start(seed)
            return body()

        return surely(started, lambda: _put_back(before))


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Do as `with_seed` does, for a block."""
    if seed is None:
        yield
        return
    with _one_at_a_time.here:
        before = _states()
        try:
            try:
                _start(seed)
                yield
            finally:
                _put_back(before)
        except BaseException:
            _put_back(before)  # again, for an interrupt in the midst of the first
            raise


def _start(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def _states() -> tuple[Any, ...]:
    """Return the states of all generators that a seed starts."""
    torchs = [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [])]
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    return torchs, mps, np.random.get_state(), random.getstate()


def _put_back(states: tuple[Any, ...]) -> None:
    (torchs, *cudas), mps, numpys, pythons = states
    torch.set_rng_state(torchs)
    if cudas:
        torch.cuda.set_rng_state_all(cudas)
    if mps is not None:
        torch.mps.set_rng_state(mps)
    np.random.set_state(numpys)
    random.setstate(pythons)


def random_state() -> dict[str, Tensor]:
    """Return the state of every generator that training may draw from: torch's on each device, numpy's and Python's."""
    state = {"torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        state |= {f"cuda:{index}": torch.cuda.get_rng_state(index) for index in range(torch.cuda.device_count())}
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    generator: Any = np.random.get_state(legacy=False)
    keys, position = generator["state"]["key"], generator["state"]["pos"]
    state["numpy"] = torch.from_numpy(np.append(keys.astype(np.int64), [position, generator["has_gauss"]]))
    state["numpy.gauss"] = torch.tensor([generator["gauss"]], dtype=torch.float64)
    _, numbers, next_gauss = random.getstate()
    state["python"] = torch.tensor(numbers)
    state["python.gauss"] = torch.tensor([] if next_gauss is None else [next_gauss], dtype=torch.float64)
    return state


def set_random_state(state: Mapping[str, Tensor]) -> None:
    """Continue from `state`, as `random_state` gave it. Devices that this machine does not have are passed over."""
    torch.set_rng_state(state["torch"])
    for name, value in state.items():
        if name.startswith("cuda:") and int(name[5:]) < torch.cuda.device_count():
            torch.cuda.set_rng_state(value, int(name[5:]))
        elif name == "mps" and torch.backends.mps.is_available():
            torch.mps.set_rng_state(value)
    *keys, position, has_gauss = state["numpy"].tolist()
    np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), position, has_gauss, state["numpy.gauss"].item()))
    gauss = state["python.gauss"].tolist()
    random.setstate((3, tuple(state["python"].tolist()), gauss[0] if gauss else None))


def check_random_state(state: Mapping[str, Tensor]) -> None:
    """Raise KeyError, TypeError, ValueError or RuntimeError unless generators can continue from `state`."""
    Generator().set_state(state["torch"])
    if not {"numpy.gauss", "python.gauss"} <= state.keys():
        raise KeyError("numpy.gauss, python.gauss")
    *keys, position, has_gauss = state["numpy"].tolist()
    if len(keys) != 624:
        raise ValueError(f"numpy's generator has {len(keys)} numbers; expected 624")
    numpys = ("MT19937", np.array(keys, dtype=np.uint32), position, has_gauss, state["numpy.gauss"].item())
    np.random.RandomState(0).set_state(numpys)
    random.Random().setstate((3, tuple(state["python"].tolist()), None))
    for name, value in state.items():
        kind, _, index = name.partition(":")
        if kind == "loader" and index in ("0", "1"):
            Generator().set_state(value)
        elif kind == "cuda" and int(index) < torch.cuda.device_count():
            Generator(f"cuda:{int(index)}").set_state(value)
        elif kind in ("numpy.gauss", "python.gauss") and not (value.dtype == torch.float64 and value.numel() < 2):
            raise ValueError(f"{name} is no number")
        elif kind not in ("torch", "numpy", "numpy.gauss", "python", "python.gauss", "loader", "cuda", "mps"):
            raise ValueError(f"{name:.80} is no generator")


def random_state_of(batches: Iterable[Any]) -> dict[str, Tensor]:
    """Return `random_state`, and the states of a loader's own generators."""
    return random_state() | {f"loader:{index}": own.get_state() for index, own in enumerate(_own_generators(batches))}


def set_random_state_of(state: Mapping[str, Tensor], batches: Iterable[Any]) -> None:
    """Continue from what `random_state_of` gave."""
    set_random_state(state)
    for index, own in enumerate(_own_generators(batches)):
        if f"loader:{index}" in state:
            own.set_state(state[f"loader:{index}"])


def _own_generators(batches: Iterable[Any]) -> list[Generator]:
    """Return the generators of a loader, and of its sampler, which a torch DataLoader has too."""
    found = [getattr(batches, "generator", None), getattr(getattr(batches, "sampler", None), "generator", None)]
    return [generator for generator in found if isinstance(generator, Generator)]
