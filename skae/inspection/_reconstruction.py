"""Samples beside what a model makes of them."""

from collections.abc import Mapping
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state, check_scalar

from skae.inspection._forms import as_floats, form_of, is_category, known_mean, moments
from skae.inspection._models import Model, check_number, layouts_of, n_samples_of, take, thinned
from skae.inspection._plotting import pyplot
from skae.inspection._reconstruction_panels import draw_images, draw_rows, draw_series

#: How samples are drawn, and how many by default.
PANELS = {"images": (draw_images, 8), "series": (draw_series, 4), "rows": (draw_rows, 3)}
MOST = 8

#: Rows that means and standard deviations are computed from, at most.
MAX_STATISTICS = 10_000


class ReconstructionDisplay:
    """Samples, their reconstructions, and the error.

    Images are drawn in rows of pictures; series as lines; rows of a table as one panel for each
    row, with the columns one below the other. The display draws what the estimator reads: a
    `~skae.ConvAutoencoder` images, a `~skae.RecurrentAutoencoder` series, and so on.

    The error is the absolute difference, in the units of the samples. Columns of a table have
    units of their own, so their errors are in standard deviations of the column; that of a
    category is 0 or 1.

    It is recommended to use `from_estimator` or `from_predictions` to create a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    original : ndarray, list of ndarray or DataFrame
        Images of shape (n_samples, height, width) or (n_samples, height, width, 3); series, each
        of shape (time, n_features); or rows of a table.
    reconstruction : ndarray, list of ndarray, DataFrame or dict
        What the model makes of them, in the same form; a dict of such, by name, for several.
    error : ndarray, list of ndarray, DataFrame or None, default=None
        Absolute error of each value. None draws none.
    target : ndarray, list of ndarray, DataFrame or None, default=None
        What the model should make of them, if this is something else.
    form : {"images", "series", "rows"}, default="images"
        How the samples are drawn.
    center, scale : ndarray of shape (n_features,) or None, default=None
        Means and standard deviations of the columns of a table. None is 0 and 1.
    sample_names : list of str or None, default=None
        Titles of the samples.
    labels : tuple of str, default=("original", "reconstruction")
        What ``original`` and ``reconstruction`` are called.
    feature_names : list of str or None, default=None
        Names of the features of series. None are "feature 0", and so on.

    Attributes
    ----------
    axes_ : ndarray of Axes
        Axes that are drawn on: a row for each of original, target, reconstruction and error of
        images; a row for each feature of series and one for the error; two columns for each row
        of a table, for values and errors.
    ax_ : Axes
        The first of them.
    figure_ : Figure
        Figure that holds them.
    images_ : ndarray of AxesImage
        Pictures, in the order of ``axes_``; empty for other samples.
    lines_ : list of Line2D
        Lines of series or points of rows, the original and the reconstruction in turn.
    bars_ : list of BarContainer
        Errors of the columns of a table.
    colorbar_ : Colorbar or None
        That of the errors of images.

    See Also
    --------
    skae.Autoencoder.reconstruct : The reconstructions.
    LatentTraversalDisplay : Decoded codes without samples.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import Autoencoder
    >>> from skae.inspection import ReconstructionDisplay
    >>> X = load_digits().data / 16
    >>> model = Autoencoder(8, max_epochs=2, check_baseline=False, random_state=0).fit(X)
    >>> display = ReconstructionDisplay.from_estimator(model, X, image_shape=(8, 8))
    >>> display.axes_.shape
    (3, 8)
    """

    def __init__(
        self,
        *,
        original,
        reconstruction,
        error=None,
        target=None,
        form="images",
        center=None,
        scale=None,
        sample_names=None,
        labels=("original", "reconstruction"),
        feature_names=None,
    ):
        self.original = original
        self.reconstruction = reconstruction
        self.error = error
        self.target = target
        self.form = form
        self.center = center
        self.scale = scale
        self.sample_names = sample_names
        self.labels = labels
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        n_samples=None,
        selection="first",
        image_shape=None,
        form="auto",
        random_state=None,
        ax=None,
        **kwargs,
    ):
        """Draw what a fitted estimator makes of samples.

        Parameters
        ----------
        estimator : estimator
            A fitted autoencoder, ensemble or `~skae.ImageToImageRegressor`; a pipeline that ends
            in one; a search or an `~skae.OutlierDetector` that holds one; or another estimator
            with ``inverse_transform``, such as `~sklearn.decomposition.PCA`. The steps of a
            pipeline are undone. If one cannot be undone, the samples are drawn as the last step
            gets them.
        X : array-like of shape (n_samples, ...)
            Samples, as the estimator takes them.
        y : array-like of shape (n_samples, ...) or None, default=None
            What the output should be: the targets of an `~skae.ImageToImageRegressor`, or clean
            samples for noisy X. None is X itself.
        n_samples : int or None, default=None
            How many samples are drawn. None is at most 8 images, 4 series or 3 rows.
        selection : {"first", "random", "worst"} or array-like of int, default="first"
            Which samples are drawn: the first ones, some at random, those with the largest mean
            errors, or those at the given positions.
        image_shape : tuple of int or None, default=None
            Shape of the images that flat rows hold, such as (28, 28).
        form : {"auto", "images", "series", "rows"}, default="auto"
            How the samples are drawn. "auto" is what the estimator reads them as.
        random_state : int, RandomState instance or None, default=None
            Seed of ``selection="random"``.
        ax : Axes, array of Axes or None, default=None
            As for `plot`.
        **kwargs : dict
            Further parameters of `plot`.

        Returns
        -------
        display : ReconstructionDisplay
            The display that was drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it makes no reconstructions.
        ValueError
            If a parameter or the samples are invalid.
        """
        pyplot()
        model = Model.of(estimator)
        which = _selected(selection, n_samples_of(X), n_samples, random_state)
        if y is not None:
            check_number(y, n_samples_of(X), "y")
        shown = take(X, which)
        inputs = model.prepared(shown)
        made = model.reconstruct(inputs)
        if model.can_go_back:
            made = model.back(made) if model.makes_inputs else made
        else:
            shown = inputs
        some = take(X, thinned(X, MAX_STATISTICS))
        return cls._of(
            [form_of(layout, shown, image_shape, form) for layout in layouts_of(model.last)],
            (shown, made),
            None if y is None else take(y, which),
            statistics=some if model.can_go_back else model.prepared(some),
            names=which,
            selection=selection,
            n_samples=n_samples,
            makes_inputs=model.makes_inputs,
        ).plot(ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        X,
        X_reconstructed,
        y=None,
        *,
        n_samples=None,
        selection="first",
        image_shape=None,
        form="auto",
        random_state=None,
        ax=None,
        **kwargs,
    ):
        """Draw samples beside reconstructions that are given.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.
        X_reconstructed : array-like of shape (n_samples, ...), or dict
            Their reconstructions. A dict of them, by name, shows several models; their errors are
            not drawn.
        y : array-like of shape (n_samples, ...) or None, default=None
            What the reconstructions should be. None is X.
        n_samples : int or None, default=None
            As for `from_estimator`.
        selection : {"first", "random", "worst"} or array-like of int, default="first"
            As for `from_estimator`.
        image_shape : tuple of int or None, default=None
            As for `from_estimator`.
        form : {"auto", "images", "series", "rows"}, default="auto"
            How the samples are drawn. "auto" draws arrays with three or four axes as images,
            lists of arrays as series, and others as rows.
        random_state : int, RandomState instance or None, default=None
            Seed of ``selection="random"``.
        ax : Axes, array of Axes or None, default=None
            As for `plot`.
        **kwargs : dict
            Further parameters of `plot`.

        Returns
        -------
        display : ReconstructionDisplay
            The display that was drawn.

        Raises
        ------
        ValueError
            If a parameter or the samples are invalid.
        """
        pyplot()
        n, several = n_samples_of(X), isinstance(X_reconstructed, Mapping)
        made = dict(X_reconstructed) if several else {"X_reconstructed": X_reconstructed}
        _check_numbers(made, n)
        if y is not None:
            check_number(y, n, "y")
        which = _selected(selection, n, n_samples, random_state)
        one = form_of(None, X, image_shape, form)
        first = next(iter(made.values()))
        made = {name: take(samples, which) for name, samples in made.items()}
        return cls._of(
            (one, one if image_shape else form_of(None, first, None, one.name)),
            (take(X, which), made if several else made["X_reconstructed"]),
            None if y is None else take(y, which),
            statistics=take(X, thinned(X, MAX_STATISTICS)),
            names=which,
            selection=selection,
            n_samples=n_samples,
        ).plot(ax, **kwargs)

    @classmethod
    def _of(cls, forms, samples, y, *, statistics, names, selection, n_samples, makes_inputs=True):
        """Return the display of samples and what is made of them, both as users have them."""
        original, target = forms[0].read(samples[0]), None if y is None else forms[1].read(y)
        several, made = isinstance(samples[1], dict), samples[1]
        read = forms[1].read
        made = {name: read(one) for name, one in made.items()} if several else read(made)
        form, expected = forms[1].name, original if target is None else target
        center, scale = moments(forms[0].read(statistics)) if form == "rows" else (None, None)
        has_target = makes_inputs or target is not None
        for one in made.values() if several else [made] if has_target else []:
            _check_alike(expected, one, "X" if target is None else "y")
        error = _errors(expected, made, scale) if has_target and not several else None
        limit = PANELS[form][1] if n_samples is None else n_samples
        order = _order(selection, error, len(original), limit)
        parts = {"original": original, "reconstruction": made, "target": target, "error": error}
        prefix = "sample " if min(limit, len(order)) <= MOST else ""  # where there is room
        return cls(
            **{name: None if one is None else _part(one, order) for name, one in parts.items()},
            form=form,
            center=center,
            scale=scale,
            sample_names=[f"{prefix}{names[i]}" for i in order],
            labels=_labels(makes_inputs, y is not None),
            feature_names=forms[1].names if form == "series" else None,
        )

    def plot(self, ax=None, *, image_kw=None, line_kw=None, error_kw=None):
        """Draw the display.

        Parameters
        ----------
        ax : Axes, array of Axes or None, default=None
            Axes to draw on: one of ``plt.subplots``, which is divided, or an array in the shape
            of ``axes_``. None makes a new figure.
        image_kw : dict or None, default=None
            Keywords for ``imshow`` of images, such as ``{"cmap": "viridis"}``.
        line_kw : dict or None, default=None
            Keywords for the lines and points of reconstructions.
        error_kw : dict or None, default=None
            Keywords for what shows errors: ``imshow`` of images, ``fill_between`` of series,
            ``barh`` of rows.

        Returns
        -------
        display : ReconstructionDisplay
            The display itself.

        Raises
        ------
        TypeError, ValueError
            If ``ax`` is not what is drawn on.
        """
        self.images_, self.lines_, self.bars_, self.colorbar_ = np.empty(0, object), [], [], None
        draw, _ = PANELS[self.form]
        self.axes_ = draw(self, ax, image_kw=image_kw, line_kw=line_kw, error_kw=error_kw)
        self.ax_ = self.axes_.flat[0]
        self.figure_ = self.ax_.figure
        return self


def _check_numbers(made, n):
    if not made:
        raise ValueError("X_reconstructed is empty: give at least one reconstruction.")
    for name, samples in made.items():
        check_number(samples, n, name)


def _labels(makes_inputs, has_target):
    """Return what samples and what is made of them are called."""
    first = "input" if has_target or not makes_inputs else "original"
    return first, "reconstruction" if makes_inputs else "prediction"


def _selected(selection, n, n_samples, random_state):
    """Return which samples are reconstructed: all of them if the worst are to be found."""
    if n_samples is not None:
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
    if not isinstance(selection, str):
        return _positions(selection, n)
    if selection not in ("first", "random", "worst"):
        raise ValueError(
            'selection must be "first", "random", "worst" or positions of samples; got '
            f"{selection!r}"
        )
    limit = n if selection == "worst" else min(n, n_samples or MOST)
    if selection != "random":
        return np.arange(limit)
    return check_random_state(random_state).choice(n, limit, replace=False)


def _order(selection, error, n_made, limit):
    """Return which of the samples that are reconstructed are drawn, the first one first."""
    if not isinstance(selection, str):
        return np.arange(len(selection))
    if selection != "worst":
        return np.arange(min(limit, n_made))
    if error is None:
        raise ValueError(
            'selection="worst" needs one reconstruction, and y where this is not like X.'
        )
    means = [known_mean(one.astype(float)) for one in _samples(error)]
    return np.argsort(means, kind="stable")[::-1][:limit]


def _positions(selection, n):
    which = np.asarray(selection)
    if which.ndim != 1 or not len(which) or which.dtype.kind not in "iu":
        raise ValueError(f"selection must hold positions of samples; got {selection!r:.60}")
    if which.min() < -n or which.max() >= n:
        raise ValueError(
            f"selection goes from {which.min()} to {which.max()}, but X has {n} samples, from 0 on."
        )
    return which % n


def _part(samples, which):
    """Return some of the samples."""
    match samples:
        case dict():
            return {name: _part(one, which) for name, one in samples.items()}
        case pd.DataFrame():
            return samples.iloc[which]
        case list():
            return [samples[i] for i in which]
    return samples[which]


def _errors(expected, made, scale):
    """Return the absolute error of each value."""
    match expected:
        case pd.DataFrame():
            return _table_errors(expected, made, scale)
        case list():
            return [np.abs(a - b) for a, b in zip(expected, made, strict=True)]
    return np.abs(expected.astype(float) - made.astype(float))


def _table_errors(expected, made, scale):
    """Return absolute errors of cells: in standard deviations, or 0 or 1 for categories."""
    errors = np.abs(as_floats(expected) - as_floats(made)) / scale
    for i in np.flatnonzero(is_category(expected)):
        wanted, found = expected.iloc[:, i], made.iloc[:, i]
        errors[:, i] = np.where(wanted.isna(), np.nan, (wanted != found).to_numpy(float))
    return pd.DataFrame(errors, columns=expected.columns, index=expected.index)


def _check_alike(expected, made, name):
    for i, (a, b) in enumerate(zip(_samples(expected), _samples(made), strict=True)):
        if np.shape(a) != np.shape(b):
            labels = " y is what the output should be, not labels." if name == "y" else ""
            raise ValueError(
                f"{name}[{i}] is of shape {np.shape(a)}, but its reconstruction of shape "
                f"{np.shape(b)}.{labels}"
            )


def _samples(samples):
    return samples.to_numpy() if isinstance(samples, pd.DataFrame) else samples
