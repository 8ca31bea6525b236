"""The rules of the house, counted by tests/house.py: order of imports, sizes, and who may ask what of whom.

`ALLOWED` names the offenders that are left. It only shrinks: an entry that is no longer needed fails the test too.
"""

from pathlib import Path

import pytest
from house import House, Import

LINCOLN = House(Path(__file__).parent.parent / "lincoln")

LATE = {
    # importer, imported: where a function imports what its file may not; each with its reason
    ("training/history.py", "plots/__init__.py"): "history.plot() draws; import lincoln must not load matplotlib",
}

ALLOWED: dict[str, set[str]] = {}


def offenders(rule: str, found: list[str]) -> None:
    """Fail for an offender that ALLOWED does not name, and for a name in it that offends no more."""
    allowed = ALLOWED.get(rule, set())
    assert set(found) - allowed == set(), f"{rule}: new offenders"
    assert allowed - set(found) == set(), f"{rule}: mended, so take it out of ALLOWED"


def late(one: Import) -> bool:
    return bool(one.late) and (one.importer, one.imported) in LATE


def test_imports_go_down_the_floors():
    offenders("order", [str(one) for one in LINCOLN.against_the_order() if not late(one)])


def test_no_two_files_import_each_other():
    without = {one for one in LINCOLN.imports if late(one) or one.importer == "__init__.py"}
    offenders("circles", [" ".join(circle) for circle in LINCOLN.circles(without=without)])


def test_every_late_import_that_is_excused_exists():
    assert {(one.importer, one.imported) for one in LINCOLN.imports if one.late} >= LATE.keys()


def test_no_class_has_more_than_20_methods():
    offenders("methods", [part.place for part in LINCOLN.classes if part.methods > 20])


def test_no_file_has_more_than_250_lines():
    offenders("files", [path for path, lines in LINCOLN.file_lines.items() if lines > 250])


def test_no_function_has_more_than_40_lines():
    offenders("functions", [part.place for part in LINCOLN.functions if part.lines > 40])


def without_line(places: list[str]) -> list[str]:
    """`file: code` for `file:12: code`: the lists are to survive edits above."""
    return [f"{path}: {code}" for path, _, code in (place.split(":", 2) for place in places)]


@pytest.mark.parametrize("rule", ["private_reaches", "type_switches", "banners", "autograd"])
def test_nowhere_in_the_source(rule):
    offenders(rule, [place.replace(":  ", ": ") for place in without_line(getattr(LINCOLN, rule))])


# The counter itself, on a package with one offence of each kind

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
    assert without_line(pack.private_reaches) == ["losses.py:  layer._own", "trainer.py:  import of _hidden"]
    assert pack.layer_classes == {"Linear"}
    assert len(pack.type_switches) == 3
    assert pack.banners == ["losses.py:7: # ---- Losses"]
    assert pack.autograd == ["losses.py:10: layer._own.requires_grad_"]
    assert pack.inherited_methods("Linear") == {"same", "_forward"}
