"""Every training procedure, on tiny backbones and data, for tests of the steps."""

import numpy as np
import torch

from sklearn_invlearn.losses import MeanReweightedCrossEntropy
from sklearn_invlearn.modules import CDAE, Cascade, SpectralExposure
from sklearn_invlearn.spectral import Bilinear
from sklearn_invlearn.spectral._bilinear import PRECISIONS
from sklearn_invlearn.training import (
    EndlessBatches,
    InverseDualLossNet,
    InverseGradientNet,
    MultiTaskNet,
    NegativeReweightingNet,
    NegativeSamplingNet,
    PairNet,
    Pairs,
    PoolSource,
    SameUserSource,
    TrainingData,
    TruncatedLossNet,
    UniformSource,
    UnobservedPairs,
)

N_USERS, N_ITEMS = 9, 8

PROCEDURES = [
    (PairNet, {}),
    (NegativeSamplingNet, {"n_negatives": 2}),
    (NegativeSamplingNet, {"resample": "epoch"}),
    (InverseDualLossNet, {"alpha": 0.1}),
    (InverseGradientNet, {"alpha": 0.1}),
    (InverseGradientNet, {"alpha": 0.1, "probe": "sign", "n_unlabeled_steps": 2}),
    (TruncatedLossNet, {"max_drop_rate": 0.2, "n_drop_steps": 3}),
    (
        TruncatedLossNet,
        {"max_drop_rate": 0.2, "n_drop_steps": 3, "drop_reference": "positives"},
    ),
    (
        NegativeSamplingNet,
        {"criterion": MeanReweightedCrossEntropy, "criterion__beta": 0.2},
    ),
    (NegativeReweightingNet, {}),
    (MultiTaskNet, {}),
]


def pairs(n, seed, labelled=True, device="cpu"):
    rng = torch.Generator().manual_seed(seed)
    user = torch.randint(1, N_USERS, (n,), generator=rng)
    item = torch.randint(1, N_ITEMS, (n,), generator=rng)
    if not labelled:
        return Pairs(user, item).to(device)
    y = torch.randint(2, (n,), generator=rng).float()
    return Pairs(user, item, y, torch.rand(n, generator=rng) + 0.5).to(device)


def spectral(n_users, n_items):
    rng = np.random.default_rng(0)
    P, Q = (rng.normal(size=(n, 3)).astype(np.float32) for n in (n_users, n_items))
    model = Bilinear(P, Q, "full", base_rate=0.5)
    return SpectralExposure([model], [PRECISIONS], 0.0, np.ones(1))


def cdae(n_users, n_items, **params):
    positives = pairs(30, 6)
    history = torch.stack([positives.user, positives.item])
    return CDAE(n_users, n_items, history=history, **params)


def source(name, labelled):
    device = labelled.user.device
    generator = torch.Generator(device).manual_seed(0)
    if name == "pool":
        return PoolSource(pairs(30, 5, labelled=False, device=device), 8, generator)
    cls = {"uniform": UniformSource, "same_user": SameUserSource}[name]
    return cls(UnobservedPairs(labelled, N_USERS, N_ITEMS), generator)


def training_data(unlabeled, device="cpu", n_labelled=40, n_held_out=16):
    labelled = pairs(n_labelled, 1, device=device)
    generator = torch.Generator(device).manual_seed(3)
    return TrainingData(
        labelled,
        unlabeled=source(unlabeled, labelled),
        held_out=EndlessBatches(pairs(n_held_out, 2, device=device), 8, generator),
        extra=pairs(24, 4, device=device),
    )


def initialised(net_class, params, optimizer, backbone, device="cpu"):
    module = backbone(N_USERS, N_ITEMS)
    return net_class(
        Cascade(module) if net_class is MultiTaskNet else module,
        **params,
        # the default of torch's own Adam counts its steps on the host
        **({"optimizer__fused": True} if optimizer is torch.optim.Adam else {}),
        optimizer=optimizer,
        batch_size=8,
        device=device,
        verbose=0,
    ).initialize()


def steps_of(net, data):
    """Steps of an epoch; what it does once, before the first of them, is done."""
    net.n_labelled_ = len(data.labelled)
    net.notify("on_epoch_begin", dataset_train=data.labelled, dataset_valid=None)
    steps = net.training_steps(data)
    if isinstance(net, NegativeReweightingNet):  # weighs the rows of the epoch
        next(steps)
    return steps
