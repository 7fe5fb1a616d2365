"""Quality by number of components, beside that of PCA."""

from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

from skae._data.checks import as_numbers
from skae._data.given import as_data
from skae._data.tables import TableReader
from skae._estimators.fitted import FittedAutoencoder
from skae._model_selection.fit_many import fit_many
from skae._params import refuse_class
from skae.inspection._models import Model, is_fitted, n_samples_of
from skae.inspection._plotting import (
    BLUE,
    ORANGE,
    finish_labels,
    light_grid,
    line_style,
    one_axes,
    pyplot,
    whole_numbers,
)

#: Numbers of components that are looked at by default: so many of a fitted estimator, or these.
MAX_NUMBERS, NUMBERS = 20, (1, 2, 4, 8, 16, 32)

#: Beyond this ratio of the numbers of components, their axis is logarithmic.
MAX_RATIO = 10


class ComponentsDisplay:
    """How much of the variance is reconstructed from how many components, beside PCA.

    It is recommended to use `from_estimator` or `from_predictions` to create a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    n_components : array-like of int of shape (n_numbers,)
        Numbers of components.
    scores : array-like of float of shape (n_numbers,)
        Score of each.
    baseline_scores : array-like of float or None, default=None
        Scores of PCA with 1, 2, and more components. None draws none.
    name : str or None, default=None
        Name of the estimator.
    score_name : str, default="R2"
        What the scores are, for the label of the axis.

    Attributes
    ----------
    line_ : Line2D
        The scores of the estimator.
    baseline_ : Line2D or None
        Those of PCA.
    ax_ : Axes
        Axes with the lines.
    figure_ : Figure
        Figure that holds them.

    See Also
    --------
    sklearn.model_selection.ValidationCurveDisplay : Scores by any parameter.
    skae.fit_many : Fits the estimators.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import Autoencoder
    >>> from skae.inspection import ComponentsDisplay
    >>> X = load_digits().data / 16
    >>> model = Autoencoder(max_epochs=5, random_state=0)
    >>> display = ComponentsDisplay.from_estimator(model, X, n_components=(2, 4, 8))
    >>> bool((display.scores > display.baseline_scores[[1, 3, 7]]).all())
    True
    """

    def __init__(self, *, n_components, scores, baseline_scores=None, name=None, score_name="R2"):
        self.n_components = n_components
        self.scores = scores
        self.baseline_scores = baseline_scores
        self.name = name
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        n_components=None,
        X_test=None,
        test_size=0.25,
        baseline="auto",
        n_jobs=None,
        random_state=0,
        name=None,
        ax=None,
        **kwargs,
    ):
        """Score an estimator with several numbers of components.

        There are two ways. With ``n_components``, or an estimator that is not fitted, clones with
        these numbers are fitted on one part of X and scored on the other. This is the quality that
        you get with so many components.

        Without ``n_components``, a fitted estimator whose codes are in order is not fitted again.
        Its first code is decoded, then its first two, and so on, the others at their means. This
        is quick, and says how many of the codes carry how much. A net that is trained with few
        codes from the start can do more with them.

        Parameters
        ----------
        estimator : estimator
            Autoencoder or another estimator with ``n_components``, or a pipeline that ends in one.
        X : array-like of shape (n_samples, ...)
            Samples to fit on. PCA is fitted on the same ones.
        n_components : list of int or None, default=None
            Numbers of components. None is all of a fitted estimator, thinned out to 20, and 1, 2,
            4, 8, 16 and 32 of others, as far as there are samples and features.
        X_test : array-like of shape (n_samples, ...) or None, default=None
            Samples to score on. None is a part of X, or X itself if nothing is fitted.
        test_size : float or int, default=0.25
            That part, as a fraction or a number of samples.
        baseline : {"pca", "auto"} or None, default="auto"
            What is drawn beside. "auto" is PCA where samples are numbers of one shape with none
            missing, and nothing for tables with categories or sequences of unequal lengths. PCA
            comes after the same steps of the pipeline.
        n_jobs : int or None, default=None
            As for `skae.fit_many`.
        random_state : int, RandomState instance or None, default=0
            Which samples are held out.
        name : str or None, default=None
            Name of the estimator. None is its class.
        ax : Axes or None, default=None
            As for `plot`.
        **kwargs : dict
            Further parameters of `plot`.

        Returns
        -------
        display : ComponentsDisplay
            The display that was drawn.

        Raises
        ------
        TypeError
            If the estimator has no parameter ``n_components``.
        ValueError
            If a parameter or the data is invalid, or if a fit fails.
        """
        pyplot()
        refuse_class("estimator", estimator)
        if baseline not in ("pca", "auto", None):
            raise ValueError(f'baseline must be "pca", "auto" or None; got {baseline!r}')
        if n_components is None and is_fitted(estimator):
            model = Model.of(estimator)
            train = model.prepared(X)
            test = train if X_test is None else model.prepared(X_test)
            last, (numbers, scores) = model.last, _of_first_codes(model, test)
            where = "training samples" if X_test is None else "test samples"
        else:
            train, test, last = _split(estimator, X, X_test, test_size, random_state)
            numbers = _default_numbers(train) if n_components is None else n_components
            numbers = sorted({*_checked_numbers(numbers)})
            scores = _of_clones(last, numbers, train, test, n_jobs)
            where = "held-out samples" if X_test is None else "test samples"
        display = cls(
            n_components=numbers,
            scores=np.array(scores),
            baseline_scores=_pca_scores(baseline, last, train, test, max(numbers)),
            name=type(last).__name__ if name is None else name,
            score_name=f"R2 of {where}",
        )
        return display.plot(ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        n_components,
        scores,
        *,
        baseline_scores=None,
        name=None,
        score_name="R2",
        ax=None,
        **kwargs,
    ):
        """Draw scores that are given.

        Parameters
        ----------
        n_components : array-like of int of shape (n_numbers,)
            Numbers of components.
        scores : array-like of float of shape (n_numbers,)
            Score of each.
        baseline_scores : array-like of float or None, default=None
            Scores of PCA with 1, 2, and more components. None draws none.
        name : str or None, default=None
            Name of the estimator.
        score_name : str, default="R2"
            What the scores are, for the label of the axis.
        ax : Axes or None, default=None
            As for `plot`.
        **kwargs : dict
            Further parameters of `plot`.

        Returns
        -------
        display : ComponentsDisplay
            The display that was drawn.

        Raises
        ------
        TypeError, ValueError
            If there is not one score for each number of components.
        """
        return cls(
            n_components=n_components,
            scores=scores,
            baseline_scores=baseline_scores,
            name=name,
            score_name=score_name,
        ).plot(ax, **kwargs)

    def plot(self, ax=None, *, name=None, line_kw=None, baseline_kw=None):
        """Draw the display.

        Parameters
        ----------
        ax : Axes or None, default=None
            Axes to draw on. None makes a new figure.
        name : str or None, default=None
            Name of the estimator. None is that of the display.
        line_kw : dict or None, default=None
            Keywords for the line of the estimator.
        baseline_kw : dict or None, default=None
            Keywords for the line of PCA.

        Returns
        -------
        display : ComponentsDisplay
            The display itself.

        Raises
        ------
        TypeError
            If ``ax`` is not one axes.
        """
        from matplotlib.ticker import NullLocator

        numbers = np.asarray(_checked_numbers(self.n_components))
        scores = as_numbers(self.scores, "scores").astype(np.float64)
        if numbers.shape != scores.shape:
            raise ValueError(
                "n_components and scores must be of one length, at least 1; got shapes "
                f"{numbers.shape} and {scores.shape}"
            )
        order = np.argsort(numbers, kind="stable")
        numbers, scores = numbers[order], scores[order]
        ax = light_grid(one_axes(ax, (6.0, 4.0)))
        label = self.name if name is None else name
        how = {"color": BLUE, "marker": "o", "label": label or "estimator", "zorder": 3}
        self.line_ = ax.plot(numbers, scores, **line_style(how, line_kw))[0]
        self.baseline_ = None
        if self.baseline_scores is not None:
            baseline = np.ravel(as_numbers(self.baseline_scores, "baseline_scores"))
            first = np.arange(1, len(baseline) + 1)
            shown = first >= numbers.min()
            how = {"color": ORANGE, "linestyle": "--", "marker": "s", "markersize": 4}
            how |= {"label": "PCA"} | ({"markevery": 0.1} if len(first) > MAX_NUMBERS else {})
            how = line_style(how, baseline_kw)
            self.baseline_ = ax.plot(first[shown], baseline[shown], **how)[0]
        if numbers.max() > MAX_RATIO * numbers.min():
            ax.set_xscale("log", base=2)
            ticks = numbers if len(numbers) <= 8 else 2 ** np.arange(int(np.log2(max(numbers))) + 1)
            ax.set_xticks(ticks, [str(number) for number in ticks])
            ax.xaxis.set_minor_locator(NullLocator())
        else:
            whole_numbers(ax.xaxis)
        ax.set(xlabel="number of components", ylabel=self.score_name)
        ax.legend()
        finish_labels(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _split(estimator, X, X_test, test_size, random_state):
    """Return samples to fit and to score on as the last step gets them, and that step."""
    X = as_data(X)
    if X_test is None:
        X, X_test = train_test_split(X, test_size=test_size, random_state=random_state)
    if n_samples_of(X_test) < 2:
        raise ValueError("R2 needs at least two samples to score on: give more, as X_test.")
    if not isinstance(estimator, Pipeline):
        return X, X_test, estimator
    if len(estimator.steps) == 1:
        return X, X_test, estimator.steps[-1][1]
    steps = clone(estimator[:-1])
    return steps.fit_transform(X), steps.transform(X_test), estimator.steps[-1][1]


def _default_numbers(X):
    matrix = _matrix(X)
    most = min(matrix.shape) if matrix is not None else max(NUMBERS)
    return [number for number in NUMBERS if number <= most]


def _checked_numbers(n_components):
    numbers = list(n_components) if np.iterable(n_components) else [n_components]
    if not numbers or not all(isinstance(n, Integral) and n >= 1 for n in numbers):
        raise ValueError(f"n_components must be a list of int, at least 1; got {n_components!r}")
    return [int(number) for number in numbers]


def _of_clones(estimator, numbers, train, test, n_jobs):
    """Return the scores of clones with numbers of components."""
    known = estimator.get_params()
    if "n_components" not in known:
        raise TypeError(
            f"{type(estimator).__name__} has no parameter n_components. Give an autoencoder that "
            "has one, or a pipeline that ends in one."
        )
    quiet = {"check_baseline": False} if "check_baseline" in known else {}  # PCA is drawn
    clones = [clone(estimator).set_params(n_components=n, **quiet) for n in numbers]
    fitted = fit_many(clones, train, n_jobs=n_jobs)
    return [_score(model, test) for model in fitted]


def _score(model, X):
    matrix = _matrix(X)
    if isinstance(model, FittedAutoencoder) and (matrix is None or _reads_tables(model)):
        return model.score(X)
    return _r2(_needed_matrix(X), _matrix(model.inverse_transform(model.transform(X))))


def _reads_tables(estimator):
    """Say whether an estimator reads tables, whose score is a mean over columns of any unit."""
    return isinstance(estimator, FittedAutoencoder) and estimator._reader_class is TableReader


def _of_first_codes(model, X):
    """Return numbers of components, and the R2 of the first of a fitted estimator's codes."""
    last = model.last
    if "explained_variance_ratio_" not in vars(last):
        raise ValueError(
            f"The codes of {model.name} are not in order, so its first ones say nothing. Give "
            "n_components, such as n_components=(2, 4, 8): clones are fitted."
        )
    matrix = _needed_matrix(None if _reads_tables(last) else X)
    codes = last.transform(X)
    means, n = codes.mean(axis=0), codes.shape[1]
    numbers = np.unique(np.linspace(1, n, min(n, MAX_NUMBERS)).round().astype(int)).tolist()
    scores = []
    for number in numbers:
        kept = np.where(np.arange(n) < number, codes, means)
        scores.append(_r2(matrix, _matrix(last.inverse_transform(kept))))
    return numbers, scores


def _matrix(X):
    """Return samples as rows of numbers, or None if they are not numbers of one shape."""
    X = as_data(X)
    try:
        X = X.toarray() if sparse.issparse(X) else np.asarray(X)
        X = X.reshape(len(X), -1).astype(float)
    except (TypeError, ValueError):
        return None
    return X if np.isfinite(X).all() else None


def _needed_matrix(X):
    matrix = None if X is None else _matrix(X)
    if matrix is None:
        raise ValueError(
            "The samples are read as a table, are not numbers of one shape, or some are missing, "
            "so R2 of the first codes of a fitted estimator is not defined. Give n_components, "
            "such as n_components=(2, 4, 8): clones are fitted."
        )
    return matrix


def _r2(X, made):
    return float(r2_score(X, made, multioutput="variance_weighted"))


def _pca_scores(baseline, estimator, train, test, n_components):
    """Return the R2 of PCA with 1 to ``n_components`` components, or None."""
    if baseline is None or (baseline == "auto" and _reads_tables(estimator)):
        return None
    if _reads_tables(estimator):
        raise ValueError(
            f'baseline="pca" is not comparable with {type(estimator).__name__}, whose score is a '
            'mean over columns. Leave it at "auto".'
        )
    train, test = _matrix(train), _matrix(test)
    if train is None or test is None:
        if baseline == "pca":
            raise ValueError(
                'baseline="pca" needs numbers of one shape, with none missing. Leave it at "auto".'
            )
        return None
    total = ((test - test.mean(axis=0)) ** 2).sum()
    if not total > 0 or np.ptp(train, axis=0).max() == 0:  # of which PCA says nothing
        return None
    pca = PCA(min(n_components, *train.shape), random_state=0).fit(train)
    centered, codes = test - pca.mean_, pca.transform(test)
    rest = (centered**2).sum() - np.cumsum((codes**2).sum(axis=0))
    return 1 - rest / total
