"""Steps give the numbers they gave before they were made faster.

`golden_steps.json` holds, for some nets, backbones and optimisers, the losses of ten
steps and the sums of all weights after them, in single precision, written by
`python tests/training/test_golden_steps.py` when the steps were plain. A change that
is meant to change numbers writes the file anew; one that is meant to make a step
cheaper must leave it alone. Weights and batches are sines, not random numbers, so that
the file does not depend on a generator.
"""

import json
from pathlib import Path

import pytest
import torch

from sklearn_invlearn.modules import GMF, MLP, NeuMF
from sklearn_invlearn.training import (
    InverseGradientNet,
    PairNet,
    Pairs,
    RowwiseAdam,
    RowwiseSGD,
)

pytestmark = pytest.mark.usefixtures("each_way")

FILE = Path(__file__).with_suffix("").with_name("golden_steps.json")
N_USERS, N_ITEMS, BATCH, N_STEPS = 60, 15, 40, 10  # more lookups than items

BACKBONES = {"gmf": GMF, "mlp": MLP, "neumf": NeuMF}
OPTIMIZERS = {"adam": (RowwiseAdam, 0.02), "sgd": (RowwiseSGD, 0.5)}
NETS = {
    "supervised": (PairNet, {}),
    "gradient": (InverseGradientNet, {"alpha": 2.0}),
    "sign": (InverseGradientNet, {"alpha": 0.01, "probe": "sign"}),
}
CASES = [f"{n} {b} {o}" for n in NETS for b in BACKBONES for o in OPTIMIZERS]


def make_net(case):
    net, backbone, optimizer = case.split()
    net_class, params = NETS[net]
    optimizer_class, lr = OPTIMIZERS[optimizer]
    made = net_class(
        BACKBONES[backbone],
        module__n_users=N_USERS,
        module__n_items=N_ITEMS,
        module__n_factors=4,
        optimizer=optimizer_class,
        optimizer__weight_decay=0.01,
        lr=lr,
        verbose=0,
        **params,
    ).initialize()
    with torch.no_grad():
        for k, parameter in enumerate(made.module_.parameters(), 1):
            position = torch.arange(parameter.numel(), dtype=torch.float64)
            parameter.copy_(0.6 * torch.sin(k + 1.7 * position).view_as(parameter))
    made.module_.train()
    return made


def batch(k):
    """Pairs with repeated users, users that no other batch has, and unknown ids."""
    position = torch.arange(BATCH, dtype=torch.float64) + 100 * k
    user = (position * 0.37).sin().abs().mul(N_USERS - 1e-6).long()
    item = (position * 0.73).sin().abs().mul(N_ITEMS - 1e-6).long()
    y = ((user * 7 + item * 3) % 5 < 2).float()
    return Pairs(user, item, y, 0.5 + y)


def numbers(case):
    """What a case is held to: losses of every step, and sums of weights."""
    net, steps = make_net(case), []
    for k in range(N_STEPS):
        if isinstance(net, InverseGradientNet):
            unlabeled = batch(k + 50)
            steps.append(net.inverse_gradient_step(unlabeled, batch(k)).tolist())
        else:
            steps.append(net.supervised_step(batch(k)).item())
    weights = {
        name: [p.sum().item(), p.abs().sum().item()]
        for name, p in net.module_.named_parameters()
    }
    return {"steps": steps, "weights": weights}


@pytest.mark.parametrize("case", CASES)
def test_steps_give_the_numbers_of_the_file(case):
    golden = json.loads(FILE.read_text(encoding="utf-8"))[case]
    found = numbers(case)
    assert found["weights"].keys() == golden["weights"].keys()
    for kind in ("steps", "weights"):
        ours, theirs = (g[kind] for g in (found, golden))
        if kind == "weights":
            ours, theirs = list(ours.values()), list(theirs.values())
        torch.testing.assert_close(
            torch.tensor(ours), torch.tensor(theirs), rtol=1e-4, atol=2e-4
        )


def test_the_file_has_every_direction():
    golden = json.loads(FILE.read_text(encoding="utf-8"))
    choices = {int(s[3]) for c in CASES if "grad" in c for s in golden[c]["steps"]}
    assert choices == {0, 1, 2}


if __name__ == "__main__":
    torch.manual_seed(0)
    found = {case: numbers(case) for case in CASES}
    lines = [f"{json.dumps(case)}: {json.dumps(found[case])}" for case in CASES]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
