"""A published archive on disk: found in the cache or downloaded, always verified."""

import hashlib
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from sklearn.datasets import get_data_home

from ._optional import import_optional


class Archive(NamedTuple):
    """Where a published file lies and how to recognise it."""

    url: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Name of the file in the cache."""
        return self.url.rsplit("/", 1)[-1]


def is_intact(archive: Archive, path: Path) -> bool:
    """Whether the file has the published content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == archive.sha256


def check_local(archive: Archive, path: Path) -> Path:
    """Return the path of a file the user has brought, once verified."""
    if not path.is_file():
        raise FileNotFoundError(
            f"archive={str(path)!r} is not a file. Pass the path of "
            f"{archive.file_name} as downloaded from {archive.url}, not of a folder it "
            "was unpacked to."
        )
    if not is_intact(archive, path):
        raise ValueError(
            f"The SHA-256 of archive={str(path)!r} is not {archive.sha256}, which is "
            f"that of {archive.file_name}: perhaps it is another variant, was packed "
            f"again, or its download broke off. Download {archive.url} once more, or "
            "unpack the file and pass the ratings in it to load_ratings."
        )
    return path


def locate(
    archive: Archive,
    data_home: str | PathLike[str] | None,
    *,
    download_if_missing: bool,
    verbose: bool,
) -> Path:
    """Return the path of the verified file in the cache, downloaded if need be."""
    folder = Path(get_data_home(data_home)) / "sklearn_invlearn"
    path = folder / archive.file_name
    present = path.is_file()
    if present and is_intact(archive, path):
        return path
    if not download_if_missing:
        found = "is damaged (its SHA-256 differs)" if present else "does not exist"
        raise OSError(
            f"{path} {found}, and download_if_missing=False. {_by_hand(archive)}"
        )
    _download(archive, folder, verbose)
    return path


def _download(archive: Archive, folder: Path, verbose: bool) -> None:
    """Put the file into the folder; what fails its checksum never gets there."""
    purpose = f"Downloading {archive.file_name} (if not by hand, for archive=)"
    pooch = import_optional("pooch", purpose, extra="datasets")
    try:
        pooch.retrieve(
            archive.url,
            known_hash=f"sha256:{archive.sha256}",
            fname=archive.file_name,
            path=folder,
            progressbar=verbose,
        )
    except ValueError as error:
        raise OSError(
            f"What {archive.url} sent is not {archive.file_name}: its SHA-256 differs. "
            "Perhaps the download broke off, or a proxy sent a page of its own; "
            f"nothing was kept. Try again later. {_by_hand(archive)}"
        ) from error
    except OSError as error:
        raise OSError(
            f"{archive.url} could not be brought to {folder} ({error}). Perhaps this "
            "machine is offline or needs a proxy (HTTPS_PROXY), or the disk is full or "
            f"not writable. {_by_hand(archive)}"
        ) from error


def _by_hand(archive: Archive) -> str:
    return (
        f"Or download {archive.url} by hand, where a network is, and pass its path: "
        f"archive='{archive.file_name}'."
    )
