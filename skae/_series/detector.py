"""Outliers in long series: windows, their reconstruction, and what held-out stretches show."""

from dataclasses import field
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import MetaEstimatorMixin, OutlierMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.validation import check_is_fitted

from skae._estimators.autoencoder import Autoencoder
from skae._names import did_you_mean
from skae._params import (
    JOBS,
    FittedAttributes,
    ParameterMixin,
    StrOptions,
    fit_context,
    integer,
    parameter_class,
    real,
    unchanged_on_error,
)
from skae._series.intervals import intervals_table, outlying_intervals
from skae._series.judged import Calibration, JudgedSeries, labels_of, p_values_of
from skae._series.judging import WindowJudge, original_of
from skae._series.reading import SeriesCollection
from skae._series.training import fit_and_hold_out, held_out_parts
from skae._series.windows import SeriesScale, Windows
from skae._sklearn import Options
from skae._training.tasks import meta_task, subtasks, task_facts

#: Windows of the length "auto" that fit into the training steps side by side.
WINDOWS_OF_SERIES = 12

#: Bounds of the length "auto", and values of such a window.
MIN_WINDOW, MAX_WINDOW, MAX_WINDOW_VALUES = 4, 300, 1200


@parameter_class
class SeriesOutlierDetector(
    MetaEstimatorMixin, OutlierMixin, FittedAttributes, CallbackSupportMixin, ParameterMixin
):
    """Find odd stretches in long series of sensors or metrics.

    A series is cut into windows that overlap. An autoencoder learns them, and how far a window is
    from its reconstruction says how unusual it is. The score of a step is the mean over the windows
    that it is in. The threshold comes from stretches of the training series that were held out, so
    it also fits steps that come later.

    Read more in the :ref:`User Guide <series>`.

    Parameters
    ----------
    estimator : "auto" or estimator, default="auto"
        What learns the windows. "auto" is a linear autoencoder: the principal components that hold
        93 % of the variance of the windows. The distance of a window has two parts: the error of
        its reconstruction, and how far its components are from usual ones [3]_, which counts less
        the more features there are. Autoencoders of skae and others with ``inverse_transform``
        judge windows by the error of the reconstruction, anything else by its ``score_samples``.
        The estimator is cloned. Windows have the shape (n_windows, window, n_features) for
        autoencoders of sequences, (n_windows, n_features, window) for those with convolutions, and
        for all others they are rows of a table, (n_windows, window * n_features).
    window : "auto" or int, default="auto"
        Steps of a window. "auto" takes a twelfth of the training steps: of all series of a list,
        of the shortest of a dict. It takes at most the shortest series, 300 steps, and
        1200 / n_features, but at least 4. If you know the period of the series, or how long the
        stretches that you look for are, give this.
    contamination : "auto" or float, default="auto"
        Fraction of outliers among the training steps, which sets the threshold, as of
        `OutlierDetector`.
    causal : bool, default=False
        Whether a step is judged by the window that ends there, instead of all windows that it is
        in. ``update`` always judges so, and `StreamingThreshold` requires it. Then the score
        depends only on this step and those before. The first ``window - 1`` steps have no score,
        nor have steps at which a value is missing.
    cv : int or None, default=5
        Number of stretches of each series that are held out in turn, to find scores of windows
        that the estimator did not learn. Each of them takes another fit. With None, there is only
        one fit, and the threshold comes from windows that the estimator did learn. Their scores
        are too good if it overfits.
    max_windows : int, default=20000
        Windows to learn from, at most. If there are more, every second, third or so is taken. If
        windows are large, it is fewer of them: at most 2**24 values in all.
    n_jobs : int or None, default=None
        Number of processes for the fits of ``cv``. None is a single process, -1 as many as there
        are cores.
    random_state : int, RandomState instance or None, default=None
        Seed of the estimator where its own ``random_state`` is None.
    verbose : int, default=0
        1 shows a progress bar over the fits.

    Attributes
    ----------
    estimator_ : estimator
        Fitted on windows of all series.
    window_ : int
        Steps of a window.
    offset_ : float or dict of float
        Steps with a lower score are outliers. A dict by name after ``fit`` on a dict.
    calibration_scores_ : ndarray of shape (n_calibration,) or dict of these
        Scores of the training steps, each from windows that were held out, without NaN.
    training_scores_ : ndarray, Series, or list or dict of these
        Scores of the training steps, in the form of the training series.
    n_context_ : int
        Steps before a new one that its score needs: those of its window, and half a window more,
        to fill a gap where the window begins.
    n_lookahead_ : int
        Steps after it that its score needs: as many, or 0 if ``causal`` is True.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they have names that are all text.

    See Also
    --------
    StreamingThreshold : A threshold that follows the scores of a stream.
    OutlierDetector : Outliers among rows, images and short sequences.
    skae.inspection.SeriesScoreDisplay : Draws a series with its scores and intervals.
    skae.metrics.vus_pr_score : How well scores find labeled stretches.

    Notes
    -----
    Series are given in three forms. One series is an array of shape (n_steps,) or
    (n_steps, n_features), a Series or a DataFrame. A list holds recordings of one machine: they
    share their scale and threshold, and no window goes from one to the next. A dict holds series
    of different machines or metrics by name: one model learns all, but each has a center, a spread
    and a threshold of its own. Results have the form of what was given, and its index.

    An index of dates, durations, periods or numbers must be sorted, without duplicates, and evenly
    spaced, but for at most a quarter of the intervals. Missing values are filled by straight lines
    if at most half a window of them is missing in a row. No window goes over a longer gap of values
    or of time. Steps that no window holds have the score NaN, the label 1 and the p-value NaN.

    If a feature is constant in training, one percent of its value counts as its spread, so that
    changes are seen.

    The p-value is for a single step. The conformal guarantee [1]_ holds for exchangeable scores.
    Those of neighbors depend on each other, so here the rate of false alarms may be higher or
    lower than p-values say. Outliers among the training steps make p-values larger. Stretches are
    held out as in [2]_: cross-validation in blocks, here with a gap of one window.

    References
    ----------
    .. [1] S. Bates, E. Candès, L. Lei, Y. Romano and M. Sesia, "Testing for outliers with
       conformal p-values", Annals of Statistics 51, 2023.
    .. [2] P. Burman, E. Chow and D. Nolan, "A cross-validatory method for dependent data",
       Biometrika 81, 1994.
    .. [3] J. E. Jackson and G. S. Mudholkar, "Control procedures for residuals associated with
       principal component analysis", Technometrics 21, 1979.

    Examples
    --------
    >>> import numpy as np
    >>> from skae import SeriesOutlierDetector
    >>> rng = np.random.default_rng(0)
    >>> series = np.sin(np.arange(3000) / 8) + 0.1 * rng.normal(size=3000)
    >>> series[2000:2020] = 0  # a fault
    >>> detector = SeriesOutlierDetector(window=50).fit(series)
    >>> detector.intervals()[["start", "end"]].to_numpy().tolist()
    [[1960, 2054]]
    """

    estimator: Any = field(default="auto", kw_only=False)
    window: Any = field(default="auto", kw_only=False)
    contamination: Any = "auto"
    causal: bool = False
    cv: int | None = 5
    max_windows: int = 20_000
    n_jobs: int | None = None
    random_state: Any = None
    verbose: int = 0

    _parameter_constraints = {
        "window": [StrOptions({"auto"}), integer(1)],
        "contamination": [StrOptions({"auto"}), Options(Real, {0}), real(0, 0.5, closed="right")],
        "causal": ["boolean"],
        "cv": [integer(2), None],
        "max_windows": [integer(1)],
        "n_jobs": JOBS,
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @classmethod
    def _parts(cls):
        return {"estimator": [Autoencoder]}

    # Fitting.

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, series, y=None):
        """Learn the windows of series, and find the threshold from held-out stretches.

        Parameters
        ----------
        series : array-like of shape (n_steps,) or (n_steps, n_features), Series, DataFrame, \
                or list or dict of these
            Most steps should be normal.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        TypeError
            If a series holds something else than numbers.
        ValueError
            If a parameter is invalid; if a series is shorter than a window, or all together are
            shorter than two; if features differ; if times are missing, unsorted, there twice or
            uneven; or if gaps leave no window. A detector that was fitted before does not change.
        """
        del y
        with unchanged_on_error(self):
            self._fit(SeriesCollection.of(series), series)
        return self

    def _fit(self, collection, given):
        members = collection.members
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        self._form = collection.form
        self.window_ = self._window_length(members)
        self._set_features(members[-1])
        original = original_of(self.estimator, seed, self.n_features_in_)
        self._scales = self._scales_of(members)
        cut = [self._windows(one) for one in members]
        self._check_windows(members, cut)
        blocks = held_out_parts(cut, self.cv)
        with meta_task(task_facts(self, given), 1 + len(blocks), False) as task:
            self._fit_estimators(original, cut, blocks, task)
        self._blocks = {one.digest: [fold[i] for fold in blocks] for i, one in enumerate(members)}
        self._calibrate(collection, list(map(self._judge, members, cut)))
        recent = {one.key: one.tail(self.n_context_) for one in members}
        self._recent = {} if self._form == "list" else recent
        self._paces = {self._group(one): one.pace for one in members}

    def _fit_estimators(self, original, cut, blocks, task):
        names = ["fit-estimator", *(f"fit-without-stretch-{k}" for k in range(len(blocks)))]
        title = type(self).__name__ if self.verbose else None
        fitting = {"n_jobs": self.n_jobs, "verbose": self.verbose > 1, "title": title}
        self.estimator_, self._of_folds = fit_and_hold_out(
            original, cut, blocks, self.max_windows, subtasks(self, task, names), **fitting
        )

    def _check_windows(self, members, cut):
        """Raise an error if the series of a threshold have no window."""
        usable = {
            self._group(one)
            for one, windows in zip(members, cut, strict=True)
            if windows.usable.any()
        }
        for one in members:
            if self._group(one) in usable:
                continue
            empty = [one.feature(i) for i in np.flatnonzero(np.isnan(one.values).all(0))]
            remedy = (
                f"Drop what has no value at all: {empty}."
                if empty
                else ("Set window to less, or fill the gaps first.")
            )
            raise ValueError(
                f"{one.name} has no window of {self.window_} steps without a gap of more than half "
                f"of it. {remedy}"
            )

    def _window_length(self, members):
        lengths = [len(one.values) for one in members]
        shortest, name = min(lengths), members[int(np.argmin(lengths))].name
        if self.window == "auto":
            steps = shortest if self._form == "dict" else sum(lengths)
            of_features = max(MIN_WINDOW, MAX_WINDOW_VALUES // members[0].values.shape[1])
            most = min(MAX_WINDOW, of_features, max(MIN_WINDOW, shortest))
            window = int(np.clip(steps // WINDOWS_OF_SERIES, MIN_WINDOW, most))
        else:
            window = int(self.window)
        if shortest < window:
            raise ValueError(
                f"{name} has n_samples={shortest} steps, fewer than a window of {window}. Set "
                "window to less, or leave the series out."
            )
        if sum(length // window for length in lengths) < 2:
            raise ValueError(
                f"{name} has n_samples={shortest} steps, but a threshold takes {2 * window}: two "
                f"windows of {window} that do not overlap. Set window to less."
            )
        return window

    def _set_features(self, one):
        self._columns, self.n_features_in_ = one.columns, one.values.shape[1]
        self.__dict__.pop("feature_names_in_", None)
        if self._columns and all(isinstance(name, str) for name in self._columns):
            self.feature_names_in_ = np.asarray(self._columns, dtype=object)

    def _scales_of(self, members):
        if self._form == "dict":
            return {one.key: SeriesScale(one.values) for one in members}
        return {None: SeriesScale(np.concatenate([one.values for one in members]))}

    def _calibrate(self, collection, judged):
        """Find the thresholds, and what is unusual in the training series."""
        keys = [self._group(one) for one in collection.members]
        groups = {key: [] for key in keys}
        for key, one in zip(keys, judged, strict=True):
            groups[key].append(one)
        self._calibrations = {
            key: Calibration.of(group, self.contamination) for key, group in groups.items()
        }
        self._usual_errors = _mean_errors(judged)
        self._training = collection.without_values()
        self._training_scores = [one.scores for one in judged]
        self._training_intervals = self._outlying(collection, judged, self.window_ // 2)

    def _group(self, one):
        """Return which scale and threshold a series has."""
        if self._form != "dict":
            return None
        if one.key not in self._scales:
            hint = did_you_mean(str(one.key), [str(key) for key in self._scales])
            raise ValueError(
                f"The detector was fitted on series by name, and knows no {one.name}.{hint} Give a "
                f"dict with names of the training series, such as {next(iter(self._scales))!r}."
            )
        return one.key

    def _windows(self, one):
        return self._cut(one, one.intervals(), self.causal)

    def _cut(self, one, intervals, is_causal):
        scale = self._scales[self._group(one)]
        return Windows(scale.scaled(one.values), self.window_, intervals, is_causal)

    # Scores.

    def score_samples(self, series):
        """Return the scores of steps.

        Parameters
        ----------
        series : array-like, Series, DataFrame, or list or dict of these
            As for ``fit``. After ``fit`` on a dict, a dict with some of its names.

        Returns
        -------
        scores : ndarray of shape (n_steps,), Series, or list or dict of these
            The higher, the more normal. With a reconstruction, minus the distance of windows from
            it, in units of what is usual. NaN where no window holds the step. A training series, if
            it is given unchanged, has the scores of the estimators that did not learn the
            stretch.

        Raises
        ------
        NotFittedError
            If the detector is not fitted.
        TypeError
            If a series holds something else than numbers.
        ValueError
            If a series is shorter than a window, has other features than the training series or
            a name that is not among theirs, or if its times are missing, unsorted, there twice or
            uneven.
        """
        collection, judged = self._judged(series)
        return _per_step(collection, [one.scores for one in judged], "score")

    def decision_function(self, series):
        """Return how far steps score above the threshold.

        Parameters
        ----------
        series : array-like, Series, DataFrame, or list or dict of these
            As for ``score_samples``.

        Returns
        -------
        decision : ndarray of shape (n_steps,), Series, or list or dict of these
            Negative for outliers, NaN where there is no score.

        Raises
        ------
        TypeError, ValueError
            As for ``score_samples``.
        """
        collection, judged = self._judged(series)
        pairs = zip(collection.members, judged, strict=True)
        decisions = [judged.scores - self._known(one).step_offset for one, judged in pairs]
        return _per_step(collection, decisions, "decision")

    def predict(self, series):
        """Predict which steps are outliers.

        Parameters
        ----------
        series : array-like, Series, DataFrame, or list or dict of these
            As for ``score_samples``.

        Returns
        -------
        labels : ndarray of shape (n_steps,), Series, or list or dict of these
            -1 for outliers, 1 for normal steps and those without a score.

        Raises
        ------
        TypeError, ValueError
            As for ``score_samples``.
        """
        collection, judged = self._judged(series)
        return self._labels(collection, [one.scores for one in judged])

    def fit_predict(self, series, y=None):
        """Fit, and predict which training steps are outliers, each from held-out windows.

        Parameters
        ----------
        series : array-like, Series, DataFrame, or list or dict of these
            As for ``fit``.
        y : None
            Ignored.

        Returns
        -------
        labels : ndarray of shape (n_steps,), Series, or list or dict of these
            -1 for outliers, 1 for normal steps and those without a score.

        Raises
        ------
        TypeError, ValueError
            As for ``fit``.
        """
        return self.fit(series, y).predict(series)

    def _labels(self, collection, scores):
        pairs = zip(collection.members, scores, strict=True)
        labels = [labels_of(scores, self._known(one).step_offset) for one, scores in pairs]
        return _per_step(collection, labels, "label")

    def p_value(self, series):
        """Return p-values: how probable such a low score is for a normal step.

        Parameters
        ----------
        series : array-like, Series, DataFrame, or list or dict of these
            As for ``score_samples``.

        Returns
        -------
        p_values : ndarray of shape (n_steps,), Series, or list or dict of these
            Fraction of calibration scores that are as low or lower; the step itself counts. NaN
            where there is no score. The notes on the class say what is promised.

        Raises
        ------
        TypeError, ValueError
            As for ``score_samples``.
        """
        collection, judged = self._judged(series)
        pairs = zip(collection.members, judged, strict=True)
        found = [p_values_of(judged.scores, self._known(one).of_steps) for one, judged in pairs]
        return _per_step(collection, found, "p_value")

    def explain(self, series):
        """Return how unusual each feature is at each step.

        Parameters
        ----------
        series : array-like, Series, DataFrame, or list or dict of these
            As for ``score_samples``.

        Returns
        -------
        errors : ndarray of shape (n_steps, n_features), DataFrame, or list or dict of these
            Squared errors of the reconstruction, means over the windows that a step is in,
            relative to their mean over held-out training windows: 1 is usual. If the estimator
            does not reconstruct, it is how much the score rises if the feature is put at its
            center. NaN where no window holds the step.

        Raises
        ------
        TypeError, ValueError
            As for ``score_samples``.
        """
        collection, judged = self._judged(series)
        pairs = zip(collection.members, judged, strict=True)
        errors = [one.per_cell(judged.cells / self._usual_errors) for one, judged in pairs]
        return collection.given_back(errors)

    def intervals(self, series=None, merge_within=None):
        """Return the stretches of series that are outliers.

        Parameters
        ----------
        series : array-like, Series, DataFrame, list or dict of these, or None, default=None
            None takes the training series, whose stretches are judged by windows that were held
            out.
        merge_within : int or None, default=None
            Stretches with at most so many normal steps between them become one interval. None is
            half a window. It is ignored if ``series`` is None: give the training series to merge
            them in another way.

        Returns
        -------
        intervals : DataFrame
            A row for each: ``start`` and ``end``, the index of its first and last step,
            ``n_steps``, the lowest ``score``, the lowest ``p_value`` of its steps, and
            ``features``, those with the largest errors, which make up two thirds of all errors. Of
            a list or dict also ``series``, the position or the name.

        Raises
        ------
        NotFittedError
            If the detector is not fitted.
        TypeError, ValueError
            If ``merge_within`` is invalid, or as for ``score_samples``.
        """
        if series is None:
            check_is_fitted(self)
            return intervals_table(self._training, self._training_intervals)
        if merge_within is not None:
            check_scalar(merge_within, "merge_within", Integral, min_val=0)
        merge_within = self.window_ // 2 if merge_within is None else merge_within
        collection, judged = self._judged(series)
        return intervals_table(collection, self._outlying(collection, judged, merge_within))

    def update(self, series):
        """Judge the next steps of a stream, each by the window that ends there.

        The stream goes on from the end of the training series; after ``fit`` on a list it starts
        anew. The detector keeps the last ``n_context_`` steps of each stream. Its threshold stays
        as it is: `StreamingThreshold` follows the scores.

        Parameters
        ----------
        series : array-like of shape (n_steps,) or (n_steps, n_features), Series, DataFrame, or \
                dict of these
            The next steps. After ``fit`` on a dict, a dict with some of its names.

        Returns
        -------
        labels : ndarray of shape (n_steps,), Series, or dict of these
            -1 for outliers, 1 for normal steps and those without a score.
        p_values : ndarray of shape (n_steps,), Series, or dict of these
            NaN where there is no score: until a window is full, and near gaps.

        Raises
        ------
        NotFittedError
            If the detector is not fitted.
        TypeError, ValueError
            If features or names differ from those of training, if a list is given, or if times do
            not go on from those before. The streams stay as they were.
        """
        check_is_fitted(self)
        collection = self._read(series)
        if collection.form == "list" or (collection.form == "dict" and self._form != "dict"):
            raise ValueError(
                "update takes the next steps of one series; after fit on a dict, a dict of series."
            )
        labels, found, recent = [], [], {}
        for one in collection.members:
            known, before = self._known(one), self._recent.get(self._group(one))
            whole = one if before is None else before.continued(one)
            scores = self._next_scores(whole, len(whole.values) - len(one.values))
            labels.append(labels_of(scores, known.window_offset))
            found.append(p_values_of(scores, known.of_windows))
            recent[self._group(one)] = whole.tail(self.n_context_)
        self._recent = self._recent | recent
        return _per_step(collection, labels, "label"), _per_step(collection, found, "p_value")

    def _next_scores(self, whole, n_before):
        """Return the scores of steps of a stream, without those of the first ones."""
        intervals = whole.intervals_of(self._paces[self._group(whole)], n_before)
        if len(whole.values) < self.window_:
            return np.full(len(whole.values) - n_before, np.nan)
        judges = [(None, WindowJudge.of(self.estimator_))]
        windows = self._cut(whole, intervals, is_causal=True)
        return JudgedSeries(windows, judges, is_causal=True).scores[n_before:]

    def _judge(self, one, windows):
        """Return what is found of a series: if it was learned, by what did not learn it."""
        judges = [(None, WindowJudge.of(self.estimator_))]
        if self._of_folds and one.digest in self._blocks:
            of_folds = map(WindowJudge.of, self._of_folds)
            judges = list(zip(self._blocks[one.digest], of_folds, strict=True))
        return JudgedSeries(windows, judges, self.causal)

    def _judged(self, series):
        """Return series and what the estimator says of them."""
        check_is_fitted(self)
        collection = self._read(series)
        for one in collection.members:
            if len(one.values) < self.window_:
                raise ValueError(
                    f"{one.name} has n_samples={len(one.values)} steps, fewer than a window of "
                    f"{self.window_}. Give more steps at once, or use update."
                )
        return collection, [self._judge(one, self._windows(one)) for one in collection.members]

    def _read(self, series):
        return SeriesCollection.of(series, self._columns, self.n_features_in_)

    def _known(self, one):
        return self._calibrations[self._group(one)]

    def _outlying(self, collection, judged, merge_within):
        """Return the intervals of each series."""
        found = []
        for one, what in zip(collection.members, judged, strict=True):
            known, scores = self._known(one), what.scores
            p_values, cells = p_values_of(scores, known.of_steps), what.cells / self._usual_errors
            found.append(
                outlying_intervals(scores, known.step_offset, p_values, cells, merge_within)
            )
        return found

    # Attributes.

    @property
    def training_scores_(self):
        """Scores of the training steps."""
        check_is_fitted(self)
        return _per_step(self._training, self._training_scores, "score")

    @property
    def offset_(self):
        """Score below which steps are outliers."""
        return self._by_name({key: one.step_offset for key, one in self._known_groups()})

    @property
    def calibration_scores_(self):
        """Scores of the held-out training steps."""
        return self._by_name({key: one.of_steps for key, one in self._known_groups()})

    @property
    def n_context_(self):
        """Steps before a new one that its score needs."""
        return self.window_ - 1 + self.window_ // 2

    @property
    def n_lookahead_(self):
        """Steps after a new one that its score needs."""
        return 0 if self.causal else self.window_ - 1

    def _known_groups(self):
        check_is_fitted(self)
        return self._calibrations.items()

    def _by_name(self, values):
        return values if self._form == "dict" else values[None]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.sparse = True
        return tags

    def __sklearn_is_fitted__(self):
        return "estimator_" in vars(self)


def _per_step(collection, values, name):
    pairs = zip(collection.members, values, strict=True)
    return collection.given_back([one.per_step(some, name) for one, some in pairs])


def _mean_errors(judged):
    """Return the mean of the errors of each feature over held-out steps, above 0."""
    cells = np.concatenate([one.cells for one in judged])
    known = ~np.isnan(cells)
    means = np.where(known, cells, 0).sum(0) / np.maximum(known.sum(0), 1)
    return np.maximum(means, np.finfo(np.float32).eps)
