"""Display of a long series, its scores, and the intervals in which it is anomalous."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from skae._data.checks import as_numbers
from skae._data.given import as_data
from skae._estimators.fitted import FittedAutoencoder
from skae._outliers.thresholds import offset_of
from skae._params import refuse_class
from skae.inspection._forms import Rows, form_of
from skae.inspection._models import Model, layouts_of
from skae.inspection._plotting import (
    BLUE,
    GREEN,
    RED,
    grid_of_axes,
    ink,
    legend_above,
    light_grid,
    line_style,
    pyplot,
    style,
)
from skae.inspection._scoring import check_threshold, score, score_function
from skae.inspection._series import SeriesData, n_found, read_intervals, read_truth, runs, thinned
from skae.inspection._tail_scale import MAX_DRAWN, TailScale
from skae.inspection._texts import number_text, shortened
from skae.sequences import mean_over_windows, windowed_errors

#: Features that are drawn by default.
MAX_FEATURES = 5

#: Intervals from which on their edges get thinner, so that the series is seen.
MANY = 100

#: Part of the height of a panel that marks of true anomalies take.
MARK = 0.07


class SeriesScoreDisplay:
    """A long series with its scores below, and the intervals in which it is anomalous.

    It is recommended to use `from_estimator` or `from_predictions` to create a display. All
    parameters are stored as attributes.

    A series of more than 4,000 steps is thinned for drawing: of each of 2,000 parts, the lowest
    and the highest value are drawn, so that no peak is lost. The label of the axis says so.

    Parameters
    ----------
    series : array-like of shape (n_steps,) or (n_steps, n_features), Series or DataFrame
        The series. Columns of a DataFrame that hold no numbers are not drawn.
    scores : array-like of shape (n_steps,)
        Score of each step: the higher, the more normal. NaN where there is none.
    times : array-like of shape (n_steps,), str or None, default=None
        Dates or numbers, or the name of a column of the series that holds them. None takes the
        index of pandas, if it holds dates or numbers in order, and otherwise counts the steps.
    threshold : float, "auto" or None, default=None
        Steps with a lower score are anomalous. "auto" finds it from the scores, as
        `OutlierDetector` does.
    intervals : list of (start, end), DataFrame or None, default=None
        Intervals in which the series is anomalous, both ends included, in units of the times; of
        dates, integers are positions of steps. A DataFrame has the columns "start" and "end".
        None takes the steps below the threshold.
    y_true : array-like of shape (n_steps,), list of (start, end), DataFrame or None, default=None
        Where the series is truly anomalous: labels of steps, of which -1 stands for anomalies or,
        if there is none, 1 and True; or intervals.
    name : str or None, default=None
        What the scores are called, such as the name of an estimator.

    Attributes
    ----------
    lines_ : list of Line2D
        The features of the series that are drawn.
    score_line_ : Line2D
        The scores.
    threshold_ : Line2D or None
        The threshold.
    intervals_ : list of PolyCollection
        The intervals, one artist for each panel; empty if there are none.
    truth_ : list of PolyCollection
        The true anomalies, one artist for each panel; empty if there are none.
    axes_ : ndarray of Axes, of shape (n_drawn_features + 1,)
        A panel for each feature, and one for the scores.
    ax_ : matplotlib Axes
        The panel of the scores.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    skae.SeriesOutlierDetector : Finds odd stretches in long series.
    skae.sequences.windowed_errors : Scores the steps of a long series.
    OutlierScoreDisplay : Shows how scores are spread.

    Examples
    --------
    >>> import numpy as np
    >>> from skae.inspection import SeriesScoreDisplay
    >>> series = np.sin(np.arange(1000) / 20)
    >>> series[400:420] += 1
    >>> scores = -abs(series)
    >>> display = SeriesScoreDisplay.from_predictions(series, scores, threshold=-1.1)
    >>> display.ax_.get_ylabel()
    'score'
    """

    def __init__(
        self,
        *,
        series,
        scores,
        times=None,
        threshold=None,
        intervals=None,
        y_true=None,
        name=None,
    ):
        self.series = series
        self.scores = scores
        self.times = times
        self.threshold = threshold
        self.intervals = intervals
        self.y_true = y_true
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        series,
        *,
        length=None,
        stride=None,
        channels_first=False,
        times=None,
        threshold=None,
        intervals=None,
        y_true=None,
        ax=None,
        name=None,
        **kwargs,
    ):
        """Score a series by an estimator, and draw it.

        Parameters
        ----------
        estimator : estimator
            Fitted. With ``length``, it scores windows of the series: by an autoencoder, the
            error of each step is the mean over the windows that it is in; by another estimator
            with ``score_samples``, the score is the mean over these windows. Without
            ``length``, it scores each step as a row.
        series : array-like of shape (n_steps,) or (n_steps, n_features), Series or DataFrame
            The series.
        length : int or None, default=None
            Steps of a window.
        stride : int or None, default=None
            Steps from one window to the next. None is half a window.
        channels_first : bool, default=False
            Whether the estimator takes windows of shape (n_features, length).
        times : array-like of shape (n_steps,), str or None, default=None
            Times of the steps, see `SeriesScoreDisplay`.
        threshold : float, "auto" or None, default=None
            None is that of the estimator. Autoencoders have none: put one into an
            `OutlierDetector` that is fitted on windows, or give "auto".
        intervals : list of (start, end), DataFrame or None, default=None
            Anomalous intervals. None takes the steps below the threshold.
        y_true : array-like of shape (n_steps,), list of (start, end), DataFrame or None, \
                default=None
            Where the series is truly anomalous.
        ax : Axes, array of Axes or None, default=None
            As for `plot`.
        name : str or None, default=None
            What the scores are called. None is the class of the estimator.
        **kwargs : dict
            Further parameters of `plot`.

        Returns
        -------
        display : SeriesScoreDisplay
            The display.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError, ValueError
            If the estimator gives no scores, takes windows and ``length`` is not given, or a
            parameter is invalid.
        """
        pyplot()
        refuse_class("estimator", estimator)
        check_is_fitted(estimator)
        series = as_data(series, "series")
        if length is not None:
            check_scalar(length, "length", Integral, min_val=1)
        if length is None:
            scores, own = _scores_of_rows(estimator, series)
        else:
            values = SeriesData.of(series, times if isinstance(times, str) else None).values
            values = values[:, 0] if np.ndim(series) == 1 else values
            scores, own = _scores_of_windows(estimator, values, length, stride, channels_first)
        display = cls(
            series=series,
            scores=scores,
            times=times,
            threshold=own if threshold is None else threshold,
            intervals=intervals,
            y_true=y_true,
            name=type(estimator).__name__ if name is None else name,
        )
        return display.plot(ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        series,
        scores,
        *,
        times=None,
        threshold=None,
        intervals=None,
        y_true=None,
        ax=None,
        name=None,
        **kwargs,
    ):
        """Draw a series with given scores.

        Parameters
        ----------
        series : array-like of shape (n_steps,) or (n_steps, n_features), Series or DataFrame
            The series.
        scores : array-like of shape (n_steps,) or (n_steps, n_features)
            Score of each step: the higher, the more normal. Of errors, such as those of
            `skae.sequences.windowed_errors`, give minus them. Those of several features are
            averaged.
        times : array-like of shape (n_steps,), str or None, default=None
            Times of the steps, see `SeriesScoreDisplay`.
        threshold : float, "auto" or None, default=None
            Steps with a lower score are anomalous. "auto" finds it from the scores.
        intervals : list of (start, end), DataFrame or None, default=None
            Anomalous intervals. None takes the steps below the threshold.
        y_true : array-like of shape (n_steps,), list of (start, end), DataFrame or None, \
                default=None
            Where the series is truly anomalous.
        ax : Axes, array of Axes or None, default=None
            As for `plot`.
        name : str or None, default=None
            What the scores are called.
        **kwargs : dict
            Further parameters of `plot`.

        Returns
        -------
        display : SeriesScoreDisplay
            The display.

        Raises
        ------
        TypeError, ValueError
            If a parameter is invalid.
        """
        display = cls(
            series=series,
            scores=scores,
            times=times,
            threshold=threshold,
            intervals=intervals,
            y_true=y_true,
            name=name,
        )
        return display.plot(ax, **kwargs)

    def plot(
        self,
        ax=None,
        *,
        name=None,
        max_features=MAX_FEATURES,
        threshold_kw=None,
        interval_kw=None,
        **kwargs,
    ):
        """Draw the display.

        Parameters
        ----------
        ax : Axes, array of Axes or None, default=None
            Axes to draw on: one of ``plt.subplots``, which is divided, or an array with a panel
            for each feature and one for the scores. None makes a new figure.
        name : str or None, default=None
            What the scores are called. None is the ``name`` of the display.
        max_features : int, default=5
            How many features are drawn: if there are more, those that are most unusual in the
            intervals.
        threshold_kw : dict or None, default=None
            Keywords of matplotlib's ``axhline``, for the threshold.
        interval_kw : dict or None, default=None
            Keywords of matplotlib's ``broken_barh``, for the intervals.
        **kwargs : dict
            Keywords of matplotlib's ``plot``, for the lines of the series and of the scores.

        Returns
        -------
        display : SeriesScoreDisplay
            The display itself.

        Raises
        ------
        TypeError, ValueError
            If a parameter is invalid.
        """
        check_scalar(max_features, "max_features", Integral, min_val=1)
        data = SeriesData.of(self.series, self.times)
        scores = _read_scores(self.scores, len(data.values))
        threshold = _read_threshold(self.threshold, scores)
        intervals = self._read_intervals(data.axis, scores, threshold)
        truth = np.empty((0, 2)) if self.y_true is None else read_truth(self.y_true, data.axis)
        features = _most_unusual(data, intervals, max_features)
        n = len(features)
        ratios = [1.0] * n + [1.3 if n > 1 else 1.0]
        how = {"sharex": True, "height_ratios": ratios}
        grid = grid_of_axes(ax, n + 1, 1, (10, 1.2 + 1.25 * (n + 1)), **how)
        self.axes_ = grid[:, 0]
        self.ax_ = self.axes_[-1]
        self.figure_ = self.ax_.figure
        self._draw_lines(data, features, kwargs)
        self._draw_scores(data.axis, scores, threshold, kwargs, self.name if name is None else name)
        self._draw_threshold(threshold, threshold_kw)
        self._draw_intervals(intervals, truth, interval_kw)
        self._finish(data, features, is_own=ax is None)
        return self

    def _read_intervals(self, axis, scores, threshold):
        if self.intervals is not None:
            return read_intervals(self.intervals, axis)
        return np.empty((0, 2)) if threshold is None else runs(scores < threshold, axis)

    def _draw_line(self, ax, axis, values, default, kwargs):
        which, self._part = thinned(values)
        how = line_style({"color": BLUE, "linewidth": 0.9} | default, kwargs)
        (line,) = light_grid(ax).plot(axis.places[which], values[which], **how)
        return line

    def _draw_lines(self, data, features, kwargs):
        self.lines_ = []
        for ax, i in zip(self.axes_, features, strict=False):
            self.lines_.append(self._draw_line(ax, data.axis, data.values[:, i], {}, kwargs))
            name = "value" if data.values.shape[1] == 1 else f"feature {i}"
            name = name if data.names is None else shortened(data.names[i], 20)
            ax.set_ylabel(name, parse_math=False)

    def _draw_scores(self, axis, scores, threshold, kwargs, name):
        default = {"color": ink(), "label": "score"}
        self.score_line_ = self._draw_line(self.ax_, axis, scores, default, kwargs)
        known = scores[np.abs(scores) < MAX_DRAWN]
        known = known if threshold is None else np.append(known, threshold)
        scale = TailScale.of(known) if len(known) else None
        if scale is not None:
            self.ax_.set_ylim(scale.limits(known.min(), known.max()))
            scale.apply(self.ax_, "y")
        self.ax_.set_ylabel("score" if name is None else f"score of\n{name}", parse_math=False)

    def _draw_threshold(self, threshold, given):
        self.threshold_ = None
        if threshold is not None:
            label = f"threshold: {number_text(threshold)}"
            default = {"color": GREEN, "linestyle": "--", "linewidth": 1.5, "label": label}
            self.threshold_ = self.ax_.axhline(threshold, **line_style(default, given))

    def _draw_intervals(self, intervals, truth, given):
        """Shade the intervals, and mark the true anomalies at the upper edge."""
        from matplotlib.colors import to_rgba
        from matplotlib.patches import Patch

        self.intervals_, self.truth_ = [], []
        shade = {"facecolor": to_rgba(RED, 0.3), "edgecolor": to_rgba(RED, 0.8), "zorder": 0.5}
        shade = style(Patch, shade | {"linewidth": min(1.0, MANY / max(1, len(intervals)))}, given)
        background = pyplot().rcParams["axes.facecolor"]
        mark = {"facecolor": background, "edgecolor": ink(), "hatch": "////", "zorder": 3}
        found = f", {n_found(truth, intervals):,} found" if len(intervals) else ""
        for ax in self.axes_:
            if len(intervals):
                how = shade | {"label": f"anomalous: {len(intervals):,} intervals"}
                self.intervals_.append(_draw_bands(ax, intervals, (0, 1), how))
            if len(truth):
                how = mark | {"label": f"true anomalies: {len(truth):,}{found}"}
                self.truth_.append(_draw_bands(ax, truth, (1 - MARK, MARK), how))

    def _finish(self, data, features, is_own):
        """Draw the legend, and label the axes."""
        for ax in self.axes_:
            data.axis.apply(ax)
        places, ax = data.axis.places, self.ax_
        if places[0] < places[-1]:
            for one in self.axes_:
                one.set_xlim(places[0], places[-1])
        part = f": lowest and highest of every {self._part:,} steps" if self._part > 1 else ""
        ax.set_xlabel(data.axis.label + part, parse_math=False)
        n_features = data.values.shape[1]
        if len(features) < n_features:
            text = f"{len(features)} of {n_features} features, those most unusual in the intervals"
            self.axes_[0].set_title(text, fontsize="small", loc="left")
        legend_above(ax, is_own)


def _draw_bands(ax, intervals, heights, how):
    """Draw rectangles over intervals; heights are parts of the height of the axes."""
    ranges = np.column_stack([intervals[:, 0], intervals[:, 1] - intervals[:, 0]])
    limits = ax.get_ylim()
    bands = ax.broken_barh(ranges, heights, transform=ax.get_xaxis_transform(), **how)
    ax.set_ylim(limits)
    return bands


def _scores_of_rows(estimator, series):
    """Return the score of each step as a row, and the threshold of the estimator or None."""
    rows = np.asarray(series)[:, None] if np.ndim(series) == 1 else series
    model = Model.of(estimator)
    if not isinstance(form_of(layouts_of(model.last)[0], np.empty((1, 1))), Rows):
        raise ValueError(
            f"{model.name} scores windows of a series, not its steps. Say how many steps they have "
            "by length, as in the windows that it was fitted on."
        )
    scored = score(estimator, rows)
    return scored.scores, scored.threshold


def _scores_of_windows(estimator, values, length, stride, channels_first):
    """Return the score of each step by the windows that it is in, and the threshold or None."""
    if isinstance(estimator, FittedAutoencoder):
        how = {"channels_first": channels_first}
        errors = windowed_errors(estimator, values, length, stride, **how)
        return -_mean_over_features(errors), None
    score_of, threshold = score_function(estimator, values[None, :length])

    def scores_of_steps(windows):
        turned = np.moveaxis(windows, 2, 1) if channels_first and windows.ndim == 3 else windows
        return np.repeat(np.asarray(score_of(turned))[:, None], length, axis=1)

    scores = mean_over_windows(scores_of_steps, values, length, stride, values.shape[:1])
    return scores, threshold


def _mean_over_features(values):
    """Return means over what is known of each step, NaN where nothing is."""
    if values.ndim == 1:
        return values
    known = ~np.isnan(values)
    total, count = np.where(known, values, 0).sum(1), known.sum(1)
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)


def _read_scores(scores, n_steps):
    """Return one score for each step."""
    scores = _mean_over_features(as_numbers(scores, "scores").astype(np.float64))
    if scores.shape != (n_steps,):
        raise ValueError(
            f"scores is of shape {scores.shape}, but series has {n_steps} steps. Give one for each."
        )
    return scores


def _read_threshold(threshold, scores):
    """Return the threshold as a number or None."""
    known = scores[np.isfinite(scores)]
    if isinstance(threshold, str) and threshold == "auto":
        return offset_of(known, "auto") if len(known) else None
    check_threshold(threshold)
    return threshold


def _most_unusual(data, intervals, limit):
    """Return which features are drawn: those with the largest deviations in the intervals."""
    values, places = data.values, data.axis.places
    if values.shape[1] <= limit:
        return np.arange(values.shape[1])
    is_inside = np.zeros(len(values), bool)
    for start, end in intervals:
        first, last = np.searchsorted(places, start), np.searchsorted(places, end, side="right")
        is_inside[first:last] = True
    if not is_inside.any() or is_inside.all():
        return np.arange(limit)
    center, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    deviations = np.abs(values[is_inside] - center) / np.where(spread > 0, spread, 1.0)
    return np.sort(np.argsort(-np.nan_to_num(deviations).max(0), kind="stable")[:limit])
