"""Losses and metrics of validation and training data."""

import pytest
import torch
from training_cases import X, Y, lnc_accuracy, run, trainer

from lincoln import Dataset


def test_validation_metric():
    run = trainer(val_dataset=Dataset(X, Y), metric=lambda targets, p: ((p > 0.5) == targets).float().mean().item())
    history = run.train()
    assert len(history.val_metrics) == 2
    assert 0 <= history.val_metrics[-1] <= 1


def test_metric_without_validation():
    history = run(val=Dataset(X.double(), Y), metric=lambda t, p: float(len(p))).train()
    assert history.val_metrics == [50.0] * 3


@pytest.mark.parametrize("kind", ["dataset", "torch's loader"])
def test_metric_on_the_training_data(kind):
    data = Dataset(X.double(), Y)
    if kind != "dataset":
        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X.double(), Y), batch_size=10, shuffle=True)
    with_metric = run(data, metric=lnc_accuracy, measure_training=True)
    history = with_metric.train()
    assert [epoch for epoch, _ in history.metrics] == [1, 2, 3]
    assert history.metrics[-1][1] == pytest.approx(lnc_accuracy(Y[:, None], with_metric.model.eval()(X.double())))
    without = run(data)
    without.train()
    assert torch.equal(with_metric.model.flatten()[0], without.model.flatten()[0])
