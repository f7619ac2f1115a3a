"""All methods with the same budget, the same rows, and the trivial baselines."""

from __future__ import annotations

import multiprocessing
import sys
import threading
from collections.abc import Mapping
from importlib import import_module
from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import validate_params
from sklearn.utils.parallel import Parallel, delayed
from tqdm.auto import tqdm

from .._intervals import Interval
from ..metrics._columns import take_column
from ..metrics._inputs import as_column, factorise
from ._compare_splits import inner_splits, outer_splits
from ._comparison import Comparison
from ._contenders import BASELINES, baselines
from ._description import describe
from ._fit_params import FitTables, in_tuple
from ._judge import check_metrics, judge
from ._labels import two_classes
from ._resampled_metrics import get_metric, refuse_losses
from ._run_cache import RunCache, key_of, table_hash
from ._trials import Task, run


@validate_params(
    {
        "recommenders": [Mapping],
        "param_distributions": [Mapping, None],
        "n_trials": [Interval(Integral, 1, None, closed="left")],
        "seeds": ["array-like"],
        "validation": [
            Interval(Real, 0, 1, closed="neither"),
            Interval(Integral, 2, None, closed="left"),
            "cv_object",
        ],
        "metrics": [list, tuple],
        "select_by": [str, callable],
        "reference": [str, None],
        "n_boot": [Interval(Integral, 1, None, closed="left")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "user_column": [Integral, str],
        "n_jobs": [Integral, None],
        "progress": ["boolean", None],
    },
    prefer_skip_nested_validation=True,
)
def compare_recommenders(
    recommenders: Any,
    X: Any,
    y: Any,
    *,
    X_unlab: Any = None,
    X_extra: Any = None,
    y_extra: Any = None,
    sample_weight: Any = None,
    X_test: Any = None,
    y_test: Any = None,
    cv: Any = None,
    param_distributions: Any = None,
    n_trials: int = 10,
    seeds: Any = (0, 1, 2),
    validation: Any = 0.2,
    metrics: Any = ("roc_auc", "gauc", "ndcg@10", "log_loss"),
    select_by: Any = "roc_auc",
    reference: str | None = None,
    n_boot: int = 1000,
    confidence_level: float = 0.95,
    user_column: int | str = 0,
    n_jobs: int | None = None,
    cache: Any = None,
    progress: bool | None = None,
) -> Comparison:
    """Compare recommenders with equal budgets, and with the trivial baselines.

    For every method, test split and seed:

    1. part of the labelled rows is set aside for validation, the same for all
       methods;
    2. `n_trials` settings are drawn and trained on the rest, and the best on the
       validation rows is chosen. Test rows have no part in that;
    3. the method is trained on all labelled rows with this setting, and scores the test
       rows.

    Three baselines are always among the methods: the share of positive labels of the
    item, biases only, and logistic regression on one-hot ids. Differences to the
    reference come with a bootstrap over the test users.

    Parameters
    ----------
    recommenders : dict of str to estimator
        Binary classifiers of (user, item) pairs by name. Whatever `random_state` they
        have is set to the seed.
    X : array-like, DataFrame or list of rows of shape (n, n_columns)
        Labelled pairs: user id in the first column, item id in the second.
    y : array-like of shape (n,)
        Labels of two classes; the larger one is positive.
    X_unlab : array-like or DataFrame of shape (m, n_columns), or tuple of them, \
            default=None
        Exposures without feedback, for the methods whose `fit` takes them.
    X_extra : array-like or DataFrame of shape (n_extra, n_columns), or tuple of one, \
            default=None
        Pairs with sparse but reliable feedback, for the methods that have a use for
        it. It is not cut into folds: it must say nothing of test rows.
    y_extra : array-like of shape (n_extra,), default=None
        Their labels.
    sample_weight : array-like of shape (n,), default=None
        Weights of the labelled rows in training; all methods must take them. The
        metrics are not weighted.
    X_test : array-like, DataFrame or list of rows of shape (n_test, n_columns), \
            default=None
        Pairs to report on. Either this or `cv`.
    y_test : array-like of shape (n_test,), default=None
        Their labels.
    cv : int, splitter or iterable, default=None
        Test splits of X instead of test rows: a number of folds for
        :class:`UserStratifiedKFold`, a splitter, or pairs of positions.
    param_distributions : dict of str to dict, default=None
        For each method that has something to tune: parameters and the lists or
        distributions to draw from, as in `RandomizedSearchCV`. A method without an
        entry has one trial, of its parameters as they are.
    n_trials : int, default=10
        Settings tried for each method, split and seed. A grid with fewer is tried as a
        whole.
    seeds : sequence of int, default=(0, 1, 2)
        Seeds of validation split, settings drawn and training.
    validation : float, int or splitter, default=0.2
        How to validate a setting: on a stratified share of the labelled rows, in a
        number of folds, or by a splitter or pairs of (training, validation) positions.
    metrics : sequence of str or callable, \
            default=("roc_auc", "gauc", "ndcg@10", "log_loss")
        What to report; see :func:`paired_bootstrap`. The first orders the table. Of a
        function more is better, whatever it computes: return the negative of a loss.
    select_by : str or callable, default="roc_auc"
        Metric that chooses the setting; of a function, the setting with the most.
    reference : str, default=None
        The method that the others are compared with. None takes the baseline with
        the best validation score: the choice does not look at the test rows either.
    n_boot : int, default=1000
        Resamples of the test users.
    confidence_level : float, default=0.95
        Of the intervals.
    user_column : int or str, default=0
        Position of the users in X, or their name if X is a DataFrame.
    n_jobs : int, default=None
        Processes; a run of one method on one split with one seed is a job. The
        results do not depend on it.
    cache : str or path, default=None
        File of JSON lines in which finished runs are kept; a missing folder is made.
        Called again with the same data and settings, the function only does what is
        missing. A run is done again when anything that it depends on changes: the code
        of classes and functions included (but not lists or dicts of a class or module,
        which a run may change), and the version of this package.
    progress : bool, default=None
        Whether to show a bar over the runs; None shows it unless this is a worker
        process or thread.

    Returns
    -------
    Comparison
        Printed, a table; ``to_frame()``, ``plot()``, ``differences``, ``runs``.

    Raises
    ------
    ValueError
        If a method has the name of a baseline, neither or both of test rows and `cv`
        are given, no method takes `X_extra`, some method takes no `sample_weight`,
        two metrics have one name, a function has that of a loss, or a metric is
        undefined on test or validation rows. All of this is found out before anything
        is trained, but for what a function says of its rows.
    TypeError
        For a metric of probabilities and a method without them.

    Warns
    -----
    UserWarning
        If some trials of a method fail, as they do where a learning rate is too
        large. If all fail, the error is raised. Also if a metric is of fewer than
        fifteen test users, see :func:`paired_bootstrap`.

    See Also
    --------
    paired_bootstrap : The comparison of two models alone.

    Notes
    -----
    The intervals speak of other users, given the trained models; the deviation over
    seeds says what training adds. With many methods, the best of them looks better than
    it is: treat a single interval that just excludes zero with care.

    Examples
    --------
    >>> from sklearn_invlearn import CrossEntropyRecommender
    >>> from sklearn_invlearn.datasets import make_sparse_feedback
    >>> from sklearn_invlearn.model_selection import compare_recommenders
    >>> data = make_sparse_feedback(60, 40, n_exposures=1500, random_state=0)
    >>> gmf = CrossEntropyRecommender(backbone="gmf", n_factors=4, max_epochs=5)
    >>> found = compare_recommenders(
    ...     {"GMF": gmf},
    ...     data.X,
    ...     data.y,
    ...     X_unlab=data.X_unlab,
    ...     X_test=data.X_test,
    ...     y_test=data.y_test,
    ...     param_distributions={"GMF": {"gamma": [0.01, 0.1]}},
    ...     n_trials=2,
    ...     seeds=[0],
    ...     n_boot=100,
    ...     progress=False,
    ... )
    >>> len(found.methods), found.differences["GMF", "roc_auc"].low < 0.1
    (4, True)
    """
    chosen = [get_metric(metric) for metric in metrics]
    check_metrics(chosen)
    selector = get_metric(select_by)
    refuse_losses([*chosen, selector])
    y_array, classes, _ = two_classes(y)
    contenders = _contenders(recommenders, param_distributions, len(y_array))
    if reference is not None and reference not in contenders:
        raise ValueError(
            f"reference={reference!r} is not a method; there are {list(contenders)}."
        )
    needs_proba = any(metric.needs_proba for metric in chosen)
    _check_contenders(contenders, needs_proba or selector.needs_proba)
    folds, tests = outer_splits(
        X, y_array, classes, X_test, y_test, cv, user_column, chosen
    )
    tables = FitTables(X_unlab, X_extra, y_extra, sample_weight)
    tables.check(y_array, {name: est for name, (est, _) in contenders.items()})
    if not isinstance(validation, Real) and not hasattr(validation, "split"):
        validation = list(validation)  # used for every split and seed
    tasks = {}
    data = _hashes(X, X_test, tables)
    for split, fold in enumerate(folds):
        users = factorise(take_column(fold.X, user_column), "The users of X")[0]
        for seed in _check_seeds(seeds):
            inner = inner_splits(fold, users, validation, seed, selector)
            for method, (estimator, distributions) in contenders.items():
                task = Task(
                    method, split, seed, estimator, distributions, n_trials, fold,
                    tables.weights_of(fold.rows), users, inner, selector, needs_proba,
                )  # fmt: skip
                key = key_of(
                    data, fold.rows, fold.y, tests[split].rows, inner, method, split,
                    seed, estimator, distributions, n_trials, select_by, needs_proba,
                    user_column, _version(),
                )  # fmt: skip
                tasks[key] = task
    runs = _run_all(tasks, RunCache(cache), n_jobs, progress)
    return judge(
        runs, tests, chosen, reference, selector, n_boot, confidence_level, n_trials
    )


def _contenders(
    recommenders: Any, distributions: Any, n_labelled: int
) -> dict[str, tuple[Any, dict[str, Any]]]:
    distributions = dict(distributions or {})
    strangers = set(distributions) - set(recommenders)
    if strangers:
        raise ValueError(
            f"param_distributions has entries for {sorted(strangers)}, which are not "
            f"among the recommenders {list(recommenders)}."
        )
    for name, tried in distributions.items():
        if not isinstance(tried, Mapping):
            raise TypeError(
                f"param_distributions[{name!r}] must be a dict of parameters and what "
                f"to try, such as {{'gamma': [0.001, 0.01]}}, got {tried!r:.80}."
            )
    taken = set(recommenders) & set(BASELINES)
    if taken:
        raise ValueError(
            f"{sorted(taken)} are names of baselines, which are always compared. Give "
            "your method another name."
        )
    own = {
        name: (est, distributions.get(name, {})) for name, est in recommenders.items()
    }
    return own | baselines(n_labelled)


def _check_contenders(contenders: dict[str, Any], needs_proba: bool) -> None:
    for name, (estimator, _) in contenders.items():
        if not hasattr(estimator, "fit") or not hasattr(estimator, "get_params"):
            raise TypeError(
                f"{name!r} is no estimator, but {type(estimator).__name__}."
            )
        if needs_proba and not hasattr(estimator, "predict_proba"):
            raise TypeError(
                f"{name!r} has no predict_proba, which the metrics log_loss and brier "
                "need. Calibrate it, or leave these metrics out."
            )


def _check_seeds(seeds: Any) -> list[int]:
    given = list(seeds)
    are_whole = all(isinstance(s, Integral) and not isinstance(s, bool) for s in given)
    if not given or not are_whole or len(set(given)) < len(given):
        raise ValueError(
            f"seeds must be different integers, at least one; got {given}."
        )
    return [int(seed) for seed in given]


def _run_all(
    tasks: dict[str, Task], cache: RunCache, n_jobs: int | None, progress: bool | None
) -> list[dict[str, Any]]:
    """Do what the cache does not have; return all runs in the order of the tasks."""
    if progress is None:
        progress = (
            multiprocessing.current_process().name == "MainProcess"
            and threading.current_thread() is threading.main_thread()
        )
    missing = {key: task for key, task in tasks.items() if key not in cache.runs}
    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    with tqdm(
        total=len(tasks),
        initial=len(tasks) - len(missing),
        desc="comparison",
        unit="run",
        disable=not progress or sys.stderr is None,
    ) as bar:
        done = parallel(delayed(_keyed)(key, task) for key, task in missing.items())
        for key, result in done:
            cache.add(key, result)
            bar.set_postfix_str(f"{result['method']} {result['validation']:.4f}")
            bar.update()
    return [cache.runs[key] for key in tasks]


def _hashes(X: Any, X_test: Any, tables: FitTables) -> list[str]:
    found = [table_hash(table) for table in (X, X_test)]
    found += [table_hash(pool) for pool in in_tuple(tables.X_unlab) or (None,)]
    if tables.X_extra is not None:
        (X_extra,), (y_extra,) = in_tuple(tables.X_extra), in_tuple(tables.y_extra)
        found += [table_hash(X_extra), describe(as_column(y_extra, "y_extra"))]
    if tables.sample_weight is not None:
        found.append(describe(as_column(tables.sample_weight, "sample_weight")))
    return found


def _version() -> str:
    return import_module(__name__.partition(".")[0]).__version__


def _keyed(key: str, task: Task) -> tuple[str, dict[str, Any]]:
    return key, run(task)
