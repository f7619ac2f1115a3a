"""Compiled passes over touched rows give what torch gives, and can be done without."""

import copy
import importlib
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_invlearn.training import RowwiseAdam, RowwiseSGD, _compiled_rows
from sklearn_invlearn.training._compiled_rows import CompiledRows
from sklearn_invlearn.training._probe import DIRECT, INVERSE, PASS, Probe
from sklearn_invlearn.training._row_gradients import SumsByRow

pytest.importorskip("numba")
if _compiled_rows.kernels() is None:  # switched off: there is nothing to compare
    pytest.skip("NUMBA_DISABLE_JIT", allow_module_level=True)

OPTIMIZERS = [RowwiseAdam, RowwiseSGD]


class NotCompiled(CompiledRows):
    """Leaves everything to torch."""

    def cover(self, tables):
        return False


def sparse(codes, values, n_rows):
    shape = (n_rows, values.shape[1])
    return torch.sparse_coo_tensor(codes[None], values, shape, check_invariants=False)


@st.composite
def problems(draw):
    """A table, and codes with repetitions and unknown ids for three steps."""
    n_rows, n_columns = draw(st.integers(2, 30)), draw(st.sampled_from([1, 3, 4, 17]))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    rng = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    table = torch.randn(n_rows, n_columns, generator=rng, dtype=dtype)
    steps = []
    for _ in range(3):
        n = draw(st.integers(0, 50))
        codes = torch.randint(0, n_rows, (n,), generator=rng)
        wide = torch.randn(n, n_columns + 2, generator=rng, dtype=dtype)
        kinds = [
            wide[:, :n_columns].contiguous(),
            wide[:, 1 : n_columns + 1],  # part of wider rows
            torch.randn(1, n_columns, dtype=dtype, generator=rng).expand(n, n_columns),
            wide[:, :n_columns].T.contiguous().T,
        ]
        values = kinds[draw(st.integers(0, 3))]
        steps.append((codes, values))
    return table, steps


def close(dtype):
    return {"rtol": 3e-5, "atol": 3e-6} if dtype is torch.float32 else {}


@pytest.mark.parametrize("optimizer_class", OPTIMIZERS)
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@given(problems())
def test_steps_are_those_of_torch(optimizer_class, weight_decay, problem):
    start, steps = problem
    tables = [torch.nn.Parameter(start.clone()) for _ in range(2)]
    ours, plain = (
        optimizer_class([table], lr=0.1, weight_decay=weight_decay) for table in tables
    )
    plain._compiled = NotCompiled()
    for codes, values in steps:
        for table, optimizer in zip(tables, (ours, plain)):
            table.grad = sparse(codes, values, len(start))
            before = table.grad._values().clone()
            optimizer.step()
            assert torch.equal(table.grad._values(), before)  # a callback may look
        torch.testing.assert_close(*tables, **close(start.dtype))
    for name, moment in ours.state[tables[0]].items():
        other = plain.state[tables[1]][name]
        torch.testing.assert_close(moment, other, **close(start.dtype))
    assert torch.equal(tables[0][0], start[0])  # the row of unknown ids


@pytest.mark.parametrize("kind", ["sgd", "sign"])
@given(problems())
def test_probes_are_those_of_torch(kind, problem):
    start, ((codes, values), *_) = problem
    ours, plain = start.clone(), start.clone()
    probes = [
        Probe([(table, sparse(codes, values, len(start)))], 0.3, kind, SumsByRow(), c)
        for table, c in ((ours, CompiledRows()), (plain, NotCompiled()))
    ]
    for direction in (DIRECT, INVERSE, torch.tensor(DIRECT), torch.tensor(PASS)):
        for probe in probes:
            probe.move_to(direction)
        torch.testing.assert_close(ours, plain, **close(start.dtype))
        assert torch.equal(ours, start) == torch.equal(plain, start)
    assert torch.equal(ours, start)


def test_a_step_that_is_not_finite_is_undone_bit_by_bit():
    table = torch.randn(4, 3)
    start = table.clone()
    gradient = sparse(torch.tensor([1, 2]), torch.full((2, 3), torch.inf), 4)
    probe = Probe([(table, gradient)], 1.0, "sgd", SumsByRow(), CompiledRows())
    probe.move_to(DIRECT)
    assert table[1].isinf().all()
    probe.move_to(PASS)
    assert torch.equal(table, start)


def test_repeated_rows_are_summed_in_the_order_of_the_batch():
    """Bit by bit what adding one after the other gives, whatever the scratch holds."""
    rng = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 9, (500,), generator=rng)
    values = torch.randn(500, 5, generator=rng) * 10.0 ** (codes % 7)[:, None]
    one_by_one = torch.zeros(20, 5)
    for code, value in zip(codes.tolist(), values):
        one_by_one[code] -= value
    one_by_one[0] = 0.0
    for scratch in (0, -1, 3, 499, 500, 2**31 - 1):
        table = torch.nn.Parameter(torch.zeros(20, 5))
        table.grad = sparse(codes, values, 20)
        optimizer = RowwiseSGD([table], lr=1.0)
        optimizer._compiled._latest[20] = np.full(20, scratch, dtype=np.int32)
        optimizer.step()
        assert torch.equal(table, one_by_one)


def test_tables_of_the_same_codes_but_other_sizes_do_not_mix():
    codes = torch.tensor([1, 2, 2, 0])
    tables = [torch.nn.Parameter(torch.zeros(n, 2)) for n in (3, 9, 3)]
    for table in tables:
        table.grad = sparse(codes, torch.ones(4, 2), len(table))
    RowwiseSGD(tables, lr=1.0).step()
    for table in tables:
        assert table[:3].tolist() == [[0, 0], [-1, -1], [-2, -2]]
        assert not table[3:].any()


@pytest.mark.parametrize("optimizer_class", OPTIMIZERS)
@pytest.mark.parametrize(
    "table",
    [
        torch.zeros(5, 4, dtype=torch.bfloat16),
        torch.zeros(4, 5).T,
        torch.zeros(5, 4, device="meta"),
    ],
    ids=["half precision", "columns first", "another device"],
)
def test_what_is_not_covered_is_left_to_torch(optimizer_class, table):
    assert not CompiledRows().cover([torch.zeros(3, 2), table])
    if table.device.type == "cpu":
        table = torch.nn.Parameter(table)
        table.grad = sparse(torch.tensor([1, 1]), torch.ones(2, 4).to(table.dtype), 5)
        optimizer_class([table], lr=1.0).step()
        assert table[1].any()


def test_autograd_sees_that_a_table_has_changed():
    table = torch.nn.Parameter(torch.ones(3, 2))
    value = table.square().sum()  # keeps the table for its gradient
    table.grad = sparse(torch.tensor([1]), torch.ones(1, 2), 3)
    RowwiseAdam([table]).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


def test_scratch_is_neither_copied_nor_saved():
    rows = CompiledRows()
    rows._latest[10**6] = np.empty(10**6, dtype=np.int32)
    assert len(pickle.dumps(rows)) < 1000
    assert not copy.deepcopy(rows)._latest


@pytest.fixture
def forgotten():
    """`kernels` looks anew, and once more afterwards."""
    _compiled_rows.kernels.cache_clear()
    yield
    _compiled_rows.kernels.cache_clear()


@pytest.mark.usefixtures("forgotten")
def test_without_numba_there_are_no_kernels(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    assert _compiled_rows.kernels() is None
    assert not CompiledRows().cover([torch.zeros(3, 2)])


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("kind", [ImportError, OSError])
def test_numba_that_cannot_be_loaded_is_reported_once(kind, monkeypatch):
    def fail(name, package=None):
        raise kind("Numba needs NumPy 1.0 or less")

    monkeypatch.setattr(_compiled_rows, "import_module", fail)
    with pytest.warns(UserWarning, match=r"NumPy 1.0 or less.*\[fast\]"):
        assert _compiled_rows.kernels() is None
    assert _compiled_rows.kernels() is None


@pytest.mark.usefixtures("forgotten")
def test_numba_can_be_switched_off(monkeypatch):
    config = importlib.import_module("numba").config
    monkeypatch.setattr(config, "DISABLE_JIT", 1)
    assert _compiled_rows.kernels() is None


def test_a_full_disk_costs_a_second_call_and_nothing_else():
    calls = []

    class Kernel:
        class _cache:
            @staticmethod
            def disable():
                calls.append("not kept")

        def __call__(self, number):
            calls.append(number)
            if len(calls) == 1:
                raise OSError(28, "No space left on device")
            return number

    assert _compiled_rows._run(Kernel(), 7) == 7
    assert calls == [7, "not kept", 7]


STEP = """
import sys
import torch
from sklearn_invlearn import CrossEntropyRecommender
from sklearn_invlearn.training import RowwiseSGD
assert "numba" not in sys.modules
table = torch.nn.Parameter(torch.zeros(3, 2))
table.grad = torch.sparse_coo_tensor([[1]], torch.ones(1, 2), (3, 2))
RowwiseSGD([table], lr=1.0).step()
assert "numba" in sys.modules
print(table.tolist())
"""


MOVED = "[[0.0, 0.0], [-1.0, -1.0], [0.0, 0.0]]"


def take_a_step(cwd=None):
    """Do STEP in another process; return what it says of errors, if any."""
    done = subprocess.run(
        [sys.executable, "-c", STEP], capture_output=True, text=True, cwd=cwd
    )
    assert done.stdout.strip() == MOVED, done.stderr


def test_numba_waits_for_a_step_and_keeps_what_it_compiles(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    take_a_step()
    assert list(tmp_path.rglob("*.nbi"))


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_what_was_kept_may_be_damaged(ending, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    take_a_step()
    for path in tmp_path.rglob(f"*.{ending}"):
        path.write_bytes(b"")
    take_a_step()


def test_no_folder_to_write_to_is_needed(tmp_path, monkeypatch):
    """A package that cannot be written to, and a user without a home."""
    package = Path(_compiled_rows.__file__).parent.parent
    copy = tmp_path / package.name
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "training" / "__pycache__").touch()  # a file where a folder should be
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "/dev/null/nowhere")
    take_a_step(cwd=tmp_path)
    assert not list(tmp_path.rglob("*.nbi"))
