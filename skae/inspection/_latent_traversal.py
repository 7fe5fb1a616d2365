"""What codes are decoded to, along the axes of the code."""

from math import prod
from numbers import Integral

import numpy as np
from scipy.stats import norm
from sklearn.utils import check_array, check_scalar

from skae._data.checks import as_numbers
from skae._estimators.variational import VariationalAutoencoder
from skae.inspection._forms import dense_array, form_of, moments
from skae.inspection._models import Model, decodes, layouts_of, n_samples_of, take, thinned
from skae.inspection._plotting import pyplot
from skae.inspection._traversal_panels import PANELS

#: Codes that quantiles are computed from, at most.
MAX_CODES = 10_000

#: Components that have a row each, at most, if none are named.
MAX_ROWS = 6


class LatentTraversalDisplay:
    """Decoded codes: what changes along the components of the code.

    A grid varies two components at once, and rows vary one component each. The other components
    stay at their medians. The steps are quantiles of the codes of given samples or, for a
    `~skae.VariationalAutoencoder`, of its prior.

    Images are drawn as one picture, and series as small lines or, in rows, above each other. Rows
    of a table are heat maps in standard deviations with the values written in.

    It is recommended to use `from_estimator` or `from_predictions` to create a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    decoded : ndarray, list of ndarray or DataFrame
        Decoded samples: images of shape (n, height, width) or (n, height, width, 3); series, each
        of shape (time, n_features); or rows of a table. Those of a grid are ordered by the second
        component, then by the first; those of rows by component, then by step.
    steps : list of ndarray of shape (n_steps,)
        Values of each component.
    components : list of int
        Components that vary.
    levels : ndarray of shape (n_steps,) or None, default=None
        Quantiles that the steps are, from 0 to 1. None labels rows by the steps themselves.
    layout : {"grid", "rows"}, default="grid"
        Whether two components vary together, or each by itself.
    form : {"images", "series", "rows"}, default="images"
        How the samples are drawn.
    center, scale : ndarray of shape (n_features,) or None, default=None
        Means and standard deviations of the columns of a table. None is those of ``decoded``.
    value_range : tuple of float or None, default=None
        Values of images that are black and white. None is the range of ``decoded``.
    feature_names : list of str or None, default=None
        Names of the features of series. None are "feature 0", and so on.

    Attributes
    ----------
    image_ : AxesImage or None
        The picture of images.
    images_ : list of AxesImage
        The heat maps of rows of a table.
    lines_ : list of Line2D
        The lines of series.
    axes_ : ndarray of Axes
        Axes that are drawn on.
    ax_ : Axes
        The first of them.
    figure_ : Figure
        Figure that holds them.

    See Also
    --------
    LatentSpaceDisplay : Where the codes of samples are.
    skae.VariationalAutoencoder.sample : Samples of the prior.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import Autoencoder
    >>> from skae.inspection import LatentTraversalDisplay
    >>> X = load_digits().data / 16
    >>> model = Autoencoder(2, max_epochs=2, check_baseline=False, random_state=0).fit(X)
    >>> display = LatentTraversalDisplay.from_estimator(model, X, image_shape=(8, 8), n_steps=5)
    >>> display.decoded.shape
    (25, 8, 8)
    """

    def __init__(
        self,
        *,
        decoded,
        steps,
        components,
        levels=None,
        layout="grid",
        form="images",
        center=None,
        scale=None,
        value_range=None,
        feature_names=None,
    ):
        self.decoded = decoded
        self.steps = steps
        self.levels = levels
        self.components = components
        self.layout = layout
        self.form = form
        self.center = center
        self.scale = scale
        self.value_range = value_range
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        *,
        components=None,
        layout="auto",
        n_steps=None,
        quantiles=(0.05, 0.95),
        image_shape=None,
        form="auto",
        ax=None,
        **kwargs,
    ):
        """Decode codes along components, and draw them.

        Parameters
        ----------
        estimator : estimator
            A fitted autoencoder or another transformer with ``inverse_transform``, or a pipeline,
            search or `~skae.OutlierDetector` that holds one. The steps of a pipeline are undone.
            If one cannot be undone, samples are drawn as the last step gets them.
        X : array-like of shape (n_samples, ...) or None, default=None
            Samples whose codes are the range. None is the prior, for a
            `~skae.VariationalAutoencoder` only.
        components : int, tuple of int or None, default=None
            Components to vary, counted from 0. None are those whose codes vary most, two for a
            grid and up to 6 for rows.
        layout : {"grid", "rows", "auto"}, default="auto"
            "grid" varies two components together, "rows" each by itself. "auto" is a grid for two
            components, or if ``components`` is None and there are two.
        n_steps : int or None, default=None
            Number of values of each component. None is 10 for a grid of images, 5 for other grids
            and 7 for rows.
        quantiles : tuple of float, default=(0.05, 0.95)
            Quantiles of the codes that are the first and the last step.
        image_shape : tuple of int or None, default=None
            Shape of the images that flat rows hold, such as (28, 28).
        form : {"auto", "images", "series", "rows"}, default="auto"
            How the samples are drawn. "auto" is what the estimator reads them as.
        ax : Axes, array of Axes or None, default=None
            As for `plot`.
        **kwargs : dict
            Further parameters of `plot`.

        Returns
        -------
        display : LatentTraversalDisplay
            The display that was drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it does not decode.
        ValueError
            If a parameter or the data is invalid.
        """
        pyplot()
        model = Model.of(estimator)
        if not decodes(model.last):
            raise TypeError(
                f"{model.name} does not decode: it has no inverse_transform. Give an autoencoder "
                f"or a pipeline that ends in one.{model.hint}"
            )
        low, high = _checked_quantiles(quantiles)
        codes = _range_of(model, X)
        layout, components = _what_varies(layout, components, codes.order)
        form = form_of(
            layouts_of(model.last)[0], model.decode(codes.middle[None]), image_shape, form
        )
        default = 7 if layout == "rows" else 10 if form.name == "images" else 5
        n_steps = default if n_steps is None else n_steps
        levels = np.linspace(low, high, check_scalar(n_steps, "n_steps", Integral, min_val=1))
        steps = [codes.quantiles(component, levels) for component in components]
        decoded = form.read(model.decode(_varied(codes.middle, components, steps, layout)))
        if form.name == "rows" and model.feature_names is not None:
            decoded.columns = model.feature_names
        return cls(
            decoded=decoded,
            steps=steps,
            levels=levels,
            components=components,
            layout=layout,
            form=form.name,
            **_values_of(form, model, X),
        ).plot(ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        decoded,
        steps,
        *,
        components=None,
        levels=None,
        layout="auto",
        image_shape=None,
        form="auto",
        ax=None,
        **kwargs,
    ):
        """Draw codes that were decoded elsewhere.

        Parameters
        ----------
        decoded : array-like of shape (n, ...)
            Decoded samples: those of a grid ordered by the second component, then by the first;
            those of rows by component, then by step.
        steps : list of array-like of shape (n_steps,)
            Values of each component that varies. A single array is those of one component.
        components : list of int or None, default=None
            Which components these are. None is 0, 1 and so on.
        levels : array-like of shape (n_steps,) or None, default=None
            Quantiles that the steps are, from 0 to 1. None labels rows by the steps, which are
            then the same ones for all components.
        layout : {"grid", "rows", "auto"}, default="auto"
            "grid" varies two components together, "rows" each by itself. "auto" is a grid for two
            components.
        image_shape : tuple of int or None, default=None
            Shape of the images that flat rows hold, such as (28, 28).
        form : {"auto", "images", "series", "rows"}, default="auto"
            How the samples are drawn. "auto" draws arrays with three or four axes as images,
            lists of arrays as series, and others as rows.
        ax : Axes, array of Axes or None, default=None
            As for `plot`.
        **kwargs : dict
            Further parameters of `plot`.

        Returns
        -------
        display : LatentTraversalDisplay
            The display that was drawn.

        Raises
        ------
        TypeError, ValueError
            If there is not one sample for each step, or a parameter is invalid.
        """
        pyplot()
        steps = _checked_steps(steps)
        components = range(len(steps)) if components is None else components
        n = 1 + max([c for c in components if isinstance(c, Integral)], default=0)
        layout, components = _what_varies(layout, components, np.arange(n))
        if len(components) != len(steps):
            raise ValueError(f"components={components!r}, but steps holds {len(steps)} arrays.")
        lengths = [len(one) for one in steps]
        if layout == "rows":
            levels = _checked_levels(levels, steps)
        _check_number(decoded, prod(lengths) if layout == "grid" else sum(lengths), lengths)
        form = form_of(None, decoded, image_shape, form)
        return cls(
            decoded=form.read(decoded),
            steps=steps,
            components=components,
            levels=levels,
            layout=layout,
            form=form.name,
            feature_names=form.names if form.name == "series" else None,
        ).plot(ax, **kwargs)

    def plot(self, ax=None, *, image_kw=None, line_kw=None):
        """Draw the display.

        Parameters
        ----------
        ax : Axes, array of Axes or None, default=None
            Axes to draw on: one, which is divided where several are needed, or an array in the
            shape of ``axes_``. None makes a new figure.
        image_kw : dict or None, default=None
            Keywords for ``imshow`` of images and heat maps.
        line_kw : dict or None, default=None
            Keywords for the lines of series.

        Returns
        -------
        display : LatentTraversalDisplay
            The display itself.

        Raises
        ------
        TypeError, ValueError
            If ``ax`` is not what is drawn on.
        """
        self.image_, self.images_, self.lines_ = None, [], []
        self.axes_ = PANELS[self.form, self.layout](self, ax, image_kw, line_kw)
        self.ax_ = self.axes_.flat[0]
        self.figure_ = self.ax_.figure
        return self


def _checked_steps(steps):
    """Return the values of each component."""
    is_one = np.iterable(steps) and all(np.ndim(value) == 0 for value in steps)
    steps = [as_numbers(one, "steps").astype(np.float64) for one in ([steps] if is_one else steps)]
    if not steps or not all(one.ndim == 1 and len(one) for one in steps):
        raise ValueError(
            "steps must be a list with an array for each component, of shape (n_steps,)."
        )
    return steps


def _checked_levels(levels, steps):
    """Return the levels of rows, or say why there are none."""
    n = {len(one) for one in steps}
    if len(n) > 1 or (levels is not None and np.shape(levels) != (*n,)):
        raise ValueError("The components of rows must have as many steps each, and as many levels.")
    if levels is None and not all(np.allclose(one, steps[0]) for one in steps):
        raise ValueError(
            "The components have different steps: say which quantiles these are by levels."
        )
    return None if levels is None else as_numbers(levels, "levels").astype(np.float64)


def _check_number(decoded, n, lengths):
    if n_samples_of(decoded) != n:
        raise ValueError(
            f"decoded holds {n_samples_of(decoded)} samples, but steps of lengths {lengths} ask "
            f"for {n}."
        )


def _checked_quantiles(quantiles):
    quantiles = tuple(quantiles)
    if len(quantiles) != 2 or not 0 <= quantiles[0] <= quantiles[1] <= 1:
        raise ValueError(
            f"quantiles must be two numbers from 0 to 1, the lower one first; got {quantiles!r}"
        )
    return quantiles


class Codes:
    """Codes of samples, as a range of codes to decode."""

    def __init__(self, codes):
        self.codes = codes
        self.middle = np.median(codes, axis=0)

    @property
    def order(self):
        """The components, those that vary most first."""
        return np.argsort(-self.codes.var(axis=0), kind="stable")

    def quantiles(self, component, levels):
        """Return quantiles of a component."""
        return np.quantile(self.codes[:, component], levels)


class Prior:
    """The prior of codes, standard normal, as a range of codes to decode."""

    def __init__(self, n_components):
        self.middle = np.zeros(n_components)
        self.order = np.arange(n_components)

    def quantiles(self, component, levels):
        """Return quantiles of a component, finite ones."""
        del component
        return norm.ppf(np.clip(levels, 1e-4, 1 - 1e-4))


def _range_of(model, X):
    """Return the range of the codes of samples, or of the prior if there are none."""
    if X is not None:
        codes = model.last.transform(model.prepared(take(X, thinned(X, MAX_CODES))))
        return Codes(dense_array(check_array(codes, accept_sparse=True)))
    if not isinstance(model.last, VariationalAutoencoder):
        raise ValueError(
            f"X is None, but {model.name} has no prior to take codes from. Give samples."
        )
    return Prior(model.last.n_components_)


def _what_varies(layout, components, order):
    """Return the layout of the display, and which components vary: the first ones in order."""
    n = len(order)
    if layout not in ("grid", "rows", "auto"):
        raise ValueError(f'layout must be "grid", "rows" or "auto"; got {layout!r}')
    if components is None:
        layout = ("grid" if n >= 2 else "rows") if layout == "auto" else layout
        components = order[: 2 if layout == "grid" else MAX_ROWS].tolist()
    components = [components] if isinstance(components, Integral) else list(components)
    is_valid = all(isinstance(i, Integral) and 0 <= i < n for i in components)
    if not components or not is_valid:
        raise ValueError(f"components={components!r}: there are {n} components, 0 to {n - 1}.")
    layout = ("grid" if len(components) == 2 else "rows") if layout == "auto" else layout
    if layout == "grid" and len(components) != 2:
        raise ValueError(f'layout="grid" varies two components; got components={components!r}')
    return layout, [int(i) for i in components]


def _varied(middle, components, steps, layout):
    """Return the codes to decode."""
    if layout == "grid":
        first, second = np.meshgrid(*steps)
        codes = np.tile(middle, (first.size, 1))
        codes[:, components[0]], codes[:, components[1]] = first.ravel(), second.ravel()
        return codes
    codes = np.tile(middle, (len(components), len(steps[0]), 1))
    for i, (component, values) in enumerate(zip(components, steps, strict=True)):
        codes[i, :, component] = values
    return codes.reshape(-1, len(middle))


def _values_of(form, model, X):
    """Return what a display has to know of the values of samples, by name."""
    if form.name == "series":
        return {"feature_names": form.names}
    if X is None:
        return {}
    some = take(X, thinned(X, MAX_CODES))
    known = form.read(some if model.can_go_back else model.prepared(some))
    if form.name == "images":
        return {"value_range": (known.min(), known.max())}
    return dict(zip(("center", "scale"), moments(known), strict=True))
