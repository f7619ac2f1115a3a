"""Files of an estimator around a recommender: the recommender's, and what it adds."""

from __future__ import annotations

from copy import copy
from typing import Any

from sklearn.base import clone

from . import _files
from ._file_format import Content


class WrapperSaveMixin(_files.SaveMixin):
    """``save`` of an estimator with a parameter `recommender`, fitted `recommender_`.

    Its other attributes that `fit` has set are saved as they are.
    """

    recommender: Any
    recommender_: Any

    def _content(self, optimizer: bool) -> Content:
        inner = copy(self.recommender_)._content(optimizer)
        own = _files.params_and_state(self, left_out=("recommender", "recommender_"))
        given = None
        if self.recommender is not None:
            given = _files.params_and_state(self.recommender)["params"]
        document = own | {
            "given": given,
            "recommender": {"class": inner.estimator, "document": inner.document},
        }
        return Content(type(self).__name__, document, inner.module, inner.optimizer)

    @classmethod
    def _from_content(
        cls, path: Any, content: Content, estimator: type | None, params: dict[str, Any]
    ) -> Any:
        document, part = content.document, content.document["recommender"]
        mine = {n: v for n, v in params.items() if not n.startswith(_PREFIX)}
        theirs = {
            n.removeprefix(_PREFIX): v
            for n, v in params.items()
            if n.startswith(_PREFIX)
        }
        _require_objects(path, part["document"]["objects"], theirs)
        inner_class = estimator if estimator is not cls else None
        inner = _files.recommender_of(
            path,
            Content(part["class"], part["document"], content.module, content.optimizer),
            inner_class,
            theirs,
        )
        est = _files.unfitted(path, cls, document, mine)
        if document["given"] is not None:
            given = document["given"] | theirs | {"device": inner.device}
            est.recommender = clone(inner).set_params(**given)
        for name, value in document["fitted"].items():
            setattr(est, name, value)
        est.recommender_ = inner
        return est


_PREFIX = "recommender__"


def _require_objects(path: Any, objects: dict[str, str], given: dict[str, Any]) -> None:
    missing = [f"{_PREFIX}{name}=..." for name in objects if name not in given]
    if missing:
        raise ValueError(
            f"{path} does not hold parameters of the recommender inside that are "
            "objects or classes of your own. Pass them: load(path, "
            f"{', '.join(missing)})."
        )
