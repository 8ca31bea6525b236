"""The lines that fits print, and their warnings."""

import pytest
from estimator_cases import ADAPTIVE, BINARY, MLPS, X, each_network, heard, named, ours, quietly, theirs, y_for
from estimator_cases import one_thread as one_thread  # a fixture
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning


@pytest.mark.parametrize("verbose", [False, True, 5])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"tol": 1, "max_iter": 30},
        ADAPTIVE,
        {"early_stopping": True, "max_iter": 40, "tol": 0.1},
        {**ADAPTIVE, "tol": 1},
    ],
    ids=named,
)
@pytest.mark.parametrize("kind", MLPS)
def test_verbose_prints_the_same(kind, settings, verbose, capsys):
    printed = []
    for make in (ours, theirs):
        quietly(make(kind, **settings, verbose=verbose).fit, X, y_for(kind))
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert bool(printed[0]) == bool(verbose)


@pytest.mark.parametrize("kind", MLPS)
def test_warnings(kind):
    y = y_for(kind)
    assert [category for category, _ in heard(ours(kind, max_iter=2).fit, X, y)] == [ConvergenceWarning]
    assert ConvergenceWarning in [category for category, _ in heard(ours(kind, solver="lbfgs", max_iter=2).fit, X, y)]
    assert DataConversionWarning in [category for category, _ in heard(ours(kind).fit, X, y[:, None])]
    assert any("`batch_size`" in text for _, text in heard(ours(kind, batch_size=61).fit, X, y))
    assert heard(ours(kind, tol=10, max_iter=50).fit, X, y) == []
    assert heard(ours(kind, max_iter=1).partial_fit, X, y, *([None, [0, 1]] if y is BINARY else [])) == []


@pytest.mark.parametrize("kind", MLPS)
def test_warnings_point_at_the_call(kind):
    with pytest.warns(ConvergenceWarning) as caught:
        ours(kind, max_iter=1).fit(X, y_for(kind))
    assert caught[0].filename == __file__


@each_network
def test_what_is_said_of_a_fit_that_does_not_converge(kind):
    assert [category for category, _ in heard(ours(kind, max_iter=2).fit, X, y_for(kind))] == [ConvergenceWarning]
    assert heard(ours(kind, max_iter=50, tol=10).fit, X, y_for(kind)) == []
    with pytest.warns(ConvergenceWarning) as caught:
        ours(kind, max_iter=1).fit(X, y_for(kind))
    assert caught[0].filename == __file__
