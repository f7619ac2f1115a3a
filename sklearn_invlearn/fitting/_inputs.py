"""What users hand to ``fit``, checked once, here, and never again below."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from numbers import Number
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import (
    _get_feature_names,
    _num_samples,
    validate_data,
)

from ..ids._columns import id_columns, is_table
from ..ids._encoding import UNKNOWN, IdIndex, PairEncoder, as_objects
from ._id_kinds import check_id_kinds, frames_to_the_caller
from ._labels import as_expected, both_classes, check_labels, label_column
from ._weights import check_weight, mean_weight, relative_weight

# Below this share of known ids, a table and the labelled pairs hardly describe
# the same users and items.
_FEW_KNOWN = 0.05

_IDS = (str, bytes, Number)


@dataclass(frozen=True)
class LabelledRows:
    """Columns of ids, y in {0.0, 1.0} and weights of mean 1 (or None), n rows each.

    `row` holds their positions in X, which has `n_rows`.
    """

    columns: list[np.ndarray]
    y: np.ndarray
    weight: np.ndarray | None
    row: np.ndarray
    n_rows: int

    def take(self, rows: np.ndarray) -> LabelledRows:
        """Return the rows with these positions."""
        return LabelledRows(
            [c[rows] for c in self.columns],
            self.y[rows],
            None if self.weight is None else self.weight[rows],
            self.row[rows],
            self.n_rows,
        )


@dataclass(frozen=True)
class FitInputs:
    """Everything `fit` was given, checked, still as ids."""

    classes: np.ndarray
    labelled: LabelledRows
    pool: list[list[np.ndarray]] | None
    validation: tuple[list[np.ndarray], np.ndarray] | None
    extra: tuple[list[np.ndarray], np.ndarray] | None


def check_fit_inputs(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    X_unlab: Any,
    X_val: Any,
    y_val: Any,
    X_extra: Any,
    y_extra: Any,
    *,
    positives_suffice: bool,
    goes_on: bool = False,
) -> FitInputs:
    """Check the arguments of ``fit`` and note names and number of the columns.

    `positives_suffice` says whether `y` may be all ones, for procedures that sample
    their negatives; `goes_on` whether the columns must be those of the last fit.
    """
    classes, labelled = check_labelled(
        X,
        y,
        sample_weight,
        type(estimator).__name__,
        positives_suffice,
        getattr(estimator, "_expected_classes", None),
    )
    validate_data(estimator, X, reset=not goes_on, skip_check_array=True)
    names = names_of_columns(X, estimator)
    if estimator.n_features_in_ > 2:
        first, second = ("", "") if names is None else (f", {n!r}," for n in names[:2])
        warnings.warn(
            f"X has {estimator.n_features_in_} columns; the first{first} is read as "
            f"the user id, the second{second} as the item id, and the others are not "
            "used.",
            UserWarning,
            stacklevel=frames_to_the_caller(),
        )
    validation = check_labelled_table(X_val, y_val, classes, names, "val")
    extra = check_labelled_table(X_extra, y_extra, classes, names, "extra")
    pool = None if X_unlab is None else check_pool(X_unlab, names)
    _warn_if_cut_into_folds(X_unlab, X, "X_unlab")
    _warn_if_cut_into_folds(X_val, X, "X_val")
    _warn_if_cut_into_folds(X_extra, X, "X_extra")
    return FitInputs(classes, labelled, pool, validation, extra)


def check_use_of_extra(estimator: Any, X_extra: Any) -> None:
    """Refuse extra feedback that would not be used; warn where it is missing."""
    name, use = type(estimator).__name__, estimator._extra_feedback
    if X_extra is not None and use is None:
        advice = (
            "choose extra_feedback='warmup' or 'finetune'"
            if hasattr(estimator, "extra_feedback")
            else "put these rows into X, or take an estimator that has `extra_feedback`"
        )
        raise ValueError(f"{name} would not use X_extra: {advice}.")
    optional = getattr(estimator, "_extra_is_optional", False)
    if X_extra is None and use is not None and not optional:
        warnings.warn(
            f"{name} has no extra feedback for {use!r}, because X_extra is None: it "
            "is trained on X alone.",
            UserWarning,
            stacklevel=frames_to_the_caller(),
        )


def check_pairs(X: Any, *, name: str = "X") -> list[np.ndarray]:
    """Check a table of at least two columns and one row; return its columns."""
    return _require_pairs(id_columns(X, name=name), X, name)


def check_pairs_to_score(estimator: Any, X: Any) -> list[np.ndarray]:
    """Check pairs to score, columns and kinds of ids against those of `fit`."""
    columns = check_pairs_like_fit(estimator, X)
    check_id_kinds(estimator._encoder, columns, "X")
    return columns


def check_pairs_like_fit(estimator: Any, X: Any) -> list[np.ndarray]:
    """Check pairs, names and number of columns against those of `fit`."""
    columns = id_columns(X)
    validate_data(estimator, X, reset=False, skip_check_array=True)
    return _require_pairs(columns, X, "X")


def _require_pairs(columns: list[np.ndarray], X: Any, name: str) -> list[np.ndarray]:
    n_rows = len(columns[0]) if columns else _num_samples(X)
    shape = (n_rows, len(columns))
    if len(columns) < 2:
        raise ValueError(
            f"Found array with {shape[1]} feature(s) (shape={shape}) while a minimum "
            f"of 2 is required: {name} needs the user id in its first column and the "
            "item id in its second."
        )
    if n_rows == 0:
        raise ValueError(
            f"Found array with 0 sample(s) (shape={shape}) while a minimum of 1 is "
            f"required: {name} is empty."
        )
    return columns


def check_labelled(
    X: Any,
    y: Any,
    sample_weight: Any,
    estimator_name: str,
    positives_suffice: bool,
    expected: np.ndarray | None,
) -> tuple[np.ndarray, LabelledRows]:
    """Return the classes and the rows that have a weight above zero.

    With `expected` classes, `y` may have one of them alone.
    """
    classes, y01 = check_labels(y, estimator_name)
    if expected is not None:
        y01 = as_expected(classes, y01, expected)
    columns = check_pairs(X)
    check_consistent_length(columns[0], y01)
    n = len(y01)
    rows = LabelledRows(columns, y01.astype(np.float32), None, np.arange(n), n)
    if sample_weight is not None:
        raw = check_weight(sample_weight, y01)
        if not raw.any():
            raise ValueError("All values of sample_weight are zero: nothing to fit.")
        rows = replace(rows, weight=relative_weight(raw, mean_weight(raw)))
        rows = rows.take(np.flatnonzero(raw > 0))
        classes = classes[np.unique(rows.y).astype(int)]
    if expected is not None:
        return expected, rows
    if len(classes) == 1:  # the positive one, or both_classes raises
        rows = replace(rows, y=np.ones_like(rows.y))
    return both_classes(classes, estimator_name, positives_suffice), rows


def check_labelled_table(
    X_other: Any, y_other: Any, classes: np.ndarray, names: Any, suffix: str
) -> tuple[list[np.ndarray], np.ndarray] | None:
    """Return columns and y in {0.0, 1.0} of X_val or X_extra; None if not given."""
    X_name, y_name = f"X_{suffix}", f"y_{suffix}"
    if (X_other is None) != (y_other is None):
        given, missing = (X_name, y_name) if y_other is None else (y_name, X_name)
        raise ValueError(f"{given} was passed without {missing}; pass both or neither.")
    if X_other is None:
        return None
    table = unwrap(X_other)
    require_names(table, names, X_name)
    columns = check_pairs(table, name=X_name)
    y = label_column(unwrap(y_other), y_name)
    check_consistent_length(columns[0], y)
    unknown = set(np.unique(y).tolist()) - set(classes.tolist())
    if unknown:
        raise ValueError(
            f"{y_name} has the labels {sorted(unknown, key=str)}, which y does not "
            f"have; the classes are {classes.tolist()}."
        )
    return columns, (y == classes[1]).astype(np.float32)


def unwrap(table: Any) -> Any:
    """Return what is inside a tuple of one table or array; else `table` itself."""
    is_one = isinstance(table, tuple) and len(table) == 1
    return table[0] if is_one and not np.isscalar(table[0]) else table


def check_pool(X_unlab: Any, names: Any) -> list[list[np.ndarray]]:
    """Return the columns of each table: `X_unlab` is one, or a tuple of them."""
    if isinstance(X_unlab, list) and X_unlab and is_table(X_unlab[0]):
        raise ValueError(
            "X_unlab is a list of tables, and a list is read as a list of rows. Pass a "
            "tuple, X_unlab=(pool,)."
        )
    tables = X_unlab if isinstance(X_unlab, tuple) else (X_unlab,)
    if not tables:
        raise ValueError(
            "X_unlab is an empty tuple. Pass the pool as `X_unlab=(pool,)`, or None "
            "to sample pairs that were not observed."
        )
    pool = []
    for table in tables:
        if isinstance(table, (list, tuple)) and table and isinstance(table[0], _IDS):
            raise ValueError(
                f"X_unlab is a tuple of rows, such as {table!r}, and a tuple is read "
                "as a tuple of tables. Pass a list of rows, in a tuple if it is for "
                "cross-validation."
            )
        require_names(table, names, "X_unlab")
        pool.append(check_pairs(table, name="X_unlab"))
    return pool


def refuse_unknown(what: str, column: np.ndarray, codes: np.ndarray) -> None:
    """Raise if `codes` (n,) of the ids in `column` are unknown; `what` names them."""
    unknown = column[codes == UNKNOWN]
    if len(unknown):
        some = ", ".join(repr(u) for u in dict.fromkeys(as_objects(unknown[:5])))
        raise ValueError(
            f"{what} that fit has not seen, such as {some}. "
            "handle_unknown='average' scores them by what is "
            "known of the other side of the pair."
        )


def check_band(abstain: Any) -> tuple[float, float]:
    """Check a band (low, high) of probabilities that get no label; None is empty."""
    if abstain is None:
        return 0.5, 0.5
    try:
        low, high = map(float, abstain)
        is_band = 0 <= low <= high <= 1
    except (TypeError, ValueError):
        is_band = False
    if not is_band:
        raise ValueError(
            f"abstain={abstain!r} is no band: pass (low, high) with 0 <= low <= high "
            "<= 1, such as (0.3, 0.7); pairs with a probability between them get no "
            "label."
        )
    return low, high


def _warn_if_cut_into_folds(table: Any, X: Any, name: str) -> None:
    """Warn about a table that cross-validation tools take for rows of X.

    They cut every fit argument that is as long as X into folds, without a word; a
    tuple of one table they leave alone.
    """
    if table is None or isinstance(table, tuple):
        return
    if _num_samples(table) == _num_samples(X):
        warnings.warn(
            f"{name} has as many rows as X ({_num_samples(X)}). Cross-validation "
            "tools slice such an argument like X; if this fit is part of one, "
            f"{name} has already lost rows. Pass it as a tuple of one table, "
            f"{name}=(table,), which is never sliced; that also silences this warning.",
            UserWarning,
            stacklevel=frames_to_the_caller(),
        )


def names_of_columns(X: Any, estimator: Any) -> Any:
    """Names of `X` or, where it has none, those of the last fit; None without both."""
    names = _get_feature_names(X)
    return getattr(estimator, "feature_names_in_", None) if names is None else names


def require_names(table: Any, ours: Any, name: str) -> None:
    """Raise if the first two columns of a table have other names than `ours`."""
    theirs = _get_feature_names(table)
    if ours is None or theirs is None or list(ours[:2]) == list(theirs[:2]):
        return
    raise ValueError(
        f"The first two columns of {name} are {list(theirs[:2])}, those of X are "
        f"{list(ours[:2])}. They are read by position, user then item: bring the "
        f"columns of {name} into the order (and under the names) of X."
    )


def warn_if_unknown(
    tables: list[list[np.ndarray]], encoder: PairEncoder, name: str
) -> None:
    """Warn if hardly an id of the tables of an argument is known to `encoder`."""
    for side, what in enumerate(("user", "item")):
        index = encoder.users if side == 0 else encoder.items
        codes = [index.lookup(columns[side], name=name) for columns in tables]
        known = sum(map(np.count_nonzero, codes)) / sum(map(len, codes))
        if known < _FEW_KNOWN and not _is_much_larger(codes, index):
            warnings.warn(
                f"Only {known:.1%} of the {what} ids of {name} are known from "
                f"X. The usual cause is a Pipeline that encodes X but not {name} "
                f"(Pipeline(transform_input=['{name}']) with {name}=(table,) encodes "
                "both; better, pass raw ids and no encoder), or ids of another type, "
                "such as '7' and 7.",
                UserWarning,
                stacklevel=frames_to_the_caller(),
            )


def _is_much_larger(codes: list[np.ndarray], index: IdIndex) -> bool:
    """Whether tables have most ids of `index`, beside many others: labels are few.

    `codes` are theirs. Ids 0 to n or 1 to n do not count: an encoder makes them, and
    raw numbers have them by chance.
    """
    n = len(index)
    found = np.unique(np.concatenate([c[c != UNKNOWN] for c in codes]))
    are_encoded = np.count_nonzero(index.lookup(np.arange(n + 1))) >= n
    return len(found) > n / 2 and not are_encoded


def split_rows(
    y: np.ndarray, fraction: float, seed: int, purpose: str
) -> tuple[np.ndarray, np.ndarray]:
    """Split row positions, stratified by label: the rest, and a share `fraction`.

    The share has two rows at least, one of each class where rounding allows it.
    """
    n_share = max(2, round(fraction * len(y)))
    counts = np.bincount(y.astype(int), minlength=2)
    if counts.min() == 0:
        raise ValueError(
            f"{purpose} cannot set a share of the labelled rows aside: all of them are "
            "positive, and would say nothing about negatives. Pass rows of both "
            "classes as X_val and y_val."
        )
    if counts.min() < 2 or len(y) - n_share < 2:
        raise ValueError(
            f"{purpose} takes {n_share} of {len(y)} labelled rows, stratified by "
            f"class, but the classes have {counts.tolist()} rows; each needs two at "
            "least. Pass more labels, or a smaller validation_fraction."
        )
    rest, share = train_test_split(
        np.arange(len(y)), test_size=n_share, stratify=y, random_state=seed
    )
    return rest, share
