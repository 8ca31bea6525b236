"""Every way in for users' data treats every kind of data alike."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch

import lincoln as lnc
from lincoln import metrics
from lincoln.data import Dataset, generate_batches
from lincoln.errors import DataError

RNG = np.random.default_rng(0)
X = np.stack([RNG.normal(size=40), np.arange(40) % 2], 1)
Y = np.arange(40) % 2


def classifier():
    return lnc.Classifier(lnc.Sequential(lnc.Dense(1)))


def fit(model, x, y, **settings):
    model.fit(x, y, **{"epochs": 1, "print_every": None, "seed": 0} | settings)
    return model


FITTED = fit(classifier(), X, Y)
ROWS = {
    "Classifier.fit": lambda x: fit(classifier(), x, Y),
    "Regressor.fit": lambda x: fit(lnc.Regressor(lnc.Linear(1)), x, Y),
    "Regressor's labels": lambda x: fit(lnc.Regressor(lnc.Linear(2)), X, x),
    "validation": lambda x: fit(classifier(), X, Y, validation_data=(x, Y)),
    "predict": lambda x: FITTED.predict(x),
    "predict_proba": lambda x: FITTED.predict_proba(x),
    "score": lambda x: FITTED.score(x, Y),
    "evaluate": lambda x: FITTED.evaluate(x, Y),
    "Dataset": lambda x: Dataset(x, Y),
    "standardize": lambda x: lnc.standardize(x),
    "like": lambda x: lnc.standardize(X, like=x),
    "generate_batches": lambda x: list(generate_batches(x, Y, 8)),
    "batch_gen": lambda x: fit(lnc.Classifier(lnc.Dense(1), batch_gen=lambda features, labels, size: [(x, labels)]), X, Y),
}
NUMBERS = {
    "Classifier's labels": lambda y: fit(classifier(), X, y),
    "Regressor's labels": lambda y: fit(lnc.Regressor(lnc.Linear(1)), X, y),
    "validation labels": lambda y: fit(classifier(), X, Y, validation_data=(X, y)),
    "score": lambda y: FITTED.score(X, y),
    "evaluate": lambda y: FITTED.evaluate(X, y),
    "sample_weight": lambda y: fit(classifier(), X, Y, sample_weight=y),
    "Dataset": lambda y: Dataset(X, y),
    "generate_batches": lambda y: list(generate_batches(X, y, 8)),
    "accuracy": lambda y: metrics.accuracy(y, Y),
    "accuracy's predictions": lambda y: metrics.accuracy(Y, y),
    "f1": lambda y: metrics.f1(y, Y),
    "roc_auc": lambda y: metrics.roc_auc(Y, y),
    "r2": lambda y: metrics.r2(y, Y),
}


def objects(array, change):
    return np.array([change(value) for value in array.ravel().tolist()], dtype=object).reshape(array.shape)


TAKEN = {
    "bools beside numbers": lambda x: pd.DataFrame({"a": x[:, 0], "b": x[:, 1] > 0}) if x.ndim == 2 else pd.Series(x > 0),
    "nullable": lambda x: pd.DataFrame(x).convert_dtypes() if x.ndim == 2 else pd.Series(x).convert_dtypes(),
    "polars": lambda x: pl.DataFrame({"a": x[:, 0], "b": x[:, 1] > 0}) if x.ndim == 2 else pl.Series(x > 0),
    "decimals": lambda x: objects(x, lambda value: Decimal(repr(value))),
    "fractions": lambda x: objects(x, Fraction),
    "objects": lambda x: x.astype(object),
    "long doubles": lambda x: x.astype(np.longdouble),
    "a list of tensors": lambda x: [torch.tensor(row, requires_grad=np.ndim(row) > 0) for row in x],
    "tensors with gradients": lambda x: torch.tensor(x, dtype=torch.float64, requires_grad=True),
    "a mask that hides nothing": np.ma.array,
}
MASK = np.zeros(40, bool)
MASK[3] = True
REFUSED = {
    "masked": (
        lambda x: np.ma.array(x, mask=MASK if x.ndim == 1 else np.stack([MASK, MASK], 1)),
        r"masked values.* (3|\(3, 0\))",
    ),
    "complex": (lambda x: x * 1j, "no real numbers|expected numbers|complex"),
    "complex tensors": (lambda x: torch.tensor(x * 1j), "no real numbers"),
    "sparse tensors": (lambda x: torch.tensor(x).to_sparse(), "sparse tensor .*csr_tensor"),
    "sparse": (lambda x: sp.csr_array(x), "sparse csr_array .*lincoln.estimators.*csr_tensor.*"),
    "meta": (lambda x: torch.tensor(x).to("meta"), "meta device"),
    "quantized": (lambda x: torch.quantize_per_tensor(torch.tensor(x).float(), 0.1, 0, torch.quint8), "quantized"),
    "a single number": (lambda x: 3.0, "single number|no data|shape"),
    "a dict": (lambda x: {"a": x}, "a dict; expected"),
    "dates": (lambda x: np.full(x.shape, np.datetime64("2020-01-01")), "dates|datetime64"),
}


@pytest.mark.filterwarnings("ignore")  # torch warns of quantized and sparse tensors
@pytest.mark.parametrize("form", TAKEN)
@pytest.mark.parametrize(("way", "plain"), [(way, X) for way in ROWS] + [(way, Y) for way in NUMBERS])
def test_numbers_of_every_form_are_taken(way, plain, form):
    use = (ROWS if plain is X else NUMBERS)[way]
    use(TAKEN[form](plain))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", REFUSED)
@pytest.mark.parametrize(("way", "plain"), [(way, X) for way in ROWS] + [(way, Y) for way in NUMBERS])
def test_what_holds_no_numbers_is_refused(way, plain, form):
    make, message = REFUSED[form]
    use = (ROWS if plain is X else NUMBERS)[way]
    with pytest.raises((DataError, lnc.errors.MatchError), match=message) as refusal:
        use(make(plain))
    assert len(str(refusal.value)) <= 500


@pytest.mark.parametrize(
    "form", ["bools beside numbers", "nullable", "polars", "decimals", "fractions", "objects", "long doubles"]
)
def test_all_forms_give_the_same_numbers(form):
    x = np.round(X, 3)
    assert torch.equal(Dataset(TAKEN[form](x)).tensors[0].double(), torch.tensor(x))
    plain = fit(classifier(), x, Y).predict_proba(x)
    np.testing.assert_array_equal(fit(classifier(), TAKEN[form](x), Y).predict_proba(TAKEN[form](x)), plain)
    np.testing.assert_array_equal(lnc.standardize(TAKEN[form](x)), lnc.standardize(x))
