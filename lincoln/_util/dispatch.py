"""Look at the operations that torch runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode, _pop_mode

from lincoln._util.undoing import surely

T = TypeVar("T")


class Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A dispatch mode of torch that does not import torch._dynamo, which takes longer than a small fit."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False: torch, if it knows this hook, then leaves out a wrapper whose first call imports torch._dynamo."""
        return False

    def over(self, body: Callable[[], T]) -> T:
        """Return `body()`, looked at; after it, also after an interrupt at any instant, torch's operations are not."""
        return surely(partial(self._on, body), self._off)

    def _on(self, body: Callable[[], T]) -> T:
        with self:
            return body()

    def _off(self) -> None:
        while _get_current_dispatch_mode() is self:  # the end of the `with` block was cut off
            try:
                self.__exit__(None, None, None)  # type: ignore[no-untyped-call]
            except IndexError:  # or its `__exit__`
                _pop_mode()
