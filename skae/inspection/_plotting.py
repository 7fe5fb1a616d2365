"""What all displays share: matplotlib, axes, colors, and the styles of artists."""

from math import ceil
from textwrap import fill

import numpy as np

from skae.exceptions import missing

#: Colors that color-blind people tell apart, by Okabe and Ito.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW, GRAY = "#CC79A7", "#56B4E9", "#F0E442", "#555555"
COLORS = BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, GRAY

#: Ten more, by Petroff, for points of more categories.
MANY_COLORS = (
    *("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6"),
    *("#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"),
)

#: Size of fonts that figures are made for, in points; the part of it that small texts have, and
#: that is the width of a letter, about.
FONT_SIZE, SMALL, LETTER = 10.0, 0.9, 0.5

#: Letters of a line, at least.
LEAST_LETTERS = 12

#: What tells lines and points apart in addition to their colors.
LINESTYLES = "-", "--", "-.", ":"
MARKERS = "o", "s", "^", "D", "v", "P", "X", "<", ">", "*"


def pyplot():
    """Return ``matplotlib.pyplot``.

    Raises
    ------
    ModuleNotFoundError
        If matplotlib is not installed; the message names the extra.
    """
    try:
        from matplotlib import pyplot as plt
    except ModuleNotFoundError as error:
        raise missing("matplotlib", "plot") from error
    return plt


def one_axes(ax=None, figsize=None):
    """Return the axes to draw on: those of a new figure if ``ax`` is None.

    An array may hold them too, as the attribute ``axes_`` of displays does.

    Raises
    ------
    TypeError
        If ``ax`` is anything but one axes.
    """
    plt = pyplot()
    if ax is None:
        return plt.subplots(figsize=_scaled(figsize), layout="constrained")[1]
    given = np.asarray(ax, dtype=object)
    ax = given.item() if given.size == 1 else ax
    if not isinstance(ax, plt.Axes):
        raise TypeError(
            f"ax must be one matplotlib Axes, as plt.subplots() makes it, or None; got {_named(ax)}"
        )
    return ax


def grid_of_axes(ax, n_rows, n_columns, figsize=None, **how):
    """Return axes in a grid.

    Parameters
    ----------
    ax : Axes, array of Axes, or None
        One axes is replaced by a grid in its place. An array of them is taken as it is: of shape
        (n_rows, n_columns), or (n_columns,) or (n_rows,) for a single row or column. None makes a
        new figure.
    n_rows, n_columns : int
    figsize : tuple of float or None, default=None
        Of a new figure, in inches.
    **how : dict
        Passed on to ``subplots``, for instance ``sharey="row"``. It has no effect on given axes.

    Returns
    -------
    ndarray of Axes, of shape (n_rows, n_columns)

    Raises
    ------
    TypeError, ValueError
        If ``ax`` holds other things than axes, or another number of them.
    """
    plt = pyplot()
    if ax is None:
        figure = plt.figure(figsize=_scaled(figsize), layout="constrained")
        return figure.subplots(n_rows, n_columns, squeeze=False, **how)
    if isinstance(ax, plt.Axes):
        ax.set_axis_off()
        return _subgrid(ax, n_rows, n_columns, how)
    given = np.asarray(ax, dtype=object)
    if not given.size or not all(isinstance(one, plt.Axes) for one in given.flat):
        raise TypeError(f"ax must be matplotlib Axes, an array of them, or None; got {_named(ax)}")
    shapes = {(n_rows, n_columns)} | (
        {(n_rows * n_columns,)} if 1 in (n_rows, n_columns) else set()
    )
    if given.shape not in shapes:
        raise ValueError(
            f"ax is of shape {given.shape}, but this display draws on axes of shape "
            f"({n_rows}, {n_columns}). Give plt.subplots({n_rows}, {n_columns})[1], one axes, "
            "which is divided, or None."
        )
    return given.reshape(n_rows, n_columns)


def _scaled(figsize):
    """Return the size of a figure with room for large fonts, if there are any."""
    scale = max(1.0, pyplot().rcParams["font.size"] / FONT_SIZE)
    return None if figsize is None else [scale * side for side in figsize]


def _subgrid(ax, n_rows, n_columns, how):
    """Return axes in a grid in the place of others."""
    ratios = {name: how.pop(name) for name in ("width_ratios", "height_ratios") if name in how}
    ratios |= how.pop("gridspec_kw", {})
    spec = ax.get_subplotspec()
    if spec is None:
        raise ValueError(
            "ax must be axes of plt.subplots, to be divided; got axes at a place of their own. "
            "Give an array of axes, or None."
        )
    grid = spec.subgridspec(n_rows, n_columns, **ratios)
    return grid.subplots(squeeze=False, **how)


def _named(thing):
    return f"{thing!r:.60} of type {type(thing).__name__}"


def grid_shape(n, n_columns=4):
    """Return the numbers of rows and columns for n panels in at most ``n_columns`` columns."""
    n_columns = min(n, n_columns)
    return ceil(n / n_columns), n_columns


def style(kind, default, *given):
    """Return keywords of an artist: the defaults, and what the user gives.

    Parameters
    ----------
    kind : type
        Class of the artist, such as `matplotlib.lines.Line2D`: it knows short names such as "lw".
    default : dict
    *given : dict or None
        A later one has precedence.

    Returns
    -------
    dict
    """
    from matplotlib.cbook import normalize_kwargs

    merged = normalize_kwargs(dict(default), kind)
    for one in given:
        one = normalize_kwargs(dict(one or {}), kind)
        if "color" in one:  # which stands for both
            merged = {k: v for k, v in merged.items() if k not in ("facecolor", "edgecolor")}
        merged |= one
    return merged


def line_style(default, *given):
    """Return keywords of a line, as `style` does."""
    from matplotlib.lines import Line2D

    return style(Line2D, default, *given)


def look(i):
    """Return color, line style and marker of the i-th of several lines; no two are the same."""
    n = len(COLORS) - 2  # yellow is too light for a line, gray is for what is in the background
    return {
        "color": COLORS[i % n],
        "linestyle": LINESTYLES[(i + i // n) % len(LINESTYLES)],
        "marker": MARKERS[(i + i // n) % len(MARKERS)],
    }


def look_of_points(i, n):
    """Return color and marker of the i-th of n categories of points."""
    if n <= len(COLORS) - 2:
        return {name: look(i)[name] for name in ("color", "marker")}
    n_colors = len(MANY_COLORS)
    marker = MARKERS[(i + i // n_colors) % len(MARKERS)]
    return {"color": MANY_COLORS[i % n_colors], "marker": marker}


def draw_picture(ax, image, ends, kwargs=None):
    """Draw a gray image, or one in color, whose values at the ends are black and white."""
    low, high = ends
    if image.ndim == 3:
        image, how = np.clip((image.astype(float) - low) / (high - low), 0, 1), {}
    else:
        how = {"cmap": "gray", "vmin": low, "vmax": high}
    return bare(ax).imshow(image, **how | (kwargs or {}))


def bare(ax):
    """Remove the ticks of axes, those of an image for instance."""
    ax.set(xticks=[], yticks=[])
    return ax


def ink():
    """Return the color of texts, black unless a style says another one."""
    return pyplot().rcParams["text.color"]


def light_grid(ax, axis="both"):
    """Draw a grid that stays in the background."""
    ax.grid(axis=axis, color=ink(), alpha=0.1, linewidth=0.8)
    ax.set_axisbelow(True)
    return ax


def legend_above(ax, is_own):
    """Draw the legend of axes: above the figure if it is the display's own, else in the axes."""
    handles, labels = ax.get_legend_handles_labels()
    how = {"loc": "outside upper right", "ncols": len(handles), "frameon": False}
    where = ax.figure if is_own else ax
    legend = where.legend(handles, labels, fontsize="small", **how if is_own else {})
    return _as_written(legend)


def finish_labels(*axes):
    """Draw labels and legends as they are, as names may hold "$", and long labels in lines."""
    from matplotlib.ticker import FixedLocator

    for ax in axes:
        for axis, length in zip((ax.xaxis, ax.yaxis), size_of(ax), strict=True):
            is_named = isinstance(axis.get_major_locator(), FixedLocator)
            _as_written(axis if is_named else axis.label)
            _break_lines(axis.label, length)
        if ax.get_legend() is not None:
            _as_written(ax.get_legend())


def size_of(ax):
    """Return the width and the height of axes in inches."""
    return ax.bbox.width / ax.figure.dpi, ax.bbox.height / ax.figure.dpi


def width_of(text, size=None):
    """Return about the width of a text in inches, in a font of some size or the small one."""
    size = SMALL * pyplot().rcParams["font.size"] if size is None else size
    return LETTER * size * len(text) / 72


def _break_lines(label, length):
    """Break the label of an axis into lines if it is longer than the axis, in inches."""
    text, n_letters = label.get_text(), int(length / width_of("x", label.get_fontsize()))
    if len(text) > max(n_letters, LEAST_LETTERS) and "\n" not in text:
        label.set_text(fill(text, max(n_letters, LEAST_LETTERS)))


def _as_written(artist):
    from matplotlib.text import Text

    for text in artist.findobj(Text):
        text.set_parse_math(False)
    return artist


def whole_numbers(axis):
    """Let an axis have ticks at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
