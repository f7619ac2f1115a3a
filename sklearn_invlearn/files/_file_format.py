"""One file for one fitted recommender: safetensors, with the rest as JSON inside it.

The header, which any reader of safetensors shows, says what the file is:

    format = "sklearn_invlearn", format_version, library_version, estimator, checksum

Tensors: ``module.*`` (weights and buffers of the module by their names),
``optimizer.*.*`` if asked for, ``array.*`` (arrays of the document), and ``document``,
UTF-8 bytes of JSON with parameters, ids, classes, history and whatever else the
fitted estimator knows (`_exact_json.py`).
"""

from __future__ import annotations

import errno
import os
import re
import stat
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .. import __version__
from . import _exact_json

FORMAT = "sklearn_invlearn"
FORMAT_VERSION = 1


@dataclass
class Content:
    """What a file holds.

    Attributes
    ----------
    estimator : str
        Name of the class.
    document : dict
        See `_exact_json.encode` for what its values may be.
    module : dict of Tensor
        State of the module.
    optimizer : dict of dict
        State of the optimiser; empty if it was not saved.
    """

    estimator: str
    document: dict[str, Any]
    module: dict[str, Tensor]
    optimizer: dict[str, dict[str, Any]] = field(default_factory=dict)


def write(path: str | os.PathLike, content: Content) -> None:
    """Write `content` to `path`, all of it or nothing."""
    numbers, tensors = _split(content.optimizer)
    arrays: _exact_json.Arrays = {}
    document = content.document | {"optimizer": numbers}
    text = bytearray(_exact_json.to_bytes(document, arrays))
    parts = {f"module.{name}": tensor for name, tensor in content.module.items()}
    parts |= {f"optimizer.{name}": tensor for name, tensor in tensors.items()}
    parts |= {n: torch.from_numpy(np.array(a, order="C")) for n, a in arrays.items()}
    parts["document"] = torch.frombuffer(text, dtype=torch.uint8)
    parts = _without_sharing(parts)
    header = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "library_version": __version__,
        "estimator": content.estimator,
        "checksum": _checksum(parts),
    }
    with replaced(Path(path)) as unfinished:
        try:
            save_file(parts, unfinished, metadata=header)
        except SafetensorError as error:
            number = re.search(r"os error (\d+)", str(error))
            raise OSError(int(number[1]) if number else None, str(error)) from error


def read(path: str | os.PathLike) -> Content:
    """Return what is in the file at `path`.

    Raises
    ------
    ValueError
        If it is not a complete file of this package, or a newer one.
    """
    with open(path, "rb"):  # for the usual errors if there is no such file
        pass
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            header = file.metadata() or {}
            _check_header(path, header)
            names = file.keys()  # an open file is no mapping: it cannot be iterated
            tensors = {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise ValueError(
            f"{path} is not a file that `save` has written, or not all of it: {error}."
        ) from error
    if "checksum" in header and header["checksum"] != _checksum(tensors):
        raise ValueError(f"{path} is damaged: its checksum is not that of what it has.")
    try:
        text = tensors["document"].numpy().tobytes()
        arrays = {k: t.numpy() for k, t in tensors.items() if k.startswith("array.")}
        document = _exact_json.from_bytes(text, arrays)
        optimizer = document.pop("optimizer")
        _require_parts(document)
        for name, tensor in _below("optimizer.", tensors).items():
            parameter, key = name.rsplit(".", 1)
            optimizer[parameter][key] = tensor
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise ValueError(
            f"{path} is damaged: its document cannot be read ({error!r})."
        ) from error
    return Content(header["estimator"], document, _below("module.", tensors), optimizer)


def _check_header(path: Any, header: dict[str, str]) -> None:
    if header.get("format") != FORMAT or "estimator" not in header:
        raise ValueError(
            f"{path} is a safetensors file, but not one that `save` of "
            "sklearn_invlearn has written."
        )
    version = header.get("format_version", "")
    if not version.isdecimal() or int(version) > FORMAT_VERSION:
        raise ValueError(
            f"{path} has version {version!r} of the file format (written by "
            f"sklearn_invlearn {header.get('library_version')}); this release, "
            f"{__version__}, reads versions up to {FORMAT_VERSION}. Install a newer "
            "release to read it."
        )


def _require_parts(document: dict[str, Any]) -> None:
    """Raise KeyError unless all is there, also in the recommender inside another."""
    _ = [document[part] for part in ("params", "objects", "fitted")]
    if "recommender" in document:
        _require_parts(document["recommender"]["document"])


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _split(
    optimizer: dict[str, dict[str, Any]],
) -> tuple[dict[str, dict[str, Any]], dict[str, Tensor]]:
    """Return numbers by parameter and key, and tensors by "parameter.key"."""
    numbers: dict[str, dict[str, Any]] = {}
    tensors = {}
    for parameter, entries in optimizer.items():
        numbers[parameter] = {}
        for key, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"{parameter}.{key}"] = value
            else:
                numbers[parameter][key] = value
    return numbers, tensors


def _without_sharing(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous tensors on the CPU, each with memory of its own."""
    seen: set[int] = set()
    out = {}
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        memory = tensor.untyped_storage().data_ptr()
        out[name] = tensor.clone() if memory in seen else tensor
        seen.add(memory)
    return out


def _checksum(tensors: dict[str, Tensor]) -> str:
    """CRC-32 of names, types, shapes and bytes, which damage would change."""
    crc = 0
    for name, tensor in sorted(tensors.items()):
        what = f"{name} {tensor.dtype} {tuple(tensor.shape)}"
        crc = zlib.crc32(what.encode(), crc)
        crc = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, crc)
    return f"{crc:08x}"


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Give a name beside `path` to write to; rename it once that has succeeded.

    A full disk or a crash leaves the old file as it was. A link stays a link, and who
    may read the file is what it was, or what is usual for new files.

    Raises
    ------
    OSError
        If that fails; with the number of the system's error.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"There is no folder {path.parent} to write {path.name} to; make it first."
        )
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise OSError(
            errno.EISDIR if path.is_dir() else errno.EINVAL,
            f"{path} is a folder or a device, and would be lost. Pass the path of a "
            "file",
        )
    unfinished = path.with_name(f".{uuid.uuid4().hex}.unfinished")
    try:
        unfinished.touch()
        mode = (path if path.exists() else unfinished).stat().st_mode
        yield unfinished
        unfinished.chmod(stat.S_IMODE(mode))
        with open(unfinished, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        why = error.strerror or str(error)
        raise OSError(
            error.errno,
            f"{path} could not be written ({why}). A file that was there is as it was",
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
