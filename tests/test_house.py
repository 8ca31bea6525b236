"""The counter of tests/house.py, on a package with one offence of each kind."""

import pytest
from house import House, Import, without_line

OFFENCES = {
    "__init__.py": "from pack.trainer import Trainer\n",
    "errors.py": "class Error(Exception):\n    pass\n",
    "layers/__init__.py": "from pack.layers.linear import Layer, Linear\n",
    "layers/linear.py": "class Layer:\n    _own = 1\n\n    def same(self, other):\n        return other._own\n\n"
    "class Linear(Layer):\n    def _forward(self):\n        return Layer._own, super()._own\n",
    "losses.py": "from __future__ import annotations\nfrom typing import TYPE_CHECKING\nfrom pack.layers import Linear\n"
    "if TYPE_CHECKING:\n    from pack.trainer import Trainer\n\n"
    "# ---- Losses\n\ndef loss(layer, kind):\n    layer._own.requires_grad_()\n"
    "    return isinstance(layer, int | Linear) or kind is Linear or Linear is not None\n",
    "trainer.py": "from .losses import loss, _hidden\n\n\nclass Trainer:\n    def plot(self):\n        import pack.plots\n",
    "plots.py": "from pack import errors\n",
}


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("house") / "pack"
    for name, source in OFFENCES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return House(folder)


def test_the_counter_sees_imports(pack):
    assert [str(one) for one in pack.against_the_order()] == ["losses.py -> trainer.py", "trainer.py in plot -> plots.py"]
    assert pack.circles() == [["losses.py", "trainer.py"]]
    assert Import("plots.py", "errors.py") in pack.imports
    assert Import("layers/__init__.py", "layers/linear.py") in pack.imports


def test_the_counter_sees_offences(pack):
    assert without_line(pack.private_reaches) == ["losses.py: layer._own", "trainer.py: import of _hidden"]
    assert pack.layer_classes == {"Linear"}
    assert len(pack.type_switches) == 3
    assert pack.banners == ["losses.py:7: # ---- Losses"]
    assert pack.autograd == ["losses.py:10: layer._own.requires_grad_"]
    assert pack.inherited_methods("Linear") == {"same", "_forward"}
