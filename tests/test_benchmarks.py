"""The benchmark scripts can be run: their imports and options are sound."""

import runpy
import sys
from contextlib import ExitStack, nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from simulated_cuda import simulated_cuda
from torch.autograd import DeviceType

FOLDER = Path(__file__).parent.parent / "benchmarks"
SCRIPTS = sorted(p.name for p in FOLDER.glob("[!_]*.py"))


@pytest.fixture
def own_modules(monkeypatch):
    """Import the scripts' own modules by name, and forget them afterwards."""
    monkeypatch.syspath_prepend(str(FOLDER))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if Path(file).parent == FOLDER:
            del sys.modules[name]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_says_what_it_takes(script, own_modules, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(FOLDER / script), run_name="__main__")
    assert stop.value.code == 0
    assert "--help" in capsys.readouterr().out


def test_every_script_is_described():
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [name for name in SCRIPTS if f"`{name}`" not in page] == []


def test_a_log_is_drawn_and_measured(own_modules, monkeypatch):
    import random_logs

    small = {"n_users": 80, "n_items": 40, "n_exposures": 1500, "random_state": 0}
    drawn = {**random_logs.draw(10_000), **small, "label_fraction": 0.3}
    monkeypatch.setattr(random_logs, "draw", lambda seed: drawn)
    found = random_logs.measure(3)
    assert set(found["AUC"]) == {*random_logs.RIVALS, "default"}
    page = random_logs.page([found, {"seed": 4, "labels": 7, "AUC": {}}], "At home.")
    assert "1 generated logs" in page
    assert "At home." in page


def test_the_gpu_section_runs_to_its_end(own_modules, monkeypatch):
    """On a simulated device, in small, without the clocks of a real one."""
    import _speed_gpu

    from sklearn_invlearn.training import _compiled_rows

    monkeypatch.setattr(_compiled_rows, "kernels", lambda: None)  # slow to load
    kernel = SimpleNamespace(
        device_type=DeviceType.CUDA, is_user_annotation=False, self_device_time_total=5
    )
    trace = SimpleNamespace(key_averages=lambda: [kernel])
    monkeypatch.setattr(_speed_gpu, "profile", lambda activities: nullcontext(trace))
    monkeypatch.setattr(_speed_gpu, "N_STEPS", 2)
    for name in ("synchronize", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "simulated")
    with simulated_cuda(monkeypatch) as device:
        forbids = {"error": device.must_not_wait, "default": nullcontext}
        modes = ExitStack()

        def set_sync_debug_mode(mode):
            modes.close()
            modes.enter_context(forbids[mode]())

        monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", set_sync_debug_mode)
        steps, waits, busy, epoch = _speed_gpu.gpu(1000, (50, 40), 64)
    assert "simulated" in steps.ours
    assert waits.ours == "none"
    assert busy.ratio.endswith("%")
    assert epoch.other == "1.0 GiB on the device"


def test_the_gpu_section_says_what_is_missing(own_modules, monkeypatch):
    import _speed_gpu

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert all("no CUDA device" in row.ratio for row in _speed_gpu.gpu(1000))

    def full(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(_speed_gpu, "random_pairs_on_gpu", full)
    row = _speed_gpu.epoch_on_gpu("an epoch", 10, (5, 4), 2)
    assert "too little memory" in row.ratio
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", lambda mode: None)

    def waiting(n):
        raise RuntimeError("called a synchronizing CUDA operation")

    assert "synchronizing" in _speed_gpu.waits(waiting).ours
