"""What an estimator around a recommender knows from the one inside."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted


def _of_recommender(name: str, doc: str) -> Any:
    # Read every time: the recommender inside may be updated.
    return property(lambda self: getattr(self.recommender_, name), doc=doc)


class DelegationMixin:
    """Fitted attributes of `recommender_`, the fitted recommender inside."""

    recommender_: Any

    net_ = _of_recommender("net_", "Net of the fitted recommender.")
    classes_ = _of_recommender("classes_", "The two labels, shape (2,).")
    class_count_ = _of_recommender("class_count_", "Labelled rows of each class (2,).")
    n_features_in_ = _of_recommender("n_features_in_", "Columns of `X` in `fit`.")
    feature_names_in_ = _of_recommender("feature_names_in_", "Their names, if any.")
    n_iter_ = _of_recommender("n_iter_", "Epochs of the fitted recommender.")
    handle_unknown = _of_recommender("handle_unknown", "What it does with unknown ids.")
    n_threads = _of_recommender("n_threads", "CPU threads that it uses.")
    verbose = _of_recommender("verbose", "Whether it shows bars.")
    _encoder = _of_recommender("_encoder", "Ids and codes.")
    _seen = _of_recommender("_seen", "Pairs with feedback.")

    @property
    def history_(self) -> Any:
        """History of the fitted recommender's net."""
        check_is_fitted(self, "net_")
        return self.net_.history

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")
