"""Display of why samples are outliers: which of their values are unusual."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils import check_scalar

from skae._data.checks import as_numbers
from skae._data.frames import is_frame
from skae._outliers.cells import as_objects
from skae._sklearn import num_samples
from skae.inspection._explanation_panels import draw_bars, draw_images, draw_series, draw_table
from skae.inspection._explanations import Explanation, explain, labels_of, most_unusual
from skae.inspection._forms import Rows, finite, form_of
from skae.inspection._models import check_number, take
from skae.inspection._plotting import pyplot
from skae.inspection._scoring import check_scores
from skae.inspection._texts import cell_text, number_text

#: Samples that are drawn by default.
N_SAMPLES = {"rows": 4, "images": 6, "series": 3}

#: Columns that are drawn by default: as bars, and of a heat map.
N_COLUMNS = {"bars": 6, "heatmap": 12}


class OutlierExplanationDisplay:
    """Which values make samples unusual, and what would be expected there.

    Rows of a table are drawn as bars, one for each unusual cell, with its value and the expected
    one; or, with ``kind="heatmap"``, all in one heat map. Images and series are drawn beside what
    is expected, with a heat map of the error: which pixels, or which steps and features, are
    unusual. Of many samples, the most unusual ones are drawn.

    It is recommended to use `from_estimator` or `from_predictions` to create a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    value : DataFrame, ndarray or list of ndarray
        The samples: rows of a table; images of shape (n_samples, height, width) or (n_samples,
        height, width, 3); or series of shape (time, n_features).
    expected : DataFrame, ndarray or list of ndarray
        What would be expected, in the same form.
    contribution : ndarray or list of ndarray
        How much each value makes its sample unusual.
    form : {"rows", "images", "series"}, default="rows"
        What the samples are.
    titles : list of str or None, default=None
        Titles of the samples. None are their numbers.
    meaning : str, default="contribution"
        What the contributions of rows are.
    feature_names : list of str or None, default=None
        Names of the features of series.
    n_total : int or None, default=None
        Number of samples that those of the display are the most unusual of.

    Attributes
    ----------
    axes_ : ndarray of Axes, of shape (n_rows, n_columns)
        The axes: of rows, a panel for each one, or a single one with a heat map; of images and
        series, a column for each one.
    ax_ : matplotlib Axes
        The first of the axes.
    figure_ : matplotlib Figure
        The figure.
    bars_ : list of BarContainer
        The bars of each row, the longest first.
    lines_ : list of Line2D
        Of series: the sample and what is expected, in turn.
    images_ : list or ndarray of AxesImage
        Heat maps, and images.
    colorbar_ : Colorbar or None
        The scale of the heat maps.

    See Also
    --------
    skae.OutlierDetector.explain : Computes the contributions of cells.
    OutlierScoreDisplay : Shows how unusual samples are.
    ReconstructionDisplay : Shows what an autoencoder makes of samples.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.decomposition import PCA
    >>> from skae import OutlierDetector
    >>> from skae.inspection import OutlierExplanationDisplay
    >>> X = load_wine(as_frame=True).data
    >>> detector = OutlierDetector(PCA(6)).fit(X)
    >>> X_new = X.iloc[:2].assign(alcohol=[14.2, 1.42])
    >>> display = OutlierExplanationDisplay.from_estimator(detector, X_new, n_samples=1)
    >>> display.ax_.get_yticklabels()[0].get_text()
    'alcohol = 1.42'
    """

    def __init__(
        self,
        *,
        value,
        expected,
        contribution,
        form="rows",
        titles=None,
        meaning="contribution",
        feature_names=None,
        n_total=None,
    ):
        self.value = value
        self.expected = expected
        self.contribution = contribution
        self.form = form
        self.titles = titles
        self.meaning = meaning
        self.feature_names = feature_names
        self.n_total = n_total

    @classmethod
    def from_estimator(
        cls, estimator, X, *, n_samples=None, image_shape=None, form="auto", ax=None, **kwargs
    ):
        """Explain samples by a detector or an autoencoder, and draw the explanations.

        Parameters
        ----------
        estimator : estimator
            Fitted: an `OutlierDetector`, whose ``explain`` is used for rows of tables; or an
            autoencoder, alone or in a detector, whose errors are used for images and series, and
            whose losses are used for rows. It may be the last step of a pipeline, or the best
            estimator of a search.
        X : array-like, DataFrame or list of n_samples samples
            Samples, as the estimator takes them.
        n_samples : int or None, default=None
            How many samples are drawn: if there are more, those with the lowest scores. None is
            at most 4 rows, 6 images or 3 series.
        image_shape : tuple of int or None, default=None
            Shape of the images that flat rows hold, such as (28, 28).
        form : {"auto", "rows", "images", "series"}, default="auto"
            What the samples are. "auto" is what the estimator reads them as.
        ax : Axes, array of Axes or None, default=None
            As for `plot`.
        **kwargs : dict
            Further parameters of `plot`.

        Returns
        -------
        display : OutlierExplanationDisplay
            The display.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError, ValueError
            If the estimator explains no samples of this form, or rejects them.
        """
        pyplot()
        explanation = explain(estimator, X, _limit(n_samples), image_shape, form)
        return cls._of(explanation, num_samples(X)).plot(ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        X,
        expected,
        contributions,
        *,
        scores=None,
        p_values=None,
        n_samples=None,
        image_shape=None,
        form="auto",
        ax=None,
        **kwargs,
    ):
        """Draw given explanations.

        Parameters
        ----------
        X : array-like, DataFrame or list of n_samples samples
            Samples.
        expected : array-like, DataFrame or list of n_samples samples
            What would be expected, of the shape of X.
        contributions : array-like, DataFrame or list of n_samples samples
            How much each value makes its sample unusual, of the shape of X: contributions as
            `OutlierDetector.explain` returns them, or errors.
        scores : array-like of shape (n_samples,) or None, default=None
            Scores of the samples: the lower, the more unusual. None takes minus the sums of the
            contributions to find the most unusual samples.
        p_values : array-like of shape (n_samples,) or None, default=None
            Their p-values.
        n_samples : int or None, default=None
            As for `from_estimator`.
        image_shape : tuple of int or None, default=None
            As for `from_estimator`.
        form : {"auto", "rows", "images", "series"}, default="auto"
            What the samples are. "auto" takes arrays with three or four axes for images, lists
            of arrays for series, and others for rows.
        ax : Axes, array of Axes or None, default=None
            As for `plot`.
        **kwargs : dict
            Further parameters of `plot`.

        Returns
        -------
        display : OutlierExplanationDisplay
            The display.

        Raises
        ------
        TypeError, ValueError
            If the parameters are not of the same shape.
        """
        pyplot()
        drawn, n = form_of(None, X, image_shape, form), num_samples(X)
        given = {"expected": expected, "contributions": contributions}
        given |= {"scores": scores, "p_values": p_values}
        for name, one in given.items():
            if one is not None:
                check_number(one, n, name)
        known = {
            name: None if one is None else check_scores(one, name)
            for name, one in {"scores": scores, "p_values": p_values}.items()
        }
        of_selection = known["scores"]
        if of_selection is None:
            parts = [finite(one) for one in _arrays(contributions)]
            of_selection = np.array([-np.nansum(one) for one in parts])
        which = most_unusual(of_selection, _limit(n_samples)(drawn.name))
        some = [take(one, which) for one in (X, expected, contributions)]
        numbers = [None if one is None else one[which] for one in known.values()]
        meaning = "contribution"
        explanation = Explanation(drawn, *some, labels_of(X)[which], *numbers, meaning)
        return cls._of(explanation, n).plot(ax, **kwargs)

    @classmethod
    def _of(cls, explanation, n_total):
        """Return the display of an explanation, the samples in the form in which they are drawn."""
        drawn = explanation.form
        value, expected = drawn.read(explanation.value), drawn.read(explanation.expected)
        if isinstance(drawn, Rows):
            # Cells that are missing contribute nothing.
            contribution = np.nan_to_num(Rows().read(_arrays(explanation.contribution)).to_numpy())
            if not is_frame(explanation.value):
                value.columns = [f"x{i}" for i in range(value.shape[1])]
        else:
            contribution = drawn.read(explanation.contribution)
        _check_alike(value, expected, contribution)
        return cls(
            value=value,
            expected=expected,
            contribution=contribution,
            form=drawn.name,
            titles=_titles(explanation, "row" if isinstance(drawn, Rows) else "sample"),
            meaning=explanation.meaning,
            feature_names=explanation.feature_names,
            n_total=n_total,
        )

    def plot(self, ax=None, *, kind="bars", max_columns=None, **kwargs):
        """Draw the display.

        Parameters
        ----------
        ax : Axes, array of Axes or None, default=None
            Axes to draw on: one of ``plt.subplots``, which is divided if there are several
            panels, or an array in the shape of ``axes_``. None makes a new figure.
        kind : {"bars", "heatmap"}, default="bars"
            How rows of tables are drawn.
        max_columns : int or None, default=None
            How many columns of a table are drawn: those that contribute most. None is 6 as bars,
            12 in a heat map.
        **kwargs : dict
            Keywords of matplotlib's ``barh`` for bars, and of ``imshow`` for heat maps.

        Returns
        -------
        display : OutlierExplanationDisplay
            The display itself.

        Raises
        ------
        TypeError, ValueError
            If a parameter is invalid.
        """
        if kind not in N_COLUMNS:
            raise ValueError(f'kind must be "bars" or "heatmap"; got {kind!r}')
        if max_columns is not None:
            check_scalar(max_columns, "max_columns", Integral, min_val=1)
        self.bars_, self.lines_, self.images_, self.colorbar_ = [], [], [], None
        if self.titles is None:
            self.titles = [f"sample {i}" for i in range(num_samples(self.value))]
        if self.form == "rows":
            draw = {"bars": draw_bars, "heatmap": draw_table}[kind]
            self.axes_ = draw(self, ax, max_columns or N_COLUMNS[kind], kwargs)
        else:
            draw = {"images": draw_images, "series": draw_series}[self.form]
            self.axes_ = draw(self, ax, kwargs)
        self.ax_ = self.axes_.flat[0]
        self.figure_ = self.ax_.figure
        if ax is None and self.n_total is not None and self.n_total > len(self.titles):
            n = f"{len(self.titles)} most" if len(self.titles) > 1 else "most"
            self.figure_.suptitle(f"The {n} unusual of {self.n_total:,} samples", fontsize="medium")
        return self


def _limit(n_samples):
    """Return the function that says how many samples of a form are drawn."""
    if n_samples is None:
        return N_SAMPLES.__getitem__
    check_scalar(n_samples, "n_samples", Integral, min_val=1)
    return lambda form: int(n_samples)


def _arrays(samples):
    """Return the samples as a sequence of arrays."""
    if is_frame(samples):
        samples = as_objects(samples)
    is_list = isinstance(samples, (list, tuple)) and len({np.shape(one) for one in samples}) > 1
    return samples if is_list else as_numbers(samples, "contributions").astype(np.float64)


def _titles(explanation, what):
    """Return titles that say which sample it is, and how unusual."""
    titles = [f"{what} {_text(label)}" for label in explanation.labels]
    if explanation.scores is not None:
        scores = explanation.scores
        titles = [f"{t}: score {number_text(s, 3)}" for t, s in zip(titles, scores, strict=True)]
    if explanation.p_values is not None:
        titles = [f"{t}, p = {p:.2g}" for t, p in zip(titles, explanation.p_values, strict=True)]
    return titles


def _text(label):
    return cell_text(label) if isinstance(label, pd.Timestamp) else str(label)


def _check_alike(value, expected, contribution):
    """Raise an error if samples are not of the shape of their explanations."""
    for name, other in (("expected", expected), ("contributions", contribution)):
        shapes = [[np.shape(one) for one in _rows(each)] for each in (value, other)]
        if shapes[0] != shapes[1]:
            i = next(i for i, (a, b) in enumerate(zip(*shapes, strict=True)) if a != b)
            raise ValueError(
                f"{name} must be of the shape of X: a sample of X is of shape {shapes[0][i]}, that "
                f"of {name} is {shapes[1][i]}."
            )


def _rows(samples):
    return samples.to_numpy() if is_frame(samples) else samples
