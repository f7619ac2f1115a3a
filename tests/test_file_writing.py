"""A file is written as a whole or not at all, and where it was meant to be."""

import os
import stat
import subprocess
import sys

import pytest

from sklearn_invlearn import CrossEntropyRecommender, load
from sklearn_invlearn.files import _file_format


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def fitted(data, **params):
    quick = {"backbone": "gmf", "n_factors": 4, "max_epochs": 1, "random_state": 0}
    return CrossEntropyRecommender(**quick | params).fit(data.X, data.y)


def test_a_missing_folder_is_named(data, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere to write a\.st"):
        fitted(data).save(tmp_path / "nowhere" / "a.st")


def test_a_file_may_be_read_by_whoever_may_read_new_files(data, path):
    est = fitted(data)
    usual = path.with_name("usual")
    usual.touch()
    est.save(path)
    assert path.stat().st_mode == usual.stat().st_mode
    path.chmod(0o640)
    est.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_stays_a_link_and_a_device_a_device(data, path, tmp_path):
    est, link = fitted(data), tmp_path / "newest"
    link.symlink_to(path)
    est.save(link)
    assert link.is_symlink()
    assert load(path).n_iter_ == est.n_iter_
    device = tmp_path / "pipe"
    os.mkfifo(device)
    for no_file in (tmp_path, device):
        with pytest.raises(OSError, match="is a folder or a device"):
            est.save(no_file)
    assert device.is_fifo()
    assert sorted(os.listdir(tmp_path)) == sorted([path.name, "newest", "pipe"])


@pytest.mark.parametrize("length", [200, 255])
def test_a_name_may_be_as_long_as_the_system_takes(length, data, tmp_path):
    path = tmp_path / ("a" * length)
    fitted(data).save(path)
    assert load(path).n_iter_ == 1


def test_a_write_that_fails_leaves_the_old_file(data, path, monkeypatch):
    fitted(data).save(path)
    before = path.read_bytes()

    def full(tensors, file, metadata):
        file.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_file_format, "save_file", full)
    with pytest.raises(OSError, match=r"could not be .*No space left") as caught:
        fitted(data, n_factors=5).save(path)
    assert caught.value.errno == 28
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


FILLS_UP = """
import resource, sys
from sklearn_invlearn import load
est = load(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    est.save(sys.argv[1])
except OSError as error:
    print(error.errno, error)
"""


def test_a_disk_that_fills_up_leaves_the_old_file(data, path):
    est = fitted(data, n_factors=64)
    est.save(path)
    before = path.read_bytes()
    command = [sys.executable, "-c", FILLS_UP, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("27 ")
    assert "could not be written" in done.stdout
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
