"""Save fitted recommenders to files, and load them, without pickle."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Sequence
from copy import copy
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch
from sklearn.utils.validation import check_is_fitted
from skorch.history import History

from ..fitting._build import module_settings
from ..fitting._torch_state import resolve_device, torch_seed, torch_settings
from ..ids._encoding import PairEncoder
from ..training import optimizer_state, set_optimizer_state
from . import _exact_json
from ._file_format import Content, read, write

_NOT_FITTED_STATE = ("net_", "_encoder", "_skl_callbacks", "_metadata_request")


class SaveMixin:
    """``save`` of a fitted recommender."""

    if TYPE_CHECKING:
        net_: Any
        _encoder: PairEncoder

    def save(self, path: str | os.PathLike, *, optimizer: bool = False) -> None:
        """Write the fitted recommender to one file, to be read by `load`.

        The file is in the safetensors format, with everything but the weights as JSON
        inside. It holds no code, and to read it executes none. It is written beside
        `path` first and then renamed: a write that fails leaves an old file as it was.

        Parameters
        ----------
        path : str or path-like
            Where to; a file that is there is replaced.

        optimizer : bool, default=False
            Whether to keep the state of the optimiser (twice the size of the weights,
            with Adam), so that `partial_fit` goes on as if it had never been saved.

        Raises
        ------
        TypeError
            If ids, classes or the history hold something that the file cannot
            keep exactly, such as ids of a class of your own.
        OSError
            If the file cannot be written.

        See Also
        --------
        sklearn_invlearn.load : Read the file.

        Notes
        -----
        Kept are parameters, classes, ids (text, bytes, numbers, dates, numpy's times
        and tuples of them), weights, history, and what `partial_fit` needs;
        predictions after `load` are the same to the last bit. Not kept are parameters
        that are objects, such as a backbone class of your own or `callbacks`, which are
        given to `load` again; and what ``set_callbacks`` and ``set_fit_request`` have
        set. Another thread may update the recommender meanwhile.

        Examples
        --------
        >>> import tempfile
        >>> from sklearn_invlearn import CrossEntropyRecommender, load
        >>> from sklearn_invlearn.datasets import make_sparse_feedback
        >>> data = make_sparse_feedback(60, 40, n_exposures=1500, random_state=0)
        >>> est = CrossEntropyRecommender(backbone="gmf").fit(data.X, data.y)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     est.save(f"{folder}/likes.safetensors")
        ...     same = load(f"{folder}/likes.safetensors")
        >>> bool((same.predict_proba(data.X) == est.predict_proba(data.X)).all())
        True
        """
        check_is_fitted(self, "net_")
        try:
            # Of a copy: another thread may update the recommender meanwhile.
            write(path, copy(self)._content(optimizer))
        except _exact_json.NotExact as error:
            raise TypeError(
                f"A file cannot hold {error}. User ids, item ids and classes may be "
                "text, bytes, bool, numbers, dates without a time, numpy.datetime64 "
                "and timedelta64, Decimal, UUID or tuples of them, and the history "
                "numbers and text. Give the ids another form (a column of times as "
                "numpy.datetime64, without a zone), or use pickle."
            ) from error

    def _content(self, optimizer: bool) -> Content:
        """Return what the file holds."""
        module = self.net_.module_
        state = optimizer_state(self.net_) if optimizer else {}
        document = params_and_state(self) | {
            "users": self._encoder.users.exact_ids,
            "items": self._encoder.items.exact_ids,
            "settings": module_settings(module),
            "history": [dict(row) for row in self.net_.history],
            "counts": {name: getattr(self.net_, name) for name in self.net_.counts},
            "optimizer_class": type(self.net_.optimizer_).__name__,
        }
        return Content(type(self).__name__, document, module.state_dict(), state)

    @classmethod
    def _from_content(
        cls, path: Any, content: Content, estimator: type | None, params: dict[str, Any]
    ) -> Any:
        """Return the estimator that `_content` was asked of."""
        est = unfitted(path, cls, content.document, params)
        try:
            _restore(est, content)
        except torch.OutOfMemoryError:  # of the device: the file is all right
            raise
        except (LookupError, TypeError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"What is in {path} does not fit backbone={est.backbone!r} with its "
                f"parameters: {error}"
            ) from error
        return est


def params_and_state(est: Any, left_out: Sequence[str] = ()) -> dict[str, Any]:
    """Return parameters, those that are plain values, and fitted attributes."""
    params = est.get_params(deep=False)
    params = {name: value for name, value in params.items() if name not in left_out}
    known = {name: value for name, value in params.items() if _is_plain(value)}
    fitted = {
        name: value
        for name, value in vars(est).items()
        if name not in {*params, *left_out, *_NOT_FITTED_STATE}
    }
    return {
        "params": known,
        "objects": {n: repr(v) for n, v in params.items() if n not in known},
        "fitted": fitted,
    }


def _is_plain(value: Any) -> bool:
    try:
        _exact_json.encode(value, {})
    except _exact_json.NotExact:
        return False
    return True


def load(path: str | os.PathLike, *, estimator: type | None = None, **params: Any):
    """Read a recommender from a file that its ``save`` has written.

    Parameters
    ----------
    path : str or path-like
        The file.

    estimator : type, default=None
        The class of the recommender (or of the one inside a
        `CollidingRecommender`), if it is not one of this package.

    **params
        Constructor parameters to set instead of those in the file, such as
        ``device="cpu"``; required for those that a file does not hold, such as
        ``backbone=MyBackbone``; those of a recommender inside another estimator as
        ``recommender__backbone``.

    Returns
    -------
    est : estimator
        Fitted; predicts as the one that was saved. A model that was trained on a
        GPU is read where there is none, too.

    Raises
    ------
    ValueError
        If the file is not one of this package, is not complete, comes from a newer
        release with another format, or does not fit `params`; and for a `device` among
        them that is not there.

    See Also
    --------
    InverseGradientRecommender.save : Write the file; has an example.
    """
    return recommender_of(path, read(path), estimator, params)


def recommender_of(
    path: Any, content: Content, estimator: type | None, params: dict[str, Any]
) -> Any:
    """Return the fitted recommender that `content` holds, see `load`."""
    cls = _estimator_class(path, content, estimator)
    return cls._from_content(path, content, estimator, params)


def unfitted(
    path: Any, cls: Any, document: dict[str, Any], params: dict[str, Any]
) -> Any:
    """Return an estimator with the parameters in `document`, or those given anew."""
    missing = {n: r for n, r in document["objects"].items() if n not in params}
    if missing:
        listed = ", ".join(f"{name} (it was {was})" for name, was in missing.items())
        example = ", ".join(f"{name}=..." for name in missing)
        raise ValueError(
            f"{path} does not hold the parameters {listed}: objects and classes of "
            f"your own are not written to files. Pass them: load(path, {example})."
        )
    known = inspect.signature(cls).parameters
    unknown = sorted(params.keys() - known.keys())
    if unknown:
        raise ValueError(
            f"load was given {unknown}, which are no parameters of {cls.__name__}. "
            f"It has {sorted(known)}."
        )
    stored = document["params"]
    if "device" in stored and "device" not in params:
        stored = stored | {"device": _device_here(stored["device"])}
    try:
        est = cls(**stored | params)
    except TypeError as error:
        raise ValueError(
            f"{path} does not fit {cls.__name__} of this release: {error}"
        ) from error
    est._validate_params()
    if "device" in params:
        resolve_device(est.device)  # which raises, as in `fit`
    return est


def _estimator_class(path: Any, content: Content, estimator: type | None) -> Any:
    name, inner = content.estimator, content.document.get("recommender", {})
    if estimator is not None and estimator.__name__ == inner.get("class"):
        estimator = None
    if estimator is not None:
        if estimator.__name__ == name and hasattr(estimator, "save"):
            return estimator
        raise ValueError(f"{path} holds a {name}, not a {estimator.__name__}.")
    package = import_module(__name__.partition(".")[0])
    if name in package.__all__:
        cls = getattr(package, name)
        if isinstance(cls, type) and issubclass(cls, SaveMixin):
            return cls
    raise ValueError(
        f"{path} holds a {name}, which is no estimator of this release of "
        f"sklearn_invlearn. If it is one of your own, pass it: load(path, "
        f"estimator={name})."
    )


def _device_here(device: Any) -> Any:
    try:
        resolve_device(device)
    except ValueError:
        warnings.warn(
            f"The recommender was on device={str(device)!r}, which is not available "
            "here; it is loaded with device='cpu'.",
            UserWarning,
            stacklevel=4,
        )
        return "cpu"
    return device


def _restore(est: Any, content: Content) -> None:
    document = content.document
    for name, value in document["fitted"].items():
        setattr(est, name, value)
    encoder = PairEncoder.from_exact_ids(document["users"], document["items"])
    device = resolve_device(est.device)
    with torch_settings(None), torch_seed(0, torch.device("cpu")):
        sizes = encoder.n_users, encoder.n_items
        module = est._blank_module(*sizes, document["settings"])
        module.load_state_dict(content.module)
        net = est._make_net(module, device, seed=0, callbacks=[])
        net.initialize()
        net.module_.eval()
        net.history_ = History(document["history"])
        for name in net.counts:  # a net of an earlier stage counts less
            setattr(net, name, document["counts"].get(name, 0))
        kind = type(net.optimizer_).__name__
        if document.get("optimizer_class", kind) == kind:
            set_optimizer_state(net, content.optimizer)
    est._encoder = encoder
    est.net_ = net
