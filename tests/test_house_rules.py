"""The rules of the house, counted by tests/house.py: order of imports, sizes, and who may ask what of whom.

`ALLOWED` names the offenders that are left. An entry that is no longer needed fails the test too.
"""

from pathlib import Path

import pytest
from house import House, Import, without_line

LINCOLN = House(Path(__file__).parent.parent / "lincoln")

LATE = {  # imports inside a function that its file may not make: importer, imported, and why
    ("training/history.py", "plots/__init__.py"): "history.plot() draws; import lincoln must not load matplotlib",
}

ALLOWED: dict[str, set[str]] = {
    "functions": {  # scikit-learn reads an estimator's parameters off a signature that spells them out, and each is kept
        "estimators/mlp.py: MLPClassifier.__init__",
        "estimators/mlp.py: MLPRegressor.__init__",
        "estimators/networks.py: NetworkClassifier.__init__",
        "estimators/networks.py: NetworkRegressor.__init__",
    },
}


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


@pytest.mark.parametrize("rule", ["private_reaches", "type_switches", "banners", "autograd"])
def test_nowhere_in_the_source(rule):
    offenders(rule, without_line(getattr(LINCOLN, rule)))
