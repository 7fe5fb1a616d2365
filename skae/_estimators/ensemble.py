"""Ensembles of autoencoders, whose scores depend less on chance."""

from dataclasses import field
from math import ceil
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skae._data.checks import clipped
from skae._data.given import as_data, like_input
from skae._data.ignored import warn_if_y_is_meant
from skae._estimators.autoencoder import Autoencoder
from skae._estimators.base import BaseAutoencoder
from skae._estimators.fitted import FittedAutoencoder
from skae._estimators.members import EnsemblePredictor
from skae._estimators.reading import learn
from skae._estimators.supervised import Supervised
from skae._params import (
    JOBS,
    FittedAttributes,
    ParameterMixin,
    fit_context,
    integer,
    parameter_class,
    real,
    refuse_class,
    unchanged_on_error,
)
from skae._training.fits import FitTask, fit_all
from skae._training.tasks import meta_task, subtasks, task_facts


@parameter_class
class EnsembleAutoencoder(
    FittedAutoencoder, FittedAttributes, CallbackSupportMixin, ParameterMixin
):
    """Ensemble of autoencoders: averages many models, so results depend less on chance.

    The members are copies of one or several autoencoders. Each has its
    own seed, and can be trained on a part of the rows or columns. Members of the same shape are
    trained together, which is much faster than one by one.

    ``score_samples`` puts the scores of each member on one scale and averages them [1]_.
    The more the members differ, the more stable and accurate the outlier scores are [2]_: use
    autoencoders of several widths and depths, or a smaller ``max_features``. This helps most if
    there are anomalies among the training rows.

    Parameters
    ----------
    estimator : autoencoder, list of autoencoders or None, default=None
        The members are copies of it. A list is repeated until there are ``n_estimators``
        members. Its autoencoders can differ in objective, width and depth, but must read X in
        the same way: as rows, images or sequences. None is ``Autoencoder()``.
    n_estimators : int, default=10
        Number of members.
    max_samples : int or float, default=1.0
        Rows that each member is trained on, as a number or a fraction, which is rounded up.
        Without ``bootstrap``, each row is drawn almost equally often.
    bootstrap : bool, default=False
        Whether rows are drawn with replacement, with probabilities by ``sample_weight`` if it
        is given. A row counts as often as it is drawn.
    max_features : int or float, default=1.0
        Columns that each member is trained on, as a number or a fraction, for rows of numbers.
        All columns are used by the same number of members, or by one more.
    n_jobs : int or None, default=None
        Number of processes that share the training. None is this one, -1 as many as there are
        cores.
    random_state : int, RandomState instance or None, default=None
        Seed of the members and of the draws of rows and columns. The ``random_state`` of the
        members is not used. An int gives the same ensemble at every fit.
    verbose : int, default=0
        1 shows a progress bar over all members with the mean of their losses, 2 also prints how
        many train together, and 0 shows nothing.

    Attributes
    ----------
    estimators_ : list of autoencoders
        The fitted members.
    estimators_features_ : list of ndarray of int
        Columns that each member is trained on.
    estimators_samples_ : list of ndarray of int
        Rows that each member was trained on. They are drawn again at every access, to save
        memory.
    score_centers_ : ndarray of shape (n_estimators,)
        Median of the scores that each member gives the training rows, which ``score_samples``
        subtracts. Unlike the mean, it is robust to outliers in the training rows.
    score_scales_ : ndarray of shape (n_estimators,)
        Interquartile range of these scores, by which ``score_samples`` divides.
    n_components_ : int
        Total length of the codes of all members.
    device_ : torch.device
        Device of the members.
    n_features_in_ : int
        Number of features of the training rows, of values of an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if the training rows were a DataFrame.

    See Also
    --------
    Autoencoder : A single autoencoder.
    sklearn.ensemble.IsolationForest : Ensemble of trees for anomaly scores.

    References
    ----------
    .. [1] C. C. Aggarwal and S. Sathe, "Theoretical foundations and algorithms for outlier
       ensembles", ACM SIGKDD Explorations 17, 2015.
    .. [2] J. Chen, S. Sathe, C. Aggarwal and D. Turaga, "Outlier detection with autoencoder
       ensembles", SIAM International Conference on Data Mining, 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.metrics import roc_auc_score
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skae import Autoencoder, EnsembleAutoencoder
    >>> from skae.architectures import Dense
    >>> X, is_benign = load_breast_cancer(return_X_y=True)
    >>> X = StandardScaler().fit(X[is_benign == 1]).transform(X)
    >>> members = [
    ...     Autoencoder(architecture=Dense(sizes), max_epochs=20)
    ...     for sizes in [(), (32,), (64, 32), (128, 64)]
    ... ]
    >>> ensemble = EnsembleAutoencoder(members, n_estimators=4, random_state=0)
    >>> ensemble = ensemble.fit(X[is_benign == 1][:200])
    >>> roc_auc_score(is_benign, ensemble.score_samples(X)) > 0.9
    True
    >>> ensemble.transform(X).shape
    (569, 20)
    """

    estimator: Any = field(default=None, kw_only=False)
    n_estimators: int = field(default=10, kw_only=False)
    max_samples: int | float = 1.0
    bootstrap: bool = False
    max_features: int | float = 1.0
    n_jobs: int | None = None
    random_state: Any = None
    verbose: int = 0

    _parameter_constraints = {
        "n_estimators": [integer(1)],
        "max_samples": [integer(1), real(0, 1, closed="right")],
        "bootstrap": ["boolean"],
        "max_features": [integer(1), real(0, 1, closed="right")],
        "n_jobs": JOBS,
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @classmethod
    def _parts(cls):
        return {"estimator": [Autoencoder]}

    # Training.

    @fit_context(prefer_skip_nested_validation=False)  # members check their own parameters
    def fit(self, X, y=None, sample_weight=None):
        """Train the members.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows, or images or sequences if the members take them.
        y : array-like of shape (n_samples, ...) or None, default=None
            Labels for members with a ``target``. Others ignore them.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row in the losses of the members; with ``bootstrap``, the
            probability that it is drawn is proportional to it.

        Returns
        -------
        self : object
            The fitted ensemble.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, or if the training of a member fails. An
            ensemble that was fitted before does not change.
        """
        facts = task_facts(self, X, y, sample_weight)
        with unchanged_on_error(self), meta_task(facts, self.n_estimators, False) as task:
            self._fit(X, y, sample_weight, task)
        return self

    def _fit(self, X, y, sample_weight, task):
        originals = self._originals()
        if not any(isinstance(one, Supervised) and one.target is not None for one in originals):
            warn_if_y_is_meant(type(self).__name__, X, y)
            y = None
        dataset = learn(self, X, sample_weight=sample_weight)
        samples, n_members = self._samples(X, dataset), self.n_estimators
        rng = check_random_state(self.random_state)
        self.estimators_features_ = self._draw_features(rng, dataset)
        self._seeds = rng.randint(np.iinfo(np.int32).max, size=n_members)
        self._draw = self._row_draw(dataset)
        members = [clone(originals[i % len(originals)]) for i in range(n_members)]
        tasks, fits = subtasks(self, task, ["fit-member"] * n_members), []
        for member, seed, features, rows, within in zip(
            members, self._seeds, self.estimators_features_, self._draw.rows(), tasks, strict=True
        ):
            _set_seeds(member, seed)
            # Weights, not rows: all members share the memory of X, and a row that is drawn twice
            # cannot be held out and trained on at once.
            weight = self._draw.weight(rows)
            params = {} if weight is None else {"sample_weight": weight}
            seen = self._seen(samples, features)
            fits.append(FitTask(member, seen, y, within=within, **params))
        title = type(self).__name__ if self.verbose else None
        for fit in fit_all(fits, self.n_jobs, self.verbose > 1, title, True):
            if fit.error is not None:
                i = fits.index(fit)
                seen = self.estimators_features_[i]
                which = f"member {i} of {type(self).__name__}, {fit.estimator!r}"
                what = "" if len(seen) == self.n_features_in_ else f" It sees columns {seen} of X."
                fit.error.add_note(f"This happened to {which}.{what}")
                raise fit.error
        self.estimators_ = members
        self.n_components_ = sum(member.n_components_ for member in members)
        self._predictor = self._join_members()
        scores = (fit.estimator.score_samples(fit.data[0]) for fit in fits)
        normalizers = [_center_and_scale(of_one, dataset.sample_weight) for of_one in scores]
        self.score_centers_, self.score_scales_ = np.transpose(normalizers)
        self._learn_lengths(dataset)

    def _join_members(self):
        return EnsemblePredictor(
            [member._predictor for member in self.estimators_],
            [member.n_components_ for member in self.estimators_],
            self.estimators_features_,
            self.n_features_in_,
        )

    def __getstate__(self):
        """Return the state for pickle, in which no net is twice."""
        state = dict(super().__getstate__())
        state.pop("_predictor", None)
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "estimators_" in vars(self):
            self._predictor = self._join_members()

    def _originals(self):
        """Return the autoencoders that the members are copies of."""
        originals = self._given()
        for one in originals:
            refuse_class("estimator", one)
        others = [one for one in originals if not isinstance(one, BaseAutoencoder)]
        if others or not originals:
            got = repr(others[0]) if others else "an empty list"
            raise ValueError(
                "estimator must be an autoencoder, such as Autoencoder(), or a list of them; got "
                f"{got}. Steps before it, such as a scaler, go before the ensemble: "
                "make_pipeline(StandardScaler(), EnsembleAutoencoder())."
            )
        for one in originals:
            one._validate_params()
        kinds = sorted({one._input_kind for one in originals})
        if len(kinds) > 1:
            raise ValueError(
                f"estimator holds autoencoders that read X as {' and as '.join(kinds)}. Give such "
                "that all read it in one way."
            )
        layouts = {repr(self._reader_class.of(one._make_architecture())) for one in originals}
        if len(layouts) > 1:
            raise ValueError(
                f"estimator holds autoencoders that read X as {kinds[0]} in different ways: "
                f"{' and '.join(sorted(layouts))}. Give all of them the same."
            )
        if len(originals) > self.n_estimators:
            raise ValueError(
                f"n_estimators={self.n_estimators} leaves out some of the {len(originals)} "
                "autoencoders of estimator. Raise it, or shorten the list."
            )
        return originals

    def _given(self):
        """Return ``estimator`` as a list, as the user gave it."""
        given = Autoencoder() if self.estimator is None else self.estimator
        return list(given) if isinstance(given, (list, tuple)) else [given]

    @property
    def _input_kind(self):  # also before ``fit`` has checked the estimator: tags ask for it
        given = (one for one in self._given() if isinstance(one, BaseAutoencoder))
        return next((one._input_kind for one in given), "arrays")

    def _make_architecture(self):
        return self._originals()[0]._make_architecture()

    def _draw_features(self, rng, dataset):
        """Return the columns of each member; each column is drawn almost equally often."""
        n_members, n_features = self.n_estimators, self.n_features_in_
        n_seen = _count(self.max_features, n_features)
        if n_seen == n_features:
            return [np.arange(n_features)] * n_members
        if not dataset.can_drop_columns:
            raise ValueError(
                f"max_features={self.max_features} is for rows of numbers, but X is read as "
                f"{dataset.kind}. Leave it at 1.0."
            )
        if n_seen > n_features:
            raise ValueError(
                f"max_features={n_seen} asks for more columns than the {n_features} of X."
            )
        if n_seen * n_members < n_features:
            raise ValueError(
                f"{n_members} members that see {n_seen} of {n_features} columns each leave some "
                "unseen. Raise max_features or n_estimators."
            )
        features, times_seen = [], np.zeros(n_features, int)
        for _ in range(n_members):
            seen = np.sort(np.lexsort((rng.random_sample(n_features), times_seen))[:n_seen])
            times_seen[seen] += 1
            features.append(seen)
        return features

    def _row_draw(self, dataset):
        n_samples = len(dataset.weighted())
        n_drawn = _count(self.max_samples, n_samples)
        if n_drawn > n_samples and not self.bootstrap:
            raise ValueError(
                f"max_samples={n_drawn} asks for more rows than the {n_samples} that there are. "
                "Lower it, or draw with bootstrap=True."
            )
        return _Draw(len(dataset), n_drawn, self.bootstrap, dataset.sample_weight, self._seeds)

    def _samples(self, X, dataset):
        """Return the input of the members, which need not be read again by classes of skae's."""
        if dataset.can_drop_columns:
            return dataset.X
        own = {type(one).__module__.partition(".")[0] for one in self._originals()}
        return dataset if own == {__package__.partition(".")[0]} else as_data(X)

    def _seen(self, samples, features):
        return samples if len(features) == self.n_features_in_ else samples[:, features]

    # Using the model.

    def score_samples(self, X):
        """Score rows by how well the members reconstruct them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Mean of the members' scores. From each, the median of the training rows is
            subtracted, and it is divided by their interquartile range. The higher, the more
            normal: outliers have the lowest scores.
        """
        check_is_fitted(self)
        samples = self._samples(X, self._reader.read(X, estimator=self))
        total = 0.0
        for member, features, center, scale in self._members():
            scores = member.score_samples(self._seen(samples, features))
            with np.errstate(over="ignore"):
                total = total + (scores - center) / scale
        return like_input(clipped(total / len(self.estimators_)), X)

    def _members(self):
        """Yield each member, the columns that it sees, and center and scale of its scores."""
        normalizers = self.score_centers_.tolist(), self.score_scales_.tolist()
        yield from zip(self.estimators_, self.estimators_features_, *normalizers, strict=True)

    def _element_losses(self, X):
        dataset = self._reader.read(X, estimator=self)
        samples, total = self._samples(X, dataset), 0.0
        for member, features, center, scale in self._members():
            seen, losses = member._element_losses(self._seen(samples, features))
            with np.errstate(over="ignore"):
                losses = (losses + center * seen.fraction) / scale
                if len(features) < self.n_features_in_:
                    wide = np.zeros((len(losses), self.n_features_in_), losses.dtype)
                    wide[:, features] = losses * (self.n_features_in_ / len(features))
                    losses = wide
                total = total + losses
        return dataset, clipped(total / len(self.estimators_))

    @staticmethod
    def _squared_errors(module, x, target):
        del target
        return module.squared_errors(x)

    # Fitted attributes.

    @property
    def estimators_samples_(self):
        """Rows that each member was trained on."""
        check_is_fitted(self)
        return list(self._draw.rows())

    @property
    def device_(self):
        """The device of the members."""
        return self.estimators_[0].device_

    @property
    def _n_features_out(self):
        return self.n_components_

    def __sklearn_is_fitted__(self):
        return "estimators_" in vars(self)


class _Draw(NamedTuple):
    """How members draw their rows.

    Parameters
    ----------
    n_samples, n_drawn : int
    bootstrap : bool
        Whether rows are drawn with replacement. Without, each is drawn almost equally often.
    sample_weight : ndarray of shape (n_samples,) or None
    seeds : ndarray of int, shape (n_members,)
    """

    n_samples: int
    n_drawn: int
    bootstrap: bool
    sample_weight: np.ndarray | None
    seeds: np.ndarray

    def rows(self):
        """Yield the sorted rows of each member."""
        weight = self.sample_weight
        candidates = np.arange(self.n_samples) if weight is None else np.flatnonzero(weight)
        fraction = None if weight is None else weight / weight.sum()
        times_drawn = np.zeros(len(candidates), int)
        for seed in self.seeds:
            rng = np.random.RandomState(seed)
            if self.bootstrap:
                yield np.sort(rng.choice(self.n_samples, self.n_drawn, p=fraction))
                continue
            order = np.lexsort((rng.random_sample(len(candidates)), times_drawn))
            drawn = np.sort(order[: self.n_drawn])
            times_drawn[drawn] += 1
            yield candidates[drawn]

    def weight(self, rows):
        """Return the weight of each row for the member that draws some, or None if all count 1."""
        if not self.bootstrap and self.sample_weight is None and self.n_drawn == self.n_samples:
            return None
        times_drawn = np.bincount(rows, minlength=self.n_samples)
        if self.bootstrap or self.sample_weight is None:
            return times_drawn.astype(np.float64)
        return times_drawn * self.sample_weight


def _count(wanted, n):
    """Return a number of n items, given as a number or as a fraction that is rounded up."""
    return int(wanted) if isinstance(wanted, Integral) else ceil(round(wanted * n, 6))


def _set_seeds(estimator, seed):
    """Set all parameters that are seeds, nested ones too."""
    rng = np.random.RandomState(seed)
    names = [name for name in sorted(estimator.get_params()) if name.endswith("random_state")]
    estimator.set_params(**{name: int(rng.randint(np.iinfo(np.int32).max)) for name in names})


def _center_and_scale(scores, sample_weight):
    """Return the median and the interquartile range, which are robust to outliers."""
    how = {} if sample_weight is None else {"weights": sample_weight, "method": "inverted_cdf"}
    low, center, high = np.quantile(scores.astype(np.float64), [0.25, 0.5, 0.75], **how)
    return center, high - low or scores.std() or 1.0
