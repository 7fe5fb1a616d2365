"""Display of outlier scores: how they are spread, and where outliers begin."""

from numbers import Integral

import numpy as np

from skae._data.given import as_data
from skae.inspection._label_groups import read_groups
from skae.inspection._plotting import finish_labels, ink, line_style, one_axes, pyplot, style
from skae.inspection._scoring import check_scores, check_threshold, score
from skae.inspection._tail_scale import MAX_DRAWN, TailScale
from skae.inspection._texts import number_text, shortened

#: Bars of the histogram, about.
N_BINS = 40

#: p-values that the upper axis shows.
P_VALUES = 0.5, 0.1, 0.01, 0.001, 1e-4, 1e-5

#: Least part of the width between two of them.
LEAST_GAP = 0.06

#: How much higher than the bars the axes are: more if the legend is among them.
HEADROOM, LEGEND_ROOM = 1.05, 1.2

#: Marks of single samples below the threshold, at most, for each group.
MAX_MARKS = 500


class OutlierScoreDisplay:
    """Histogram of outlier scores, with the threshold and an axis of p-values.

    It is recommended to use `from_estimator` or `from_predictions` to create a display. All
    parameters are stored as attributes.

    The height of a bar is a percentage of the group, so that a few outliers are as visible as
    many normal samples, and training rows can be compared. Each sample below the threshold also
    has a mark below the bars. If a few scores are very far from the others, the axis is
    logarithmic far out.

    Parameters
    ----------
    scores : array-like of shape (n_samples,)
        The higher, the more normal.
    threshold : float or None, default=None
        Samples with a lower score are outliers.
    y : array-like of shape (n_samples,) or None, default=None
        Labels of the samples: -1 for outliers, 1 for normal samples and 0 for others, as in
        `OutlierDetector`, or any other labels, which are shown as they are. Some may be missing.
    training_scores : array-like of shape (n_training,) or None, default=None
        Scores of training rows, of which most are normal. p-values are computed from them.
    name : str or None, default=None
        What the scores are called, such as the name of an estimator.

    Attributes
    ----------
    bars_ : list of StepPatch
        The histogram of each group, the most frequent group first.
    training_ : StepPatch or None
        The histogram of the training rows.
    threshold_ : Line2D or None
        The threshold.
    marks_ : list of Line2D
        Marks of samples below the threshold, one artist for each group.
    ax_ : matplotlib Axes
        Axes with the histogram.
    p_value_ax_ : matplotlib Axes or None
        Axes on top of them, with the p-values.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    OutlierExplanationDisplay : Shows why samples are outliers.
    SeriesScoreDisplay : Shows the scores of the steps of a series.

    Examples
    --------
    >>> import numpy as np
    >>> from skae import OutlierDetector
    >>> from skae.inspection import OutlierScoreDisplay
    >>> from sklearn.ensemble import IsolationForest
    >>> rng = np.random.default_rng(0)
    >>> X, X_new = rng.normal(size=(300, 3)), rng.normal(size=(100, 3))
    >>> X_new[:5] *= 5
    >>> detector = OutlierDetector(IsolationForest(random_state=0)).fit(X)
    >>> display = OutlierScoreDisplay.from_estimator(detector, X_new)
    >>> display.ax_.get_xlabel()
    'score of OutlierDetector (the lower, the more unusual)'
    """

    def __init__(self, *, scores, threshold=None, y=None, training_scores=None, name=None):
        self.scores = scores
        self.threshold = threshold
        self.y = y
        self.training_scores = training_scores
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        X_train=None,
        threshold=None,
        ax=None,
        name=None,
        n_bins=N_BINS,
        threshold_kw=None,
        **kwargs,
    ):
        """Draw the scores that an estimator gives.

        Parameters
        ----------
        estimator : estimator
            Fitted: an `OutlierDetector`, an autoencoder, a detector of scikit-learn, a pipeline
            or anything else that has ``score_samples``.
        X : array-like, DataFrame or list of n_samples samples
            Samples, as the estimator takes them.
        y : array-like of shape (n_samples,) or None, default=None
            Their labels.
        X_train : array-like, DataFrame or list of samples, or None, default=None
            Samples to compare with. None is those that `OutlierDetector` and
            `TabularOutlierScorer` were fitted on, whose scores they keep.
        threshold : float or None, default=None
            None is that of the estimator, if it has one.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. None makes a new figure.
        name : str or None, default=None
            What the scores are called. None is the class of the estimator.
        n_bins : int, default=40
            Number of bars, about: a bar begins at the threshold.
        threshold_kw : dict or None, default=None
            Keywords of matplotlib's ``axvline``, for the threshold.
        **kwargs : dict
            Keywords of matplotlib's ``stairs``, for the histograms of the samples.

        Returns
        -------
        display : OutlierScoreDisplay
            The display.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError, ValueError
            If the estimator gives no scores or rejects X, or the labels do not fit.
        """
        pyplot()
        scored = score(estimator, as_data(X), X_train)
        display = cls(
            scores=scored.scores,
            threshold=scored.threshold if threshold is None else threshold,
            y=y,
            training_scores=scored.training_scores,
            name=type(estimator).__name__ if name is None else name,
        )
        return display.plot(ax, n_bins=n_bins, threshold_kw=threshold_kw, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        scores,
        y=None,
        *,
        threshold=None,
        training_scores=None,
        ax=None,
        name=None,
        n_bins=N_BINS,
        threshold_kw=None,
        **kwargs,
    ):
        """Draw given scores.

        Parameters
        ----------
        scores : array-like of shape (n_samples,)
            The higher, the more normal, as ``score_samples`` gives them. Of distances and
            errors, give minus them.
        y : array-like of shape (n_samples,) or None, default=None
            Labels of the samples.
        threshold : float or None, default=None
            Samples with a lower score are outliers.
        training_scores : array-like of shape (n_training,) or None, default=None
            Scores of training rows, for p-values.
        ax : matplotlib Axes or None, default=None
            Axes to draw on. None makes a new figure.
        name : str or None, default=None
            What the scores are called.
        n_bins : int, default=40
            Number of bars, about: a bar begins at the threshold.
        threshold_kw : dict or None, default=None
            Keywords of matplotlib's ``axvline``, for the threshold.
        **kwargs : dict
            Keywords of matplotlib's ``stairs``, for the histograms of the samples.

        Returns
        -------
        display : OutlierScoreDisplay
            The display.

        Raises
        ------
        ValueError
            If scores are NaN, or the labels do not fit.
        """
        display = cls(
            scores=scores, threshold=threshold, y=y, training_scores=training_scores, name=name
        )
        return display.plot(ax, n_bins=n_bins, threshold_kw=threshold_kw, **kwargs)

    def plot(self, ax=None, *, name=None, n_bins=N_BINS, threshold_kw=None, **kwargs):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on. None makes a new figure.
        name : str or None, default=None
            What the scores are called. None is the ``name`` of the display.
        n_bins : int, default=40
            Number of bars, about: a bar begins at the threshold.
        threshold_kw : dict or None, default=None
            Keywords of matplotlib's ``axvline``, for the threshold.
        **kwargs : dict
            Keywords of matplotlib's ``stairs``, for the histograms of the samples.

        Returns
        -------
        display : OutlierScoreDisplay
            The display itself.

        Raises
        ------
        ValueError
            If scores are NaN, or the labels do not fit.
        """
        scores = check_scores(self.scores)
        check_threshold(self.threshold)
        if not isinstance(n_bins, Integral) or n_bins < 1:
            raise ValueError(f"n_bins must be an integer of at least 1; got {n_bins!r}")
        training = None
        if self.training_scores is not None:
            training = check_scores(self.training_scores, "training_scores")
        groups = read_groups(self.y, len(scores))
        is_own = ax is None
        self.ax_ = ax = one_axes(ax, (7, 4.5))
        self.figure_ = ax.figure
        self._lay_out(scores, training, n_bins)
        self.bars_ = [
            self._draw_bars(scores[which], name, look, kwargs) for name, look, which in groups
        ]
        self.training_ = None if training is None else self._draw_training(training)
        self.ax_.set_ylim(0, (HEADROOM if is_own else LEGEND_ROOM) * self._highest())
        self.marks_ = self._draw_marks(scores, groups)
        self.threshold_ = self._draw_threshold(threshold_kw)
        is_one = len(groups) == 1 and training is None
        self._label(self.name if name is None else name, "samples" if is_one else "group")
        self._draw_legend(is_own)
        self.p_value_ax_ = None if training is None else self._draw_p_values(training)
        finish_labels(self.ax_, *([] if training is None else [self.p_value_ax_]))
        return self

    def _lay_out(self, scores, training, n_bins):
        """Choose the scale of the axis, and the bars."""
        known = [scores] if training is None else [scores, training]
        if self.threshold is not None:
            known.append([self.threshold])
        known = np.concatenate(known)
        known = known[np.abs(known) < MAX_DRAWN]
        known = known if len(known) else np.zeros(1)
        self._scale = TailScale.of(known)
        low, high = self._place(np.array([known.min(), known.max()]))
        if high - low <= 1e3 * np.spacing(max(abs(low), abs(high))):  # equal, but for rounding
            low, high = low - max(abs(low), 1.0) / 2, high + max(abs(high), 1.0) / 2
        width = (high - low) / n_bins
        edge = low if self.threshold is None else float(self._place(self.threshold))
        first = edge - np.ceil((edge - low) / width + 1e-9) * width
        n_edges = int(np.ceil((high - first) / width + 1e-9)) + 1
        self._edges = self._score_at(first + width * np.arange(n_edges))
        margin = self._score_at(np.array([first - width, first + width * n_edges]))
        self.ax_.set_xlim(*margin)
        if self._scale is not None:
            self._scale.apply(self.ax_, "x")

    def _place(self, scores):
        return scores if self._scale is None else self._scale.forward(scores)

    def _score_at(self, places):
        return places if self._scale is None else self._scale.backward(places)

    def _percent(self, scores):
        """Return the percentage of scores in each bar; those off the axis are in the outer ones."""
        inner = np.clip(scores, self._edges[0], self._edges[-1])
        return 100 * np.histogram(inner, self._edges)[0] / len(scores)

    def _described(self, name, scores):
        """Return the text of the legend for a group."""
        text = f"{shortened(name)}: {len(scores):,}"
        if self.threshold is not None:
            text += f", {np.mean(scores < self.threshold):.1%} below the threshold"
        n_off = int((np.abs(scores) >= MAX_DRAWN).sum())
        return text + (f", {n_off:,} far off the axis" if n_off else "")

    def _draw_bars(self, scores, name, look, kwargs):
        from matplotlib.colors import to_rgba
        from matplotlib.patches import StepPatch

        color, hatch = look
        default = {
            "fill": True,
            "facecolor": to_rgba(color, 0.3),
            "edgecolor": color,
            "hatch": hatch,
            "linewidth": 1.2,
            "label": self._described(name, scores),
        }
        how = style(StepPatch, default, kwargs)
        return self.ax_.stairs(self._percent(scores), self._edges, **how)

    def _draw_training(self, scores):
        return self.ax_.stairs(
            self._percent(scores),
            self._edges,
            color=ink(),
            linestyle="--",
            label=self._described("training rows", scores),
        )

    def _highest(self):
        """Return the height of the highest bar."""
        drawn = [*self.bars_, *([] if self.training_ is None else [self.training_])]
        return max(one.get_data().values.max() for one in drawn)

    def _draw_marks(self, scores, groups):
        """Mark the samples below the threshold, in a line for each group."""
        if self.threshold is None:
            return []
        top = self.ax_.get_ylim()[1]
        room, marks = 0.04 * top, []
        for i, (_, (color, _), which) in enumerate(groups):
            low = np.sort(scores[which & (scores < self.threshold)])[:MAX_MARKS]
            places = np.maximum(low, self._edges[0])
            height = np.full(len(low), -(i + 0.6) * room)
            marks += self.ax_.plot(places, height, "|", color=color, markersize=6)
        self.ax_.set_ylim(-(len(groups) + 0.4) * room, top)
        self.ax_.axhline(0, color=ink(), linewidth=0.8)
        self.ax_.set_yticks([tick for tick in self.ax_.get_yticks() if 0 <= tick <= top])
        return marks

    def _draw_threshold(self, threshold_kw):
        if self.threshold is None:
            return None
        default = {
            "color": ink(),
            "linewidth": 1.5,
            "label": f"threshold: {number_text(self.threshold)}",
        }
        return self.ax_.axvline(self.threshold, **line_style(default, threshold_kw))

    def _label(self, name, what):
        of = "" if name is None else f" of {name}"
        self.ax_.set_xlabel(f"score{of} (the lower, the more unusual)")
        self.ax_.set_ylabel(f"% of the {what}")

    def _draw_legend(self, is_own):
        """Draw the legend: below the axes of a figure of its own, else in the axes."""
        drawn = [*self.bars_, self.training_, self.threshold_]
        drawn = [one for one in drawn if one is not None]
        how = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16), "ncols": 2, "frameon": False}
        labels = [one.get_label() for one in drawn]
        self.ax_.legend(drawn, labels, fontsize="small", **how if is_own else {})

    def _draw_p_values(self, training):
        """Draw an axis on top with p-values, by the scores of the training rows."""
        ticks = self._p_value_ticks(np.sort(training))
        top = self.ax_.twiny()
        if self._scale is not None:
            top.set_xscale("function", functions=(self._scale.forward, self._scale.backward))
        top.set_xlim(self.ax_.get_xlim())
        top.set_xticks(list(ticks.values()), [f"{p:g}" for p in ticks])
        top.set_xlabel("p-value (part of the training rows with a score as low)")
        self.ax_.callbacks.connect("xlim_changed", lambda ax: top.set_xlim(ax.get_xlim()))
        return top

    def _p_value_ticks(self, training):
        """Return the scores of p-values that have room on the axis."""
        low, high = self._place(np.array(self.ax_.get_xlim()))
        ticks, last = {}, np.inf
        for p in P_VALUES:
            at = score_of(p, training)
            place = (self._place(at) - low) / (high - low) if abs(at) < MAX_DRAWN else np.nan
            if last - place > LEAST_GAP:
                ticks[p], last = at, place
        return ticks


def score_of(p, training):
    """Return the score below which p-values are at most p: -inf if none is so small.

    Parameters
    ----------
    p : float
    training : ndarray of shape (n_training,)
        In order.
    """
    n_lower = int(np.floor(p * (len(training) + 1) + 1e-9)) - 1
    return training[n_lower] if n_lower >= 0 else -np.inf
