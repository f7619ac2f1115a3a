"""Documentation of the parameters that all recommenders share, written once."""

from __future__ import annotations

from inspect import signature
from typing import TypeVar

_MARK = "    <shared parameters>\n"
_SAMPLING_MARK = "    <sampling parameters>\n"

_SHARED_PARAMETERS = """\
    backbone : str or torch module class, default="spectral"
        The model of a pair, by name or as a class of your own. "spectral" (refused by
        `MultiTaskRecommender`) learns from the structure of all exposures, chooses rank
        and regularisation by itself, and is fitted to the labels before the procedure
        begins; it wins where labels are few. "gmf", "mlp" and "neumf" are generalised
        matrix factorisation, multi-layer perceptron, and both side by side (He et al.,
        "Neural Collaborative Filtering", WWW 2017, doi:10.1145/3038912.3052569);
        "cdae" scores from the user's history, the positives in `X` (collaborative
        denoising auto-encoder; Wu et al., WSDM 2016, doi:10.1145/2835776.2835837; its
        authors use 200 factors); "bias" is intercept and biases alone. A class is
        built as ``backbone(n_users=..., n_items=..., **backbone_params)`` and called
        as ``module(user, item)`` with two int64 tensors of codes, shape (B,), code 0
        being the unknown id; it returns a logit of shape (B,). Of `n_factors`,
        `user_bias` and `item_bias` it is given those that its constructor names, and
        the codes of the observed positives, int64 (2, n), if it names ``history``.

    n_factors : int, default=32
        Length of the embeddings (of the last hidden layer, for the perceptron; of the
        hidden layer, for "cdae").
        "spectral" and "bias" do not use it.

    user_bias : bool, default=True
        Whether every user has a bias. The papers' backbones have none; where
        labels are few, biases carry most of what can be learned. "spectral" always
        has both.

    item_bias : bool, default=True
        Whether every item has a bias.

    backbone_params : dict, default=None
        Further arguments of the backbone's constructor, such as
        ``{"n_layers": 3, "dropout": 0.2}`` for the perceptron.

    gamma : float, default=0.001
        Learning rate γ on labelled pairs.

    weight_decay : float, default=0.0
        L2 penalty, as the optimiser understands it: "adam" and "sgd" apply it to the
        rows of users and items that a batch touches.

    optimizer : {"adam", "dense_adam", "sgd"} or torch optimizer class, default="adam"
        What turns a gradient into a step of size `gamma`. The update of
        Algorithm 1 as printed is "sgd"; the papers train with Adam. "adam" updates
        only the rows of users and items that a batch touches, so that the cost of an
        epoch does not grow with the number of users; "dense_adam" is
        `torch.optim.Adam`, which also moves all other rows, by the momentum they have
        left. Row 0 of the package's tables, that of unknown ids, moves under neither.

    max_epochs : int, default=None
        Passes over the labelled pairs. None is 50 for backbones that start from
        random weights; for "spectral", which comes fitted to the labels, it is 1
        where negatives are sampled or alpha is given, and 0 otherwise.

    batch_size : int, default=1024
        Rows per batch, labelled and unlabeled alike.

    early_stopping : bool or "auto", default="auto"
        Whether to stop once the loss of the validation rows has not improved by
        `tol` for `n_iter_no_change` epochs, and to go back to the best weights.
        Without `X_val` in `fit`, True sets a share of `validation_fraction` of the
        labelled rows aside. "auto" is True if `X_val` is passed or there are 10,000
        labelled rows or more (20 of either class); without `X_val` it is False for
        "spectral", `MultiTaskRecommender` and `NegativeReweightingRecommender`.

    validation_fraction : float, default=0.1
        Share of the labelled rows to set aside, stratified by class.

    n_iter_no_change : int, default=5
        Epochs without improvement after which early stopping stops.

    tol : float, default=0.0001
        Smallest change of the validation loss that counts as an improvement.

    sampling : {"uniform", "same_user"}, default="uniform"
        Which unobserved pairs to draw where unlabeled pairs are needed and
        `X_unlab` is None: any, or one of the user of each row in the labelled batch
        (which the papers' public code does).

    handle_unknown : {"average", "error"}, default="average"
        What to do with ids at prediction that were not there in `fit`. "average"
        scores an unknown user as the average user, so that the item decides (and
        the other way round); "error" raises.

    device : str or torch.device, default="auto"
        Where to train and to predict; "auto" is CUDA where there is any. CUDA adds up
        in no fixed order: there, `random_state` fixes a result up to rounding, and
        torch's notes on reproducibility say what fixes the last bits.

    n_threads : int, default=1
        CPU threads of torch during `fit` and prediction. With one, results do
        not depend on the machine or on `n_jobs` of a search around it; batches of
        ordinary size do not gain from more. None leaves torch's setting.

    callbacks : list of skorch callbacks, default=None
        Handed to the net, after the estimator's own. The history has no batches,
        which a few of them need. A schedule of the learning rate
        starts at `gamma` in every call.

    random_state : int, RandomState instance or None, default=None
        Fixes initial weights, splits, order of batches and sampled pairs.

    warm_start : bool, default=False
        Whether a further call of `fit` starts from the present weights: known ids and
        their rows are kept, and `history_` goes on. See also `partial_fit`.

    verbose : int, default=0
        1 shows progress bars on standard error: the stages of a backbone that comes
        fitted, the epochs with their losses, and predictions of over a million pairs.
"""

_SAMPLING_PARAMETERS = """\
    n_negatives : int, default=1
        Sampled negatives per labelled row (batches of `X_unlab` per labelled batch, if
        there is a pool).

    resample : {"batch", "epoch"}, default="batch"
        "batch" draws negatives for each labelled batch, which then has
        ``(1 + n_negatives) * batch_size`` rows. "epoch" draws those of an epoch first
        and shuffles them together with the labelled rows, for batches of
        `batch_size` rows in all: more steps per epoch, and what the papers' public
        code does.

    extra_feedback : {"warmup", "finetune"} or None, default=None
        What to do with `X_extra`: train on it by cross entropy before everything
        else, or after it ([ADT] Section 3.4). Its negatives are drawn among pairs that
        are neither in `X` nor in `X_extra`, also if there is a pool. The optimiser
        starts anew in each stage; early stopping and `callbacks` see the main one
        only. `history_` has ``stage`` in every row: "warmup", "main" or "finetune", and
        "update" after `partial_fit`. After warm-up the attribute
        ``warm_user_vectors_``, ndarray of shape (n_users, d), float32, keeps the
        vectors of the users of `fit` as they were then, in the order of `user_ids_`,
        if the backbone has vectors of users.

    n_extra_epochs : int, default=10
        Passes over `X_extra` in its stage.
"""

Cls = TypeVar("Cls", bound=type)


def with_shared_parameters(cls: Cls) -> Cls:
    """Put the shared parameters in the place of their marks in the docstring."""
    if cls.__doc__:  # no docstring under python -OO
        backbone = signature(cls).parameters["backbone"].default
        shared = _SHARED_PARAMETERS.replace(
            'class, default="spectral"', f'class, default="{backbone}"'
        )
        doc = cls.__doc__.replace(_SAMPLING_MARK, _SAMPLING_PARAMETERS)
        cls.__doc__ = doc.replace(_MARK, shared)
    return cls
