"""What `load` refuses: files of others, of later releases, and damaged ones."""

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import sklearn_invlearn
from sklearn_invlearn import CrossEntropyRecommender, load

SIZES = {"n_factors": 4, "gamma": 0.05, "max_epochs": 2, "random_state": 0}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def fitted(data):
    est = CrossEntropyRecommender(backbone="gmf", **SIZES)
    return est.fit(data.X, data.y, X_unlab=(data.X_unlab,))


def test_the_header_says_what_the_file_is(data, path):
    fitted(data).save(path)
    with safe_open(path, "pt") as file:
        assert file.metadata() == {
            "format": "sklearn_invlearn",
            "format_version": "1",
            "library_version": sklearn_invlearn.__version__,
            "estimator": "CrossEntropyRecommender",
            "checksum": file.metadata()["checksum"],
        }


def with_header(path, **changes):
    with safe_open(path, "pt") as file:
        header = file.metadata() | changes
    save_file(load_file(path), path, metadata=header)


def test_a_newer_format_is_refused(data, path):
    fitted(data).save(path)
    with_header(path, format_version="2", library_version="9.0")
    with pytest.raises(ValueError, match=r"version '2'.*9\.0.*newer\s+release"):
        load(path)


@pytest.mark.parametrize("name", ["LogisticRegression", "load", "os.system", "metrics"])
def test_an_unknown_class_is_refused(name, data, path):
    fitted(data).save(path)
    with_header(path, estimator=name)
    with pytest.raises(ValueError, match=f"holds a {name}, which is no estimator"):
        load(path)


def test_foreign_files_are_refused(path):
    with pytest.raises(FileNotFoundError):
        load(path)
    path.write_bytes(b"hello, this is no model at all")
    with pytest.raises(ValueError, match="is not a file that `save` has written"):
        load(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="is not a file that `save` has written"):
        load(path)
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match="but not one that `save`"):
        load(path)


def test_truncated_files_are_refused(data, path):
    fitted(data).save(path)
    whole = path.read_bytes()
    for n_bytes in (4, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(ValueError, match="or not all of it"):
            load(path)


@pytest.mark.parametrize("part", ["module.biases.user.weight", "document"])
def test_a_changed_byte_is_noticed(part, data, path):
    est = fitted(data)
    est.save(path)
    # Copies: some releases of safetensors read straight from the file.
    tensors = {name: t.clone() for name, t in load_file(path).items()}
    with safe_open(path, "pt") as file:
        header = file.metadata()
    tensors[part].view(torch.uint8).reshape(-1)[9] ^= 1
    save_file(tensors, path, metadata=header)
    with pytest.raises(ValueError, match="damaged: its checksum"):
        load(path)


def test_a_damaged_document_is_refused(data, path):
    fitted(data).save(path)
    with safe_open(path, "pt") as file:
        header = file.metadata()
    del header["checksum"]  # as in a file of an earlier release
    save_file(load_file(path), path, metadata=header)
    load(path)
    # Copies: some releases of safetensors read straight from the file.
    tensors = {name: t.clone() for name, t in load_file(path).items()}
    document = tensors["document"].numpy().tobytes()
    for damage in (
        b"{",
        b"\xff",
        b'{"call": "os.system"}',
        b"[]",
        b"{}",
        b'{"Decimal": "1,5"}',
        b'{"csr_array": []}',
        b"[" * 100_000,
        document.replace(b'{"array":', b'{"tuple":'),
    ):
        tensors["document"] = torch.frombuffer(bytearray(damage), dtype=torch.uint8)
        save_file(tensors, path, metadata=header)
        with pytest.raises(ValueError, match="damaged"):
            load(path)
    for name in (b"objects", b"params", b"fitted"):
        damage = document.replace(b'"%s"' % name, b'"?%s"' % name[1:])
        assert damage != document
        tensors["document"] = torch.frombuffer(bytearray(damage), dtype=torch.uint8)
        save_file(tensors, path, metadata=header)
        with pytest.raises(ValueError, match="damaged"):
            load(path)
    del tensors["document"]
    save_file(tensors, path, metadata=header)
    with pytest.raises(ValueError, match="damaged"):
        load(path)
