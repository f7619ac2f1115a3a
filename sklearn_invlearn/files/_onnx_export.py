"""Export the scorer of a fitted recommender to ONNX.

A logit that is a product of two sides (see `modules`) becomes a table of users, a
table of items and the product of two rows: what goes into a side, such as CDAE's
histories, is computed once, here. Any other backbone is traced by torch.
"""

from __future__ import annotations

import io
import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from copy import copy, deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from .. import __version__
from ..fitting._inputs import check_pairs_to_score
from ..fitting._torch_state import torch_settings
from ..ids._encoding import PairEncoder
from ..scoring._sides import Side, is_product, side_of
from ._file_format import replaced

_MOST_BYTES = 1536 * 2**20  # beyond that, torch writes a second file


class OnnxMixin:
    """``export_onnx``, and ``encode`` for the codes that the exported model takes."""

    if TYPE_CHECKING:
        net_: Any
        classes_: np.ndarray
        _encoder: PairEncoder
        _scorer: Any
        n_threads: int | None

    def encode(self, X) -> np.ndarray:
        """Return the codes of pairs, which an exported model takes.

        Parameters
        ----------
        X : array-like, DataFrame or list of rows of shape (n, n_columns)
            Pairs, with the columns of `fit`.

        Returns
        -------
        codes : ndarray of shape (n, 2), int64
            Code k is ``user_ids_[k - 1]`` or ``item_ids_[k - 1]``; 0 is an id that
            `fit` has not seen, whatever `handle_unknown` says.

        Raises
        ------
        ValueError
            For missing ids, and for ids of another type than in `fit`.

        See Also
        --------
        export_onnx : Write the model that takes them.

        Examples
        --------
        >>> from sklearn_invlearn import CrossEntropyRecommender
        >>> X = [["ann", 7], ["ann", 9], ["bob", 7]]
        >>> est = CrossEntropyRecommender(backbone="bias").fit(X, [1, 0, 1])
        >>> est.encode([["bob", 9], ["eve", 7]])
        array([[2, 2],
               [0, 1]])
        """
        check_is_fitted(self, "net_")
        return self._encoder.lookup(check_pairs_to_score(self, X)).T

    def export_onnx(self, path: str | os.PathLike) -> None:
        """Write the scorer as an ONNX model, for runtimes without Python.

        The model has two inputs, the codes ``user`` and ``item`` (n,) int64 (see
        `encode`), n ≥ 1, and one output, the probability ``proba`` (n,) float32
        of ``classes_[1]``: what `predict_proba` says, in single precision. Code 0, an
        unknown id, is scored as the average user or item, whatever `handle_unknown`
        says. Needs the extra ``onnx``, ``pip install '.[onnx]'``.

        Parameters
        ----------
        path : str or path-like
            Where to; a file that is there is replaced once the new one is written.

        Raises
        ------
        ImportError
            If onnx or onnxscript is not installed.
        NotImplementedError
            If torch cannot export the backbone: ``"cdae"`` with
            ``leave_target_out=True``, which searches the user's history for every
            pair (ONNX has no operator for that), and perhaps a class of your own.
        ValueError
            If the model is larger than 1.6 GB (a single ONNX file holds 2 GB at most).
        OSError
            If the file cannot be written.

        See Also
        --------
        encode : Codes of pairs.
        save : A file from which the whole estimator is read again.

        Notes
        -----
        The model's metadata hold ``user_ids`` and ``item_ids``, in order of the codes
        1, 2, …, and ``classes``, as JSON lists, each of them if all its values are
        numbers, booleans or text; and ``estimator`` and ``library_version``.

        Examples
        --------
        >>> import tempfile
        >>> import onnxruntime
        >>> from sklearn_invlearn import CrossEntropyRecommender
        >>> X = [["ann", 7], ["ann", 9], ["bob", 7]]
        >>> est = CrossEntropyRecommender(backbone="gmf").fit(X, [1, 0, 1])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     est.export_onnx(f"{folder}/scorer.onnx")
        ...     session = onnxruntime.InferenceSession(f"{folder}/scorer.onnx")
        >>> user, item = est.encode(X).T
        >>> (proba,) = session.run(["proba"], {"user": user, "item": item})
        >>> bool(abs(proba - est.predict_proba(X)[:, 1]).max() < 1e-5)
        True
        """
        check_is_fitted(self, "net_")
        try:
            # torch imports them when it exports, with a message that says less.
            import onnx  # noqa: F401
            import onnxscript  # noqa: F401
        except ImportError as error:
            raise ImportError(
                f"{error}. export_onnx needs: pip install 'sklearn-invlearn[onnx]'"
            ) from error
        est = copy(self)  # another thread may update the recommender meanwhile
        metadata = {
            "estimator": type(est).__name__,
            "library_version": __version__,
            **_json_lists(
                user_ids=est._encoder.users.exact_ids,
                item_ids=est._encoder.items.exact_ids,
                classes=est.classes_,
            ),
        }
        with torch_settings(est.n_threads):
            module = est._scorer
            scorer = _Proba(
                _Product.of(module, est._encoder)
                if is_product(module)
                else deepcopy(module).cpu()
            ).eval()
            _require_room(scorer, metadata)
            program = _traced(scorer, type(module).__name__)
        program.model.metadata_props.update(metadata)
        with replaced(Path(path)) as unfinished:
            program.save(unfinished)


class _Proba(nn.Module):
    """Probability of the positive class, from a module that gives the logit."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        return torch.sigmoid(self.module(user, item)).float()


class _Product(nn.Module):
    """logit = bias of the user + bias of the item + product of their vectors."""

    def __init__(self, users: Side, items: Side) -> None:
        super().__init__()
        one = np.ones((1, 1))
        # Each bias meets a one, so that the logit is the product of two rows.
        self.users = _table(users.bias[:, None], one, users.vectors)
        self.items = _table(one, items.bias[:, None], items.vectors)

    @classmethod
    def of(cls, module: nn.Module, encoder: PairEncoder) -> _Product:
        return cls(
            side_of(module, "user_side", np.arange(encoder.n_users)),
            side_of(module, "item_side", np.arange(encoder.n_items)),
        )

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        return (self.users(user) * self.items(item)).sum(-1)


def _table(*columns: np.ndarray) -> nn.Embedding:
    n_rows = max(len(part) for part in columns)
    parts = [np.broadcast_to(part, (n_rows, part.shape[1])) for part in columns]
    rows = np.concatenate(parts, axis=1, dtype=np.float32)
    return nn.Embedding.from_pretrained(torch.from_numpy(rows))


def _json_lists(**values: Any) -> dict[str, str]:
    """Return lists of plain values as JSON; leave out those that hold others."""
    lists = {
        n: v.tolist() if isinstance(v, np.ndarray) else v for n, v in values.items()
    }
    return {
        name: json.dumps(plain)
        for name, plain in ((n, list(map(_plain, v))) for n, v in lists.items())
        if all(type(value) in (bool, int, float, str) for value in plain)
    }


def _plain(value: Any) -> Any:
    """Return a number, a boolean or a text of numpy as Python's."""
    is_plain = isinstance(value, np.generic) and value.dtype.kind in "biufU"
    return value.item() if is_plain else value


def _require_room(scorer: nn.Module, metadata: dict[str, str]) -> None:
    tensors = [*scorer.parameters(), *scorer.buffers()]
    n_bytes = sum(t.nbytes for t in tensors) + sum(map(len, metadata.values()))
    if n_bytes > _MOST_BYTES:
        raise ValueError(
            f"The tables and ids take {n_bytes / 1e9:.1f} GB; a single ONNX file takes "
            f"{_MOST_BYTES / 1e9:.1f} GB. Use fewer factors, or `save` and `load`."
        )


def _traced(scorer: nn.Module, backbone: str) -> Any:
    # Two tensors: the exporter takes one that is handed in twice for one input.
    user, item = torch.tensor([0, 1, 1]), torch.tensor([1, 0, 1])
    n = {0: torch.export.Dim.DYNAMIC}
    try:
        with _quiet():
            return torch.onnx.export(
                scorer,
                (user, item),
                dynamo=True,
                dynamic_shapes={"user": n, "item": n},
                input_names=["user", "item"],
                output_names=["proba"],
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise NotImplementedError(
            f"torch cannot export the backbone {backbone} to ONNX: {cause!s:.300}\n"
            "Only backbones whose logit is a product of two sides, with methods "
            "user_side and item_side, are exported without torch reading their "
            "forward. CDAE is one unless leave_target_out=True."
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what the exporter says about its own workings."""
    logger = logging.getLogger("torch")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        # Where torch fails, it prints the whole graph to standard error.
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
