"""A ratings file of one's own, in any of the usual formats."""

import warnings
from numbers import Real
from os import PathLike
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from .._intervals import Interval
from ._ratings_columns import Columns, check_ids, check_rating, check_timestamp
from ._ratings_formats import read_npz, read_parquet, read_text

_TEXT = (".dat", ".data", ".csv", ".tsv", ".txt")
_PARQUET = (".parquet", ".pq")

_DESCR = """\
Ratings read from {name}
------------------------
{n_rows} ratings. X: user and item ids; rating; y: 1 where rating >= {threshold:g}.
"""


@validate_params(
    {
        "path": [str, PathLike],
        "threshold": [Interval(Real, None, None, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def load_ratings(path: str | PathLike[str], *, threshold: float = 3) -> Bunch:
    """Load users, items and ratings from a file.

    Parameters
    ----------
    path : str or path-like
        The file. Its suffix tells the format:

        * ``.dat``, ``.data``, ``.csv``, ``.tsv``, ``.txt``: UTF-8 text, columns
          separated by ``::`` (``ratings.dat`` of MovieLens-1M), tab (``u.data`` of
          MovieLens-100K), semicolon or comma: the first of these that gives the first
          line three columns or more. Needs pandas.
        * ``.parquet``, ``.pq``: Parquet. Needs pyarrow.
        * ``.npz``: NumPy arrays ``user``, ``item``, ``rating`` and, if wanted,
          ``timestamp``; or ``train_user``, ``train_item``, ``train_rating`` and
          ``valid_user``, ``valid_item``, ``valid_rating``.

        Columns of text and Parquet are found by name, in any case, with or without
        ``_``: user_id or user; item_id, movie_id, video_id, item, movie or video;
        rating; timestamp.
        If none of the first three is there, the first three columns that are not the
        timestamp are user, item and rating. A text whose third column is a number in
        the first line has no header: its columns are user, item, rating and, if
        present, timestamp. A first line that is neither is an error: no known name,
        and a number or nothing in one of the first two columns, or nothing in the
        third.
    threshold : float, default=3
        Ratings of at least this are positive.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With these attributes, rows in the order of the file:

        X : ndarray of shape (n_ratings, 2)
            User and item ids, exactly as in the file: int64 if all are whole
            numbers, else object, with int or str in a column. Text such as ``007``,
            which is not how a number is written, stays str, as does its column.
        y : ndarray of shape (n_ratings,), int64
            1 where ``rating >= threshold``, else 0.
        rating : ndarray of shape (n_ratings,), float64
            The ratings.
        timestamp : ndarray of shape (n_ratings,), int64 or float64, or None
            Times as in the file; dates, in text those of ISO 8601, become seconds since
            1970-01-01 UTC.
        X_valid, y_valid, rating_valid : ndarray or None
            The ``valid_`` arrays of an ``.npz``, as X, y and rating.
        DESCR : str
            Description.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the format is unknown or damaged, columns are missing or there twice, lines
        have more fields than the first, an id holds a line break, there is no row,
        ids or numbers are missing, or ratings are not numbers.
    ImportError
        If the format needs a package that is not installed.

    Warns
    -----
    UserWarning
        If all ratings fall into one class.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn_invlearn.datasets import load_ratings
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "ratings.csv")
    ...     _ = path.write_text("userId,movieId,rating\\n7,10,4.5\\n7,11,1\\n")
    ...     data = load_ratings(path)
    >>> data.X
    array([[ 7, 10],
           [ 7, 11]])
    >>> data.y
    array([1, 0])
    """
    path = Path(path).expanduser()
    train, valid = _read(path)
    data = _checked(train, threshold, path.name)
    held_out = Bunch() if valid is None else _checked(valid, threshold, path.name)
    for name in ("X", "y", "rating"):
        data[f"{name}_valid"] = held_out.get(name)
    if len(np.unique(data.y)) == 1:
        side = "reach" if data.y[0] else "stay below"
        warnings.warn(
            f"All ratings in {path.name} {side} threshold={threshold:g}: they run from "
            f"{data.rating.min():g} to {data.rating.max():g}. A classifier needs both "
            "classes: pass a threshold inside that range.",
            stacklevel=3,  # past the decorator
        )
    data.DESCR = _DESCR.format(name=path.name, n_rows=len(data.y), threshold=threshold)
    return data


def _read(path: Path) -> tuple[Columns, Columns | None]:
    """Return raw columns of the training and, if there is one, validation part."""
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file {str(path)!r}. Check the spelling; a relative path "
            f"starts at the current folder, {str(Path.cwd())!r}."
        )
    suffix = path.suffix.lower()
    if suffix in _TEXT:
        return read_text(path), None
    if suffix in _PARQUET:
        return read_parquet(path), None
    if suffix == ".npz":
        return read_npz(path)
    known = ", ".join((*_TEXT, *_PARQUET, ".npz"))
    raise ValueError(
        f"{path.name} has the suffix {suffix!r}, which tells no known format. Known "
        f"are {known}: rename the file if it is one of these; unpack it first if it is "
        "an archive (a MovieLens zip can go to fetch_movielens(archive=...) as it is)."
    )


def _checked(columns: Columns, threshold: float, name: str) -> Bunch:
    """Check raw columns and turn them into X, y, rating and timestamp."""
    lengths = {key: len(values) for key, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"The columns of {name} differ in length: {lengths}.")
    if not lengths["rating"]:
        raise ValueError(f"{name} has no row. Perhaps its writing broke off.")
    user = check_ids(columns["user"], "user", name)
    item = check_ids(columns["item"], "item", name)
    rating = check_rating(columns["rating"], name)
    timestamp = columns.get("timestamp")
    return Bunch(
        X=np.stack([user, item], axis=1),
        y=(rating >= threshold).astype(np.int64),
        rating=rating,
        timestamp=None if timestamp is None else check_timestamp(timestamp, name),
    )
