"""MovieLens-100K and MovieLens-1M, downloaded from GroupLens on demand."""

import io
import zipfile
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from .._intervals import Interval
from ._archive import Archive, check_local, locate
from ._optional import import_optional

_URL = "https://files.grouplens.org/datasets/movielens"

# Variant: the archive, the member with the ratings, the separator of its columns.
_VARIANTS = {
    "100k": (
        Archive(
            f"{_URL}/ml-100k.zip",
            "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        ),
        "ml-100k/u.data",
        b"\t",
    ),
    "1m": (
        Archive(
            f"{_URL}/ml-1m.zip",
            "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
        ),
        "ml-1m/ratings.dat",
        b"::",
    ),
}

_DESCR = """\
MovieLens-{variant}
------------------
{n_rows} ratings from 1 to 5, collected by the GroupLens research project at the
University of Minnesota. X: user and movie ids as published; rating: whole stars;
timestamp: seconds since 1970-01-01 UTC; y: 1 where rating >= {threshold:g}.

Terms of use, as stated by GroupLens: for research; no commercial use and no
redistribution without separate permission; no endorsement by the University or
GroupLens may be implied; publications acknowledge the use by citing

F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and
Context. ACM Transactions on Interactive Intelligent Systems 5, 4, Article 19.
https://doi.org/10.1145/2827872

The README in the archive is what counts: https://grouplens.org/datasets/movielens/
"""


@validate_params(
    {
        "variant": [StrOptions(set(_VARIANTS))],
        "data_home": [str, PathLike, None],
        "archive": [str, PathLike, None],
        "download_if_missing": ["boolean"],
        "threshold": [Interval(Real, None, None, closed="neither")],
        "return_X_y": ["boolean"],
        "as_frame": ["boolean"],
        "verbose": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def fetch_movielens(
    variant: str = "100k",
    *,
    data_home: str | PathLike[str] | None = None,
    archive: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    threshold: float = 3,
    return_X_y: bool = False,
    as_frame: bool = False,
    verbose: bool = False,
) -> Bunch | tuple[Any, Any]:
    """Load MovieLens ratings, downloading them from GroupLens at the first call.

    =====  =========  ======  =======================  ========
    name   ratings    users   movies with a rating     archive
    =====  =========  ======  =======================  ========
    100k     100,000     943                    1,682    5 MB
    1m     1,000,209   6,040                    3,706    6 MB
    =====  =========  ======  =======================  ========

    GroupLens allows the use for research, asks for a citation of [1]_, and forbids
    commercial use and redistribution without permission; this package therefore
    contains no ratings. The archive stays in the cache, and its SHA-256 is verified
    at every call.

    Parameters
    ----------
    variant : {"100k", "1m"}, default="100k"
        The data set.
    data_home : str or path-like, default=None
        Folder whose sub-folder ``sklearn_invlearn`` is the cache. None: the folder of
        :func:`sklearn.datasets.get_data_home`, which is ``~/scikit_learn_data`` or
        that of the environment variable ``SCIKIT_LEARN_DATA``.
    archive : str or path-like, default=None
        The official ``ml-100k.zip`` or ``ml-1m.zip`` as downloaded by hand. Then
        neither the network nor the cache is used.
    download_if_missing : bool, default=True
        False: raise an OSError instead of downloading.
    threshold : float, default=3
        Ratings of at least so many stars are positive. 3 is the value of the papers
        on inverse learning; others take 4.
    return_X_y : bool, default=False
        Return ``(X, y)`` instead of a Bunch.
    as_frame : bool, default=False
        Return pandas objects instead of arrays.
    verbose : bool, default=False
        Show a progress bar while downloading.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With these attributes, rows in the order of the file:

        X : ndarray or DataFrame of shape (n_ratings, 2), int64
            User and movie ids as published, from 1 on; columns "user", "item".
        y : ndarray or Series of shape (n_ratings,), int64
            1 where ``rating >= threshold``, else 0.
        rating : ndarray or Series of shape (n_ratings,), float64
            Stars, whole numbers from 1 to 5.
        timestamp : ndarray or Series of shape (n_ratings,), int64
            Time of the rating, seconds since 1970-01-01 UTC.
        frame : DataFrame of shape (n_ratings, 5) or None
            Columns "user", "item", "rating", "timestamp" and "y", if `as_frame`.
        DESCR : str
            Description, terms of use and citation.
    (X, y) : tuple
        If `return_X_y`.

    Raises
    ------
    FileNotFoundError
        If `archive` is no file.
    ValueError
        If the content of `archive` is not the published one.
    OSError
        If the file is neither in the cache nor can be downloaded.
    ImportError
        If a download needs pooch, or `as_frame` pandas, and it is not installed.

    References
    ----------
    .. [1] F. M. Harper and J. A. Konstan. 2015. The MovieLens Datasets: History and
       Context. ACM Transactions on Interactive Intelligent Systems 5(4), Article 19.
       https://doi.org/10.1145/2827872

    Examples
    --------
    >>> from sklearn_invlearn.datasets import fetch_movielens
    >>> data = fetch_movielens("100k")  # doctest: +SKIP
    >>> data.X.shape  # doctest: +SKIP
    (100000, 2)
    """
    published, member, separator = _VARIANTS[variant]
    if archive is not None:
        path = check_local(published, Path(archive).expanduser())
    else:
        path = locate(
            published,
            data_home,
            download_if_missing=download_if_missing,
            verbose=verbose,
        )
    with zipfile.ZipFile(path) as file:
        columns = _parse(file.read(member), separator)
    data = Bunch(
        X=np.ascontiguousarray(columns[:, :2]),
        y=(columns[:, 2] >= threshold).astype(np.int64),
        rating=columns[:, 2].astype(np.float64),
        timestamp=columns[:, 3].copy(),
        frame=None,
    )
    if as_frame:
        _to_frame(data)
    if return_X_y:
        return data.X, data.y
    data.DESCR = _DESCR.format(
        variant=variant.upper(), n_rows=len(columns), threshold=threshold
    )
    return data


def _parse(text: bytes, separator: bytes) -> np.ndarray:
    """Read columns user, item, rating, timestamp, shape (n_ratings, 4), int64."""
    # NumPy's fast reader takes separators of one character only.
    text = text.replace(separator, b" ")
    return np.loadtxt(io.BytesIO(text), dtype=np.int64, ndmin=2)


def _to_frame(data: Bunch) -> None:
    """Replace the arrays by the columns of one frame, in place."""
    pandas = import_optional("pandas", "as_frame=True", extra="frames")
    user, item = data.X.T
    columns = {"rating": data.rating, "timestamp": data.timestamp, "y": data.y}
    data.frame = pandas.DataFrame({"user": user, "item": item, **columns})
    data.X = data.frame[["user", "item"]]
    data.update({name: data.frame[name] for name in columns})
