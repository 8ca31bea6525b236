"""Fixtures that all tests share: fixed random numbers, and the devices of this machine."""

import os

import hypothesis
import numpy as np
import pytest
import torch

os.environ["MPLBACKEND"] = "Agg"

DEVICES = ["cpu"]
if torch.cuda.is_available():
    DEVICES.append("cuda")
if torch.backends.mps.is_available():
    DEVICES.append("mps")

hypothesis.settings.register_profile("lincoln", deadline=None, max_examples=40, derandomize=True)
hypothesis.settings.load_profile("lincoln")


@pytest.fixture(autouse=True)
def _fixed_random_numbers():
    torch.manual_seed(0)
    np.random.seed(0)


@pytest.fixture(params=DEVICES)
def device(request):
    return request.param


@pytest.fixture(scope="session")
def breast_cancer():
    """Return standardized features and labels, as in the notebook."""
    from sklearn.datasets import load_breast_cancer

    import lincoln as lnc

    data = load_breast_cancer()
    return lnc.standardize(data.data), data.target
