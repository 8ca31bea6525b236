"""The number of threads for one forward or backward of a layer, by how much there is to multiply."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

from torch import Tensor
from torch.compiler import is_dynamo_compiling

from lincoln._util.threads import SMALL, on_one
from lincoln._util.undoing import surely
from lincoln.ops.work import Largest

R = TypeVar("R")


class Sized(Protocol):
    """A layer, as far as its size goes."""

    work: float | None
    built: bool

    def parameters(self) -> Iterator[Tensor]:
        """Yield the parameters."""

    def leaves(self) -> Iterator[Any]:
        """Yield the layers that compute."""

    def named_layers(self) -> Iterator[tuple[str, Any]]:
        """Yield this layer and all below it."""

    def multiplications(self, examples: int) -> float:
        """Return the multiplications of the largest product for so many examples."""


def on_its_threads(layer: Sized, run: Callable[[Tensor], R], x: Tensor) -> R:
    """Return run(x), which is the layer's forward or backward: on one thread if every product in it is small.

    The first forward is looked at, and notes in `layer.work` how large the products are.
    """
    if is_dynamo_compiling():
        return run(x)
    if layer.work is None:
        return _looks.note(layer, run, x)
    return run(x) if layer.multiplications(_examples(x)) >= SMALL else on_one(run, x)


class _Looks(threading.local):
    """The forwards under way that are looked at, one inside the other."""

    def __init__(self) -> None:
        self.under_way: list[Largest] = []

    def note(self, layer: Sized, run: Callable[[Tensor], R], x: Tensor) -> R:
        """Return run(x), and note how large its products are for each example; a plain Sequential makes none itself."""
        if next(layer.leaves()) is not layer:
            output = run(x)
            layer.work = max(one.work or 0.0 for one in layer.leaves())
            return output
        largest, depth = Largest(), len(self.under_way)

        def looked_at() -> R:
            self.under_way.append(largest)
            return largest.over(lambda: on_one(run, x) if _surely_small(layer, x) else run(x))

        def done() -> None:
            del self.under_way[depth:]

        output = surely(looked_at, done)
        layer.work = largest.work / max(_examples(x), 1)
        return output

    def pass_over(self, build: Callable[[Tensor], None], x: Tensor) -> None:
        """Run build(x), which happens once and does not count."""
        before = [largest.work for largest in self.under_way]
        build(x)
        for largest, work in zip(self.under_way, before, strict=True):
            largest.work = work


_looks = _Looks()
uncounted = _looks.pass_over


def _examples(x: Tensor) -> int:
    return x.shape[0] if isinstance(x, Tensor) and x.dim() else 1


def _surely_small(layer: Sized, x: Tensor) -> bool:
    """Return True if no product can be large: each weight meets each number of the input at most once."""
    if not isinstance(x, Tensor) or not all(one.built for _, one in layer.named_layers()):
        return False
    return x.numel() * sum(parameter.numel() for parameter in layer.parameters()) < SMALL
