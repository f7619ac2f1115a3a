"""Settings and data that the tests share."""

import numpy as np
import pytest
import torch
from hypothesis import settings
from simulated_cuda import simulated_cuda

from sklearn_invlearn.datasets import make_sparse_feedback

# A busy machine is slow, not wrong.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data():
    """Labelled rows, a pool and test rows; read-only, so that no test spoils it."""
    bunch = make_sparse_feedback(
        n_users=60,
        n_items=40,
        n_exposures=1600,
        label_fraction=0.25,
        random_state=0,
    )
    for value in bunch.values():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    return bunch


@pytest.fixture
def cuda(monkeypatch):
    """A simulated CUDA device, see `simulated_cuda.py`."""
    with simulated_cuda(monkeypatch) as device:
        yield device
