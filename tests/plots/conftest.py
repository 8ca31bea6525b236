"""Close every figure after a test, and fail if one was shown."""

import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def _closed_figures_and_no_show(monkeypatch):
    def show(*args, **kwargs):
        raise AssertionError("a plot was shown")

    monkeypatch.setattr(plt, "show", show)
    monkeypatch.setattr("matplotlib.figure.Figure.show", show)
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()  # errors of an artist often come up only here
    plt.close("all")
