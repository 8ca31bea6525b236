"""Look at the operations that torch runs."""

from __future__ import annotations

from torch.utils._python_dispatch import TorchDispatchMode


class Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A dispatch mode of torch that does not import torch._dynamo, which takes longer than a small fit."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False: torch, if it knows this hook, then leaves out a wrapper whose first call imports torch._dynamo."""
        return False
