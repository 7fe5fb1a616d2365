"""Codes as points."""

from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.utils import check_array, get_tags

from skae._data.given import as_data
from skae.inspection._label_colors import Categories, Numbers, labels_of
from skae.inspection._models import (
    Model,
    can_transform,
    is_fitted,
    n_samples_of,
    take,
    to_draw,
)
from skae.inspection._plotting import (
    BLUE,
    finish_labels,
    light_grid,
    look_of_points,
    one_axes,
    pyplot,
    style,
)
from skae.inspection._scoring import score_function

#: How many points are drawn by default.
MAX_SAMPLES = 5000

#: Points of this number and area cover each other little.
N_POINTS, AREA = 500, 26.0


class LatentSpaceDisplay:
    """Codes as points in one or two dimensions, colored by labels or by scores.

    Categories have a legend, and markers as well as colors; numbers have a color bar. Samples
    without a label are small and gray. One component is drawn as a histogram, against the labels
    if they are numbers, or in a strip for each category; these need no legend.

    It is recommended to use `from_estimator` or `from_predictions` to create a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, 1) or (n_samples, 2)
        Points.
    y : array-like of shape (n_samples,) or None, default=None
        Labels or numbers. NaN and None are missing, and so is -1 among whole numbers, unless all
        are -1 or 1.
    axis_names : list of str or None, default=None
        Labels of the axes.
    y_name : str or None, default=None
        What y is. None is the name of y, if it is a column.

    Attributes
    ----------
    points_ : list of PathCollection or of BarContainer
        What is drawn, one for each category, that of missing labels first. One component without
        labels is drawn as bars.
    legend_ : Legend or None
        Legend of the categories, in two dimensions.
    colorbar_ : Colorbar or None
        Color bar of numbers, in two dimensions.
    ax_ : Axes
        Axes with the points.
    figure_ : Figure
        Figure that holds them.

    See Also
    --------
    LatentTraversalDisplay : What codes are decoded to.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import Autoencoder
    >>> from skae.inspection import LatentSpaceDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> model = Autoencoder(2, max_epochs=2, check_baseline=False, random_state=0).fit(X / 16)
    >>> display = LatentSpaceDisplay.from_estimator(model, X / 16, y)
    >>> len(display.points_)
    10
    """

    def __init__(self, *, codes, y=None, axis_names=None, y_name=None):
        self.codes = codes
        self.y = y
        self.axis_names = axis_names
        self.y_name = y_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        components=None,
        projection=None,
        y_name=None,
        max_samples=MAX_SAMPLES,
        random_state=None,
        ax=None,
        **kwargs,
    ):
        """Draw the codes of samples.

        Parameters
        ----------
        estimator : estimator
            A fitted autoencoder or another transformer, or a pipeline, search or
            `~skae.OutlierDetector` that holds one.
        X : array-like of shape (n_samples, ...)
            Samples, as the estimator takes them.
        y : array-like of shape (n_samples,), "score" or None, default=None
            Labels or numbers to color the points by. "score" is what ``score_samples`` returns.
        components : int, tuple of int or None, default=None
            One component to draw, or two, counted from 0. None is the first two.
        projection : "pca", transformer or None, default=None
            What is drawn in place of the codes: their principal components, or what a transformer
            such as `~sklearn.manifold.TSNE` makes of them. A transformer that is not fitted is
            cloned and fitted on the codes that are drawn, with y if it needs one.
        y_name : str or None, default=None
            What y is, as the title of the legend or the label of the color bar.
        max_samples : int or None, default=5000
            Samples that are drawn at most, chosen at random with a warning. None is all.
        random_state : int, RandomState instance or None, default=None
            Which samples are drawn, and the seed of "pca". None is the same at every call.
        ax : Axes or None, default=None
            As for `plot`.
        **kwargs : dict
            Further parameters of `plot`.

        Returns
        -------
        display : LatentSpaceDisplay
            The display that was drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it has no codes, or no scores.
        ValueError
            If a parameter or the data is invalid.
        """
        pyplot()
        model = Model.of(estimator)
        if not can_transform(model.last):
            raise TypeError(
                f"{model.name} has no codes to draw: it has no method transform.{model.hint}"
            )
        which = to_draw(X, max_samples, random_state)
        y = _checked_labels(y, X)
        X = take(X, which)
        if isinstance(y, str):
            score, _ = score_function(estimator, X)
            y, y_name = score(X), y_name or "score, higher is more normal"
        elif y is not None:
            y = take(y, which)
        codes = check_array(model.last.transform(model.prepared(X)), accept_sparse=True)
        codes = codes.toarray() if not isinstance(codes, np.ndarray) else codes
        ratios = vars(model.last).get("explained_variance_ratio_")
        points, names = _projected(codes, ratios, projection, y, random_state)
        places = _places(components, points.shape[1])
        return cls(
            codes=points[:, places], y=y, axis_names=[names[i] for i in places], y_name=y_name
        ).plot(ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        codes,
        y=None,
        *,
        components=None,
        projection=None,
        y_name=None,
        max_samples=MAX_SAMPLES,
        random_state=None,
        ax=None,
        **kwargs,
    ):
        """Draw codes that are given.

        Parameters
        ----------
        codes : array-like of shape (n_samples, n_components)
            Codes, as ``transform`` returns them.
        y : array-like of shape (n_samples,) or None, default=None
            Labels or numbers to color the points by, for instance scores.
        components : int, tuple of int or None, default=None
            As for `from_estimator`.
        projection : "pca", transformer or None, default=None
            As for `from_estimator`.
        y_name : str or None, default=None
            As for `from_estimator`.
        max_samples : int or None, default=5000
            As for `from_estimator`.
        random_state : int, RandomState instance or None, default=None
            As for `from_estimator`.
        ax : Axes or None, default=None
            As for `plot`.
        **kwargs : dict
            Further parameters of `plot`.

        Returns
        -------
        display : LatentSpaceDisplay
            The display that was drawn.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid.
        """
        pyplot()
        codes = check_array(as_data(codes, "codes"), input_name="codes")
        which = to_draw(codes, max_samples, random_state, "codes")
        labels_of(y, len(codes))
        y = None if y is None else take(y, which)
        points, names = _projected(codes[which], None, projection, y, random_state)
        places = _places(components, points.shape[1])
        return cls(
            codes=points[:, places], y=y, axis_names=[names[i] for i in places], y_name=y_name
        ).plot(ax, **kwargs)

    def plot(self, ax=None, *, scatter_kw=None):
        """Draw the display.

        Parameters
        ----------
        ax : Axes or None, default=None
            Axes to draw on. None makes a new figure.
        scatter_kw : dict or None, default=None
            Keywords for ``scatter``, such as ``{"s": 4}``, or for ``hist`` of one component
            without labels.

        Returns
        -------
        display : LatentSpaceDisplay
            The display itself.

        Raises
        ------
        TypeError, ValueError
            If ``ax`` is not one axes, or if y is not one label for each code.
        """
        codes = np.asarray(self.codes, dtype=float)
        codes = codes[:, None] if codes.ndim == 1 else codes
        if codes.ndim != 2 or codes.shape[1] not in (1, 2):
            raise ValueError(f"codes must have one or two columns; got shape {codes.shape}")
        labels = labels_of(self.y, len(codes), self.y_name)
        ax = light_grid(one_axes(ax, (6.0, 4.5)))
        self.points_, self.legend_, self.colorbar_ = [], None, None
        names = [f"code {i}" for i in range(codes.shape[1])]
        names = names if self.axis_names is None else list(self.axis_names)
        is_flat = codes.shape[1] == 1
        if is_flat:
            codes, names = _as_points(ax, codes, names, labels)
        ax.set(xlabel=names[0], ylabel=names[1])
        self._draw(ax, codes, labels, scatter_kw, is_flat)
        finish_labels(ax, *([] if self.colorbar_ is None else [self.colorbar_.ax]))
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw(self, ax, codes, labels, scatter_kw, is_flat):
        from matplotlib.collections import PathCollection

        n = len(codes)
        size = AREA * min(1.0, max(0.15, (N_POINTS / max(n, 1)) ** 0.5))
        default = {"s": size, "linewidths": 0, "alpha": 0.85}

        def draw(which, **own):
            given = dict(scatter_kw or {})
            given |= {"color": given.pop("c")} if "c" in given else {}
            if "c" in own and "color" in given:
                raise ValueError("scatter_kw holds a color, but y is numbers, shown by colors.")
            how = style(PathCollection, {}, default | own, given)
            self.points_.append(ax.scatter(*codes[which].T, **how))

        gray = {"color": "0.7", "marker": ".", "label": "no label"}
        match labels:
            case None if is_flat:
                how = {"bins": "auto", "color": BLUE, "edgecolor": "white"} | (scatter_kw or {})
                self.points_.append(ax.hist(codes[:, 0], **how)[2])
            case None:
                draw(slice(None), color=BLUE)
            case Categories():
                if (labels.codes < 0).any():
                    draw(labels.codes < 0, **gray)
                for i, name in enumerate(labels.names):
                    if (labels.codes == i).any():
                        own = look_of_points(i, len(labels.names))
                        draw(labels.codes == i, label=name, **own)
                if not is_flat:
                    self.legend_ = _legend(ax, self.points_, labels.title)
            case Numbers():
                self._draw_numbers(ax, labels, draw, gray, is_flat)

    def _draw_numbers(self, ax, labels, draw, gray, is_flat):
        is_missing = np.isnan(labels.values)
        if is_missing.any():
            draw(is_missing, **gray)
        order = np.argsort(-labels.values, kind="stable")  # the lowest on top
        order = order[~is_missing[order]]
        low, high = labels.ends
        draw(order, c=labels.values[order], cmap="viridis", vmin=low, vmax=high)
        if is_flat:
            return
        known = labels.values[order]
        below, above = bool((known < low).any()), bool((known > high).any())
        extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[below, above]
        self.colorbar_ = ax.figure.colorbar(self.points_[-1], ax=ax, extend=extend)
        self.colorbar_.set_label(labels.title or "y")
        if is_missing.any():
            self.legend_ = _legend(ax, self.points_[:1], None)


def _legend(ax, points, title):
    handles, labels = zip(*[(one, one.get_label()) for one in points], strict=True)
    how = {"loc": "center left", "bbox_to_anchor": (1, 0.5)} if len(labels) > 3 else {"loc": "best"}
    legend = ax.legend(handles, labels, title=title, fontsize="small", **how)
    for handle in legend.legend_handles:
        handle.set_sizes([30])
    return legend


def _as_points(ax, codes, names, labels):
    """Return one component as points, and the names of both axes."""
    match labels:
        case Numbers():
            return np.column_stack([codes, labels.values]), [names[0], labels.title or "y"]
        case Categories():
            jitter = np.random.default_rng(0).uniform(-0.35, 0.35, len(codes))
            first = -1 if (labels.codes < 0).any() else 0
            names_of_all = ["no label", *labels.names][first + 1 :]
            ax.set_yticks(range(first, len(labels.names)), names_of_all)
            return np.column_stack([codes, labels.codes + jitter]), [names[0], labels.title]
    return codes, [names[0], "number of samples"]


def _checked_labels(y, X):
    """Return y, checked: one label for each sample, or "score"."""
    if isinstance(y, str) and y != "score":
        raise ValueError(f'y must be labels, "score" or None; got {y!r}')
    if y is not None and not isinstance(y, str):
        labels_of(y, n_samples_of(X))
    return y


def _projected(codes, ratios, projection, y, random_state):
    """Return what is drawn of codes, and the names of its columns."""
    if projection is None:
        shares = [""] * codes.shape[1]
        if ratios is not None:
            shares = [f" ({100 * ratio:.0f} % of variance)" for ratio in ratios]
        return codes, [f"code {i}{share}" for i, share in enumerate(shares)]
    if isinstance(projection, str):
        if projection != "pca":
            raise ValueError(f'projection must be "pca", a transformer or None; got {projection!r}')
        if len(codes) < 2:
            raise ValueError('projection="pca" needs at least two samples; got one')
        pca = PCA(min(2, *codes.shape), random_state=0 if random_state is None else random_state)
        with np.errstate(invalid="ignore"):  # equal codes have no variance
            points = pca.fit_transform(codes)
        shares = np.nan_to_num(pca.explained_variance_ratio_)
        name = "principal component {} of the codes ({:.0f} %)"
        return points, [name.format(i, 100 * share) for i, share in enumerate(shares)]
    if not can_transform(projection):
        raise TypeError(f"projection must have a method transform or fit_transform: {projection!r}")
    if is_fitted(projection):
        points = projection.transform(codes)
    else:
        needs_y = get_tags(projection).target_tags.required
        points = clone(projection).fit_transform(codes, *((y,) if needs_y else ()))
    points = np.asarray(points, dtype=float)
    return points, [f"{type(projection).__name__} {i}" for i in range(points.shape[1])]


def _places(components, n):
    """Return which columns are drawn."""
    if components is None:
        return list(range(min(2, n)))
    places = [components] if isinstance(components, Integral) else list(components)
    if len(places) not in (1, 2) or not all(isinstance(i, Integral) for i in places):
        raise ValueError(f"components must be one or two ints, such as (0, 1); got {components!r}")
    for i in places:
        if not 0 <= i < n:
            raise ValueError(f"components={components!r}: there are {n} components, 0 to {n - 1}.")
    return [int(i) for i in places]
