"""Display of how much generated rows are like real ones: columns, and pairs of columns."""

from numbers import Integral

import numpy as np
import pandas as pd

from skae.inspection._models import can_sample
from skae.inspection._plotting import (
    BLUE,
    ORANGE,
    finish_labels,
    grid_of_axes,
    grid_shape,
    pyplot,
    size_of,
    style,
)
from skae.inspection._texts import cell_text, shortened
from skae.metrics import fidelity_report

#: Columns that are drawn.
N_COLUMNS = 5

#: Panels in a row, and their size in inches.
PER_ROW, PANEL = 3, (3.3, 2.7)

#: Letters of the name of a category or column beside the axes.
N_LETTERS = 14

#: Columns of the map of pairs that are named.
MAX_NAMED = 20

#: Width of axes in inches from which on they are named.
LEAST_WIDTH = 1.5

#: Dates on an axis, at most.
MAX_DATES = 5

#: How wide a bar is, compared with the distance of two categories.
BAR_WIDTH = 0.4


class FidelityDisplay:
    """Real and generated rows: the most different columns, and all pairs of columns.

    It is recommended to use `from_predictions`, `from_report` or `from_estimator` to create a
    display. All parameters are stored as attributes.

    Each panel but the last has the distribution of a column, in percent of the rows, and the
    distance of the two distributions in its title. Its outer bars also hold the numbers that are
    beyond nearly all real ones, and durations are in seconds. The last panel shows by how much the
    association of each pair of columns differs from that in the real table, with the mean in its
    title: the darker, the more it differs.

    Parameters
    ----------
    report : FidelityReport
        What is drawn.
    name : str or None, default=None
        What the generated rows are called.

    Attributes
    ----------
    real_, synthetic_ : list of StepPatch or BarContainer
        The bars of each column.
    image_ : AxesImage
        The map of pairs.
    axes_ : ndarray of Axes
        The axes of all panels, some of which may be empty.
    ax_ : matplotlib Axes
        The first of them.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    skae.metrics.fidelity_report : Computes what is drawn, and the scores.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skae.inspection import FidelityDisplay
    >>> rng = np.random.default_rng(0)
    >>> length = rng.normal(40, 8, 200)
    >>> parcels = pd.DataFrame({"length": length, "width": 0.7 * length + rng.normal(0, 1, 200)})
    >>> shuffled = parcels.apply(lambda column: rng.permutation(column))
    >>> display = FidelityDisplay.from_predictions(parcels, shuffled)
    >>> bool(display.image_.get_array()[0, 1] > 0.9)
    True
    """

    def __init__(self, *, report, name=None):
        self.report = report
        self.name = name

    @classmethod
    def from_estimator(
        cls, estimator, X, *, X_test=None, random_state=0, ax=None, name=None, n_columns=N_COLUMNS
    ):
        """Draw as many rows as X has from an estimator, and compare them.

        Parameters
        ----------
        estimator : estimator
            Fitted on X, with a method ``sample``: a `VariationalAutoencoder`, or a density of
            scikit-learn such as `~sklearn.mixture.GaussianMixture`.
        X : DataFrame or array of shape (n_samples, n_columns)
            The real rows.
        X_test : DataFrame or array of shape (n_test, n_columns) or None, default=None
            Real rows that the estimator has not seen.
        random_state : int or RandomState instance, default=0
            Source of randomness of the report. The estimator uses its own.
        ax : matplotlib Axes, array of Axes or None, default=None
            Axes to draw on, one of which is divided. None makes a new figure.
        name : str or None, default=None
            What the generated rows are called. None is the class of the estimator.
        n_columns : int, default=5
            Number of columns that are drawn, the most different ones.

        Returns
        -------
        display : FidelityDisplay
            The display.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError, ValueError
            If the estimator draws no rows, or these cannot be compared with X.
        """
        pyplot()
        if not can_sample(estimator):
            raise TypeError(
                f"{type(estimator).__name__} has no method sample, so it draws no rows. Give a "
                "VariationalAutoencoder, or use from_predictions with rows from elsewhere."
            )
        rows = estimator.sample(len(X))
        rows = rows[0] if isinstance(rows, tuple) else rows
        name = type(estimator).__name__ if name is None else name
        how = {"random_state": random_state, "ax": ax, "name": name, "n_columns": n_columns}
        return cls.from_predictions(X, rows, test=X_test, **how)

    @classmethod
    def from_predictions(
        cls,
        real,
        synthetic,
        *,
        test=None,
        random_state=0,
        ax=None,
        name=None,
        n_columns=N_COLUMNS,
    ):
        """Compare rows of any generator with real ones.

        Parameters
        ----------
        real : DataFrame or array of shape (n_real, n_columns)
            Rows that the generator was fitted on.
        synthetic : DataFrame or array of shape (n_synthetic, n_columns)
            Rows that it has generated.
        test : DataFrame or array of shape (n_test, n_columns) or None, default=None
            Real rows that the generator has not seen.
        random_state : int or RandomState instance, default=0
            Source of randomness of the report.
        ax : matplotlib Axes, array of Axes or None, default=None
            Axes to draw on, one of which is divided. None makes a new figure.
        name : str or None, default=None
            What the generated rows are called.
        n_columns : int, default=5
            Number of columns that are drawn, the most different ones.

        Returns
        -------
        display : FidelityDisplay
            The display.

        Raises
        ------
        TypeError, ValueError
            If the tables cannot be compared, see `~skae.metrics.fidelity_report`.
        """
        pyplot()
        report = fidelity_report(real, synthetic, test=test, random_state=random_state)
        return cls.from_report(report, ax=ax, name=name, n_columns=n_columns)

    @classmethod
    def from_report(cls, report, *, ax=None, name=None, n_columns=N_COLUMNS):
        """Draw a report.

        Parameters
        ----------
        report : FidelityReport
            From `~skae.metrics.fidelity_report`.
        ax : matplotlib Axes, array of Axes or None, default=None
            Axes to draw on, one of which is divided. None makes a new figure.
        name : str or None, default=None
            What the generated rows are called.
        n_columns : int, default=5
            Number of columns that are drawn, the most different ones.

        Returns
        -------
        display : FidelityDisplay
            The display.
        """
        return cls(report=report, name=name).plot(ax, n_columns=n_columns)

    def plot(self, ax=None, *, name=None, n_columns=N_COLUMNS, **kwargs):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, array of Axes or None, default=None
            Axes to draw on, one of which is divided. None makes a new figure.
        name : str or None, default=None
            What the generated rows are called. None is the ``name`` of the display.
        n_columns : int, default=5
            Number of columns that are drawn, the most different ones.
        **kwargs : dict
            Keywords of matplotlib's ``imshow``, for the map of pairs.

        Returns
        -------
        display : FidelityDisplay
            The display itself.

        Raises
        ------
        ValueError
            If ``n_columns`` is not an integer of at least 1.
        """
        if not isinstance(n_columns, Integral) or n_columns < 1:
            raise ValueError(f"n_columns must be an integer of at least 1; got {n_columns!r}")
        distances = self.report.columns["distance"]
        worst = np.argsort(-distances.to_numpy(), kind="stable")[:n_columns]
        shape = grid_shape(len(worst) + 1, PER_ROW)
        size = shape[1] * PANEL[0], shape[0] * PANEL[1]
        self.axes_ = grid_of_axes(ax, *shape, size)
        self.ax_ = self.axes_[0, 0]
        self.figure_ = self.ax_.figure
        name = self.name if name is None else name
        panels = list(self.axes_.flat)
        drawn = [self._draw_column(panels[i], distances.index[w]) for i, w in enumerate(worst)]
        self.real_, self.synthetic_ = map(list, zip(*drawn, strict=True))
        self.image_ = self._draw_pairs(panels[len(worst)], kwargs)
        for empty in panels[len(worst) + 1 :]:
            empty.set_axis_off()
        for first in self.axes_[:, 0]:
            first.set_ylabel("% of the rows")
        labels = ["real", "synthetic" if name is None else shortened(name)]
        self.ax_.legend([self.real_[0], self.synthetic_[0]], labels, fontsize="small")
        finish_labels(*panels[: len(worst) + 1])
        return self

    def _draw_column(self, ax, name):
        """Draw the bars of a column, and return those of real and of synthetic rows."""
        percent = 100 * self.report.marginals[name]
        is_number = isinstance(percent.index, pd.IntervalIndex)
        bars = (_draw_intervals if is_number else _draw_categories)(ax, percent)
        column = self.report.columns.loc[name]
        title = f"{shortened(str(name), 2 * N_LETTERS)}: {column['distance']:.2f}"
        ax.set_title(title, fontsize="medium", parse_math=False)
        if is_number and column[["missing", "real_missing"]].any():
            missing = f"{column['real_missing']:.0%} and {column['missing']:.0%}"
            ax.set_xlabel(f"missing: {missing}", fontsize="small")
        return bars

    def _draw_pairs(self, ax, kwargs):
        pairs = self.report.pairs
        image = ax.imshow(pairs, **{"cmap": "Blues", "vmin": 0, "vmax": 1} | kwargs)
        ax.set_title(
            f"association of pairs: {self.report.scores.loc['pair_difference', 'synthetic']:.2f}",
            fontsize="medium",
        )
        ax.figure.colorbar(image, ax=ax)
        has_room = len(pairs) <= MAX_NAMED and size_of(ax)[0] > LEAST_WIDTH
        names = [shortened(str(name), N_LETTERS) for name in pairs.columns if has_room]
        ax.set_xticks(range(len(names)), names, rotation=90, fontsize="x-small")
        ax.set_yticks(range(len(names)), names, fontsize="x-small")
        return image


def _draw_intervals(ax, percent):
    """Draw histograms, the real one filled."""
    from matplotlib.patches import StepPatch

    edges = np.append(percent.index.left, percent.index.right[-1:])
    if isinstance(percent.index.left, pd.DatetimeIndex):
        edges = edges.astype("M8[us]")
        _few_dates(ax)
    filled = style(StepPatch, {"fill": True, "facecolor": BLUE, "alpha": 0.4})
    real = ax.stairs(percent["real"], edges, **filled)
    synthetic = ax.stairs(percent["synthetic"], edges, color=ORANGE, linewidth=1.5)
    return real, synthetic


def _few_dates(ax):
    """Let the axis of x have a few dates, in short."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(maxticks=MAX_DATES)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _draw_categories(ax, percent):
    """Draw two bars for each category."""
    places = np.arange(len(percent))
    real = ax.bar(places - BAR_WIDTH / 2, percent["real"], BAR_WIDTH, color=BLUE, alpha=0.4)
    synthetic = ax.bar(
        places + BAR_WIDTH / 2,
        percent["synthetic"],
        BAR_WIDTH,
        facecolor="none",
        edgecolor=ORANGE,
        linewidth=1.5,
    )
    names = [cell_text(name, N_LETTERS) for name in percent.index]
    ax.set_xticks(places, names, rotation=45, ha="right", fontsize="small")
    return real, synthetic
