"""What importing lincoln costs and shows, and the examples."""

import subprocess
import sys
from pathlib import Path

import lincoln

ROOT = Path(__file__).parent.parent


def python(*arguments, cwd=ROOT):
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=cwd, check=True, timeout=240
    ).stdout


def test_import_loads_no_heavy_libraries():
    code = (
        "import sys, lincoln; print([name for name in ('matplotlib', 'rich', 'sklearn', 'pandas') if name in sys.modules])"
    )
    assert python("-c", code).strip() == "[]"


def test_public_names_exist():
    assert all(hasattr(lincoln, name) for name in lincoln.__all__)


def test_every_public_thing_is_documented():
    for name in lincoln.__all__:
        assert getattr(lincoln, name).__doc__, name


def test_breast_cancer_example(tmp_path):
    out = python(str(ROOT / "examples" / "breast_cancer.py"), cwd=tmp_path)
    for part in (
        "0.linear",
        "against torch.autograd",
        "Epoch 200",
        "Test accuracy 0.9",
        "ROC AUC 0.99",
        "PyTorch autograd",
    ):
        assert part in " ".join(out.split())
    assert "WRONG" not in out
    difference = float(out.replace("\n", " ").split("differ by ")[1].split()[0])
    assert difference < 1e-5
    plots = {path.name for path in (tmp_path / "breast_cancer_plots").iterdir()}
    assert plots == {"loss.png", "confusion_matrix.png", "roc.png"}


def test_notebook_benchmark(tmp_path):
    out = python(str(ROOT / "benchmarks" / "notebook_network.py"), "--quick", cwd=tmp_path)
    assert "lincoln" in out
    assert "PyTorch" in out
